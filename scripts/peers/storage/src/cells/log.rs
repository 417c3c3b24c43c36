//! Producers on threads of their own, each waiting until its append is durable: group commit.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use logdyno_record::{
    BatchBuilder, BatchOptions, Codec, Compression, LeaderEpoch, NoProbe, SystemClock, TopicPartition,
};
use logdyno_segment_log::{Level, Log, LogConfig, Recovery};

use super::{Figures, Spec, Stopwatch, backend, noise};

const PATIENCE: Duration = Duration::from_secs(60);

pub fn measure(spec: &Spec, dir: &Path) -> Result<Figures> {
    let (size, threads) = (spec.size()?, spec.option("threads")?.context("how many threads?")?);
    let backend = backend(spec, dir)?;
    let config = LogConfig { ack_level: Level::Durable, ..LogConfig::default() };
    let recovery = Recovery { clean_shutdown: true, ..Recovery::default() };
    let storage = backend.open(&dir.join("t-0"))?;
    let (log, _) =
        Log::open(storage, TopicPartition::new("t", 0), config, recovery, Arc::new(SystemClock), Arc::new(NoProbe))?;
    let mut builder = BatchBuilder::new(Codec::new(Compression::None), size);
    builder.append(0, None, Some(&noise(size - 100)), &[]);
    let batch = builder.build(&BatchOptions::default())?;
    let each = if threads == 1 { 2000 } else { 20_000 / threads };
    let watch = Stopwatch::start()?;
    let produce = || -> Result<Vec<Duration>> {
        let mut timed = Vec::with_capacity(each);
        for _ in 0..each {
            let begun = Instant::now();
            let appended = log.append_with_patience(&batch, LeaderEpoch(0), PATIENCE)?;
            log.wait_for(Level::Durable, appended.last.next())?;
            timed.push(begun.elapsed());
        }
        Ok(timed)
    };
    let timed = std::thread::scope(|scope| {
        let producers: Vec<_> = (0..threads).map(|_| scope.spawn(produce)).collect();
        producers.into_iter().map(|producer| producer.join().expect("no panic")).collect::<Result<Vec<_>>>()
    })?;
    let appends = (each * threads) as u64;
    watch.stop(appends * size as u64, appends, timed.concat())
}
