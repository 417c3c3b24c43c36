//! A directory of mapped files.

use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::file::MappedFile;
use super::reader::MmapReader;
use super::writer::MmapWriter;
use crate::contract::{Reader, Result, Writer};
use crate::directory::TEMPORARY;
use crate::error::StorageError;
use crate::live::Live;
use crate::runtime::Runtime;
use crate::runtime::open_file::OpenFile;
use crate::runtime::recycling::Blocks;
use crate::seam::DiskFile;
use crate::segment_directory::{NewFile, SegmentDirectory};
use crate::segments::Segments;
use crate::whole_io::{check_holds, cut, read_whole, uninterrupted, write_whole};

/// What is copied at a time when a lent file is cut.
const COPY_BYTES: usize = 1 << 20;

/// A directory of mapped files.
pub(super) struct MmapStorage {
    runtime: Arc<Runtime>,
    directory: SegmentDirectory,
    live: Live<MappedFile>,
    /// No reader comes between the decision to cut a file in place and the cut.
    opening: Mutex<()>,
}

impl MmapStorage {
    pub(super) fn open(runtime: Arc<Runtime>, dir: &Path) -> Result<MmapStorage> {
        let directory = SegmentDirectory::open(runtime.disk.clone(), dir, &runtime.recycling)?;
        Ok(MmapStorage { runtime, directory, live: Live::new(), opening: Mutex::default() })
    }

    fn opening(&self) -> MutexGuard<'_, ()> {
        self.opening.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn map(&self, name: &str, open: OpenFile, capacity: u64) -> Result<Arc<MappedFile>> {
        let path = open.path.clone();
        let mapped = MappedFile::map(open, capacity).map_err(|error| StorageError::from_io("map", &path, error))?;
        self.live.put(name, &mapped);
        Ok(mapped)
    }

    fn writer(
        &self,
        name: &str,
        open: OpenFile,
        (len, capacity): (u64, u64),
        blocks: Blocks,
    ) -> Result<Box<dyn Writer>> {
        let mapped = self.map(name, open, capacity.max(len))?;
        Ok(Box::new(MmapWriter::new(self.runtime.clone(), mapped, (len, capacity), blocks)))
    }

    /// The file under `name` with its first `valid_len` bytes and nothing else, durably.
    ///
    /// If bytes behind them may be lent, cutting the file would pull pages from under their readers. Then
    /// what is kept moves to a new file of the same name, and the old one lives as long as it is held.
    fn keep(&self, name: &str, valid_len: u64) -> Result<Arc<dyn DiskFile>> {
        let fail = |error| StorageError::from_io("reopen", &self.directory.path_of(name), error);
        let file = self.directory.open_durable(name, false)?;
        if self.live.all(name).iter().any(|lent| lent.visible() > valid_len) {
            check_holds(&*file, valid_len).map_err(fail)?;
            let moved = self.move_kept(name, &*file, valid_len)?;
            self.live.forget(name);
            return Ok(moved);
        }
        cut(&*file, valid_len).map(|()| file).map_err(fail)
    }

    fn move_kept(&self, name: &str, from: &dyn DiskFile, valid_len: u64) -> Result<Arc<dyn DiskFile>> {
        let temporary = format!("{name}{TEMPORARY}");
        let (to, _) = self.directory.create(&temporary, false)?;
        let copied = self.copy(from, &*to, valid_len).and_then(|()| uninterrupted(|| to.sync_data()));
        copied.map_err(|error| StorageError::from_io("copy", &self.directory.path_of(&temporary), error))?;
        self.directory.rename(&temporary, name)?;
        Ok(to)
    }

    fn copy(&self, from: &dyn DiskFile, to: &dyn DiskFile, len: u64) -> io::Result<()> {
        let (mut position, mut buffer) = (0, vec![0; COPY_BYTES]);
        while position < len {
            let piece = &mut buffer[..(len - position).min(COPY_BYTES as u64) as usize];
            if read_whole(from, piece, position, COPY_BYTES, &self.runtime.counters)? < piece.len() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            write_whole(to, &mut [IoSlice::new(piece)], position, &self.runtime.counters).1?;
            position += piece.len() as u64;
        }
        Ok(())
    }
}

impl Segments for MmapStorage {
    type File = MappedFile;

    fn directory(&self) -> &SegmentDirectory {
        &self.directory
    }

    fn live(&self) -> &Live<MappedFile> {
        &self.live
    }

    fn create(&self, name: &str, capacity: u64) -> Result<Box<dyn Writer>> {
        let NewFile { file, entry, blocks } = self.directory.create_segment(name, capacity, false)?;
        let open = OpenFile::new(file, self.directory.path_of(name), Some(entry), 0);
        self.writer(name, open, (0, capacity), blocks).inspect_err(|_| {
            // Else its name would be taken when there is room for a map again. That it stays is found out then.
            self.directory.remove(name).map(drop).unwrap_or_default();
        })
    }

    fn reopen(&self, name: &str, valid_len: u64, capacity: u64) -> Result<Box<dyn Writer>> {
        let _opening = self.opening();
        let file = self.keep(name, valid_len)?;
        let open = OpenFile::new(file, self.directory.path_of(name), None, valid_len);
        self.writer(name, open, (valid_len, capacity), self.directory.no_blocks())
    }

    fn reader(&self, name: &str) -> Result<Arc<dyn Reader>> {
        let _opening = self.opening();
        let file = match self.live.get(name) {
            Some(file) => file,
            None => {
                let (file, path) = (self.directory.open_existing(name, false)?, self.directory.path_of(name));
                let len = file.len().map_err(|error| StorageError::from_io("stat", &path, error))?;
                self.map(name, OpenFile::new(file, path, None, len), len)?
            }
        };
        Ok(Arc::new(MmapReader::new(&self.runtime, file)))
    }
}
