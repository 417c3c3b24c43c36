//! The tail of a file in memory: written by one thread, lent to any number of readers.

use std::alloc::Layout;
use std::io::IoSlice;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Arc;

use bytes::Bytes;

/// Memory for the bytes of a file from `base` on.
///
/// Only the writer stores, and only behind what it has made visible; readers look only at what is visible,
/// which they learn from an acquiring load of the mark. So no byte is stored to while or after it is read.
pub(super) struct Tail {
    base: u64,
    memory: NonNull<u8>,
    len: usize,
}

// SAFETY: the memory is owned; the rule above keeps stores and loads of a byte apart.
unsafe impl Send for Tail {}
// SAFETY: as above.
unsafe impl Sync for Tail {}

impl Tail {
    /// Memory for `len` bytes from position `base`.
    pub(super) fn new(base: u64, len: usize) -> Arc<Tail> {
        let memory = match Tail::layout(len) {
            // SAFETY: the layout is not empty.
            Some(layout) => NonNull::new(unsafe { std::alloc::alloc(layout) })
                .unwrap_or_else(|| std::alloc::handle_alloc_error(layout)),
            None => NonNull::dangling(),
        };
        Arc::new(Tail { base, memory, len })
    }

    /// The position of its first byte: everything before it is in the file.
    pub(super) fn base(&self) -> u64 {
        self.base
    }

    /// Bytes that can be stored from `position` on.
    pub(super) fn room(&self, position: u64) -> usize {
        self.len - self.index(position)
    }

    /// Stores `parts` from `position` on.
    ///
    /// # Safety
    /// Only the writer calls this, with a `position` that is not visible yet.
    pub(super) unsafe fn store(&self, mut position: u64, parts: &[IoSlice<'_>]) {
        for part in parts {
            assert!(part.len() <= self.room(position), "the writer checks the room before it stores");
            let to = self.memory.as_ptr().wrapping_add(self.index(position));
            // SAFETY: the target lies inside the memory (asserted), is not looked at by anyone else (the
            // caller's promise), and the caller's slice cannot overlap memory that only this type hands out.
            unsafe { std::ptr::copy_nonoverlapping(part.as_ptr(), to, part.len()) };
            position += part.len() as u64;
        }
    }

    /// The bytes of `range`.
    ///
    /// # Safety
    /// They have been stored, and are visible or the caller is the writer.
    pub(super) unsafe fn bytes(&self, range: Range<u64>) -> &[u8] {
        let (start, end) = (self.index(range.start), self.index(range.end));
        // SAFETY: inside the memory (`index` asserts), initialised and unchanging by the caller's promise.
        unsafe { std::slice::from_raw_parts(self.memory.as_ptr().add(start), end - start) }
    }

    /// Lends the bytes of `range`, which are visible, without copying them.
    ///
    /// # Safety
    /// As [`Tail::bytes`].
    pub(super) unsafe fn lend(self: &Arc<Tail>, range: Range<u64>) -> Bytes {
        Bytes::from_owner(Lent { tail: self.clone(), range })
    }

    fn index(&self, position: u64) -> usize {
        let index = position.checked_sub(self.base).filter(|index| *index <= self.len as u64);
        index.expect("positions of a tail lie inside it") as usize
    }

    fn layout(len: usize) -> Option<Layout> {
        (len > 0).then(|| Layout::array::<u8>(len).expect("a tail fits into the address space"))
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        if let Some(layout) = Tail::layout(self.len) {
            // SAFETY: allocated in `new` with this layout, and no slice of it is lent any more.
            unsafe { std::alloc::dealloc(self.memory.as_ptr(), layout) };
        }
    }
}

struct Lent {
    tail: Arc<Tail>,
    range: Range<u64>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: `lend` was promised that the range is stored and visible.
        unsafe { self.tail.bytes(self.range.clone()) }
    }
}
