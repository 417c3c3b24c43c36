//! A log under a steady writer at half of what it takes at most: what segment rolls do to its appends, and what readers do.
//!
//! An append's latency counts from when it was due, so that one that holds up the next is not forgotten (coordinated omission).

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use logdyno_record::{LeaderEpoch, Offset};
use logdyno_segment_log::{Level, Log};
use logdyno_storage::Kind;

use crate::logs::{BATCH, PATIENCE, batch, open};
use crate::machine;

const ROLLS: usize = 50;
const ROLL_BYTES: u64 = 16 << 20;
const STRETCH: Duration = Duration::from_secs(4);
const COLD_BYTES: u64 = 2 << 30;
const USED_BYTES: u64 = 128 << 20;
const READ_BYTES: usize = 1 << 20;

/// Prints a line for each backend and round.
pub fn run(dir: &Path, rounds: u32, kinds: &[Kind]) -> Result<()> {
    println!(
        "| backend | at half its limit, MB/s | p99 alone, µs | with readers, µs | ratio | rate kept | p99.9 over {ROLLS} rolls, µs | longest, µs | longest append that rolls, µs |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|");
    for _ in 0..rounds {
        for kind in kinds {
            match measure(kind, dir) {
                Ok(line) => println!("{line}"),
                Err(error) => println!("| {} | not measured: {error:#} |", kind.name),
            }
        }
    }
    Ok(())
}

fn measure(kind: &Kind, dir: &Path) -> Result<String> {
    let dir = tempfile::Builder::new().prefix("storage-peers-").tempdir_in(dir)?;
    let per_second = limit(kind, &dir.path().join("limit"))? / 2.0;
    let log = used(kind, &dir.path().join("readers"), 1 << 30)?;
    let alone = pace(&log, per_second, STRETCH)?;
    let cold = cold_log(kind, &dir.path().join("cold"))?;
    let (busy, cold_read) = beside_readers(&log, &cold, || pace(&log, per_second, STRETCH))?;
    let rolling = used(kind, &dir.path().join("rolls"), ROLL_BYTES)?;
    let rolls = pace(&rolling, per_second, Duration::from_secs_f64((ROLLS as u64 * ROLL_BYTES) as f64 / per_second))?;
    eprintln!("  {}: {:.0} MB were read cold beside the writer", kind.name, cold_read as f64 / 1e6);
    Ok(format!(
        "| {} | {:.0} | {:.0} | {:.0} | {:.2} | {:.1} % | {:.0} | {:.0} | {:.0} |",
        kind.name,
        per_second / 1e6,
        alone.quantile(0.99),
        busy.quantile(0.99),
        busy.quantile(0.99) / alone.quantile(0.99),
        100.0 * busy.per_second / per_second,
        rolls.quantile(0.999),
        rolls.quantile(1.0),
        rolls.longest_roll_us,
    ))
}

/// Latencies of a stretch of appends, and bytes a second.
struct Stretch {
    sorted_us: Vec<f64>,
    /// The longest that an append took which began a segment: from its call, not from when it was due.
    longest_roll_us: f64,
    per_second: f64,
}

impl Stretch {
    fn quantile(&self, quantile: f64) -> f64 {
        self.sorted_us[((self.sorted_us.len() - 1) as f64 * quantile).ceil() as usize]
    }
}

/// Bytes a second that a writer appends who does not wait for anything but room, and can go on with: the second half of twice a stretch,
/// because the page cache takes more at first, as long as the host backs its memory.
fn limit(kind: &Kind, dir: &Path) -> Result<f64> {
    let (log, batch) = (open(kind, dir, 256 << 20)?, batch()?);
    let mut per_second = 0.0;
    for _ in 0..2 {
        let (begun, mut bytes) = (Instant::now(), 0);
        while begun.elapsed() < STRETCH {
            log.append_with_patience(&batch, LeaderEpoch(0), PATIENCE)?;
            bytes += batch.size();
        }
        log.wait_for(Level::Durable, log.end_offset())?;
        per_second = bytes as f64 / begun.elapsed().as_secs_f64();
    }
    drop(log);
    std::fs::remove_dir_all(dir)?;
    Ok(per_second)
}

/// A new log whose backend has used its memory before: the first touch of it is no roll's fault, and no reader's.
fn used(kind: &Kind, dir: &Path, segment_bytes: u64) -> Result<Arc<Log>> {
    let (log, batch) = (open(kind, dir, segment_bytes)?, batch()?);
    for _ in 0..USED_BYTES / BATCH as u64 {
        log.append_with_patience(&batch, LeaderEpoch(0), PATIENCE)?;
    }
    log.flush()?;
    Ok(log)
}

/// Appends at a steady rate.
fn pace(log: &Log, per_second: f64, stretch: Duration) -> Result<Stretch> {
    let batch = batch()?;
    let (every, begun) = (batch.size() as f64 / per_second, Instant::now());
    let count = (stretch.as_secs_f64() / every) as usize;
    let (mut sorted_us, mut longest_roll_us, mut segments) =
        (Vec::with_capacity(count), 0_f64, log.segment_bases().len());
    for number in 0..count {
        let due = Duration::from_secs_f64(number as f64 * every);
        while begun.elapsed() < due {
            // Who yields comes back a slice later, where others want the processor.
            std::hint::spin_loop();
        }
        let called = begun.elapsed();
        log.append_with_patience(&batch, LeaderEpoch(0), PATIENCE)?;
        let done = begun.elapsed();
        sorted_us.push((done - due).as_secs_f64() * 1e6);
        if log.segment_bases().len() > segments {
            segments += 1;
            longest_roll_us = longest_roll_us.max((done - called).as_secs_f64() * 1e6);
        }
    }
    let per_second = (count * batch.size()) as f64 / begun.elapsed().as_secs_f64();
    sorted_us.sort_by(f64::total_cmp);
    Ok(Stretch { sorted_us, longest_roll_us, per_second })
}

/// A log that lies on the device and not in memory.
fn cold_log(kind: &Kind, dir: &Path) -> Result<Arc<Log>> {
    let (log, batch) = (open(kind, dir, 256 << 20)?, batch()?);
    for _ in 0..COLD_BYTES / BATCH as u64 {
        log.append_with_patience(&batch, LeaderEpoch(0), PATIENCE)?;
    }
    log.flush()?;
    for file in std::fs::read_dir(dir.join("t-0"))? {
        machine::cool(&file?.path())?;
    }
    Ok(log)
}

/// What `work` gives while three readers follow at the head of `log` and one reads `cold`; and how much that one has read.
fn beside_readers<T>(log: &Log, cold: &Log, work: impl FnOnce() -> Result<T>) -> Result<(T, u64)> {
    let (stop, cold_read, size) = (AtomicBool::new(false), AtomicU64::new(0), batch()?.size());
    let follow = |log: &Log, mut next: Offset, read: &AtomicU64| -> Result<()> {
        while !stop.load(Ordering::Relaxed) {
            let end = log.end_offset();
            if next >= end {
                std::thread::sleep(Duration::from_millis(1));
                continue;
            }
            let slice = log.read_blocking(next, end, READ_BYTES, true)?;
            read.fetch_add(slice.size() as u64, Ordering::Relaxed);
            // Each batch holds one record.
            next = Offset(next.0 + (slice.size() / size) as i64);
        }
        Ok(())
    };
    let unread = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let mut readers: Vec<_> = (0..3).map(|_| scope.spawn(|| follow(log, log.end_offset(), &unread))).collect();
        readers.push(scope.spawn(|| follow(cold, cold.start_offset(), &cold_read)));
        let worked = work();
        stop.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.join().map_err(|_| anyhow!("a reader panicked"))?.context("a reader")?;
        }
        Ok((worked?, cold_read.load(Ordering::Relaxed)))
    })
}
