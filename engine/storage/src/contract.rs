//! The contract: a directory of append-only files, its writer, its reader.
//!
//! Positions are bytes from the start of a file. What a caller may rely on, on every backend:
//!
//! * once [`Writer::append`] has returned, readers of the file see the bytes;
//! * once the mark of [`Level::Written`] has passed a position, everything before it survives `kill -9`;
//! * once the mark of [`Level::Durable`] has passed it, everything before it survives power loss;
//! * a writer that is dropped without [`Writer::close`] may take along what was not yet written;
//! * bytes behind the last append read as zeros or not at all, never as something else.

use std::io::IoSlice;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::StorageError;
use crate::marks::Marks;
use crate::pending_sync::PendingSync;

/// What the contract's operations return.
pub type Result<T> = std::result::Result<T, StorageError>;

/// How safe bytes are. Each level includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Readers see them.
    Visible,
    /// The kernel has them: they survive the death of the process.
    Written,
    /// The device has them: they survive power loss.
    Durable,
}

/// What became of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a full writer has taken nothing"]
pub enum Append {
    /// Taken whole, starting at this position.
    At(u64),
    /// Not taken: too much is on its way to the device. [`Writer::when_room`] tells when to try again.
    Full,
}

/// One running backend: opens directories, and shares its threads, rings and pools among them.
pub trait Backend: Send + Sync {
    /// The name that users give it: `buffered`, `mmap`, `uring`.
    fn name(&self) -> &'static str;

    /// Opens `dir`, creating it durably if it is missing, and removes what a crash left half written in it
    /// (`*.tmp`, see [`Storage::replace`]). One process opens a directory at a time, and once.
    fn open(&self, dir: &Path) -> Result<Arc<dyn Storage>>;

    /// What this backend has done since it started.
    fn counters(&self) -> crate::counters::Counts;
}

/// A directory of append-only files.
pub trait Storage: Send + Sync {
    /// A new file and its writer. Does not wait for the device: the file's name is durable when the first of its bytes is, or when
    /// it has been closed.
    ///
    /// `capacity` is the most bytes that will be appended; the backend preallocates towards it in its
    /// own steps. Fails if the name exists.
    fn create(&self, name: &str, capacity: u64) -> Result<Box<dyn Writer>>;

    /// The writer of an existing file that keeps its first `valid_len` bytes.
    ///
    /// What was behind them is gone, durably, when this returns, and the first `valid_len` bytes are durable.
    /// The caller has dropped any other writer of the file, after bringing what it wants to keep to
    /// [`Level::Written`]. It is cheap if no reader of the file is held: else a backend that lends its pages has
    /// to move what is kept to a new file. Readers opened before keep seeing the first `valid_len` bytes unchanged; what they
    /// see behind them is undefined: open new ones. Fails if the file holds fewer than `valid_len` bytes.
    fn reopen(&self, name: &str, valid_len: u64, capacity: u64) -> Result<Box<dyn Writer>>;

    /// A reader of a file, also while a writer of this directory appends to it.
    ///
    /// Without a writer its length is the file's length on disk, preallocated zeros included.
    fn reader(&self, name: &str) -> Result<Arc<dyn Reader>>;

    /// Names of all files, in no order.
    fn list(&self) -> Result<Vec<String>>;

    /// Removes a file, durably. Bytes already handed out and readers already open stay valid. If nobody has the file open, a later
    /// [`Storage::create`] may begin with its blocks, but with none of its bytes.
    fn remove(&self, name: &str) -> Result<()>;

    /// Renames a file within the directory, durably.
    fn rename(&self, from: &str, to: &str) -> Result<()>;

    /// Replaces a small file whole: after a crash it holds the old content or the new one.
    ///
    /// Writes `name.tmp`, syncs it, renames it, syncs the directory.
    fn replace(&self, name: &str, content: &[u8]) -> Result<()>;

    /// Writes a small file whole without syncing it: for what can be rebuilt, such as indexes.
    fn write_rebuildable(&self, name: &str, content: &[u8]) -> Result<()>;

    /// A small file will soon be loaded: starts to read it, without waiting. Whether there is one shows when it is loaded.
    fn prefetch(&self, name: &str) {
        let _ = name;
    }

    /// A small file whole; `None` if it does not exist.
    fn load(&self, name: &str) -> Result<Option<Vec<u8>>>;

    /// Makes all files' bytes that the kernel holds, and the directory, durable: before recovery trusts them.
    fn sync_all(&self) -> Result<()>;
}

/// The one writer of a file. It has no lock in the append path.
pub trait Writer: Send {
    /// Appends `parts` as one, with at most one copy. Never waits for the device. The file's capacity is the only bound of its size.
    ///
    /// # Errors
    /// Nothing has been taken then. [`StorageError::NoSpace`] and [`StorageError::Capacity`] leave the writer as it
    /// was: the next append may succeed. [`StorageError::Poisoned`] is final.
    fn append(&mut self, parts: &[IoSlice<'_>]) -> Result<Append>;

    /// Calls `waker` once when an append that was [`Append::Full`] is worth trying again.
    fn when_room(&mut self, waker: Box<dyn FnOnce() + Send>);

    /// Starts to write out what is pending. Does not wait. What goes wrong shows in the next call.
    fn kick(&mut self);

    /// Starts to bring everything appended so far to `level`.
    ///
    /// The mark of `level` passes the result's position when it is done: appends go on meanwhile. If it fails later,
    /// the marks are poisoned and their waiters told. What blocks is done by whoever the result is left to.
    ///
    /// # Errors
    /// [`StorageError::NoSpace`] if what is pending in memory finds no space: it stays readable, and is tried again
    /// by the next call. [`StorageError::Poisoned`] is final: a sync that failed is never repeated.
    fn begin_sync(&mut self, level: Level) -> Result<PendingSync>;

    /// How far the file is: shared with whoever waits.
    fn marks(&self) -> Arc<Marks>;

    /// Writes out the tail, cuts the file to exactly what was appended and makes it durable. May block.
    fn close(self: Box<Self>) -> Result<()>;
}

/// Receives what [`Reader::begin_read`] read. May be called on any thread, also before `begin_read` returns.
pub type ReadDone = Box<dyn FnOnce(Result<Bytes>) + Send>;

/// Reads a file. Cheap to share.
pub trait Reader: Send + Sync {
    /// Bytes that can be read now.
    fn len(&self) -> u64;

    /// True if nothing can be read yet.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Up to `len` bytes from `position` if that needs no wait for the device, else `None`.
    ///
    /// A short answer ends where waiting, or copying together what lies apart in memory, would begin: ask again
    /// from there. An empty one is the end of the file.
    fn read_cached(&self, position: u64, len: usize) -> Result<Option<Bytes>>;

    /// Up to `len` bytes from `position`, on a bounded pool or ring; short only at the end of the file.
    fn begin_read(&self, position: u64, len: usize, done: ReadDone);

    /// A sequential reader will soon want these bytes.
    fn prefetch(&self, position: u64, len: usize);
}

/// Up to `len` bytes from `position`; waits for the device on this thread.
pub fn read_blocking(reader: &dyn Reader, position: u64, len: usize) -> Result<Bytes> {
    if let Some(bytes) = reader.read_cached(position, len)?
        && (bytes.len() == len || position + bytes.len() as u64 >= reader.len())
    {
        return Ok(bytes);
    }
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    reader.begin_read(
        position,
        len,
        Box::new(move |result| {
            // The receiver only goes away with the waiting thread itself.
            drop(sender.send(result));
        }),
    );
    receiver.recv().map_err(|_| StorageError::Stopped)?
}
