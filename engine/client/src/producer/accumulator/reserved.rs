//! A batch's share of `buffer.memory`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::producer::buffer_pool::BufferPool;

/// Bytes taken from the pool; they go back when this is dropped.
pub(crate) struct Reserved {
    pool: Arc<BufferPool>,
    bytes: AtomicUsize,
}

impl Reserved {
    pub(crate) fn new(pool: Arc<BufferPool>, bytes: usize) -> Reserved {
        Reserved { pool, bytes: AtomicUsize::new(bytes) }
    }

    /// How many.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Takes more without waiting: a batch that is hoped to compress well holds more than `batch.size` until it
    /// is sealed. `false` if the pool has too few, or somebody waits for them.
    pub(crate) fn grow_to(&self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(self.bytes());
        let grown = self.pool.try_take(more);
        if grown {
            self.bytes.fetch_add(more, Ordering::Relaxed);
        }
        grown
    }

    /// Gives back what is not needed.
    pub(crate) fn shrink_to(&self, bytes: usize) {
        let surplus = self.bytes().saturating_sub(bytes);
        if surplus > 0 {
            self.bytes.fetch_sub(surplus, Ordering::Relaxed);
            self.pool.release(surplus);
        }
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.pool.release(self.bytes());
    }
}

impl std::fmt::Debug for Reserved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reserved({} bytes)", self.bytes())
    }
}
