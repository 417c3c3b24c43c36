//! The reader of a mapped file: lends slices of the mapping.

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::file::MappedFile;
use super::residence::Residence;
use crate::contract::{ReadDone, Reader, Result};
use crate::counters::Counters;
use crate::error::StorageError;
use crate::runtime::Runtime;
use crate::runtime::read_pool::{ReadPool, SequentialReads};
use crate::whole_io::uninterrupted;

/// Populated at a time, so that an interrupted cold read does not start from its beginning.
const WINDOW: usize = 4 << 20;

/// Cheap to clone: a cold read takes a clone along to its thread.
#[derive(Clone)]
pub(super) struct MmapReader {
    file: Arc<MappedFile>,
    counters: Arc<Counters>,
    read_pool: ReadPool,
    read_ahead_bytes: u64,
    cold_reads: Arc<SequentialReads>,
    residence: Arc<Residence>,
}

impl MmapReader {
    pub(super) fn new(runtime: &Runtime, file: Arc<MappedFile>) -> MmapReader {
        MmapReader {
            file,
            counters: runtime.counters.clone(),
            read_pool: runtime.read_pool.clone(),
            read_ahead_bytes: runtime.settings.read_ahead_bytes,
            cold_reads: Arc::default(),
            residence: Arc::default(),
        }
    }

    /// `position..position + len`, cut at what is visible.
    fn visible(&self, position: u64, len: usize) -> Range<u64> {
        let end = self.len();
        position.min(end)..position.saturating_add(len as u64).min(end)
    }

    /// Reads the pages of the range into memory; a device that cannot is an error here and not SIGBUS later.
    fn read_cold(&self, range: Range<u64>) -> Result<Bytes> {
        if self.cold_reads.go_on(&range) {
            self.prefetch(range.end, self.read_ahead_bytes as usize);
        }
        let Some(mapping) = self.file.mapping() else { return Ok(Bytes::new()) };
        for start in range.clone().step_by(WINDOW) {
            let window = start as usize..range.end.min(start + WINDOW as u64) as usize;
            self.counters.read_calls.one();
            uninterrupted(|| mapping.populate_read(window.clone())).map_err(|error| self.fail(error))?;
        }
        Ok(self.file.lend(range))
    }

    fn fail(&self, error: std::io::Error) -> StorageError {
        StorageError::from_io("read", &self.file.open.path, error)
    }
}

impl Reader for MmapReader {
    fn len(&self) -> u64 {
        self.file.visible()
    }

    fn read_cached(&self, position: u64, len: usize) -> Result<Option<Bytes>> {
        let range = self.visible(position, len);
        let resident = match self.file.mapping() {
            Some(mapping) if !range.is_empty() => {
                let ask = |window: Range<u64>| mapping.resident(window.start as usize..window.end as usize);
                self.residence.covers(&range, self.len(), Instant::now(), ask).map_err(|error| self.fail(error))?
            }
            _ => true,
        };
        if resident {
            self.counters.reads_cached.one();
        }
        Ok(resident.then(|| self.file.lend(range)))
    }

    fn begin_read(&self, position: u64, len: usize, done: ReadDone) {
        self.counters.reads_cold.one();
        let (reader, range) = (self.clone(), self.visible(position, len));
        self.read_pool.read(move || reader.read_cold(range), done);
    }

    fn prefetch(&self, position: u64, len: usize) {
        let range = self.visible(position, len);
        if !range.is_empty() {
            let file = self.file.clone();
            self.read_pool.ahead(move || uninterrupted(|| file.open.file.read_ahead(range.clone())));
        }
    }
}
