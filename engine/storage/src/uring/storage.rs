//! A directory of segments that are read and written past the page cache.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::backend::Core;
use super::flush::{block_end, block_start};
use super::memory::BLOCK;
use super::reader::RingReader;
use super::segment::Segment;
use super::writer::{RingWriter, retire};
use crate::allocation::{Allocation, Zeroing};
use crate::contract::{Reader, Result, Writer};
use crate::entries::Entry;
use crate::error::StorageError;
use crate::live::Live;
use crate::runtime::recycling::Blocks;
use crate::seam::DiskFile;
use crate::segment_directory::{NewFile, SegmentDirectory};
use crate::segments::Segments;
use crate::whole_io::uninterrupted;

/// A directory of segments.
pub(super) struct RingStorage {
    core: Arc<Core>,
    directory: SegmentDirectory,
    live: Live<Segment>,
}

impl RingStorage {
    /// Opens a directory, creating it if it is missing.
    pub(super) fn open(core: Arc<Core>, dir: &Path) -> Result<RingStorage> {
        let directory = SegmentDirectory::open(Arc::clone(&core.shared.disk), dir, &core.shared.recycling)?;
        Ok(RingStorage { core, directory, live: Live::new() })
    }

    /// A segment of which the first `len` bytes are durable and the last block has disk space.
    fn segment(
        &self,
        name: &str,
        file: Arc<dyn DiskFile>,
        (entry, blocks): (Option<Entry>, Blocks),
        (len, capacity): (u64, u64),
    ) -> Arc<Segment> {
        let step_max = self.core.shared.settings.allocation_step_max.next_multiple_of(BLOCK as u64);
        // Whole blocks are written, so blocks are what is allocated.
        let (end, capacity) = (block_end(len), block_end(capacity));
        let allocation = Allocation::new(end, capacity, step_max, Zeroing::Direct, blocks);
        Segment::new(file, self.directory.path_of(name), entry, len, allocation)
    }

    fn writer(&self, name: &str, segment: Arc<Segment>, capacity: u64, last: &[u8]) -> Result<Box<dyn Writer>> {
        let writer = RingWriter::new(Arc::clone(&self.core), Arc::clone(&segment), capacity, last)?;
        self.live.put(name, &segment);
        Ok(Box::new(writer))
    }

    /// What is kept of the last block of `file`: read past the page cache, as it will be written.
    fn last_block(&self, file: &dyn DiskFile, len: u64) -> io::Result<Vec<u8>> {
        let kept = (len - block_start(len)) as usize;
        let mut block = Block([0; BLOCK]);
        // Direct reads go on at blocks only, so a read that was cut short is done again as a whole.
        for _ in 0..if kept > 0 { READS_OF_A_BLOCK_MAX } else { 0 } {
            let counters = &self.core.shared.counters;
            counters.read_calls.one();
            let read = uninterrupted(|| file.read_at(&mut block.0, block_start(len)))?;
            counters.bytes_read.add(read as u64);
            if read >= kept {
                return Ok(block.0[..kept].to_vec());
            }
        }
        if kept == 0 { Ok(Vec::new()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

/// Short reads of one block in a row that are borne.
const READS_OF_A_BLOCK_MAX: usize = 8;

/// Memory for direct I/O of one block.
#[repr(C, align(4096))]
struct Block([u8; BLOCK]);

impl Segments for RingStorage {
    type File = Segment;

    fn directory(&self) -> &SegmentDirectory {
        &self.directory
    }

    fn live(&self) -> &Live<Segment> {
        &self.live
    }

    fn create(&self, name: &str, capacity: u64) -> Result<Box<dyn Writer>> {
        let NewFile { file, entry, blocks } = self.directory.create_segment(name, capacity, true)?;
        self.writer(name, self.segment(name, file, (Some(entry), blocks), (0, capacity)), capacity, &[])
    }

    fn reopen(&self, name: &str, valid_len: u64, capacity: u64) -> Result<Box<dyn Writer>> {
        if let Some(before) = self.live.get(name) {
            // Writes of the dropped writer that are still in flight must not land behind the cut.
            retire(&self.core.shared, &before);
            before.allocation.stop();
        }
        let file = self.directory.open_durable(name, true)?;
        let fail = |error| StorageError::from_io("reopen", &self.directory.path_of(name), error);
        let last = check_len(&*file, valid_len).and_then(|()| self.last_block(&*file, valid_len)).map_err(fail)?;
        uninterrupted(|| file.set_len(valid_len)).map_err(fail)?;
        self.core.shared.counters.syncs.one();
        uninterrupted(|| file.sync_data()).map_err(fail)?;
        let segment = self.segment(name, file, (None, self.directory.no_blocks()), (valid_len, capacity));
        self.writer(name, segment, capacity, &last)
    }

    fn reader(&self, name: &str) -> Result<Arc<dyn Reader>> {
        let segment = match self.live.get(name) {
            Some(segment) => segment,
            None => {
                let file = self.directory.open_existing(name, true)?;
                let len =
                    file.len().map_err(|error| StorageError::from_io("stat", &self.directory.path_of(name), error))?;
                self.segment(name, file, (None, self.directory.no_blocks()), (len, len))
            }
        };
        Ok(Arc::new(RingReader::new(Arc::clone(&self.core), segment)))
    }
}

/// A file cannot keep more than it has.
fn check_len(file: &dyn DiskFile, valid_len: u64) -> io::Result<()> {
    let found = file.len()?;
    if found < valid_len {
        let reason = format!("it holds {found} bytes, {valid_len} were to be kept");
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, reason));
    }
    Ok(())
}
