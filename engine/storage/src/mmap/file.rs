//! A mapped file, and slices of it on loan.

use std::io::{self, IoSlice};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::contract::Level;
use crate::runtime::open_file::OpenFile;
use crate::seam::Mapping;

/// What writer, readers and lent slices of a file share. The last of them unmaps it.
///
/// Only the writer stores, and only behind what it has made visible; slices are lent only of what is visible.
pub(super) struct MappedFile {
    pub(super) open: Arc<OpenFile>,
}

impl MappedFile {
    /// Maps `capacity` bytes of address space over a file.
    pub(super) fn map(mut open: OpenFile, capacity: u64) -> io::Result<Arc<MappedFile>> {
        if capacity > 0 {
            open.mapping = Some(open.file.map(capacity)?);
        }
        Ok(Arc::new(MappedFile { open: Arc::new(open) }))
    }

    /// The end of what can be read.
    pub(super) fn visible(&self) -> u64 {
        self.open.marks.reached(Level::Visible)
    }

    /// The mapping; `None` for a file of no bytes.
    pub(super) fn mapping(&self) -> Option<&Arc<dyn Mapping>> {
        self.open.mapping.as_ref()
    }

    /// Stores `parts` from `position` on.
    ///
    /// # Safety
    /// Only the writer calls this, the bytes are not visible yet, and their pages are ready (`Ahead`).
    pub(super) unsafe fn store(&self, mut position: u64, parts: &[IoSlice<'_>]) {
        for part in parts.iter().filter(|part| !part.is_empty()) {
            let mapping = self.mapping().expect("a file with room for bytes is mapped");
            assert!(position as usize + part.len() <= mapping.len(), "the writer checks the capacity first");
            let to = mapping.as_ptr().wrapping_add(position as usize);
            // SAFETY: the target lies inside the mapping (asserted); nobody else looks at it (the caller's
            // promise); the source is the caller's borrowed memory, which holds nothing that is not visible.
            unsafe { std::ptr::copy_nonoverlapping(part.as_ptr(), to, part.len()) };
            position += part.len() as u64;
        }
    }

    /// Lends the bytes of `range`, cut at the visible end.
    pub(super) fn lend(self: &Arc<MappedFile>, range: Range<u64>) -> Bytes {
        let end = range.end.min(self.visible());
        if range.start >= end {
            return Bytes::new();
        }
        Bytes::from_owner(Lent { file: self.clone(), range: range.start as usize..end as usize })
    }
}

/// Keeps the file mapped. Invariant: the range is visible, so it never changes and is never cut.
struct Lent {
    file: Arc<MappedFile>,
    range: Range<usize>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        let mapping = self.file.mapping().expect("visible bytes are mapped");
        // SAFETY: the range lies inside the mapping, which lives as long as `file`; by the invariant nobody
        // stores to it again, and no call of this crate shortens the file below it.
        unsafe { std::slice::from_raw_parts(mapping.as_ptr().add(self.range.start), self.range.len()) }
    }
}
