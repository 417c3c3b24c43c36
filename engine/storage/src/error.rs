//! What can go wrong, as a sentence for an operator.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An error of a storage operation.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StorageError {
    /// A system call failed.
    #[error("{operation} of {path} failed: {source}", path = path.display())]
    Io {
        /// What was tried: "open", "write"…
        operation: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The kernel's answer.
        source: Arc<io::Error>,
    },
    /// No space for the next bytes. Nothing is lost: appends go on when space returns.
    #[error("no space left for {path}: free some, appends go on by themselves", path = path.display())]
    NoSpace {
        /// The file.
        path: PathBuf,
    },
    /// A write or sync failed before: what the kernel holds cannot be trusted any more.
    #[error("{path} is out of service since a failed {operation} ({source}): reopen it to recover", path = path.display())]
    Poisoned {
        /// What failed.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// The kernel's answer.
        source: Arc<io::Error>,
    },
    /// More was appended than the file was created for.
    #[error("{path} has room for {capacity} bytes, {wanted} were to be appended", path = path.display())]
    Capacity {
        /// The file.
        path: PathBuf,
        /// As given to `create` or `reopen`.
        capacity: u64,
        /// The length after the refused append.
        wanted: u64,
    },
    /// The backend has been shut down.
    #[error("the storage backend has stopped")]
    Stopped,
}

impl StorageError {
    /// What the kernel answered to `operation` on `path`: [`StorageError::NoSpace`] for a full disk.
    pub fn from_io(operation: &'static str, path: &Path, source: io::Error) -> StorageError {
        let path = path.to_owned();
        if is_disk_full(&source) {
            return StorageError::NoSpace { path };
        }
        StorageError::Io { operation, path, source: Arc::new(source) }
    }
}

/// Whether nothing was done because the process, or the machine, has too many files open.
pub(crate) fn lacks_descriptor(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

/// True for the errors that go away when somebody frees space.
pub(crate) fn is_disk_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Why a backend cannot run here.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the {backend} backend cannot run on {dir}: {reason}", dir = dir.display())]
pub struct Refused {
    /// Its name.
    pub backend: &'static str,
    /// The directory it was tried on.
    pub dir: PathBuf,
    /// What is missing, and what to do about it.
    pub reason: String,
}
