//! Logs to measure, and the batch that is appended to them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};
use logdyno_record::{Batch, BatchBuilder, BatchOptions, Codec, Compression, NoProbe, SystemClock, TopicPartition};
use logdyno_segment_log::{Log, LogConfig, Recovery};
use logdyno_storage::seam::real::RealDisk;
use logdyno_storage::{Backend, BackendOptions, Kind, Settings};

/// The bytes of a batch.
pub const BATCH: usize = 16 << 10;
/// What a log is waited for.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A new log on a backend of its own.
pub fn open(kind: &Kind, dir: &Path, segment_bytes: u64) -> Result<Arc<Log>> {
    open_on(&*start(kind, dir)?, dir, 0, segment_bytes)
}

/// A backend with default settings.
pub fn start(kind: &Kind, dir: &Path) -> Result<Arc<dyn Backend>> {
    let options = BackendOptions { disk: Arc::new(RealDisk), dir: dir.to_owned(), settings: Settings::default() };
    (kind.start)(options).map_err(|refused| anyhow!("{refused}"))
}

/// A new log of a partition.
pub fn open_on(backend: &dyn Backend, dir: &Path, partition: i32, segment_bytes: u64) -> Result<Arc<Log>> {
    let config = LogConfig { segment_bytes, ..LogConfig::default() };
    let recovery = Recovery { clean_shutdown: true, ..Recovery::default() };
    let storage = backend.open(&dir.join(format!("t-{partition}")))?;
    let partition = TopicPartition::new("t", partition);
    Ok(Log::open(storage, partition, config, recovery, Arc::new(SystemClock), Arc::new(NoProbe))?.0)
}

/// One record that no device compresses.
pub fn batch() -> Result<Batch> {
    let mut builder = BatchBuilder::new(Codec::new(Compression::None), BATCH);
    builder.append(0, None, Some(&crate::cells::noise(BATCH - 100)), &[]);
    Ok(builder.build(&BatchOptions::default())?)
}
