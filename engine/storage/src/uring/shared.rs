//! What the ring thread, writers, readers and directories of one backend share.

use std::io;
use std::sync::Arc;

use super::cache::Cache;
use super::memory::{Chunk, Pool, UNIT};
use super::queue::Queue;
use super::segment::Segment;
use crate::counters::Counters;
use crate::registry::Settings;
use crate::runtime::preparation::Preparation;
use crate::runtime::recycling::Recycling;
use crate::seam::Disk;

/// What growing steps a chunk's size by, up and down.
pub(super) const CHUNK_GROWTH: usize = 4;

/// What one log may have on its way: at 1 GB/s, what the device takes in 16 ms.
const UNWRITTEN_BYTES_MAX: usize = 16 << 20;

/// The shared part of the backend.
pub(super) struct Shared {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) settings: Settings,
    pub(super) counters: Arc<Counters>,
    pub(super) queue: Arc<Queue>,
    pub(super) pool: Arc<Pool>,
    pub(super) cache: Cache,
    pub(super) preparation: Preparation,
    pub(super) recycling: Arc<Recycling>,
}

impl Shared {
    /// Reserves the pool and starts the thread for preparations.
    pub(super) fn new(disk: Arc<dyn Disk>, settings: Settings) -> io::Result<Shared> {
        let queue = Arc::new(Queue::default());
        let pool = Pool::new(settings.pool_bytes, Arc::clone(&queue))?;
        let cache = Cache::new(settings.cache_bytes.min(pool.bytes() / 2));
        let (counters, preparation) = (Arc::default(), Preparation::start()?);
        let recycling = Recycling::start(&disk, &settings, &counters)?;
        Ok(Shared { disk, settings, counters, queue, pool, cache, preparation, recycling })
    }

    /// The largest chunk that a log's tail gets.
    pub(super) fn chunk_bytes_max(&self) -> usize {
        self.settings.chunk_bytes.clamp(UNIT, self.pool.bytes()).next_multiple_of(UNIT)
    }

    /// Bytes of one log that may wait to be written, so that one log alone cannot take the whole pool.
    pub(super) fn unwritten_bytes_max(&self) -> usize {
        UNWRITTEN_BYTES_MAX.min(self.pool.bytes() / 4)
    }

    /// A chunk for a log's tail, of the wanted size or smaller if that is all there is, at the expense of the
    /// cache. `None` if what is in memory is all on its way to the device or in readers' hands.
    pub(super) fn tail_chunk(&self, wanted: usize) -> Option<Arc<Chunk>> {
        let mut bytes = wanted.max(UNIT);
        loop {
            if let Some(chunk) = self.chunk_or_evict(bytes) {
                return Some(chunk);
            }
            if bytes == UNIT {
                break;
            }
            bytes = (bytes / CHUNK_GROWTH).max(UNIT);
        }
        // The last resort: one chunk after the other until a unit is free.
        while self.cache.evict(UNIT) {
            if let Some(chunk) = self.pool.take(UNIT) {
                return Some(chunk);
            }
        }
        None
    }

    /// A chunk for a read, at the expense of what was read longest ago.
    pub(super) fn chunk_or_evict(&self, bytes: usize) -> Option<Arc<Chunk>> {
        self.pool.take(bytes).or_else(|| if self.cache.evict(bytes) { self.pool.take(bytes) } else { None })
    }

    /// These chunks of the segment are on the device: they become cache, and appends may have room.
    pub(super) fn admit(&self, segment: &Arc<Segment>, clean: Vec<(u64, Arc<Chunk>)>) {
        for (base, chunk) in clean {
            self.cache.admit(segment, base, &chunk);
        }
        self.pool.room_appeared();
    }
}
