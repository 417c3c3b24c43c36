//! From the files of a partition's folder to a log that can be appended to (Kafka's LogLoader, LogSegment.recover).
//!
//! After a clean stop the files are what they say. After any other end, segments from the recovery point on are
//! walked batch by batch; the first that is not whole, sound and next in line ends the log, and all behind it goes.
//! A bad batch before the recovery point is damage and not a torn tail: the log refuses to open.

mod trust;
mod walk;

use std::collections::BTreeSet;
use std::sync::Arc;

use logdyno_record::{Offset, TopicPartition};
use logdyno_storage::{Reader, Storage, StorageError, Writer};

use crate::compaction::swap;
use crate::config::{LogConfig, Recovery};
use crate::epochs::Epochs;
use crate::error::LogError;
use crate::files::remove_files;
use crate::log::walk::WalkError;
use crate::log::{load_epochs, write_epochs};
use crate::names::{self, Kind};
use crate::producers::{Producers, loading};
use crate::segment::{Contents, Segment};

use self::trust::{Claim, Claims};

/// What recovery did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Segments whose batches were walked.
    pub segments_walked: usize,
    /// Bytes of batches that were read.
    pub bytes_read: u64,
    /// Bytes cut off behind the last good batch; preallocated zeros do not count.
    pub bytes_truncated: u64,
    /// Segments removed behind a cut.
    pub segments_removed: usize,
    /// Why the log was cut, if it was.
    pub cut: Option<String>,
}

/// A log's parts, ready for use.
pub(crate) struct Recovered {
    pub(crate) segments: Vec<Arc<Segment>>,
    pub(crate) writer: Box<dyn Writer>,
    pub(crate) epochs: Epochs,
    pub(crate) producers: Producers,
    pub(crate) start: Offset,
    pub(crate) end: Offset,
    pub(crate) report: RecoveryReport,
}

struct Loader<'a> {
    storage: &'a Arc<dyn Storage>,
    partition: &'a TopicPartition,
    config: &'a LogConfig,
    recovery: Recovery,
    now_ms: i64,
    report: RecoveryReport,
    epochs: Epochs,
    /// As they were written down.
    epochs_known: Epochs,
    producers: Seen,
}

/// What the walk has seen of the producers: it reads every batch, so that nobody need read them again.
enum Seen {
    /// Nothing was walked yet.
    Nothing,
    /// All there is to know at the end of the segment that was walked last.
    All(Producers),
    /// Less than that: a segment since was not walked.
    TooLittle,
}

/// What became of one segment.
struct Loaded {
    contents: Contents,
    /// Of its file, if that is as long as its contents.
    reader: Option<Arc<dyn Reader>>,
    /// Nothing of later segments is to be kept.
    cut: bool,
}

/// Recovers the log in `storage`, or starts an empty one.
pub(crate) fn recover(
    storage: &Arc<dyn Storage>,
    partition: &TopicPartition,
    config: &LogConfig,
    recovery: Recovery,
    now_ms: i64,
) -> Result<Recovered, LogError> {
    let epochs = load_epochs(&**storage, partition)?;
    Loader {
        storage,
        partition,
        config,
        recovery,
        now_ms,
        report: RecoveryReport::default(),
        epochs_known: epochs.clone(),
        epochs,
        producers: Seen::Nothing,
    }
    .run()
}

/// The writer of a segment of which `contents` is to be kept, and the segment.
pub(crate) fn reopen(
    storage: &dyn Storage,
    base: Offset,
    contents: Contents,
    config: &LogConfig,
) -> Result<(Box<dyn Writer>, Arc<Segment>), StorageError> {
    let name = names::file(base, Kind::Log);
    let writer = storage.reopen(&name, contents.size, config.segment_bytes.max(contents.size))?;
    let reader = storage.reader(&name)?;
    Ok((writer, Arc::new(Segment::new(base, reader, contents))))
}

impl Loader<'_> {
    fn run(mut self) -> Result<Recovered, LogError> {
        let bases = self.bases()?;
        if !self.recovery.clean_shutdown && !bases.is_empty() {
            // What is only in the kernel may be gone after the next crash: nothing is concluded from it before.
            self.storage.sync_all().map_err(|source| self.storage_error(source))?;
        }
        let (mut claims, mut loaded) = (Claims::default(), Vec::<Loaded>::new());
        for (at, base) in bases.iter().enumerate() {
            let next = bases.get(at + 1).copied();
            if let Some(before) = loaded.last()
                && before.contents.next > *base
            {
                self.report.cut =
                    Some(format!("{} starts before the end of the segment before it", names::file(*base, Kind::Log)));
                drop(claims);
                self.remove_from(&bases[at..])?;
                break;
            }
            let claim = claims.next(&self, &bases[at..])?;
            let segment = self.load(*base, next, claim, &loaded)?;
            let cut = segment.cut;
            loaded.push(segment);
            if cut {
                drop(claims);
                self.remove_from(&bases[at + 1..])?;
                break;
            }
        }
        self.finish(loaded)
    }

    /// Base offsets of the segments, rising; what an interrupted deletion left goes.
    fn bases(&self) -> Result<Vec<Offset>, LogError> {
        let list = || self.storage.list().map_err(|source| self.storage_error(source));
        let mut files = list()?;
        let swaps: Vec<Offset> = files.iter().filter_map(|name| names::parse_swap(name)).collect();
        if !swaps.is_empty() {
            swap::finish_all(self.storage, &swaps).map_err(|(file, error)| self.damaged(file, error))?;
            files = list()?;
        }
        let (mut logs, mut indexes) = (BTreeSet::new(), Vec::new());
        for name in files {
            match names::parse_file(&name) {
                Some((base, Kind::Log)) => drop(logs.insert(base)),
                // A clean stop leaves one at the log's end.
                Some((_, Kind::ProducerSnapshot)) => {}
                Some((base, _)) => indexes.push((base, name)),
                None if names::is_leftover(&name) => self.remove(&name)?,
                None => {}
            }
        }
        for (_, orphan) in indexes.iter().filter(|(base, _)| !logs.contains(base)) {
            self.remove(orphan)?;
        }
        Ok(logs.into_iter().collect())
    }

    /// What is wrong with bytes that were durable: a compacted segment before it got this name, or one that ended cleanly.
    fn damaged(&self, file: String, error: WalkError) -> LogError {
        let (position, why) = match error {
            WalkError::Storage(source) => return self.storage_error(source),
            WalkError::Batch { position, source } => (position, source.to_string()),
            WalkError::Zeros { position } => (position, "zeros instead of a batch".to_owned()),
        };
        let (partition, recovery_point) = (self.partition.clone(), self.recovery.recovery_point);
        LogError::Corrupt { partition, file, position, why, recovery_point }
    }

    /// Loads the segment at `base`, which ends where `next` begins; those `before` it are loaded.
    fn load(
        &mut self,
        base: Offset,
        next: Option<Offset>,
        claim: Option<Claim>,
        before: &[Loaded],
    ) -> Result<Loaded, LogError> {
        let clean = self.recovery.clean_shutdown;
        let is_end = |end| next.is_none_or(|next| end == next || clean && end < next);
        if let Some(claim) = claim
            && let Some(loaded) = self.trust(claim)?
            && is_end(loaded.contents.next)
        {
            if matches!(self.producers, Seen::All(_)) {
                self.producers = Seen::TooLittle;
            }
            return Ok(loaded);
        }
        if !matches!(self.producers, Seen::All(_)) {
            // Who has a transaction open here decides what an abort marker in this segment means.
            let before = before.iter().map(|loaded| &loaded.contents);
            let known = loading::load_before(&**self.storage, self.partition, before, base);
            let (known, read) = known.map_err(|source| self.storage_error(source))?;
            self.producers = Seen::All(known);
            self.report.bytes_read += read;
        }
        self.walk(base, next)
    }

    fn remove_from(&mut self, bases: &[Offset]) -> Result<(), LogError> {
        self.report.segments_removed += bases.len();
        let removed = bases.iter().rev().try_for_each(|base| remove_files(&**self.storage, *base));
        removed.map_err(|source| self.storage_error(source))
    }

    fn finish(mut self, mut loaded: Vec<Loaded>) -> Result<Recovered, LogError> {
        let error = |source| LogError::Storage { partition: self.partition.clone(), source };
        // Who reopens a file holds no reader of it.
        let Some(Loaded { contents: active, .. }) = loaded.pop() else { return self.empty() };
        if active.next < self.recovery.log_start {
            // A power loss took what had been appended behind what was deleted.
            let bases: Vec<Offset> = loaded.iter().map(|sealed| sealed.contents.base).chain([active.base]).collect();
            drop(loaded);
            let (end, start) = (active.next, self.recovery.log_start);
            self.report.cut = Some(format!("it ended at {end}, before its start {start}: it starts over there"));
            self.remove_from(&bases)?;
            return self.empty();
        }
        let start = self.recovery.log_start.max(loaded.first().map_or(active.base, |first| first.contents.base));
        let mut segments = Vec::with_capacity(loaded.len() + 1);
        for Loaded { contents, reader, .. } in loaded {
            let reader = reader.map_or_else(|| self.storage.reader(&names::file(contents.base, Kind::Log)), Ok);
            segments.push(Arc::new(Segment::new(contents.base, reader.map_err(error)?, contents)));
        }
        let end = active.next;
        let (writer, active) = reopen(&**self.storage, active.base, active, self.config).map_err(error)?;
        // Each append asks for it.
        active.first_timestamp().map_err(|damage| self.damaged(active.file(), damage))?;
        segments.push(active);
        // In this order a log without records has no epoch after this start, and after the next.
        self.epochs.truncate_front(start);
        self.epochs.truncate(end);
        self.write_epochs()?;
        let producers = match self.producers {
            Seen::All(producers) => {
                loading::newest_snapshot(&**self.storage, self.partition, &segments, end).map_err(error)?;
                producers
            }
            Seen::Nothing | Seen::TooLittle => {
                let (loaded, read) = loading::load(&**self.storage, self.partition, &segments, end).map_err(error)?;
                self.report.bytes_read += read;
                loaded
            }
        };
        Ok(Recovered { segments, writer, epochs: self.epochs, producers, start, end, report: self.report })
    }

    fn empty(mut self) -> Result<Recovered, LogError> {
        let base = self.recovery.log_start;
        let error = |source| LogError::Storage { partition: self.partition.clone(), source };
        let name = names::file(base, Kind::Log);
        let writer = self.storage.create(&name, self.config.segment_bytes).map_err(error)?;
        let reader = self.storage.reader(&name).map_err(error)?;
        let contents = Contents::new(base, self.config, self.now_ms);
        self.epochs.clear();
        self.write_epochs()?;
        loading::remove_all(&**self.storage).map_err(error)?;
        let segments = vec![Arc::new(Segment::new(base, reader, contents))];
        let (epochs, producers, report) = (self.epochs, Producers::default(), self.report);
        Ok(Recovered { segments, writer, epochs, producers, start: base, end: base, report })
    }

    /// What was written down must not speak of what is appended from here on.
    fn write_epochs(&self) -> Result<(), LogError> {
        if self.epochs == self.epochs_known {
            return Ok(());
        }
        write_epochs(&**self.storage, &self.epochs).map_err(|source| self.storage_error(source))
    }

    fn remove(&self, name: &str) -> Result<(), LogError> {
        self.storage.remove(name).map_err(|source| self.storage_error(source))
    }

    fn storage_error(&self, source: StorageError) -> LogError {
        LogError::Storage { partition: self.partition.clone(), source }
    }
}
