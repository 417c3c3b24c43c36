//! The tail cache: chunks that are on the device and stay in memory until it is wanted for something else.
//!
//! Eviction is "second chance", an LRU to within one round: a chunk that was read since it was last
//! looked at goes to the back once more. That costs a read nothing but one relaxed store, where an exact
//! LRU would have all readers meet at one lock.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::memory::Chunk;
use super::segment::Segment;

/// Chunks that may be evicted, over all segments.
pub(super) struct Cache {
    entries: Mutex<Entries>,
    bytes_max: usize,
}

#[derive(Default)]
struct Entries {
    order: VecDeque<Entry>,
    bytes: usize,
}

/// The chunk is held by its segment; when that goes, so does the chunk, without asking the cache.
struct Entry {
    segment: Weak<Segment>,
    base: u64,
    chunk: Weak<Chunk>,
    len: usize,
}

impl Cache {
    /// A cache that keeps at most `bytes_max`.
    pub(super) fn new(bytes_max: usize) -> Cache {
        Cache { entries: Mutex::default(), bytes_max }
    }

    /// What it keeps at most.
    pub(super) fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// The segment's chunk at `base` is on the device: it may go from now on.
    pub(super) fn admit(&self, segment: &Arc<Segment>, base: u64, chunk: &Arc<Chunk>) {
        let len = chunk.len();
        let entry = Entry { segment: Arc::downgrade(segment), base, chunk: Arc::downgrade(chunk), len };
        let over = {
            let mut entries = self.entries();
            entries.order.push_back(entry);
            entries.bytes += len;
            entries.bytes > self.bytes_max
        };
        if over {
            self.shrink_to(self.bytes_max);
        }
    }

    /// Evicts until `bytes` have been let go of, or nothing is left. False if nothing could be evicted.
    ///
    /// Memory of which readers hold slices comes back to the pool only when they drop them.
    pub(super) fn evict(&self, bytes: usize) -> bool {
        let now = self.entries().bytes;
        self.shrink_to(now.saturating_sub(bytes)) > 0
    }

    fn shrink_to(&self, bytes: usize) -> usize {
        // Dropped after the lock is: a dropped chunk tells the pool, and that tells others.
        let mut evicted = Vec::new();
        let mut entries = self.entries();
        let mut spared = 0;
        while entries.bytes > bytes {
            let Some(entry) = entries.order.pop_front() else { break };
            let Some(chunk) = entry.chunk.upgrade() else {
                entries.bytes -= entry.len;
                continue;
            };
            // Everything was wanted lately: after one round somebody has to go all the same.
            if chunk.take_touch() && spared < entries.order.len() {
                spared += 1;
                entries.order.push_back(entry);
                continue;
            }
            entries.bytes -= entry.len;
            if let Some(segment) = entry.segment.upgrade() {
                segment.resident().remove(entry.base, &chunk);
                evicted.push((chunk, segment));
            }
        }
        drop(entries);
        evicted.len()
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::allocation::{Allocation, Zeroing};
    use crate::seam::simulated::SimulatedDisk;
    use crate::seam::{Disk, Open};
    use crate::uring::memory::{Pool, UNIT};
    use std::path::Path;

    const LEN: u64 = UNIT as u64;

    /// A pool of four units, a cache of two, and a segment with chunks that are on the device.
    struct Scene {
        pool: Arc<Pool>,
        cache: Cache,
        segment: Arc<Segment>,
    }

    impl Scene {
        fn new() -> Scene {
            let pool = Pool::new(4 * UNIT, Arc::default()).unwrap();
            let disk = SimulatedDisk::new(0);
            disk.create_dir_all(Path::new("/d")).unwrap();
            let file = disk.open(Path::new("/d/a"), Open { create: true, ..Open::default() }).unwrap();
            let segment = Segment::new(
                file,
                "/d/a".into(),
                None,
                0,
                Allocation::new(0, 0, LEN, Zeroing::Never, crate::runtime::recycling::Blocks::of_nobody()),
            );
            Scene { pool, cache: Cache::new(2 * UNIT), segment }
        }

        fn admit(&self, index: u64) -> Arc<Chunk> {
            let chunk = self.pool.take(UNIT).expect("the pool has room");
            self.segment.resident().extend(index * LEN, Arc::clone(&chunk));
            self.cache.admit(&self.segment, index * LEN, &chunk);
            chunk
        }

        fn cached(&self) -> Vec<u64> {
            (0..10).filter(|index| self.segment.resident().find(index * LEN).is_some()).collect()
        }
    }

    #[test]
    fn the_oldest_chunk_goes_first() {
        let scene = Scene::new();
        (0..4).for_each(|index| drop(scene.admit(index)));
        assert_eq!(scene.cached(), [2, 3]);
    }

    #[test]
    fn a_chunk_that_was_read_stays_for_another_round() {
        let scene = Scene::new();
        scene.admit(0).touch();
        scene.admit(1);
        scene.admit(2);
        assert_eq!(scene.cached(), [0, 2]);
        scene.admit(3);
        assert_eq!(scene.cached(), [0, 3]);
        scene.admit(4);
        assert_eq!(scene.cached(), [3, 4]);
    }

    #[test]
    fn when_all_were_read_one_goes_all_the_same() {
        let scene = Scene::new();
        (0..3).for_each(|index| scene.admit(index).touch());
        assert!(scene.cache.evict(UNIT));
        assert!(scene.cache.evict(2 * UNIT));
        assert!(!scene.cache.evict(UNIT), "nothing is left");
        assert_eq!(scene.cached(), []);
    }

    /// Evicting takes a chunk from the index; its memory comes back when the last slice is dropped.
    #[test]
    fn lent_memory_comes_back_with_its_last_slice() {
        let scene = Scene::new();
        let chunk = scene.admit(0);
        // SAFETY: this test is the only one who knows the chunk, and stores before it lends.
        let lent = unsafe {
            chunk.store(0, b"lent");
            chunk.lend(0..4)
        };
        drop(chunk);
        assert!(scene.cache.evict(UNIT));
        assert!(scene.pool.take(4 * UNIT).is_none());
        assert_eq!(lent, &b"lent"[..]);
        drop(lent);
        assert!(scene.pool.take(4 * UNIT).is_some());
    }

    /// The segment went away with its chunks: the cache forgets them without a word.
    #[test]
    fn a_dropped_segment_takes_its_chunks_along() {
        let Scene { pool, cache, segment } = Scene::new();
        let chunk = pool.take(UNIT).unwrap();
        segment.resident().extend(0, Arc::clone(&chunk));
        cache.admit(&segment, 0, &chunk);
        drop((chunk, segment));
        assert!(pool.take(4 * UNIT).is_some());
        assert!(!cache.evict(UNIT));
    }
}
