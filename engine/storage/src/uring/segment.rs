//! An open file as writer, readers and ring thread share it.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::callback::undisturbed;
use super::driver::Driver;
use super::flush::block_start;
use super::memory::Chunk;
use super::streams::Streams;
use crate::allocation::Allocation;
use crate::contract::Result;
use crate::entries::Entry;
use crate::error::StorageError;
use crate::marks::Marks;
use crate::seam::DiskFile;

/// One open file: its descriptor, its marks, and the chunks of it that are in memory.
pub(super) struct Segment {
    /// Distinguishes files in the ring thread's tables; never used twice.
    pub(super) id: u64,
    pub(super) path: PathBuf,
    /// Opened past the page cache, and kept open from the first write to the last reader.
    pub(super) file: Arc<dyn DiskFile>,
    /// Of a file that was made, not opened.
    entry: Option<Entry>,
    pub(super) marks: Arc<Marks>,
    pub(super) allocation: Allocation,
    /// Which thread plans its writes.
    pub(super) driver: Driver,
    /// The ring thread knows that there are bytes which nobody asked to write.
    pub(super) dirty: AtomicBool,
    /// Ticks of the kick timer in which the segment was dirty: the clock by which a writer judges its rate.
    pub(super) ticks: AtomicU64,
    resident: Mutex<Resident>,
    streams: Mutex<Streams>,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(0);

impl Segment {
    /// A file whose first `len` bytes are durable, and so is its name if that is not new.
    pub(super) fn new(
        file: Arc<dyn DiskFile>,
        path: PathBuf,
        entry: Option<Entry>,
        len: u64,
        allocation: Allocation,
    ) -> Arc<Segment> {
        Arc::new(Segment {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            path,
            file,
            entry,
            marks: Arc::new(Marks::new(len)),
            allocation,
            driver: Driver::default(),
            dirty: AtomicBool::new(false),
            ticks: AtomicU64::new(0),
            resident: Mutex::new(Resident { chunks: BTreeMap::new(), clean_end: block_start(len) }),
            streams: Mutex::default(),
        })
    }

    /// The chunks in memory.
    pub(super) fn resident(&self) -> MutexGuard<'_, Resident> {
        self.resident.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who reads the file from front to back.
    pub(super) fn streams(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The second half of a sync: a new file's name, once.
    pub(super) fn sync_entry(&self) -> io::Result<()> {
        self.entry.as_ref().map_or(Ok(()), Entry::make_durable)
    }

    /// Takes the file out of service: after a failed write or sync, what the device holds is unknown, and a
    /// second attempt that succeeds would prove nothing about the first.
    pub(super) fn fail(&self, operation: &'static str, source: io::Error) -> StorageError {
        let error = StorageError::Poisoned { operation, path: self.path.clone(), source: Arc::new(source) };
        tracing::error!("{error}");
        undisturbed(|| self.marks.set_poison(error.clone()));
        error
    }

    /// The poison, if there is one.
    pub(super) fn check(&self) -> Result<()> {
        if !self.marks.is_poisoned() {
            return Ok(());
        }
        Err(self.marks.poison().unwrap_or(StorageError::Stopped))
    }
}

/// Chunks of one file that are in memory.
///
/// Chunks never overlap, and each starts at a block's start. Invariant: **everything from `clean_end` on is
/// in memory**; what is missing lies before it, whole blocks that are on the device and will not change.
pub(super) struct Resident {
    chunks: BTreeMap<u64, Arc<Chunk>>,
    clean_end: u64,
}

impl Resident {
    /// The chunk with the byte at `position`, and where it starts in the file.
    pub(super) fn find(&self, position: u64) -> Option<(u64, Arc<Chunk>)> {
        let (base, chunk) = self.chunks.range(..=position).next_back()?;
        (position < base + chunk.len() as u64).then(|| (*base, Arc::clone(chunk)))
    }

    /// The first stretch of `range` that is not in memory, block by block.
    pub(super) fn gap(&self, range: Range<u64>) -> Option<Range<u64>> {
        let mut start = block_start(range.start);
        while start < range.end {
            match self.find(start) {
                Some((base, chunk)) => start = base + chunk.len() as u64,
                None => {
                    let end = self.chunks.range(start..).next().map_or(range.end, |(next, _)| range.end.min(*next));
                    return Some(start..end);
                }
            }
        }
        None
    }

    /// The writer has a new chunk behind the last one.
    pub(super) fn extend(&mut self, base: u64, chunk: Arc<Chunk>) {
        let replaced = self.chunks.insert(base, chunk);
        assert!(replaced.is_none(), "two chunks at {base}");
    }

    /// Bytes read from the device. False if some of them are in memory already.
    pub(super) fn insert_read(&mut self, base: u64, chunk: &Arc<Chunk>) -> bool {
        let whole = base..base + chunk.len() as u64;
        if self.gap(whole.clone()) != Some(whole) {
            return false;
        }
        self.chunks.insert(base, Arc::clone(chunk));
        true
    }

    /// Drops a chunk, if it is this one.
    pub(super) fn remove(&mut self, base: u64, chunk: &Arc<Chunk>) {
        if self.chunks.get(&base).is_some_and(|held| Arc::ptr_eq(held, chunk)) {
            self.chunks.remove(&base);
        }
    }

    /// Chunks that are on the device whole, now that everything before `written` is. Each is returned once.
    pub(super) fn clean(&mut self, written: u64) -> Vec<(u64, Arc<Chunk>)> {
        let mut clean = Vec::new();
        while let Some((base, chunk)) = self.chunks.range(self.clean_end..).next() {
            let end = base + chunk.len() as u64;
            if end > written {
                break;
            }
            clean.push((*base, Arc::clone(chunk)));
            self.clean_end = end;
        }
        clean
    }

    /// No more is appended and everything is on the device: all that remained for the writer's sake is clean.
    pub(super) fn clean_rest(&mut self) -> Vec<(u64, Arc<Chunk>)> {
        let rest: Vec<_> =
            self.chunks.range(self.clean_end..).map(|(base, chunk)| (*base, Arc::clone(chunk))).collect();
        self.clean_end = u64::MAX;
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uring::memory::{Pool, UNIT};

    const LEN: u64 = UNIT as u64;

    /// Chunks of one unit at these places, in a file that is clean from the start.
    fn resident(places: &[u64]) -> (Resident, Arc<crate::uring::memory::Pool>) {
        let pool = Pool::new(16 * UNIT, Arc::default()).unwrap();
        let mut resident = Resident { chunks: BTreeMap::new(), clean_end: 0 };
        for place in places {
            resident.extend(place * LEN, pool.take(UNIT).unwrap());
        }
        (resident, pool)
    }

    #[test]
    fn a_gap_starts_at_a_block_and_ends_at_the_next_chunk() {
        let (resident, _pool) = resident(&[1, 2, 4]);
        for (asked, gap) in [
            (10..20, Some(0..20)),
            (5000..LEN + 1, Some(4096..LEN)),
            (LEN..3 * LEN, None),
            (LEN + 5..3 * LEN + 1, Some(3 * LEN..3 * LEN + 1)),
            (2 * LEN..9 * LEN, Some(3 * LEN..4 * LEN)),
            (7 * LEN..7 * LEN, None),
        ] {
            assert_eq!(resident.gap(asked.clone()), gap, "{asked:?}");
        }
    }

    #[test]
    fn what_was_read_enters_only_where_nothing_is() {
        let (mut resident, pool) = resident(&[1]);
        let long = pool.take(2 * UNIT).unwrap();
        assert!(!resident.insert_read(0, &long));
        assert!(!resident.insert_read(LEN, &long));
        assert!(resident.insert_read(2 * LEN, &long));
        assert_eq!(resident.gap(0..4 * LEN), Some(0..LEN));
    }

    #[test]
    fn a_chunk_is_clean_once_and_only_when_all_of_it_is_written() {
        let (mut resident, _pool) = resident(&[0, 1, 2]);
        let mut bases = |written| resident.clean(written).into_iter().map(|(base, _)| base).collect::<Vec<_>>();
        assert_eq!(bases(LEN - 1), []);
        assert_eq!(bases(LEN), [0]);
        assert_eq!(bases(3 * LEN - 1), [LEN]);
        assert_eq!(bases(3 * LEN - 1), []);
        let rest: Vec<u64> = resident.clean_rest().into_iter().map(|(base, _)| base).collect();
        assert_eq!(rest, [2 * LEN]);
        assert!(resident.clean_rest().is_empty());
    }
}
