//! An open segment file as the shared threads know it: descriptor, marks, and its place in their work.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::entries::Entry;
use crate::error::StorageError;
use crate::marks::Marks;
use crate::runtime::flusher::SyncRequest;
use crate::runtime::writeback::WriteBack;
use crate::seam::{DiskFile, Mapping};

/// One descriptor, kept from the first write to the last close.
///
/// The kernel reports a failed writeback once per descriptor that was open at the time: closing and
/// opening in between would lose it.
pub(crate) struct OpenFile {
    pub(crate) file: Arc<dyn DiskFile>,
    /// Where it is mapped, on a backend that appends through a mapping. `None` for a file of no bytes, too.
    pub(crate) mapping: Option<Arc<dyn Mapping>>,
    pub(crate) path: PathBuf,
    /// Of a file that was made, not opened.
    entry: Option<Entry>,
    pub(crate) marks: Arc<Marks>,
    pub(crate) write_back: WriteBack,
    pub(crate) sync_request: SyncRequest,
}

impl OpenFile {
    /// A file whose first `len` bytes are durable, and so is its name if that is not new.
    pub(crate) fn new(file: Arc<dyn DiskFile>, path: PathBuf, entry: Option<Entry>, len: u64) -> OpenFile {
        OpenFile {
            file,
            mapping: None,
            path,
            entry,
            marks: Arc::new(Marks::new(len)),
            write_back: WriteBack::new(len),
            sync_request: SyncRequest::default(),
        }
    }

    /// The second half of a sync: a new file's name, once.
    pub(crate) fn sync_entry(&self) -> io::Result<()> {
        self.entry.as_ref().map_or(Ok(()), Entry::make_durable)
    }

    /// Takes the file out of service: after a failed write or sync, what the kernel holds cannot be trusted,
    /// and asking again would be answered with success (it has marked the pages clean).
    pub(crate) fn fail(&self, operation: &'static str, source: io::Error) -> StorageError {
        let error = StorageError::Poisoned { operation, path: self.path.clone(), source: Arc::new(source) };
        tracing::error!("{error}");
        self.marks.set_poison(error.clone());
        self.write_back.wake();
        error
    }

    /// The poison, if there is one.
    pub(crate) fn check(&self) -> Result<(), StorageError> {
        if !self.marks.is_poisoned() {
            return Ok(());
        }
        Err(self.marks.poison().unwrap_or(StorageError::Stopped))
    }
}
