//! What the machine is asked before and after a cell.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// Touches and frees memory, so that the guest's pages are backed before a cell is timed.
pub fn touch(mib: usize) {
    let mut memory = vec![0u8; mib << 20];
    for page in memory.chunks_mut(4096) {
        page[0] = 1;
    }
    std::hint::black_box(&memory);
}

/// Seconds that all processors have been busy, interrupts included.
pub fn busy() -> Result<Duration> {
    let stat = fs::read_to_string("/proc/stat").context("/proc/stat")?;
    let line = stat.lines().next().context("an empty /proc/stat")?;
    let ticks: Vec<u64> = line.split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
    // user, nice, system, then idle and iowait, then irq, softirq; what a hypervisor stole is not ours.
    let busy = ticks.iter().take(7).sum::<u64>() - ticks[3] - ticks[4];
    Ok(Duration::from_millis(busy * 10))
}

/// Drops a file's clean pages from the cache.
pub fn cool(path: &std::path::Path) -> Result<()> {
    let file = fs::File::open(path)?;
    file.sync_all()?;
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
    Ok(())
}
