//! What an append costs beside others: on one log and on a thousand, on an empty log and on a long one.

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use logdyno_record::LeaderEpoch;
use logdyno_segment_log::{Level, Log};
use logdyno_storage::Kind;

use crate::logs::{BATCH, PATIENCE, batch, open, open_on, start};
use crate::machine;

const PARTITIONS: [usize; 4] = [1, 10, 100, 1000];
const IDLE: i32 = 1000;
const GIB: u64 = 1 << 30;
/// What is touched before logs grow: more is written than can be.
const ROOM_BYTES: usize = 4 << 30;

/// Counts what is taken from the system's allocator.
pub struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: everything is the system allocator's; only a number is added to.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract that is the same here.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `alloc` above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Prints the tables.
pub fn run(dir: &Path, gib: u64, kinds: &[Kind]) -> Result<()> {
    println!("| backend | {IDLE} logs of one batch on disk, MB | in memory, beside mapped files, KiB each |");
    println!("|---|--:|--:|");
    kinds.iter().try_for_each(|kind| idle(kind, dir))?;
    println!("\n| backend | what | MB/s | processor s/GB | of the first | allocations a batch |");
    println!("|---|---|--:|--:|--:|--:|");
    for kind in kinds {
        let mut first = None;
        for partitions in PARTITIONS {
            let dir = tempfile::Builder::new().prefix("storage-peers-").tempdir_in(dir)?;
            machine::warm(ROOM_BYTES)?;
            let backend = start(kind, dir.path())?;
            // So many logs are not preallocated at once: each grows from nothing.
            let logs = (0..partitions as i32).map(|partition| open_on(&*backend, dir.path(), partition, GIB));
            let logs = logs.collect::<Result<Vec<_>>>()?;
            // What is allocated once for each log is not what an append costs.
            append(&logs, GIB)?;
            print(kind, &format!("{partitions} logs"), &append(&logs, 4 * GIB)?, &mut first);
        }
        grow(kind, dir, gib)?;
    }
    Ok(())
}

/// What logs take that have one batch each, and nothing more to do.
fn idle(kind: &Kind, dir: &Path) -> Result<()> {
    let dir = tempfile::Builder::new().prefix("storage-peers-").tempdir_in(dir)?;
    let backend = start(kind, dir.path())?;
    let (batch, memory) = (batch()?, machine::anonymous_memory()?);
    let logs = (0..IDLE).map(|partition| open_on(&*backend, dir.path(), partition, GIB)).collect::<Result<Vec<_>>>()?;
    for log in &logs {
        log.append_with_patience(&batch, LeaderEpoch(0), PATIENCE)?;
        log.flush()?;
    }
    std::thread::sleep(Duration::from_secs(1));
    let memory = machine::anonymous_memory()?.saturating_sub(memory) as f64 / f64::from(IDLE);
    let disk = machine::disk_usage(dir.path())? as f64;
    println!("| {} | {:.0} | {:.1} |", kind.name, disk / 1e6, memory / 1024.0);
    Ok(())
}

fn grow(kind: &Kind, dir: &Path, gib: u64) -> Result<()> {
    let dir = tempfile::Builder::new().prefix("storage-peers-").tempdir_in(dir)?;
    machine::warm(ROOM_BYTES)?;
    let (logs, mut first) = ([open(kind, dir.path(), GIB)?], None);
    let step = (gib / 6).max(1);
    for from in (0..gib).step_by(step as usize) {
        let cost = append(&logs, step * GIB)?;
        print(kind, &format!("a log of {from} to {} GiB", from + step), &cost, &mut first);
    }
    Ok(())
}

struct Cost {
    mb_per_s: f64,
    processor_s_per_gb: f64,
    allocations: f64,
}

/// Appends to the logs in turn, and waits until the device has it all.
fn append(logs: &[Arc<Log>], bytes: u64) -> Result<Cost> {
    let batch = batch()?;
    let appends = (bytes / BATCH as u64) as usize;
    let (busy, allocations, begun) = (machine::busy()?, ALLOCATIONS.load(Ordering::Relaxed), Instant::now());
    for log in logs.iter().cycle().take(appends) {
        log.append_with_patience(&batch, LeaderEpoch(0), PATIENCE)?;
    }
    for log in logs {
        log.wait_for(Level::Durable, log.end_offset())?;
    }
    let gb = bytes as f64 / 1e9;
    Ok(Cost {
        mb_per_s: gb * 1e3 / begun.elapsed().as_secs_f64(),
        processor_s_per_gb: (machine::busy()? - busy).as_secs_f64() / gb,
        allocations: (ALLOCATIONS.load(Ordering::Relaxed) - allocations) as f64 / appends as f64,
    })
}

fn print(kind: &Kind, what: &str, cost: &Cost, first: &mut Option<f64>) {
    let of_first = cost.processor_s_per_gb / *first.get_or_insert(cost.processor_s_per_gb);
    let (rate, processor, allocations) = (cost.mb_per_s, cost.processor_s_per_gb, cost.allocations);
    println!("| {} | {what} | {rate:.0} | {processor:.3} | {of_first:.2} | {allocations:.2} |", kind.name);
}
