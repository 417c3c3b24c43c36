//! One segment: a file of batches, and what is known of its content.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use logdyno_record::Offset;
use logdyno_record::batch::{BatchHeader, HEADER_LEN};
use logdyno_storage::{Reader, Storage, read_blocking};

use crate::config::LogConfig;
use crate::index::{OffsetIndex, TimeIndex, TransactionIndex};
use crate::log::walk::WalkError;
use crate::names::{self, Kind};

/// A segment that readers use; the log's lock guards who changes its contents.
pub(crate) struct Segment {
    pub(crate) base: Offset,
    pub(crate) reader: Arc<dyn Reader>,
    contents: RwLock<Contents>,
    retired: AtomicBool,
}

impl Segment {
    pub(crate) fn new(base: Offset, reader: Arc<dyn Reader>, contents: Contents) -> Segment {
        Segment { base, reader, contents: RwLock::new(contents), retired: AtomicBool::new(false) }
    }

    /// It left the log by retention or compaction. Its bytes stay what they are: who reads it may finish.
    pub(crate) fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }

    pub(crate) fn file(&self) -> String {
        names::file(self.base, Kind::Log)
    }

    pub(crate) fn contents(&self) -> RwLockReadGuard<'_, Contents> {
        self.contents.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn contents_mut(&self) -> RwLockWriteGuard<'_, Contents> {
        self.contents.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first batch's greatest timestamp; `None` without a batch. Waits for the device if nobody has read it yet.
    pub(crate) fn first_timestamp(&self) -> Result<Option<i64>, WalkError> {
        let (known, size) = {
            let contents = self.contents();
            (contents.first_timestamp, contents.size)
        };
        if known.is_some() || size == 0 {
            return Ok(known);
        }
        let header = read_blocking(&*self.reader, 0, HEADER_LEN).map_err(WalkError::Storage)?;
        let header = BatchHeader::parse(&header).map_err(|source| WalkError::Batch { position: 0, source })?;
        Ok(Some(*self.contents_mut().first_timestamp.get_or_insert(header.max_timestamp)))
    }

    /// Writes both index files, as Kafka does at a roll and at close: trimmed, the greatest timestamp entered.
    pub(crate) fn write_indexes(&self, storage: &dyn Storage) -> logdyno_storage::Result<()> {
        let files = self.contents_mut().encode_indexes();
        files.write(storage, self.base)
    }
}

/// The content of a segment's index files.
struct IndexFiles {
    offsets: Vec<u8>,
    times: Vec<u8>,
    aborted: Vec<u8>,
    /// The transaction index has a file, which may say something else.
    aborted_before: bool,
}

impl IndexFiles {
    /// The transaction index goes first, and durably. An offset index that is missing or cut has the next start look into the segment;
    /// nothing else would tell it that a transaction was aborted there.
    fn write(self, storage: &dyn Storage, base: Offset) -> logdyno_storage::Result<()> {
        let aborted = names::file(base, Kind::TransactionIndex);
        if !self.aborted.is_empty() {
            storage.replace(&aborted, &self.aborted)?;
        } else if self.aborted_before {
            storage.remove(&aborted)?;
        }
        storage.write_rebuildable(&names::file(base, Kind::OffsetIndex), &self.offsets)?;
        storage.write_rebuildable(&names::file(base, Kind::TimeIndex), &self.times)
    }
}

/// What is known of a segment's content: kept up by appends, rebuilt by a scan.
#[derive(Debug)]
pub(crate) struct Contents {
    pub(crate) base: Offset,
    pub(crate) offsets: OffsetIndex,
    pub(crate) times: TimeIndex,
    /// The transactions whose abort marker stands here.
    pub(crate) aborted: TransactionIndex,
    /// Whether there is a file of theirs.
    pub(crate) aborted_file: bool,
    /// Bytes of whole batches.
    pub(crate) size: u64,
    /// The offset behind the last record.
    pub(crate) next: Offset,
    /// The greatest timestamp and the last offset of its batch.
    pub(crate) max_timestamp: Option<(i64, Offset)>,
    /// The first batch's greatest timestamp: the segment's age counts from it. `None` without a batch, and where a start has
    /// trusted the indexes, which do not hold it, until [`Segment::first_timestamp`] is asked for.
    first_timestamp: Option<i64>,
    bytes_since_entry: u64,
    /// What the file was made for: it holds no more, whatever `segment_bytes` says by now.
    pub(crate) capacity: u64,
    jitter_ms: u64,
    created_ms: i64,
}

impl Contents {
    pub(crate) fn new(base: Offset, config: &LogConfig, created_ms: i64) -> Contents {
        let chance = uuid::Uuid::new_v4().as_u128();
        Contents {
            base,
            offsets: OffsetIndex::default(),
            times: TimeIndex::default(),
            aborted: TransactionIndex::default(),
            aborted_file: false,
            size: 0,
            next: base,
            max_timestamp: None,
            first_timestamp: None,
            bytes_since_entry: 0,
            capacity: config.segment_bytes,
            jitter_ms: (chance % (u128::from(config.segment_jitter_ms) + 1)) as u64,
            created_ms,
        }
    }

    /// Notes a batch behind all others (Kafka's LogSegment.append): index entries are due before it is counted.
    pub(crate) fn note(&mut self, header: &BatchHeader, interval: u64) {
        // A batch that compaction has emptied keeps its timestamp, which is of no record.
        if header.count > 0 && self.max_timestamp.is_none_or(|(max, _)| header.max_timestamp > max) {
            self.max_timestamp = Some((header.max_timestamp, header.last_offset()));
        }
        if self.bytes_since_entry > interval {
            self.offsets.push(self.base, header.last_offset(), self.size);
            self.enter_max_timestamp();
            self.bytes_since_entry = 0;
        }
        self.first_timestamp.get_or_insert(header.max_timestamp);
        self.size += header.size() as u64;
        self.bytes_since_entry += header.size() as u64;
        self.next = header.next_offset();
    }

    /// Takes over what index files say of a segment of `len` bytes; `next` has been read from its end.
    pub(crate) fn resume(&mut self, offsets: OffsetIndex, times: TimeIndex, len: u64) {
        self.bytes_since_entry = len - offsets.last_position();
        self.max_timestamp = times.last(self.base);
        self.size = len;
        self.offsets = offsets;
        self.times = times;
    }

    /// Writes the indexes of a segment that nothing is appended to any more, as recovery has rebuilt them.
    pub(crate) fn write_indexes(&mut self, storage: &dyn Storage) -> logdyno_storage::Result<()> {
        self.encode_indexes().write(storage, self.base)
    }

    fn encode_indexes(&mut self) -> IndexFiles {
        self.enter_max_timestamp();
        let aborted = self.aborted.encode();
        let aborted_before = std::mem::replace(&mut self.aborted_file, !aborted.is_empty());
        IndexFiles { offsets: self.offsets.encode(), times: self.times.encode(), aborted, aborted_before }
    }

    /// The age of a segment counts from it. Kafka takes the file's time where no record has a timestamp; this is when
    /// this process first saw the file, which is later: such a segment is kept longer, never shorter.
    pub(crate) fn largest_timestamp_ms(&self) -> i64 {
        self.max_timestamp
            .map(|(timestamp, _)| timestamp)
            .filter(|timestamp| *timestamp >= 0)
            .unwrap_or(self.created_ms)
    }

    /// Enters the greatest timestamp into the time index if it is not there.
    pub(crate) fn enter_max_timestamp(&mut self) {
        if let Some((timestamp, offset)) = self.max_timestamp {
            self.times.push(self.base, timestamp, offset);
        }
    }

    /// Whether a segment with this content is to be rolled before a batch of `size` bytes (Kafka's shouldRoll).
    pub(crate) fn is_full_for(&self, batch: &BatchHeader, last: Offset, config: &LogConfig, now_ms: i64) -> bool {
        let size_over = self.size + batch.size() as u64 > config.segment_bytes.min(self.capacity);
        let waited_ms = match self.first_timestamp {
            Some(first) if first >= 0 => batch.max_timestamp.saturating_sub(first),
            // As for no batch: without a time of its records it is the segment's own age that counts.
            _ => now_ms.saturating_sub(self.created_ms),
        };
        let aged = waited_ms > config.segment_ms_max().saturating_sub(self.jitter_ms).cast_signed();
        let index_full =
            self.offsets.size() + 8 > config.segment_index_bytes || self.times.size() + 24 > config.segment_index_bytes;
        let beyond_relative = i32::try_from(last - self.base).is_err();
        self.size > 0 && (size_over || aged || index_full) || beyond_relative
    }
}

#[cfg(test)]
mod tests {
    use logdyno_record::{BatchBuilder, BatchOptions, Codec, Compression};

    use super::*;

    fn header(base: i64, timestamp: i64, value: usize) -> BatchHeader {
        let mut builder = BatchBuilder::new(Codec::new(Compression::None), 256);
        builder.append(timestamp, None, Some(&vec![b'x'; value]), &[]);
        let mut header = *builder.build(&BatchOptions::default()).expect("a batch").header();
        header.base_offset = Offset(base);
        header
    }

    fn noted(headers: &[BatchHeader], interval: u64) -> Contents {
        let mut contents = Contents::new(Offset(0), &LogConfig::default(), 0);
        headers.iter().for_each(|header| contents.note(header, interval));
        contents
    }

    /// Kafka's rule: an entry is due when more than the interval lies behind the last one, and it is made before the
    /// batch is counted, so the first batch never has one.
    #[test]
    fn index_entries_come_before_the_batch_that_makes_them_due() {
        let headers: Vec<_> = (0..6).map(|at| header(at, 100 + at, 100)).collect();
        let size = headers[0].size() as u64;
        let contents = noted(&headers, size);
        assert_eq!(contents.offsets.floor(Offset(0), Offset(1)), 0);
        assert_eq!(contents.offsets.floor(Offset(0), Offset(2)), 2 * size);
        assert_eq!(contents.offsets.floor(Offset(0), Offset(4)), 4 * size);
        assert_eq!(contents.times.last(Offset(0)), Some((104, Offset(4))));
    }

    #[test]
    fn each_reason_to_roll() {
        let contents = noted(&[header(0, 1_000, 100)], 4096);
        let next = header(1, 1_000, 100);
        let config = LogConfig::default();
        assert!(!contents.is_full_for(&next, Offset(1), &config, 0), "no reason");
        let small = LogConfig { segment_bytes: contents.size + next.size() as u64 - 1, ..config.clone() };
        assert!(contents.is_full_for(&next, Offset(1), &small, 0), "size");
        let short = LogConfig { segment_ms: 10, ..config.clone() };
        assert!(!contents.is_full_for(&header(1, 1_010, 1), Offset(1), &short, 1 << 40), "the records' time counts");
        assert!(contents.is_full_for(&header(1, 1_011, 1), Offset(1), &short, 0), "age");
        let timeless = noted(&[header(0, -1, 100)], 4096);
        assert!(!timeless.is_full_for(&header(1, 1 << 40, 1), Offset(1), &short, 10), "records without a time");
        assert!(timeless.is_full_for(&header(1, 1 << 40, 1), Offset(1), &short, 11), "the segment's age");
        let tiny = LogConfig { segment_index_bytes: 7, ..config.clone() };
        assert!(contents.is_full_for(&next, Offset(1), &tiny, 0), "index");
        assert!(contents.is_full_for(&next, Offset(1 << 31), &config, 0), "relative offset");
        let empty = Contents::new(Offset(0), &config, 0);
        assert!(!empty.is_full_for(&next, Offset(1), &small, i64::MAX), "an empty segment is not rolled");
    }
}
