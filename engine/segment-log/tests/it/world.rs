//! What a scenario runs in: one backend, one folder, one partition.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use logdyno_record::batch::{Batch, batches};
use logdyno_record::{
    BatchBuilder, BatchOptions, Clock, Codec, Compression, LeaderEpoch, Nanos, NoProbe, Offset, SystemClock,
    TopicPartition,
};
use logdyno_segment_log::{Appended, Level, Log, LogConfig, LogError, Recovery, RecoveryReport, Storage};
use logdyno_storage::{Backend, Kind, kinds};

pub(crate) const EPOCH: LeaderEpoch = LeaderEpoch(1);

/// A backend and a folder of its own.
pub(crate) struct World {
    pub(crate) kind: Kind,
    backend: Arc<dyn Backend>,
    dir: tempfile::TempDir,
    kills: Cell<usize>,
    pub(crate) config: LogConfig,
}

/// Runs a scenario on each backend that this machine lets run, and says loudly which it does not.
pub(crate) fn on_every_backend(scenario: impl Fn(World)) {
    let worlds: Vec<World> = kinds().into_iter().filter_map(World::new).collect();
    assert!(!worlds.is_empty(), "no backend runs here: nothing was tested");
    for world in worlds {
        eprintln!("backend {}", world.kind.name);
        scenario(world);
    }
}

impl World {
    pub(crate) fn new(kind: Kind) -> Option<World> {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder");
        let started = kind.start_on(dir.path()).inspect_err(|refused| eprintln!("SKIPPED: {refused}"));
        Some(World { kind, backend: started.ok()?, dir, kills: Cell::new(0), config: LogConfig::default() })
    }

    /// Segments of this size, with an index entry for nearly each batch.
    pub(crate) fn with_segments(mut self, segment_bytes: u64) -> World {
        self.config = with_segments(segment_bytes);
        self
    }

    pub(crate) fn backend(&self) -> Arc<dyn Backend> {
        Arc::clone(&self.backend)
    }

    pub(crate) fn root(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.dir.path().join(format!("t-{}", self.kills.get()))
    }

    /// The death of the process, once all is written: the log goes on in a copy of its files, since threads of this
    /// process outlive a log that is only dropped.
    pub(crate) fn kill(&self, log: Arc<Log>) {
        written(&log);
        let from = self.folder();
        self.kills.update(|kills| kills + 1);
        let to = self.folder();
        std::fs::create_dir(&to).expect("a folder for the copy");
        for entry in std::fs::read_dir(&from).expect("the folder is there") {
            let name = entry.expect("an entry").file_name();
            match std::fs::copy(from.join(&name), to.join(&name)) {
                // A small file that is on its way to its name.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                copied => assert!(copied.is_ok(), "{name:?}: {copied:?}"),
            }
        }
        drop(log);
    }

    pub(crate) fn storage(&self) -> Arc<dyn Storage> {
        self.backend.open(&self.folder()).expect("the folder opens")
    }

    pub(crate) fn try_open(&self, recovery: Recovery) -> Result<(Arc<Log>, RecoveryReport), LogError> {
        open(self.storage(), &self.config, recovery)
    }

    /// As after a stop that was not clean, with nothing known to be durable.
    pub(crate) fn open(&self) -> (Arc<Log>, RecoveryReport) {
        self.try_open(unclean(0)).expect("the log opens")
    }

    /// Names of the segment files, in order.
    pub(crate) fn segment_files(&self) -> Vec<PathBuf> {
        self.files("log")
    }

    pub(crate) fn files(&self, extension: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.folder()).expect("the folder is there");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let mut files: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|e| e == extension)).collect();
        files.sort();
        files
    }
}

/// Settings for segments of this size, with an index entry for nearly each batch.
pub(crate) fn with_segments(segment_bytes: u64) -> LogConfig {
    // The records of most tests are of 1970.
    LogConfig { segment_bytes, index_interval_bytes: 100, retention_ms: None, ..LogConfig::default() }
}

pub(crate) fn open(
    storage: Arc<dyn Storage>,
    config: &LogConfig,
    recovery: Recovery,
) -> Result<(Arc<Log>, RecoveryReport), LogError> {
    let partition = TopicPartition::new("t", 0);
    Log::open(storage, partition, config.clone(), recovery, Arc::new(SystemClock), Arc::new(NoProbe))
}

/// As [`open`], with a clock that only the test moves.
pub(crate) fn open_at(
    storage: Arc<dyn Storage>,
    config: &LogConfig,
    recovery: Recovery,
    clock: &Arc<ManualClock>,
) -> Result<(Arc<Log>, RecoveryReport), LogError> {
    let (partition, clock) = (TopicPartition::new("t", 0), Arc::clone(clock));
    Log::open(storage, partition, config.clone(), recovery, clock, Arc::new(NoProbe))
}

/// Milliseconds that stand still until they are moved.
#[derive(Default)]
pub(crate) struct ManualClock(AtomicI64);

impl ManualClock {
    pub(crate) fn set_ms(&self, ms: i64) {
        self.0.store(ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Nanos {
        Nanos(self.0.load(Ordering::SeqCst).unsigned_abs() * 1_000_000)
    }

    fn wall_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

pub(crate) fn unclean(recovery_point: i64) -> Recovery {
    Recovery { clean_shutdown: false, recovery_point: Offset(recovery_point), log_start: Offset::ZERO }
}

pub(crate) fn clean(recovery_point: i64) -> Recovery {
    Recovery { clean_shutdown: true, recovery_point: Offset(recovery_point), log_start: Offset::ZERO }
}

/// A batch of records with these timestamps, all with a value of `len` bytes.
pub(crate) fn batch_of(timestamps: &[i64], len: usize, compression: Compression) -> Batch {
    let mut builder = BatchBuilder::new(Codec::new(compression), 256);
    for timestamp in timestamps {
        builder.append(*timestamp, None, Some(&vec![b'v'; len]), &[]);
    }
    builder.build(&BatchOptions::default()).expect("a batch")
}

/// A batch of `count` records with a value of `len` bytes.
pub(crate) fn batch(count: usize, len: usize) -> Batch {
    batch_of(&vec![1_000; count], len, Compression::None)
}

pub(crate) fn append(log: &Log, batch: &Batch) -> Appended {
    log.append_as_leader(batch, EPOCH).expect("an append")
}

/// Appends batches of three records until the log ends at or behind `end`.
pub(crate) fn fill(log: &Log, end: i64) {
    while log.end_offset().0 < end {
        append(log, &batch(3, 20));
    }
}

pub(crate) fn written(log: &Log) {
    log.wait_for(Level::Written, log.end_offset()).expect("written");
}

/// First and last offsets of all batches, each with a checksum that holds.
pub(crate) fn content(log: &Log) -> Vec<(i64, i64)> {
    let mut found = Vec::new();
    let mut at = log.start_offset();
    while at < log.end_offset() {
        let slice = log.read_blocking(at, log.end_offset(), 1 << 20, true).expect("a read");
        assert!(slice.size() > 0, "nothing at {at} of {log:?}");
        for batch in batches(slice.batches.concat().into()) {
            let batch = batch.expect("a whole batch");
            batch.verify_crc().expect("a sound batch");
            found.push((batch.header().base_offset.0, batch.header().last_offset().0));
            at = batch.header().next_offset();
        }
    }
    found
}

/// What [`content`] is of a log of dense batches of three.
pub(crate) fn threes(end: i64) -> Vec<(i64, i64)> {
    threes_from(0, end)
}

/// As [`threes`], from the batch that starts at `start`.
pub(crate) fn threes_from(start: i64, end: i64) -> Vec<(i64, i64)> {
    (start / 3..end / 3).map(|at| (at * 3, at * 3 + 2)).collect()
}
