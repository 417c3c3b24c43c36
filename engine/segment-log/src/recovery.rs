//! From the files of a partition's folder to a log that can be appended to (Kafka's LogLoader, LogSegment.recover).
//!
//! After a clean stop the files are what they say. After any other end, segments from the recovery point on are
//! walked batch by batch; the first that is not whole, sound and next in line ends the log, and all behind it goes.
//! A bad batch before the recovery point is damage and not a torn tail: the log refuses to open.

use std::collections::BTreeSet;
use std::sync::Arc;

use logdyno_record::batch::control::{ControlType, EndTransactionMarker};
use logdyno_record::batch::{Batch, BatchHeader};
use logdyno_record::{Offset, TopicPartition};
use logdyno_storage::{Storage, StorageError, Writer};

use crate::compaction::swap;
use crate::config::{LogConfig, Recovery};
use crate::epochs::Epochs;
use crate::error::LogError;
use crate::index::{AbortedTransaction, OffsetIndex, TimeIndex, TransactionIndex};
use crate::log::walk::{Walk, WalkError};
use crate::log::{load_epochs, write_epochs};
use crate::names::{self, Kind};
use crate::producers::{Producers, loading};
use crate::segment::{Contents, Segment};

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
        let mut contents: Vec<Contents> = Vec::new();
        for (at, base) in bases.iter().enumerate() {
            let next = bases.get(at + 1).copied();
            if let Some(before) = contents.last()
                && before.next > *base
            {
                self.report.cut =
                    Some(format!("{} starts before the end of the segment before it", names::file(*base, Kind::Log)));
                self.remove_from(&bases[at..])?;
                break;
            }
            let loaded = self.load(*base, next, &contents)?;
            let cut = loaded.cut;
            contents.push(loaded.contents);
            if cut {
                self.remove_from(&bases[at + 1..])?;
                break;
            }
        }
        self.finish(contents)
    }

    /// Base offsets of the segments, rising; what an interrupted deletion left goes.
    fn bases(&self) -> Result<Vec<Offset>, LogError> {
        swap::finish_all(self.storage).map_err(|(file, error)| self.unfinished(file, error))?;
        let (mut logs, mut indexes) = (BTreeSet::new(), Vec::new());
        for (name, _) in self.storage.list().map_err(|source| self.storage_error(source))? {
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

    /// A compacted segment was made durable before it got this name: what is wrong with it is damage.
    fn unfinished(&self, file: String, error: WalkError) -> LogError {
        let (position, why) = match error {
            WalkError::Storage(source) => return self.storage_error(source),
            WalkError::Batch { position, source } => (position, source.to_string()),
            WalkError::Zeros { position } => (position, "zeros instead of a batch".to_owned()),
        };
        let (partition, recovery_point) = (self.partition.clone(), self.recovery.recovery_point);
        LogError::Corrupt { partition, file, position, why, recovery_point }
    }

    /// Loads the segment at `base`, which ends where `next` begins; those `before` it are loaded.
    fn load(&mut self, base: Offset, next: Option<Offset>, before: &[Contents]) -> Result<Loaded, LogError> {
        let before_recovery_point = next.is_some_and(|next| next <= self.recovery.recovery_point);
        if (self.recovery.clean_shutdown || before_recovery_point)
            && let Some(contents) = self.trust(base)?
            && next.is_none_or(|next| contents.next == next || self.recovery.clean_shutdown && contents.next < next)
        {
            if matches!(self.producers, Seen::All(_)) {
                self.producers = Seen::TooLittle;
            }
            return Ok(Loaded { contents, cut: false });
        }
        if !matches!(self.producers, Seen::All(_)) {
            // Who has a transaction open here decides what an abort marker in this segment means.
            let known = loading::load_before(&**self.storage, self.partition, before, base);
            let (known, read) = known.map_err(|source| self.storage_error(source))?;
            self.producers = Seen::All(known);
            self.report.bytes_read += read;
        }
        self.walk(base, next)
    }

    /// A segment whose file ends where it says and whose indexes are sound: only what lies behind the last index
    /// entry is read.
    fn trust(&mut self, base: Offset) -> Result<Option<Contents>, LogError> {
        let reader = self.storage.reader(&names::file(base, Kind::Log)).map_err(|source| self.storage_error(source))?;
        let len = reader.len();
        let mut contents = Contents::new(base, self.config, self.now_ms);
        if len == 0 {
            return Ok(Some(contents));
        }
        let load = |kind| self.storage.load(&names::file(base, kind)).map_err(|source| self.storage_error(source));
        let (Some(offsets), Some(times)) = (load(Kind::OffsetIndex)?, load(Kind::TimeIndex)?) else { return Ok(None) };
        let aborted = load(Kind::TransactionIndex)?;
        contents.aborted_file = aborted.is_some();
        let aborted = TransactionIndex::decode(&aborted.unwrap_or_default(), base);
        let (Ok(offsets), Ok(times), Ok(aborted)) =
            (OffsetIndex::decode(&offsets, len), TimeIndex::decode(&times), aborted)
        else {
            tracing::warn!(partition = %self.partition, segment = base.0, "an index is damaged: rebuilding it");
            return Ok(None);
        };
        let Some((max, max_offset)) = times.last(base) else { return Ok(None) };
        let Some(first) = Walk::new(Arc::clone(&reader), 0, len).next().and_then(Result::ok) else { return Ok(None) };
        let mut walk = Walk::new(reader, offsets.last_position(), len);
        let mut greatest = max;
        let mut indexed = offsets.last(base);
        while let Some(batch) = walk.next() {
            let Ok(batch) = batch else { return Ok(None) };
            if indexed.take().is_some_and(|last| last != batch.header().last_offset()) {
                return Ok(None);
            }
            if !self.recovery.clean_shutdown && is_abort(&batch) && !aborted.has_marker(batch.header().base_offset) {
                // The indexes are those of an earlier close.
                return Ok(None);
            }
            self.report.bytes_read += batch.size() as u64;
            if batch.header().count > 0 {
                greatest = greatest.max(batch.header().max_timestamp);
            }
            contents.next = batch.header().next_offset();
        }
        let beyond = |entry: &AbortedTransaction| entry.last_offset >= contents.next;
        if max_offset >= contents.next || greatest > max || aborted.entries().last().is_some_and(beyond) {
            return Ok(None);
        }
        contents.aborted = aborted;
        contents.resume(offsets, times, len, first.header().max_timestamp);
        Ok(Some(contents))
    }

    /// Walks a whole segment, rebuilding what is known of it.
    fn walk(&mut self, base: Offset, next: Option<Offset>) -> Result<Loaded, LogError> {
        let name = names::file(base, Kind::Log);
        let reader = self.storage.reader(&name).map_err(|source| self.storage_error(source))?;
        let len = reader.len();
        let mut contents = Contents::new(base, self.config, self.now_ms);
        let aborted_file = self.storage.load(&names::file(base, Kind::TransactionIndex));
        contents.aborted_file = aborted_file.map_err(|source| self.storage_error(source))?.is_some();
        let mut walk = Walk::new(Arc::clone(&reader), 0, len);
        self.report.segments_walked += 1;
        let mut stopped = None;
        while let Some(step) = walk.next() {
            let position = contents.size;
            let why = match step {
                Err(WalkError::Storage(source)) => return Err(self.storage_error(source)),
                Err(WalkError::Zeros { .. }) => break,
                Err(WalkError::Batch { source, .. }) => Some(source.to_string()),
                Ok(batch) => match batch.verify_crc() {
                    Err(error) => Some(error.to_string()),
                    Ok(()) if batch.header().base_offset < contents.next => {
                        Some(format!("offset {} comes again", batch.header().base_offset))
                    }
                    Ok(()) if next.is_some_and(|next| batch.header().next_offset() > next) => {
                        Some("its offsets reach into the next segment".to_owned())
                    }
                    Ok(()) if self.has_another_epoch(batch.header()) => {
                        let (epoch, base) = (batch.header().leader_epoch, batch.header().base_offset);
                        Some(format!("offset {base} is not of epoch {epoch}, says {}", self.epochs_told_by()))
                    }
                    Ok(()) if self.strays(&contents, batch.header(), &mut walk)? => {
                        Some(format!("offset {} is not where it belongs", batch.header().base_offset))
                    }
                    Ok(()) => {
                        self.note_epoch(batch.header());
                        if let Seen::All(producers) = &mut self.producers {
                            let aborted = producers.note(batch.header(), loading::marker(&batch, self.partition));
                            aborted.into_iter().for_each(|aborted| contents.aborted.push(aborted));
                        }
                        contents.note(batch.header(), self.config.index_interval_bytes);
                        None
                    }
                },
            };
            if let Some(why) = why {
                stopped = Some((position, why));
                break;
            }
        }
        self.report.bytes_read += contents.size;
        self.judge(&name, &*reader, contents, next, stopped)
    }

    /// The epoch, which no checksum covers, was written down before any of its batches. Where no checkpoint is left, the batches say what
    /// it was, and they never fall: else the next start would not believe what this one writes down.
    fn has_another_epoch(&self, header: &BatchHeader) -> bool {
        if self.epochs_known.entries().is_empty() {
            return self.epochs.latest().is_some_and(|latest| header.leader_epoch < latest);
        }
        self.epochs_known.contradict(header.leader_epoch, header.base_offset)
    }

    fn epochs_told_by(&self) -> &'static str {
        if self.epochs_known.entries().is_empty() { "the batch before it" } else { names::EPOCH_CHECKPOINT }
    }

    /// A batch whose offset, which no checksum covers, is too great: the one behind it goes on before it. A gap alone is what compaction
    /// leaves.
    fn strays(&self, before: &Contents, header: &BatchHeader, behind: &mut Walk) -> Result<bool, LogError> {
        if header.base_offset == before.next {
            return Ok(false);
        }
        if i32::try_from(header.last_offset() - before.base).is_err() {
            // No segment reaches so far.
            return Ok(true);
        }
        match behind.peek() {
            Some(Err(WalkError::Storage(source))) => Err(self.storage_error(source)),
            Some(Ok(next)) => Ok(next.verify_crc().is_ok()
                && next.header().base_offset >= before.next
                && next.header().base_offset < header.next_offset()),
            Some(Err(_)) | None => Ok(false),
        }
    }

    /// Decides whether what a walk stopped at is damage, a torn tail, or just the end.
    fn judge(
        &mut self,
        name: &str,
        reader: &dyn logdyno_storage::Reader,
        mut contents: Contents,
        next: Option<Offset>,
        stopped: Option<(u64, String)>,
    ) -> Result<Loaded, LogError> {
        let stopped = stopped.or_else(|| self.hole(&contents, next));
        let lost_durable = contents.next < self.recovery.recovery_point.min(next.unwrap_or(Offset(i64::MAX)));
        if lost_durable && (stopped.is_some() || next.is_none()) {
            let (position, why) = stopped.unwrap_or((contents.size, "the log ends here".to_owned()));
            return Err(LogError::Corrupt {
                partition: self.partition.clone(),
                file: name.to_owned(),
                position,
                why,
                recovery_point: self.recovery.recovery_point,
            });
        }
        if let Some((position, why)) = stopped {
            let torn = written_len(reader, position).map_err(|source| self.storage_error(source))?;
            self.report.bytes_truncated += torn;
            tracing::warn!(partition = %self.partition, file = name, position, bytes = torn, "cutting off a torn tail: {why}");
            self.report.cut = Some(format!("{name} at {position}: {why}"));
            // They may speak of what is cut off, and the segment is appended to from here on.
            remove_indexes(&**self.storage, contents.base).map_err(|source| self.storage_error(source))?;
            contents.aborted_file = false;
            return Ok(Loaded { contents, cut: true });
        }
        if next.is_some() {
            // Nobody else would: a roll has written them or never will.
            contents.write_indexes(&**self.storage).map_err(|source| self.storage_error(source))?;
        }
        // A rolled segment may end in zeros only if its close did not come to cut it: cut it now.
        if next.is_some() && reader.len() > contents.size {
            self.trim(name, contents.size)?;
        }
        Ok(Loaded { contents, cut: false })
    }

    /// A segment that ends before the next one starts has lost its tail, which a file system may keep from a later
    /// file's. After a clean stop it is what a compaction left.
    fn hole(&self, contents: &Contents, next: Option<Offset>) -> Option<(u64, String)> {
        let next = next.filter(|next| contents.next < *next && !self.recovery.clean_shutdown)?;
        Some((contents.size, format!("offsets {} up to {next} are missing", contents.next)))
    }

    /// An epoch that the checkpoint knows keeps its start, which may lie in a segment that is not walked.
    fn note_epoch(&mut self, header: &BatchHeader) {
        if self.epochs.latest().is_none_or(|latest| header.leader_epoch > latest) {
            self.epochs.assign(header.leader_epoch, header.base_offset);
        }
    }

    fn trim(&self, name: &str, len: u64) -> Result<(), LogError> {
        let writer = self.storage.reopen(name, len, len).map_err(|source| self.storage_error(source))?;
        writer.close().map_err(|source| self.storage_error(source))
    }

    fn remove_from(&mut self, bases: &[Offset]) -> Result<(), LogError> {
        self.report.segments_removed += bases.len();
        let removed = bases.iter().rev().try_for_each(|base| remove_files(&**self.storage, *base));
        removed.map_err(|source| self.storage_error(source))
    }

    fn finish(mut self, mut contents: Vec<Contents>) -> Result<Recovered, LogError> {
        let error = |source| LogError::Storage { partition: self.partition.clone(), source };
        let Some(active) = contents.pop() else { return self.empty() };
        if active.next < self.recovery.log_start {
            // A power loss took what had been appended behind what was deleted.
            let bases: Vec<Offset> = contents.iter().map(|sealed| sealed.base).chain([active.base]).collect();
            let (end, start) = (active.next, self.recovery.log_start);
            self.report.cut = Some(format!("it ended at {end}, before its start {start}: it starts over there"));
            self.remove_from(&bases)?;
            return self.empty();
        }
        let start = self.recovery.log_start.max(contents.first().map_or(active.base, |first| first.base));
        let mut segments = Vec::with_capacity(contents.len() + 1);
        for sealed in contents {
            let reader = self.storage.reader(&names::file(sealed.base, Kind::Log)).map_err(error)?;
            segments.push(Arc::new(Segment::new(sealed.base, reader, sealed)));
        }
        let end = active.next;
        let (writer, active) = reopen(&**self.storage, active.base, active, self.config).map_err(error)?;
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

/// Removes a segment's file and its indexes, as far as they are there. The segment goes first: an index without one
/// is removed at the next start.
///
/// Whoever removes several segments starts with the last, so that no crash leaves a hole.
pub(crate) fn remove_files(storage: &dyn Storage, base: Offset) -> logdyno_storage::Result<()> {
    remove_kinds(storage, base, &Kind::ALL)
}

/// Removes a segment's indexes, before the segment is cut.
pub(crate) fn remove_indexes(storage: &dyn Storage, base: Offset) -> logdyno_storage::Result<()> {
    remove_kinds(storage, base, &[Kind::OffsetIndex, Kind::TimeIndex, Kind::TransactionIndex])
}

fn remove_kinds(storage: &dyn Storage, base: Offset, kinds: &[Kind]) -> logdyno_storage::Result<()> {
    let present: BTreeSet<String> = storage.list()?.into_iter().map(|(name, _)| name).collect();
    for kind in kinds {
        let name = names::file(base, *kind);
        if present.contains(&name) {
            storage.remove(&name)?;
        }
    }
    Ok(())
}

/// Whether a batch is a marker that aborts a transaction.
fn is_abort(batch: &Batch) -> bool {
    let marker = EndTransactionMarker::of(batch).ok().flatten();
    marker.is_some_and(|marker| marker.control_type == ControlType::Abort)
}

/// Bytes from `from` to the last one that is not zero.
fn written_len(reader: &dyn logdyno_storage::Reader, from: u64) -> logdyno_storage::Result<u64> {
    const CHUNK: u64 = 1 << 20;
    let (mut position, mut written) = (from, 0);
    while position < reader.len() {
        let len = CHUNK.min(reader.len() - position);
        let bytes = logdyno_storage::read_blocking(reader, position, len as usize)?;
        if bytes.is_empty() {
            break;
        }
        if let Some(last) = bytes.iter().rposition(|byte| *byte != 0) {
            written = position + last as u64 + 1 - from;
        }
        position += bytes.len() as u64;
    }
    Ok(written)
}
