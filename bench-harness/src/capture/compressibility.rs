//! How well values compress: zstd over so many bytes of them as a batch of Kafka's default size has.

use logdyno_engine::record::{Codec, Compression};

/// Bytes that are compressed together: `batch.size`'s default.
const CHUNK_BYTES: usize = 16 << 10;

/// Bytes that are compressed in all: enough, and soon done.
const SAMPLE_BYTES_MAX: u64 = 64 << 20;

/// A running measurement; values are added as they follow each other in a partition.
#[derive(Debug, Default)]
pub(crate) struct Compressibility {
    chunk: Vec<u8>,
    raw: u64,
    compressed: u64,
}

impl Compressibility {
    /// Adds a value.
    pub(crate) fn add(&mut self, value: &[u8]) {
        if self.raw < SAMPLE_BYTES_MAX {
            self.chunk.extend_from_slice(value);
            if self.chunk.len() >= CHUNK_BYTES {
                self.compress();
            }
        }
    }

    /// Adds a text, cut as values are.
    pub(crate) fn add_all(&mut self, text: &[u8]) {
        text.chunks(CHUNK_BYTES).for_each(|chunk| self.add(chunk));
    }

    fn compress(&mut self) {
        let mut out = Vec::new();
        // zstd takes any bytes; if it did not, the chunk would count for nothing.
        if Codec::new(Compression::Zstd).compress(&self.chunk, &mut out).is_ok() {
            self.raw += self.chunk.len() as u64;
            self.compressed += out.len() as u64;
        }
        self.chunk.clear();
    }

    /// Bytes before and after.
    pub(crate) fn finish(mut self) -> (u64, u64) {
        // A rest says little beside whole chunks, and everything without them.
        if self.raw == 0 && !self.chunk.is_empty() {
            self.compress();
        }
        (self.raw, self.compressed)
    }
}
