//! A walk over the batches of a segment, for what looks inside them. Waits for the device.

use std::sync::Arc;

use logdyno_record::batch::{Batch, BatchError, BatchHeader, HEADER_LEN};
use logdyno_storage::{Reader, StorageError, read_blocking};

/// Bytes read at once: of a look-up that ends after a few batches, and, twice as many from read to read, of a long walk.
const CHUNK_MIN: usize = 16 << 10;
const CHUNK_MAX: usize = 1 << 20;

/// Why a walk ended before the end.
#[derive(Debug)]
pub(crate) enum WalkError {
    Storage(StorageError),
    /// At this position is no whole, sound batch.
    Batch {
        position: u64,
        source: BatchError,
    },
    /// Nothing but zeros: preallocated, never written.
    Zeros {
        position: u64,
    },
}

/// Batches from a position up to the end of a segment.
pub(crate) struct Walk {
    reader: Arc<dyn Reader>,
    position: u64,
    end: u64,
    chunk: bytes::Bytes,
    chunk_at: u64,
    /// Bytes that the next chunk has at least.
    chunk_len: usize,
}

impl Walk {
    pub(crate) fn new(reader: Arc<dyn Reader>, position: u64, end: u64) -> Walk {
        Walk { reader, position, end, chunk: bytes::Bytes::new(), chunk_at: position, chunk_len: CHUNK_MIN }
    }

    /// Behind the batch that was returned last.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The next batch; its checksum has not been looked at.
    pub(crate) fn next(&mut self) -> Option<Result<Batch, WalkError>> {
        if self.position >= self.end {
            return None;
        }
        Some(self.batch())
    }

    /// What [`Walk::next`] will return.
    pub(crate) fn peek(&mut self) -> Option<Result<Batch, WalkError>> {
        let position = self.position;
        let next = self.next();
        self.position = position;
        next
    }

    fn batch(&mut self) -> Result<Batch, WalkError> {
        let position = self.position;
        let unsound = |source| WalkError::Batch { position, source };
        let front = self.bytes(HEADER_LEN)?;
        if front.iter().all(|byte| *byte == 0) {
            return Err(WalkError::Zeros { position });
        }
        let header = BatchHeader::parse(&front).map_err(unsound)?;
        let left = self.end - position;
        if header.size() as u64 > left {
            return Err(unsound(BatchError::Cut { needed: header.size(), available: left as usize }));
        }
        let batch = Batch::parse(self.bytes(header.size())?).map_err(unsound)?;
        self.position += batch.size() as u64;
        Ok(batch)
    }

    /// Up to `len` bytes from the position on.
    fn bytes(&mut self, len: usize) -> Result<bytes::Bytes, WalkError> {
        let len = len.min((self.end - self.position) as usize);
        let within = (self.position - self.chunk_at) as usize;
        if within + len > self.chunk.len() {
            let wanted = len.max(self.chunk_len).min((self.end - self.position) as usize);
            self.chunk = read_blocking(&*self.reader, self.position, wanted).map_err(WalkError::Storage)?;
            self.chunk_at = self.position;
            self.chunk_len = (2 * self.chunk_len).min(CHUNK_MAX);
            return Ok(self.chunk.slice(..len.min(self.chunk.len())));
        }
        Ok(self.chunk.slice(within..within + len))
    }
}
