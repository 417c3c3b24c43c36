//! Other logs, each as its own documentation uses it.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

use super::{Figures, Spec, Stopwatch, noise};

const TOTAL: usize = 512 << 20;

/// raft-engine: a key and a value a batch, without compression, recycling on (its defaults otherwise).
pub fn raft(spec: &Spec, dir: &Path) -> Result<Figures> {
    use raft_engine::{Config, Engine, LogBatch, ReadableSize};
    let value = noise(size(spec)?);
    let config = Config {
        dir: dir.join("raft").to_string_lossy().into_owned(),
        batch_compression_threshold: ReadableSize(0),
        purge_threshold: ReadableSize::gb(10),
        ..Config::default()
    };
    let engine = Engine::open(config).map_err(|error| anyhow!("{error}"))?;
    let append = |region: u64, at: u64, durable: bool| -> Result<()> {
        let mut batch = LogBatch::with_capacity(1);
        batch.put(region, at.to_be_bytes().to_vec(), value.clone()).map_err(|error| anyhow!("{error}"))?;
        engine.write(&mut batch, durable).map(drop).map_err(|error| anyhow!("{error}"))
    };
    let Some(threads) = spec.option("threads")? else {
        let appends = (TOTAL / value.len()) as u64;
        let watch = Stopwatch::start()?;
        // Each key is put anew, so that its memory table does not grow.
        (0..appends).try_for_each(|at| append(1, at % 64, false))?;
        engine.sync().map_err(|error| anyhow!("{error}"))?;
        return watch.stop(appends * value.len() as u64, appends, Vec::new());
    };
    let each = if threads == 1 { 2000 } else { 20_000 / threads };
    let watch = Stopwatch::start()?;
    let append = &append;
    let timed = std::thread::scope(|scope| {
        let produce = |region: usize| {
            move || -> Result<Vec<Duration>> {
                let timed = (0..each as u64).map(|at| {
                    let begun = Instant::now();
                    append(region as u64 + 1, at % 64, true)?;
                    Ok(begun.elapsed())
                });
                timed.collect()
            }
        };
        let producers: Vec<_> = (0..threads).map(|region| scope.spawn(produce(region))).collect();
        producers.into_iter().map(|producer| producer.join().expect("no panic")).collect::<Result<Vec<_>>>()
    })?;
    let appends = (each * threads) as u64;
    watch.stop(appends * value.len() as u64, appends, timed.concat())
}

/// commitlog: its `flush` syncs nothing, so that the segments are synced from outside.
pub fn commitlog(spec: &Spec, dir: &Path) -> Result<Figures> {
    use commitlog::message::MessageBuf;
    use commitlog::{CommitLog, LogOptions};
    let batch = noise(size(spec)?);
    let folder = dir.join("commitlog");
    let mut options = LogOptions::new(&folder);
    options.segment_max_bytes(1 << 30).message_max_bytes(2 << 20);
    let mut log = CommitLog::new(options)?;
    let watch = Stopwatch::start()?;
    let appends = TOTAL / batch.len();
    for _ in 0..appends {
        let mut message = MessageBuf::default();
        message.push(&batch).map_err(|error| anyhow!("{error:?}"))?;
        log.append(&mut message).map_err(|error| anyhow!("{error}"))?;
    }
    log.flush()?;
    for entry in std::fs::read_dir(&folder)? {
        std::fs::File::open(entry?.path())?.sync_all()?;
    }
    watch.stop((appends * batch.len()) as u64, appends as u64, Vec::new())
}

/// walrus: with `sync` each append is synced, else its files are synced at the end.
pub fn walrus(spec: &Spec, dir: &Path) -> Result<Figures> {
    use walrus_rust::{FsyncSchedule, ReadConsistency, Walrus};
    let batch = noise(size(spec)?);
    let each = spec.words.contains(&"sync");
    std::env::set_current_dir(dir)?;
    let schedule = if each { FsyncSchedule::SyncEach } else { FsyncSchedule::NoFsync };
    let wal = Walrus::with_consistency_and_schedule(ReadConsistency::AtLeastOnce { persist_every: 1000 }, schedule)?;
    let appends = if each { 2000 } else { TOTAL / batch.len() };
    let mut timed = Vec::new();
    let watch = Stopwatch::start()?;
    for _ in 0..appends {
        let begun = Instant::now();
        wal.append_for_topic("t", &batch)?;
        if each {
            timed.push(begun.elapsed());
        }
    }
    if !each {
        sync_below(dir)?;
    }
    watch.stop((appends * batch.len()) as u64, appends as u64, timed)
}

fn sync_below(dir: &Path) -> Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_below(&entry.path())?;
        } else {
            std::fs::File::open(entry.path())?.sync_all()?;
        }
    }
    Ok(())
}

/// `raft 16k`: these systems have no second word.
fn size(spec: &Spec) -> Result<usize> {
    super::bytes(spec.system).with_context(|| format!("'{}' is no size", spec.system))
}
