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
