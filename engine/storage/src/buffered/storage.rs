//! A directory of buffered files.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::buffers::Buffers;
use super::reader::BufferedReader;
use super::tail::Tail;
use super::writer::BufferedWriter;
use crate::contract::{Reader, Result, Writer};
use crate::error::StorageError;
use crate::live::Live;
use crate::runtime::Runtime;
use crate::runtime::open_file::OpenFile;
use crate::runtime::recycling::Blocks;
use crate::segment_directory::{NewFile, SegmentDirectory};
use crate::segments::Segments;
use crate::whole_io::cut;

/// What writer and readers of a file share.
pub(super) struct BufferedFile {
    pub(super) open: Arc<OpenFile>,
    /// Changed once per combining buffer, not per append.
    tail: Mutex<Arc<Tail>>,
}

impl BufferedFile {
    fn new(open: OpenFile, len: u64) -> Arc<BufferedFile> {
        Arc::new(BufferedFile { open: Arc::new(open), tail: Mutex::new(Tail::new(len, 0)) })
    }

    /// The tail as it is now.
    pub(super) fn tail(&self) -> Arc<Tail> {
        self.locked().clone()
    }

    /// What comes next will be in `tail`; everything before it is in the file.
    pub(super) fn set_tail(&self, tail: Arc<Tail>) {
        *self.locked() = tail;
    }

    fn locked(&self) -> MutexGuard<'_, Arc<Tail>> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A directory of buffered files.
pub(super) struct BufferedStorage {
    runtime: Arc<Runtime>,
    buffers: Buffers,
    directory: SegmentDirectory,
    live: Live<BufferedFile>,
}

impl BufferedStorage {
    pub(super) fn open(runtime: Arc<Runtime>, buffers: Buffers, dir: &Path) -> Result<BufferedStorage> {
        let directory = SegmentDirectory::open(runtime.disk.clone(), dir, &runtime.recycling)?;
        Ok(BufferedStorage { runtime, buffers, directory, live: Live::new() })
    }

    fn writer(&self, name: &str, open: OpenFile, (len, capacity): (u64, u64), blocks: Blocks) -> Box<dyn Writer> {
        let file = BufferedFile::new(open, len);
        self.live.put(name, &file);
        Box::new(BufferedWriter::new(self.runtime.clone(), file, (len, capacity), blocks))
    }
}

impl Segments for BufferedStorage {
    type File = BufferedFile;

    fn directory(&self) -> &SegmentDirectory {
        &self.directory
    }

    fn live(&self) -> &Live<BufferedFile> {
        &self.live
    }

    fn create(&self, name: &str, capacity: u64) -> Result<Box<dyn Writer>> {
        let NewFile { file, entry, blocks } = self.directory.create_segment(name, capacity, false)?;
        let open = OpenFile::new(file, self.directory.path_of(name), Some(entry), 0);
        Ok(self.writer(name, open, (0, capacity), blocks))
    }

    fn reopen(&self, name: &str, valid_len: u64, capacity: u64) -> Result<Box<dyn Writer>> {
        let (file, path) = (self.directory.open_durable(name, false)?, self.directory.path_of(name));
        cut(&*file, valid_len).map_err(|error| StorageError::from_io("reopen", &path, error))?;
        let open = OpenFile::new(file, path, None, valid_len);
        Ok(self.writer(name, open, (valid_len, capacity), self.directory.no_blocks()))
    }

    fn reader(&self, name: &str) -> Result<Arc<dyn Reader>> {
        let file = match self.live.get(name) {
            Some(file) => file,
            None => {
                let (file, path) = (self.directory.open_existing(name, false)?, self.directory.path_of(name));
                let len = file.len().map_err(|error| StorageError::from_io("stat", &path, error))?;
                BufferedFile::new(OpenFile::new(file, path, None, len), len)
            }
        };
        Ok(Arc::new(BufferedReader::new(&self.runtime, self.buffers.clone(), file)))
    }
}
