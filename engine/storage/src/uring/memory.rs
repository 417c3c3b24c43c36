//! The pool: memory that the device reads from and writes to, cut into chunks.
//!
//! A chunk is raw memory, because three parties use it at once: the writer appends at its end, the kernel
//! reads what has been submitted, readers hold slices of what is published. No two of them touch the same
//! bytes in conflicting ways, but a `&mut [u8]` of the whole chunk could not say so. The rule that all
//! `SAFETY` comments here come back to is: **a byte is stored once, by the one who made the chunk, before
//! its position is published; from then on it is only read, until the chunk is dropped.**

use std::alloc::Layout;
use std::io;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use rustix::mm::{Advice, MapFlags, ProtFlags};

use super::queue::Queue;
use super::room::Room;
use super::units::Units;

/// What direct I/O moves at least, and where it may start.
pub(super) const BLOCK: usize = 4096;
/// What the pool hands out at least.
pub(super) const UNIT: usize = 16 << 10;

/// A region of memory that chunks are cut from.
pub(super) struct Pool {
    region: NonNull<u8>,
    bytes: usize,
    units: Mutex<Units>,
    /// Bytes of chunks of which readers hold slices.
    lent: AtomicUsize,
    /// Where it is told that memory came back.
    pub(super) room: Room,
    queue: Arc<Queue>,
}

// SAFETY: the region is plain memory owned by the pool; who may touch which part of it is decided by
// `units`, and within a chunk by the rule above.
unsafe impl Send for Pool {}
// SAFETY: as for `Send`; all shared state besides the region is atomic or behind a lock.
unsafe impl Sync for Pool {}

impl Pool {
    /// Reserves `bytes`, rounded up to whole units. Untouched parts take no memory.
    pub(super) fn new(bytes: usize, queue: Arc<Queue>) -> io::Result<Arc<Pool>> {
        let bytes = bytes.clamp(UNIT, isize::MAX as usize / UNIT * UNIT).next_multiple_of(UNIT);
        // SAFETY: a fresh anonymous mapping at an address of the kernel's choice touches nothing that exists.
        let mapped = unsafe {
            let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
            rustix::mm::mmap_anonymous(std::ptr::null_mut(), bytes, ProtFlags::READ | ProtFlags::WRITE, flags)
        };
        let region = mapped.map_err(|error| {
            let reason = format!("a pool of {bytes} bytes cannot be reserved: {error}");
            io::Error::new(io::Error::from(error).kind(), reason)
        })?;
        // SAFETY: the range is the mapping just made. Large pages save TLB misses; a kernel without them loses
        // nothing but that, so its refusal is no error.
        if let Err(error) = unsafe { rustix::mm::madvise(region, bytes, Advice::LinuxHugepage) } {
            tracing::debug!(%error, "no large pages for the chunk pool");
        }
        let region = NonNull::new(region.cast()).expect("mmap does not return null");
        let units = Mutex::new(Units::new(bytes / UNIT));
        Ok(Arc::new(Pool { region, bytes, units, lent: AtomicUsize::new(0), room: Room::default(), queue }))
    }

    /// All its memory.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// A chunk of `bytes`, rounded up to whole blocks, if there is room for it in one piece.
    pub(super) fn take(self: &Arc<Self>, bytes: usize) -> Option<Arc<Chunk>> {
        let count = bytes.div_ceil(UNIT);
        let first = self.units.lock().unwrap_or_else(PoisonError::into_inner).take(count)?;
        // SAFETY: `Units` hands out only units that exist, so the result stays inside the region.
        let memory = unsafe { self.region.add(first * UNIT) };
        Some(self.chunk(memory, bytes.next_multiple_of(BLOCK), Home::Pool { first, count }))
    }

    /// A chunk of memory that is not the pool's: for a read or append that must go on while the pool is exhausted, and for the end of
    /// a log that is opened.
    /// `None` if the process has no memory.
    pub(super) fn take_outside(self: &Arc<Self>, bytes: usize) -> Option<Arc<Chunk>> {
        let len = bytes.max(BLOCK).next_multiple_of(BLOCK);
        let layout = Layout::from_size_align(len, BLOCK).ok()?;
        // SAFETY: the layout's size is not zero.
        let memory = NonNull::new(unsafe { std::alloc::alloc_zeroed(layout) })?;
        Some(self.chunk(memory, len, Home::Heap(layout)))
    }

    fn chunk(self: &Arc<Self>, memory: NonNull<u8>, len: usize, home: Home) -> Arc<Chunk> {
        let (lent, used) = (AtomicUsize::new(0), AtomicBool::new(false));
        Arc::new(Chunk { pool: Arc::clone(self), memory, len, home, lent, used })
    }

    /// Whether readers may hold on to more of the pool. A reader that never lets go must not stop writers, so
    /// at most half of the pool is lent; beyond that, readers get copies.
    pub(super) fn may_lend(&self) -> bool {
        self.lent.load(Ordering::Relaxed) < self.bytes / 2
    }

    /// Tells those who wait for room that there may be some.
    pub(super) fn room_appeared(&self) {
        self.room.appeared(&self.queue);
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // SAFETY: every chunk holds the pool, so none is left, and with them no slice and no operation.
        if let Err(error) = unsafe { rustix::mm::munmap(self.region.as_ptr().cast(), self.bytes) } {
            tracing::error!(%error, "cannot unmap the chunk pool");
        }
    }
}

/// Where a chunk's memory goes back to.
enum Home {
    Pool { first: usize, count: usize },
    Heap(Layout),
}

/// A piece of aligned memory for a contiguous piece of a file.
pub(super) struct Chunk {
    pool: Arc<Pool>,
    memory: NonNull<u8>,
    len: usize,
    home: Home,
    /// Slices that readers hold.
    lent: AtomicUsize,
    /// Touched since the cache last looked.
    used: AtomicBool,
}

// SAFETY: the chunk owns its memory until it is dropped, wherever that happens.
unsafe impl Send for Chunk {}
// SAFETY: the rule at the top of this file; the methods that store or load say what they need.
unsafe impl Sync for Chunk {}

impl Chunk {
    /// Bytes of memory: a multiple of [`BLOCK`].
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// What it takes away from the pool.
    pub(super) fn footprint(&self) -> usize {
        match self.home {
            Home::Pool { count, .. } => count * UNIT,
            Home::Heap(_) => 0,
        }
    }

    /// The byte at `at`, for the ring.
    pub(super) fn pointer(&self, at: usize) -> *mut u8 {
        assert!(at <= self.len, "{at} is outside of a chunk of {} bytes", self.len);
        // SAFETY: checked above to stay inside the memory or one past its end.
        unsafe { self.memory.as_ptr().add(at) }
    }

    /// Stores bytes.
    ///
    /// # Safety
    /// The caller is the only one who stores into this chunk, and the range has not been published.
    pub(super) unsafe fn store(&self, at: usize, bytes: &[u8]) {
        assert!(bytes.len() <= self.len - at, "{} bytes at {at} do not fit into {}", bytes.len(), self.len);
        // SAFETY: in bounds as checked; nobody else looks at the range, as the caller promises; `bytes` cannot
        // overlap it, since slices are only ever lent of what was published.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.memory.as_ptr().add(at), bytes.len()) };
    }

    /// What is there.
    ///
    /// # Safety
    /// The range has been stored (by the writer or a completed read) and published to this thread.
    pub(super) unsafe fn slice(&self, range: Range<usize>) -> &[u8] {
        assert!(range.start <= range.end && range.end <= self.len, "{range:?} is outside of {} bytes", self.len);
        // SAFETY: in bounds; initialised and unchanging by the caller's promise and the rule of this file.
        unsafe { std::slice::from_raw_parts(self.memory.as_ptr().add(range.start), range.len()) }
    }

    /// The range without a copy; the chunk lives at least as long as the result.
    ///
    /// # Safety
    /// As for [`Chunk::slice`].
    pub(super) unsafe fn lend(self: &Arc<Self>, range: Range<usize>) -> Bytes {
        assert!(range.start <= range.end && range.end <= self.len, "{range:?} is outside of {} bytes", self.len);
        if self.lent.fetch_add(1, Ordering::Relaxed) == 0 {
            self.pool.lent.fetch_add(self.footprint(), Ordering::Relaxed);
        }
        Bytes::from_owner(Lent { chunk: Arc::clone(self), range })
    }

    /// The pool it belongs to.
    pub(super) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// Remembers that somebody wanted it.
    pub(super) fn touch(&self) {
        self.used.store(true, Ordering::Relaxed);
    }

    /// Whether it was wanted since the last call.
    pub(super) fn take_touch(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        match self.home {
            Home::Pool { first, count } => {
                self.pool.units.lock().unwrap_or_else(PoisonError::into_inner).give(first, count);
                self.pool.room_appeared();
            }
            // SAFETY: allocated with this layout in `take_outside`; the last reference is going away.
            Home::Heap(layout) => unsafe { std::alloc::dealloc(self.memory.as_ptr(), layout) },
        }
    }
}

/// A published range that a reader holds.
struct Lent {
    chunk: Arc<Chunk>,
    range: Range<usize>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: promised to `Chunk::lend`; what has been published stays so.
        unsafe { self.chunk.slice(self.range.clone()) }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if self.chunk.lent.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.chunk.pool.lent.fetch_sub(self.chunk.footprint(), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Readers that hold on to half of the pool get copies from then on, and slices again when they let go.
    #[test]
    fn at_most_half_of_the_pool_is_lent() {
        let pool = Pool::new(4 * UNIT, Arc::default()).unwrap();
        let chunks: Vec<_> = std::iter::from_fn(|| pool.take(UNIT)).collect();
        assert_eq!(chunks.len(), 4);
        // SAFETY: stored by this test, the only one who knows the chunks, before it lends.
        let lend = |chunk: &Arc<Chunk>| unsafe {
            chunk.store(0, b"12");
            (chunk.lend(0..1), chunk.lend(1..2))
        };
        let first = lend(&chunks[0]);
        assert!(pool.may_lend(), "two slices of one chunk are one chunk");
        let second = lend(&chunks[1]);
        assert!(!pool.may_lend());
        drop(first);
        assert!(pool.may_lend());
        assert_eq!(second, (Bytes::from_static(b"1"), Bytes::from_static(b"2")));
    }

    #[test]
    fn memory_from_outside_takes_nothing_from_the_pool() {
        let pool = Pool::new(UNIT, Arc::default()).unwrap();
        let outside = pool.take_outside(5000).unwrap();
        assert_eq!((outside.len(), outside.footprint(), outside.pointer(0).addr() % BLOCK), (8192, 0, 0));
        let whole = pool.take(1).unwrap();
        assert_eq!((whole.len(), whole.footprint()), (BLOCK, UNIT));
        assert!(pool.take(1).is_none());
        drop((outside, whole));
        assert!(pool.take(UNIT).is_some());
    }
}
