//! One answer out of several chunks.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::memory::Chunk;
use crate::counters::Counters;

/// A range of bytes in a chunk that starts at `base`.
pub(super) struct Slice {
    pub(super) base: u64,
    pub(super) chunk: Arc<Chunk>,
}

/// Bytes of `range`, which `slices` cover in order and without gaps.
///
/// One slice is lent as it is, unless readers already hold on to too much of the pool; several are copied
/// together, and counted.
///
/// # Safety
/// The range is published: below the visible mark for a tail chunk, or read completely.
pub(super) unsafe fn assemble(range: Range<u64>, slices: &[Slice], counters: &Counters) -> Bytes {
    if let [only] = slices
        && only.chunk.pool().may_lend()
    {
        // SAFETY: passed on from the caller.
        return unsafe { only.chunk.lend(within(only, &range)) };
    }
    let mut bytes = BytesMut::with_capacity((range.end - range.start) as usize);
    for slice in slices {
        // SAFETY: passed on from the caller.
        bytes.extend_from_slice(unsafe { slice.chunk.slice(within(slice, &range)) });
    }
    counters.bytes_copied_out.add(bytes.len() as u64);
    bytes.freeze()
}

/// The part of `range` that lies in the slice's chunk, by the chunk's own indices.
fn within(slice: &Slice, range: &Range<u64>) -> Range<usize> {
    let start = range.start.max(slice.base) - slice.base;
    let end = range.end.min(slice.base + slice.chunk.len() as u64) - slice.base;
    start as usize..end as usize
}
