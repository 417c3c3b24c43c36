//! The chunk at the end of a log, and how large the next one is.

use std::sync::Arc;

use super::memory::{BLOCK, Chunk, UNIT};
use super::shared::CHUNK_GROWTH;

/// A chunk that took more kick ticks than this to fill was too large.
const SLOW_TICKS: u64 = 16;

/// The chunk that is being filled.
pub(super) struct Tail {
    pub(super) base: u64,
    pub(super) chunk: Arc<Chunk>,
    /// The segment's ticks when it was begun.
    pub(super) since: u64,
}

impl Tail {
    /// Where the next chunk will start.
    pub(super) fn end(&self) -> u64 {
        self.base + self.chunk.len() as u64
    }
}

/// The size of the chunk after one of `bytes` that took so many kick ticks to fill: 16 KiB, 64 KiB, 256 KiB, 1 MiB
/// as the log gets faster, back as it gets slower. A chunk that fills within a tick could be larger
/// without its bytes waiting longer.
pub(super) fn next_chunk_bytes(bytes: usize, ticks: u64, bytes_max: usize) -> usize {
    // That chunk may have been one for a large append's rest, or for a block that was kept.
    let bytes = bytes.next_power_of_two().max(UNIT);
    match ticks {
        0 | 1 => (bytes * CHUNK_GROWTH).min(bytes_max),
        _ if ticks > SLOW_TICKS => (bytes / CHUNK_GROWTH).max(UNIT),
        _ => bytes.min(bytes_max),
    }
}

const _: () = assert!(UNIT.is_multiple_of(BLOCK), "chunks are whole blocks");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_grows_and_shrinks_with_the_rate() {
        let max = 1 << 20;
        for (bytes, ticks, next) in [
            (UNIT, 0, 4 * UNIT),
            (4 * UNIT, 1, 16 * UNIT),
            (16 * UNIT, 0, max),
            (max, 0, max),
            (max, 10, max),
            (max, 17, max / 4),
            (UNIT, 1000, UNIT),
            (BLOCK, 10, UNIT),
            (5 * UNIT + BLOCK, 10, 8 * UNIT),
        ] {
            assert_eq!(next_chunk_bytes(bytes, ticks, max), next, "{bytes} bytes in {ticks} ticks");
        }
    }
}
