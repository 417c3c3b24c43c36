//! A partition's log.
//!
//! One lock (`writing`) orders what changes the log: appends, rolls, truncations, starts of syncs. Readers take
//! the list of segments for a moment and a segment's contents for a look-up; they never wait for a device there.
//! What completes on other threads (syncs) takes only the small locks of [`commit`].

mod append;
mod commit;
mod compact;
mod deletion;
mod lookup;
mod parking;
mod progress;
mod read;
mod settings;
mod transactions;
mod truncate;
pub(crate) mod walk;

use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use logdyno_record::{Clock, LeaderEpoch, Nanos, Offset, Probe, TopicPartition};
use logdyno_storage::{Level, Storage, StorageError, Writer};

use crate::checkpoint;
use crate::config::{LogConfig, Recovery};
use crate::epochs::{EpochEnd, Epochs};
use crate::error::LogError;
use crate::names;
use crate::offsets_file::PartitionCheckpoints;
use crate::producers::{ActiveProducer, Producers, loading, snapshot};
use crate::recovery::{self, RecoveryReport};
use crate::segment::Segment;

pub use append::Appended;
pub use commit::{AckEndListener, Waiter};
pub use lookup::TimestampOffset;
pub use read::{LogRead, PendingRead, Slice};

use commit::Commits;
use compact::Cleaner;
use deletion::Doomed;
use transactions::{ALL_STABLE, Undecided};

/// What the log's operations return.
pub(crate) type Result<T> = std::result::Result<T, LogError>;

/// One partition's log. Shared by all who append to it and read from it.
pub struct Log {
    partition: TopicPartition,
    storage: Arc<dyn Storage>,
    config: RwLock<Arc<LogConfig>>,
    clock: Arc<dyn Clock>,
    probe: Arc<dyn Probe>,
    itself: Weak<Log>,
    writing: Mutex<Writing>,
    /// A completion found `writing` taken: whoever gives it back looks for syncs to start.
    syncs_wanted: AtomicBool,
    segments: RwLock<Vec<Arc<Segment>>>,
    epochs: Mutex<Epochs>,
    commits: Mutex<Commits>,
    start: AtomicI64,
    end: AtomicI64,
    undecided: Mutex<Undecided>,
    /// Where the first transaction that is not decided begins; greater than all offsets if there is none.
    first_undecided: AtomicI64,
    leading: AtomicBool,
    /// One at a time takes segments away; held before `writing`.
    upkeep: Mutex<()>,
    doomed: Mutex<Doomed>,
    cleaner: Mutex<Cleaner>,
    checkpoints: OnceLock<PartitionCheckpoints>,
    /// When [`Log::flush_aged`] last saw that everything was durable.
    seen_durable: AtomicU64,
}

/// A rolled segment on its way to the disk.
type Closing = JoinHandle<std::result::Result<(), StorageError>>;

/// What only the holder of the `writing` lock touches.
struct Writing {
    /// The active segment's writer; `None` once the log is closed.
    writer: Option<Box<dyn Writer>>,
    /// Writers of rolled segments on their way to the disk.
    closing: Vec<Closing>,
    records_since_flush: u64,
    producers: Producers,
    /// Why nothing more can be appended, and no close is a clean one.
    broken: Option<LogError>,
}

impl Log {
    /// Opens the log in a partition's folder, recovering it if the last stop was not clean.
    pub fn open(
        storage: Arc<dyn Storage>,
        partition: TopicPartition,
        config: LogConfig,
        recovery: Recovery,
        clock: Arc<dyn Clock>,
        probe: Arc<dyn Probe>,
    ) -> Result<(Arc<Log>, RecoveryReport)> {
        let recovered = recovery::recover(&storage, &partition, &config, recovery, clock.wall_ms())?;
        let (start, end) = (recovered.start, recovered.end);
        let log = Arc::new_cyclic(|itself| Log {
            partition,
            storage,
            clock,
            probe,
            itself: Weak::clone(itself),
            writing: Mutex::new(Writing {
                writer: Some(recovered.writer),
                closing: Vec::new(),
                records_since_flush: 0,
                producers: recovered.producers,
                broken: None,
            }),
            syncs_wanted: AtomicBool::new(false),
            segments: RwLock::new(recovered.segments),
            epochs: Mutex::new(recovered.epochs),
            commits: Mutex::new(Commits::new(end, config.ack_level)),
            config: RwLock::new(Arc::new(config)),
            start: AtomicI64::new(start.0),
            end: AtomicI64::new(end.0),
            undecided: Mutex::default(),
            first_undecided: AtomicI64::new(ALL_STABLE),
            seen_durable: AtomicU64::new(0),
            leading: AtomicBool::new(false),
            upkeep: Mutex::default(),
            doomed: Mutex::default(),
            cleaner: Mutex::default(),
            checkpoints: OnceLock::new(),
        });
        log.reset_transactions(&mut log.writing().producers);
        Ok((log, recovered.report))
    }

    /// Where to write down what must be durable before it is done. Once, before the log is used.
    pub(crate) fn set_checkpoints(&self, checkpoints: PartitionCheckpoints) {
        let checkpoints = self.checkpoints.get_or_init(|| checkpoints);
        self.cleaner().resume(checkpoints.cleaned());
    }

    /// Whose log it is.
    pub fn partition(&self) -> &TopicPartition {
        &self.partition
    }

    /// The first offset.
    pub fn start_offset(&self) -> Offset {
        Offset(self.start.load(Ordering::Acquire))
    }

    /// The first offset where no file is called by it: DeleteRecords has moved it into a segment.
    pub(crate) fn start_within_segment(&self) -> Option<Offset> {
        let start = self.start_offset();
        let is_within = self.segment_bases().first().is_some_and(|base| *base < start);
        (is_within || self.has_named_files_before_start()).then_some(start)
    }

    /// The log end offset: the next to be written.
    pub fn end_offset(&self) -> Offset {
        Offset(self.end.load(Ordering::Acquire))
    }

    /// The settings that the log obeys now. An operation reads them once and keeps to what it has read.
    pub fn config(&self) -> Arc<LogConfig> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What an acknowledgement of this log promises.
    pub fn ack_level(&self) -> Level {
        self.config().ack_level
    }

    /// Bytes of all segments.
    pub fn size(&self) -> u64 {
        self.segments().iter().map(|segment| segment.contents().size).sum()
    }

    /// Base offsets of the segments, rising; the last one is active.
    pub fn segment_bases(&self) -> Vec<Offset> {
        self.segments().iter().map(|segment| segment.base).collect()
    }

    /// Whether this broker leads the partition: only then is the log's progress the path's.
    pub fn set_leading(&self, leading: bool) {
        self.leading.store(leading, Ordering::Release);
    }

    /// The latest leader epoch that wrote here, or is about to.
    pub fn latest_epoch(&self) -> Option<LeaderEpoch> {
        self.epochs().latest()
    }

    /// Where an epoch ends in this log; see Kafka's LeaderEpochFileCache.endOffsetFor.
    ///
    /// `None` if no epoch is known, or the one asked for is later than all known.
    pub fn end_offset_for_epoch(&self, epoch: LeaderEpoch) -> Option<EpochEnd> {
        let epochs = self.epochs();
        epochs.end_of(epoch, self.end_offset())
    }

    /// The epoch that the log starts with, where that is known (Kafka's ListOffsets of the earliest).
    pub fn epoch_of_start(&self) -> Option<LeaderEpoch> {
        let start = self.start_offset();
        self.epochs().entries().first().filter(|(_, from)| *from <= start).map(|(epoch, _)| *epoch)
    }

    /// Notes, durably, that `epoch` writes from the log's end on: the first act of a leader.
    pub fn start_epoch(&self, epoch: LeaderEpoch) -> Result<()> {
        let _writing = self.writing();
        self.assign_epoch(epoch, self.end_offset())
    }

    /// Forgets the idempotent producers that have written nothing for `expiration` (`producer.id.expiration.ms`): what they
    /// send next is taken as it comes.
    pub fn expire_producers(&self, expiration: Duration) {
        let expiration_ms = i64::try_from(expiration.as_millis()).unwrap_or(i64::MAX);
        self.writing().producers.expire(self.clock.wall_ms(), expiration_ms);
    }

    /// The idempotent producers that are remembered.
    pub fn active_producers(&self) -> Vec<ActiveProducer> {
        self.writing().producers.active()
    }

    /// Makes everything appended so far durable; returns the new recovery point.
    pub fn flush(&self) -> Result<Offset> {
        let end = self.end_offset();
        self.wait_for(Level::Durable, end)?;
        Ok(self.recovery_point())
    }

    /// `flush.ms`: makes everything durable if something may have waited for that since the first call that saw it. True if it did.
    pub fn flush_aged(&self) -> Result<bool> {
        let now = self.clock.now();
        let waits = self.recovery_point() < self.end_offset();
        if waits {
            let waited = now.since(Nanos(self.seen_durable.load(Ordering::Relaxed)));
            if waited < Duration::from_millis(self.config().flush_ms) {
                return Ok(false);
            }
            self.flush()?;
        }
        self.seen_durable.store(now.0, Ordering::Relaxed);
        Ok(waits)
    }

    /// Everything before it is durable: recovery need not look there.
    pub fn recovery_point(&self) -> Offset {
        self.level_end(Level::Durable)
    }

    /// Ends the log cleanly: files are as long as the log, indexes are written, all is durable. Appends fail then.
    pub fn close(&self) -> Result<()> {
        let _upkeep = self.upkeep();
        let closed = {
            let mut writing = self.writing();
            let joined = self.join_closing(&mut writing);
            let closed = joined.and(writing.broken.clone().map_or(Ok(()), Err));
            let closed = match writing.writer.take() {
                Some(writer) => {
                    let active = self.active();
                    let indexed = active.write_indexes(&*self.storage);
                    let producers = snapshot::encode(&writing.producers);
                    let written = indexed.and(loading::write(&*self.storage, self.end_offset(), &producers));
                    closed.and(written.and(writer.close()).map_err(|source| self.storage_error(source)))
                }
                None => closed,
            };
            if let Err(error) = &closed {
                writing.broken.get_or_insert_with(|| error.clone());
            }
            closed
        };
        if closed.is_ok() {
            self.raise_to(Level::Durable, self.end_offset());
        }
        self.fail_waiters();
        closed
    }

    fn join_closing(&self, writing: &mut Writing) -> Result<()> {
        for handle in std::mem::take(&mut writing.closing) {
            self.join_one(writing, handle);
        }
        writing.broken.clone().map_or(Ok(()), Err)
    }

    /// A rolled segment that did not close well may lack its tail: nothing goes behind it.
    fn join_one(&self, writing: &mut Writing, handle: Closing) {
        if let Err(error) = self.joined(handle) {
            self.break_off(writing, error);
        }
    }

    fn joined(&self, handle: Closing) -> Result<()> {
        handle.join().unwrap_or(Err(StorageError::Stopped)).map_err(|source| self.storage_error(source))
    }

    fn break_off(&self, writing: &mut Writing, error: LogError) {
        writing.broken.get_or_insert_with(|| error.clone());
        self.fail_for_good(error);
    }

    fn assign_epoch(&self, epoch: LeaderEpoch, start: Offset) -> Result<()> {
        self.change_epochs(|epochs| epochs.assign(epoch, start))
    }

    /// Makes a change that says whether it is one, durably or not at all: an epoch that only memory knew would let its batches into the
    /// log, which the next start held for damage.
    fn change_epochs(&self, change: impl FnOnce(&mut Epochs) -> bool) -> Result<()> {
        let mut epochs = self.epochs();
        let mut changed = epochs.clone();
        if change(&mut changed) {
            write_epochs(&*self.storage, &changed).map_err(|source| self.storage_error(source))?;
            *epochs = changed;
        }
        Ok(())
    }

    fn storage_error(&self, source: StorageError) -> LogError {
        LogError::Storage { partition: self.partition.clone(), source }
    }

    fn writing(&self) -> WritingGuard<'_> {
        let held = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        WritingGuard { log: self, held: Some(held) }
    }

    fn segments(&self) -> Vec<Arc<Segment>> {
        self.segments.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn active(&self) -> Arc<Segment> {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(segments.last().expect("a log has a segment"))
    }

    fn epochs(&self) -> MutexGuard<'_, Epochs> {
        self.epochs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Log({}, {}..{})", self.partition, self.start_offset(), self.end_offset())
    }
}

/// Reads a partition's epoch checkpoint; none is an empty one.
pub(crate) fn load_epochs(storage: &dyn Storage, partition: &TopicPartition) -> Result<Epochs> {
    let content = storage
        .load(names::EPOCH_CHECKPOINT)
        .map_err(|source| LogError::Storage { partition: partition.clone(), source })?;
    let file = Path::new(&partition.to_string()).join(names::EPOCH_CHECKPOINT);
    let entries = content.map(|content| checkpoint::decode_epochs(&content, &file)).transpose()?;
    Ok(Epochs::new(entries.unwrap_or_default()))
}

/// Writes a partition's epoch checkpoint, durably.
pub(crate) fn write_epochs(storage: &dyn Storage, epochs: &Epochs) -> std::result::Result<(), StorageError> {
    storage.replace(names::EPOCH_CHECKPOINT, &checkpoint::encode_epochs(epochs.entries()))
}

/// The `writing` lock. Giving it back starts the syncs that completions asked for meanwhile.
struct WritingGuard<'a> {
    log: &'a Log,
    held: Option<MutexGuard<'a, Writing>>,
}

impl Deref for WritingGuard<'_> {
    type Target = Writing;

    fn deref(&self) -> &Writing {
        self.held.as_ref().expect("held until dropped")
    }
}

impl DerefMut for WritingGuard<'_> {
    fn deref_mut(&mut self) -> &mut Writing {
        self.held.as_mut().expect("held until dropped")
    }
}

impl Drop for WritingGuard<'_> {
    fn drop(&mut self) {
        self.held = None;
        fence(Ordering::SeqCst);
        if self.log.syncs_wanted.load(Ordering::SeqCst) {
            self.log.start_and_hand_on();
        }
    }
}
