//! What the machine is asked before and after a cell.

use std::ffi::c_void;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::ptr::null_mut;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};

/// Longer than a guest waits before it tells of free pages.
const UNTIL_TOLD: Duration = Duration::from_millis(2500);
/// What nobody touches, so that the kernel is never short of memory.
const SPARE_BYTES: usize = 128 << 20;
/// What a guest tells its host of is free in pieces of at least this (`page_reporting_order` of the kernel's `mm/page_reporting.c`), and
/// where memory is taken in such pieces, as the page cache does for maps and cold reads, it meets those first.
const PIECE: usize = 2 << 20;

/// Memory that is kept from everybody, so that what is left is soon touched.
///
/// A guest gives free memory back to its host within seconds, and a page that is touched first afterwards costs a fault
/// there: 0.5 GB/s instead of 8. Touching all free memory before each cell would take half a minute; so most is held, and
/// the rest is touched.
pub struct Held(#[expect(dead_code, reason = "held, never read")] Touched);

impl Held {
    /// Holds what is free, but for the room of what is measured: twice what that keeps in memory at a time.
    pub fn all_but(room_bytes: usize) -> Result<Held> {
        Ok(Held(touched(free_bytes()?.saturating_sub(room_bytes))?))
    }
}

/// Touches and frees so much of what is free, so that the host backs it before a cell is timed.
///
/// The guest tells its host of free pages two seconds after the first of them was freed (`page_reporting_delay` in the kernel's
/// `mm/page_reporting.c`). So what was touched is held until what others freed before has been told: a cell that begins then has two
/// seconds to itself.
pub fn warm(room_bytes: usize) -> Result<()> {
    let memory = touched(free_bytes()?.saturating_sub(SPARE_BYTES).min(room_bytes))?;
    std::thread::sleep(UNTIL_TOLD);
    drop(memory);
    Ok(())
}

/// Memory in large pages, each of which has been touched.
struct Touched {
    address: *mut c_void,
    bytes: usize,
}

fn touched(bytes: usize) -> Result<Touched> {
    let bytes = bytes.next_multiple_of(PIECE).max(PIECE);
    // SAFETY: a new mapping at an address of the kernel's choice overlaps nothing.
    let address = unsafe { mmap_anonymous(null_mut(), bytes, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE)? };
    let memory = Touched { address, bytes };
    // SAFETY: the range is the mapping just made, and the advice changes none of its bytes.
    let advised = unsafe { madvise(address, bytes, Advice::LinuxHugepage) };
    // A kernel without large pages gives small ones.
    advised.unwrap_or_default();
    for page in (0..bytes).step_by(4096) {
        // SAFETY: inside the mapping, of which nobody else knows.
        unsafe { address.cast::<u8>().add(page).write_volatile(1) };
    }
    Ok(memory)
}

impl Drop for Touched {
    fn drop(&mut self) {
        // SAFETY: mapped in `touched`, and nobody has a pointer into it. It cannot fail: these are the mapping's own bounds.
        unsafe { munmap(self.address, self.bytes) }.unwrap_or_default();
    }
}

fn free_bytes() -> Result<usize> {
    let told = fs::read_to_string("/proc/meminfo").context("/proc/meminfo")?;
    let line = told.lines().find_map(|line| line.strip_prefix("MemFree:")).context("no MemFree in /proc/meminfo")?;
    let kib: usize = line.trim().trim_end_matches(" kB").parse().context("MemFree")?;
    Ok(kib << 10)
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
pub fn cool(path: &Path) -> Result<()> {
    let file = fs::File::open(path)?;
    file.sync_all()?;
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
    Ok(())
}

/// Bytes of this process in memory that no file backs.
pub fn anonymous_memory() -> Result<u64> {
    // What was freed before, and is only kept, is not to hide what is taken next.
    // SAFETY: it has no precondition.
    unsafe { libc::malloc_trim(0) };
    let told = fs::read_to_string("/proc/self/status").context("/proc/self/status")?;
    let line =
        told.lines().find_map(|line| line.strip_prefix("RssAnon:")).context("no RssAnon in /proc/self/status")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().context("RssAnon")?;
    Ok(kib << 10)
}

/// Bytes of the blocks that all files below `dir` have.
pub fn disk_usage(dir: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { disk_usage(&entry.path())? } else { metadata.blocks() * 512 };
    }
    Ok(bytes)
}
