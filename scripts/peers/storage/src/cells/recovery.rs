//! Opening a data directory of many partitions: after a power cut each log is walked from its recovery point, after a clean stop none is.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use logdyno_record::{LeaderEpoch, NoProbe, SystemClock, TopicId, TopicPartition};
use logdyno_segment_log::{Level, LogConfig, LogDirectory, Wanted};
use logdyno_storage::Backend;

use super::{Figures, Spec, Stopwatch, backend};
use crate::logs::{BATCH, PATIENCE, batch};
use crate::machine;

/// `recovery SYSTEM killed|clean [warm] partitions=N mib=M segments=S threads=T`: M is the sum over all partitions, S is for each.
pub fn measure(spec: &Spec, dir: &Path) -> Result<Figures> {
    let number = |name, default| spec.option(name).map(|given| given.unwrap_or(default));
    let (partitions, threads) = (number("partitions", 100)?, number("threads", 2)?);
    let bytes = number("mib", 1024)? << 20;
    let each = (bytes / partitions).max(BATCH);
    let clean = spec.words.first() == Some(&"clean");
    let wanted = wanted(partitions, each / number("segments", 1)?);
    let path = dir.join("data");
    fill(spec, &path, &wanted, each, clean)?;
    if !spec.words.contains(&"warm") {
        cool(&path)?;
    }
    machine::warm(super::ROOM_BYTES)?;
    let watch = Stopwatch::start()?;
    let backend = backend(spec, &path)?;
    let directory = open(&backend, &path)?;
    let mut read = 0;
    for opened in directory.open_logs(&wanted, threads) {
        let (log, report) = opened?;
        read += report.bytes_read;
        anyhow::ensure!(clean || log.end_offset().0 as usize >= each / BATCH, "{} lost batches", log.partition());
    }
    let counts = backend.counters();
    let (calls, asked_for) = (counts.read_calls + counts.ring_reads, counts.bytes_read);
    eprintln!("{read} bytes of batches looked at; {calls} reads of segments, {asked_for} bytes");
    watch.stop(read.max(1), partitions as u64, Vec::new())
}

/// Drops all files of the partitions from the page cache.
fn cool(data: &Path) -> Result<()> {
    for folder in std::fs::read_dir(data)?.collect::<Result<Vec<_>, _>>()?.iter().filter(|entry| entry.path().is_dir())
    {
        for file in std::fs::read_dir(folder.path())? {
            machine::cool(&file?.path())?;
        }
    }
    Ok(())
}

fn open(backend: &Arc<dyn Backend>, path: &Path) -> Result<LogDirectory> {
    Ok(LogDirectory::open(path, Arc::clone(backend), Arc::new(SystemClock), Arc::new(NoProbe))?)
}

fn wanted(partitions: usize, segment: usize) -> Vec<Wanted> {
    // A batch more than its share: the last segment is the active one.
    let config = LogConfig { segment_bytes: (segment + BATCH) as u64, ..LogConfig::default() };
    let one = |partition| Wanted {
        partition: TopicPartition::new("t", partition as i32),
        topic_id: TopicId::from_u128(partition as u128 + 1),
        config: config.clone(),
    };
    (0..partitions).map(one).collect()
}

/// Writes the logs. Without a clean end nothing is closed and no recovery point is written down, as after a power cut.
fn fill(spec: &Spec, path: &Path, wanted: &[Wanted], each: usize, clean: bool) -> Result<()> {
    std::fs::create_dir_all(path)?;
    let directory = open(&backend(spec, path)?, path)?;
    let batch = batch()?;
    for opened in directory.open_logs(wanted, 2) {
        let (log, _) = opened?;
        for _ in 0..each / BATCH {
            log.append_with_patience(&batch, LeaderEpoch(0), PATIENCE)?;
        }
        log.wait_for(Level::Durable, log.end_offset())?;
    }
    if clean {
        directory.close_clean().context("a clean end")?;
    }
    Ok(())
}
