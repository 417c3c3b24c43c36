//! The reader of a buffered file.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::buffers::Buffers;
use super::storage::BufferedFile;
use crate::contract::{Level, ReadDone, Reader, Result};
use crate::counters::Counters;
use crate::error::StorageError;
use crate::runtime::Runtime;
use crate::runtime::read_pool::{ReadPool, SequentialReads};
use crate::whole_io::{read_whole, uninterrupted};

/// One read call asks for at most this much: the measured optimum of copying out of the page cache.
const PIECE: usize = 256 << 10;

/// Cheap to clone: a cold read takes a clone along to its thread.
#[derive(Clone)]
pub(super) struct BufferedReader {
    file: Arc<BufferedFile>,
    counters: Arc<Counters>,
    read_pool: ReadPool,
    buffers: Buffers,
    read_ahead_bytes: u64,
    cold_reads: Arc<SequentialReads>,
}

impl BufferedReader {
    pub(super) fn new(runtime: &Runtime, buffers: Buffers, file: Arc<BufferedFile>) -> BufferedReader {
        BufferedReader {
            file,
            buffers,
            counters: runtime.counters.clone(),
            read_pool: runtime.read_pool.clone(),
            read_ahead_bytes: runtime.settings.read_ahead_bytes,
            cold_reads: Arc::default(),
        }
    }

    /// `position..position + len`, cut at what is visible.
    fn visible(&self, position: u64, len: usize) -> Range<u64> {
        let end = self.len();
        position.min(end)..position.saturating_add(len as u64).min(end)
    }

    /// The bytes of `range` through `read_file`, which reads what is in the file; the rest is in the tail.
    fn assemble(
        &self,
        range: Range<u64>,
        read_file: impl FnOnce(&mut [u8]) -> io::Result<Option<usize>>,
    ) -> io::Result<Option<Bytes>> {
        // Taken after `range` was cut at the visible end: so the tail holds all of it that the file does not.
        let tail = self.file.tail();
        if range.is_empty() || range.start >= tail.base() {
            // SAFETY: the range ends at or before the visible end.
            return Ok(Some(unsafe { tail.lend(range.start.max(tail.base())..range.end.max(tail.base())) }));
        }
        let len = (range.end - range.start) as usize;
        let mut buffer = self.buffers.take(len);
        let (in_file, in_tail) = buffer.bytes_mut().split_at_mut((range.end.min(tail.base()) - range.start) as usize);
        let Some(read) = read_file(in_file)? else { return Ok(None) };
        if read < in_file.len() {
            return Ok(Some(buffer.filled(read)));
        }
        if !in_tail.is_empty() {
            // SAFETY: as above.
            in_tail.copy_from_slice(unsafe { tail.bytes(tail.base()..range.end) });
            self.counters.bytes_copied_out.add(in_tail.len() as u64);
        }
        Ok(Some(buffer.filled(len)))
    }

    /// What the page cache holds from `position` on; `None` if that is nothing.
    fn read_nowait(&self, buffer: &mut [u8], position: u64) -> io::Result<Option<usize>> {
        let mut read = 0;
        while read < buffer.len() {
            self.counters.read_calls.one();
            match self.file.open.file.read_at_nowait(&mut buffer[read..], position + read as u64) {
                Ok(0) => return Ok(Some(read)),
                Ok(bytes) => {
                    self.counters.bytes_read.add(bytes as u64);
                    read += bytes;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Not every file system can say what it has cached.
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Unsupported) => {
                    return Ok((read > 0).then_some(read));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Some(read))
    }

    fn read_cold(&self, position: u64, len: usize) -> Result<Bytes> {
        let range = self.visible(position, len);
        if self.cold_reads.go_on(&range) {
            self.prefetch(range.end, self.read_ahead_bytes as usize);
        }
        let read = self.assemble(range.clone(), |buffer| {
            read_whole(&*self.file.open.file, buffer, range.start, PIECE, &self.counters).map(Some)
        });
        read.map(Option::unwrap_or_default).map_err(|error| self.fail(error))
    }

    fn fail(&self, error: io::Error) -> StorageError {
        StorageError::from_io("read", &self.file.open.path, error)
    }
}

impl Reader for BufferedReader {
    fn len(&self) -> u64 {
        self.file.open.marks.reached(Level::Visible)
    }

    fn read_cached(&self, position: u64, len: usize) -> Result<Option<Bytes>> {
        let range = self.visible(position, len);
        let bytes = self
            .assemble(range.clone(), |buffer| self.read_nowait(buffer, range.start))
            .map_err(|error| self.fail(error))?;
        if bytes.is_some() {
            self.counters.reads_cached.one();
        }
        Ok(bytes)
    }

    fn begin_read(&self, position: u64, len: usize, done: ReadDone) {
        self.counters.reads_cold.one();
        let reader = self.clone();
        self.read_pool.read(move || reader.read_cold(position, len), done);
    }

    fn prefetch(&self, position: u64, len: usize) {
        let range = self.visible(position, len);
        if !range.is_empty() {
            let file = self.file.clone();
            self.read_pool.ahead(move || uninterrupted(|| file.open.file.read_ahead(range.clone())));
        }
    }
}
