//! A log that is as long as retention lets it be, and goes on: what it takes of a device in the long run.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use logdyno_record::{LeaderEpoch, NoProbe, SystemClock, TopicPartition};
use logdyno_segment_log::{Level, Log, LogConfig, Recovery};

use super::{Figures, Spec, Stopwatch, backend};
use crate::logs::{BATCH, PATIENCE, batch};

const SEGMENT_BYTES: u64 = 128 << 20;
/// What retention keeps.
const KEPT_BYTES: u64 = 4 * SEGMENT_BYTES;
/// From here on each new segment has an old one that goes.
const BEFORE_BYTES: u64 = 10 * SEGMENT_BYTES;
const MEASURED_BYTES: u64 = 4 << 30;
/// How often the log is looked at.
const INTERVAL: Duration = Duration::from_millis(20);

pub fn measure(spec: &Spec, dir: &Path) -> Result<Figures> {
    let backend = backend(spec, dir)?;
    let config = LogConfig {
        segment_bytes: SEGMENT_BYTES,
        retention_bytes: Some(KEPT_BYTES),
        retention_ms: None,
        file_delete_delay_ms: 0,
        ..LogConfig::default()
    };
    let recovery = Recovery { clean_shutdown: true, ..Recovery::default() };
    let storage = backend.open(&dir.join("t-0"))?;
    let partition = TopicPartition::new("t", 0);
    let (log, _) = Log::open(storage, partition, config, recovery, Arc::new(SystemClock), Arc::new(NoProbe))?;
    let is_over = AtomicBool::new(false);
    let figures = std::thread::scope(|scope| {
        let retention = scope.spawn(|| retain(&log, &is_over));
        let figures = append(&log, BEFORE_BYTES).and_then(|()| {
            let watch = Stopwatch::start()?;
            append(&log, MEASURED_BYTES)?;
            watch.stop(MEASURED_BYTES, MEASURED_BYTES / BATCH as u64, Vec::new())
        });
        is_over.store(true, Ordering::Relaxed);
        retention.join().expect("no panic")?;
        figures
    })?;
    log.close()?;
    eprintln!("{} files began with the blocks of others", backend.counters().recycled);
    Ok(figures)
}

fn append(log: &Log, bytes: u64) -> Result<()> {
    let batch = batch()?;
    let mut end = log.end_offset();
    for _ in 0..bytes / BATCH as u64 {
        end = log.append_with_patience(&batch, LeaderEpoch(0), PATIENCE)?.last.next();
    }
    Ok(log.wait_for(Level::Durable, end)?)
}

fn retain(log: &Log, is_over: &AtomicBool) -> Result<()> {
    while !is_over.load(Ordering::Relaxed) {
        log.enforce_retention(log.end_offset())?;
        log.remove_deleted()?;
        std::thread::sleep(INTERVAL);
    }
    Ok(())
}
