//! One answer out of several chunks.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::memory::Chunk;
use crate::counters::Counters;

/// A part of a file, and the chunk that holds it.
pub(super) struct Slice {
    chunk: Arc<Chunk>,
    /// By the chunk's own indices.
    part: Range<usize>,
}

impl Slice {
    /// What the chunk that starts at `base` holds of `wanted`. It holds at least the first byte.
    pub(super) fn new(base: u64, chunk: Arc<Chunk>, wanted: Range<u64>) -> Slice {
        let end = (wanted.end - base).min(chunk.len() as u64) as usize;
        let part = (wanted.start - base) as usize..end;
        Slice { chunk, part }
    }

    /// Bytes in it.
    pub(super) fn len(&self) -> usize {
        self.part.len()
    }

    /// Leaves only the first bytes.
    pub(super) fn truncate(&mut self, len: usize) {
        self.part.end = self.part.end.min(self.part.start + len);
    }
}

/// The bytes of `slices`, one after the other.
///
/// One slice is lent as it is, unless readers already hold on to too much of the pool; several are copied
/// together, and counted.
///
/// # Safety
/// The parts are published: below the visible mark for a tail chunk, or read completely.
pub(super) unsafe fn assemble(slices: &[Slice], counters: &Counters) -> Bytes {
    if let [Slice { chunk, part }] = slices
        && chunk.pool().may_lend()
    {
        // SAFETY: passed on from the caller.
        return unsafe { chunk.lend(part.clone()) };
    }
    let mut bytes = BytesMut::with_capacity(slices.iter().map(Slice::len).sum());
    for Slice { chunk, part } in slices {
        // SAFETY: passed on from the caller.
        bytes.extend_from_slice(unsafe { chunk.slice(part.clone()) });
    }
    counters.bytes_copied_out.add(bytes.len() as u64);
    bytes.freeze()
}
