//! The seam: every system call and ring operation that a backend uses, and nothing else.
//!
//! `real` passes them to the kernel, `simulated` keeps a disk in memory that can lose power, fill up,
//! tear, reorder and fail. A backend's own code runs unchanged on both.

pub mod real;
pub mod real_ring;
pub mod simulated;

pub(crate) mod bounded;
mod ring_setup;

use std::any::Any;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How to open a file. Every file is opened for reading and writing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Open {
    /// Fail if it exists, else make it.
    pub create_new: bool,
    /// Make it if it is missing.
    pub create: bool,
    /// Past the page cache (O_DIRECT): memory, positions and lengths must be aligned.
    pub direct: bool,
}

/// A file system as far as backends need it.
pub trait Disk: Send + Sync {
    /// Opens a file.
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>>;

    /// Makes a directory and its missing parents, durably.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;

    /// Plain files of a directory.
    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>>;

    /// Renames; not durable before [`Disk::sync_dir`].
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// As [`Disk::rename`], but fails if `to` exists.
    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        let _ = (from, to);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Renames a file of which nobody else holds anything, in this process or another one: no descriptor, no map, no second name. Gives back
    /// the caller's descriptor; `None`, and nothing is done, if somebody does, or if this disk cannot tell.
    fn take_over(&self, from: &Path, to: &Path) -> io::Result<Option<Arc<dyn DiskFile>>> {
        let _ = (from, to);
        Ok(None)
    }

    /// Removes a file; not durable before [`Disk::sync_dir`].
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the entries of a directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// A new ring with room for `entries` submissions, for the thread that will use it.
    fn ring(&self, entries: u32) -> io::Result<Box<dyn Ring>>;
}

/// What a file is, whatever it is called: no other file has it, also none that comes to the same place when this one is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileIdentity {
    /// The file system's number for it, which the next file may be given.
    pub number: u64,
    /// When it was made, in ns since 1970, as far as the file system knows.
    pub made_ns: i128,
}

/// An open file.
pub trait DiskFile: Any + Send + Sync {
    /// Its length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// True if it holds nothing.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// `pwritev`: may write less than asked.
    fn write_at(&self, parts: &[IoSlice<'_>], position: u64) -> io::Result<usize>;

    /// `pread`: may read less than asked; 0 at the end of the file.
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize>;

    /// `preadv2(RWF_NOWAIT)`: `WouldBlock` where the page cache does not hold the bytes.
    fn read_at_nowait(&self, buffer: &mut [u8], position: u64) -> io::Result<usize>;

    /// `fallocate` mode 0: blocks for the range, length extended over it.
    fn allocate(&self, range: Range<u64>) -> io::Result<()>;

    /// `fallocate(ZERO_RANGE)`: the range reads as zeros, in the blocks that the file has (XFS: in others). Not durable before a sync.
    /// `Unsupported` where the file system has no such thing.
    fn zero(&self, range: Range<u64>) -> io::Result<()> {
        let _ = range;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// `ftruncate`.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// `fdatasync`.
    fn sync_data(&self) -> io::Result<()>;

    /// `sync_file_range(WRITE)`: starts writeback; with `wait`, also waits for it. Gives no durability.
    fn write_back(&self, range: Range<u64>, wait: bool) -> io::Result<()>;

    /// `readahead`.
    fn read_ahead(&self, range: Range<u64>) -> io::Result<()>;

    /// `posix_fadvise(DONTNEED)`.
    fn forget(&self, range: Range<u64>) -> io::Result<()>;

    /// A shared mapping of the first `len` bytes of address space; the file may be shorter.
    fn map(&self, len: u64) -> io::Result<Arc<dyn Mapping>>;

    /// The kernel's descriptor, open as long as this file lives: what a real ring submits. `None` for a
    /// simulated file.
    fn raw_fd(&self) -> Option<RawFd>;

    /// Alignment that direct I/O needs: memory and positions (STATX_DIOALIGN, else 4096).
    fn direct_alignment(&self) -> io::Result<u32>;

    /// By which the same file is known when it is opened again.
    fn identity(&self) -> io::Result<FileIdentity>;
}

/// A shared, writable mapping of a file.
///
/// Storing to a page that has no block behind it is SIGBUS: allocate and populate first.
pub trait Mapping: Send + Sync {
    /// The first byte. Valid for [`Mapping::len`] bytes as long as the mapping lives.
    fn as_ptr(&self) -> *mut u8;

    /// Bytes of address space.
    fn len(&self) -> usize;

    /// True for a mapping of nothing.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `MADV_POPULATE_WRITE`: pages ready to be stored to, or an error instead of SIGBUS.
    fn populate_write(&self, range: Range<usize>) -> io::Result<()>;

    /// `MADV_POPULATE_READ`: pages ready to be read, or an error instead of SIGBUS.
    fn populate_read(&self, range: Range<usize>) -> io::Result<()>;

    /// `MADV_DONTNEED`: this process looks at the pages anew when it next touches them. Their bytes stay in the page
    /// cache, dirty ones too.
    fn let_go(&self, range: Range<usize>) -> io::Result<()>;

    /// `mincore`: how many bytes of the range, from its start on, are in memory.
    fn resident(&self, range: Range<usize>) -> io::Result<usize>;
}

/// What a ring is asked to do.
pub enum Operation {
    /// Write from memory that the submitter keeps alive and unchanged in the written range until completion.
    Write {
        /// The file.
        file: Arc<dyn DiskFile>,
        /// The first byte to write.
        memory: *const u8,
        /// How many.
        len: u32,
        /// More bytes, which follow in the file but lie elsewhere in memory.
        then: Option<(*const u8, u32)>,
        /// Where in the file.
        position: u64,
    },
    /// Read into memory that the submitter keeps alive and does not look at until completion.
    Read {
        /// The file.
        file: Arc<dyn DiskFile>,
        /// The first byte to fill.
        memory: *mut u8,
        /// How many.
        len: u32,
        /// Where in the file.
        position: u64,
    },
    /// `fdatasync`.
    SyncData {
        /// The file.
        file: Arc<dyn DiskFile>,
    },
}

/// A finished operation.
#[derive(Debug)]
pub struct Completion {
    /// As given to [`Ring::submit`].
    pub token: u64,
    /// Bytes moved (may be fewer than asked), or the error.
    pub result: io::Result<u32>,
}

/// Submission and completion of operations, owned and used by one thread.
pub trait Ring {
    /// Queues an operation. `WouldBlock` if the ring is full: reap first.
    ///
    /// # Safety
    /// The operation's memory must stay valid until its completion has been reaped, also if the ring is
    /// dropped before: dropping waits for what is in flight.
    unsafe fn submit(&mut self, operation: Operation, token: u64) -> io::Result<()>;

    /// Enters the kernel with what is queued and waits for a completion, a [`RingWaker::wake`] or the timeout.
    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()>;

    /// Takes what has completed.
    fn reap(&mut self, into: &mut Vec<Completion>);

    /// A handle by which other threads end [`Ring::wait`].
    fn waker(&self) -> Arc<dyn RingWaker>;
}

/// Wakes a thread that waits in its ring.
pub trait RingWaker: Send + Sync {
    /// Ends the current or the next wait.
    fn wake(&self);
}
