//! The backends by name, how one is started, and its settings.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::contract::Backend;
use crate::error::Refused;
use crate::seam::Disk;
use crate::seam::bounded::BoundedDisk;
use crate::seam::real::RealDisk;

/// A kind of backend. A third party registers its own by adding one to the list that it hands to the engine.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// The name that users give it.
    pub name: &'static str,
    /// Starts one, or says why it cannot run here. It never starts as something else.
    pub start: fn(BackendOptions) -> Result<Arc<dyn Backend>, Refused>,
}

impl Kind {
    /// Starts one on the real disk with default settings.
    pub fn start_on(&self, dir: &Path) -> Result<Arc<dyn Backend>, Refused> {
        let (disk, settings) = (Arc::new(RealDisk), Settings::default());
        (self.start)(BackendOptions { disk, dir: dir.to_owned(), settings })
    }
}

/// The backends of this crate.
pub fn kinds() -> Vec<Kind> {
    vec![crate::buffered::KIND, crate::mmap::KIND, crate::uring::KIND]
}

/// What a backend is started with.
#[derive(Clone)]
pub struct BackendOptions {
    /// Where all its system calls go.
    pub disk: Arc<dyn Disk>,
    /// The data directory: made if missing, and tried out for what the backend needs.
    pub dir: PathBuf,
    /// How it works.
    pub settings: Settings,
}

impl BackendOptions {
    /// The same, with a disk that obeys [`Settings::open_files_max`]: what a backend starts with.
    pub(crate) fn bounded(self) -> BackendOptions {
        let disk = Arc::new(BoundedDisk::new(self.disk, self.settings.open_files_max));
        BackendOptions { disk, ..self }
    }
}

/// How a backend works. Each setting is obeyed by the backends that its text names.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// buffered: appends smaller than this are combined before they are written.
    pub combine_bytes: usize,
    /// buffered, mmap: writeback starts after each step of this many bytes.
    pub write_back_bytes: u64,
    /// buffered, mmap: a file with more than this on its way to the device is full.
    pub write_back_bytes_max: u64,
    /// mmap: pages are made ready for stores this far ahead.
    pub populate_bytes: u64,
    /// All: more open files than this are closed, those first that were used longest ago, and opened again when they are used. Files in
    /// use, and removed ones that somebody still reads, stay open; so do those with bytes that no sync has covered, until they are half
    /// as many more: then they are synced to be closed.
    pub open_files_max: usize,
    /// All: files get their blocks in steps that grow from 64 KiB to this.
    pub allocation_step_max: u64,
    /// All: so many bytes of removed files are kept for the next files of their directories, those counted that a file which began with them
    /// has not come to; it spares the device finding new blocks and freeing old ones. No more than four of a directory. On a full disk what waits is given back.
    /// 0 for none.
    pub recycle_bytes_max: u64,
    /// All: shorter files are not kept.
    pub recycle_bytes_min: u64,
    /// buffered, mmap: a cold sequential reader has this much read ahead of it.
    pub read_ahead_bytes: u64,
    /// buffered, mmap: threads that wait for the device on behalf of readers.
    pub read_threads: usize,
    /// buffered, mmap: threads that wait for `fdatasync`.
    pub sync_threads: usize,
    /// uring: writes of one log that may be in flight.
    pub ring_depth: usize,
    /// uring: the largest write; a log's chunk grows up to this with its rate.
    pub chunk_bytes: usize,
    /// uring: memory for chunks, in flight or kept as cache of the tail. With less than logs need at once, each has 16 KiB,
    /// or 64 KiB or a large batch's rest from elsewhere, and writes more often.
    pub pool_bytes: usize,
    /// uring: so much of the pool, but not more than half, may cache what is already written.
    pub cache_bytes: usize,
    /// uring: a partly filled chunk is written after this long; later with more than some fifty of them, each of which gets a write in turn.
    pub kick_interval: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            combine_bytes: 64 << 10,
            write_back_bytes: 1 << 20,
            write_back_bytes_max: 64 << 20,
            populate_bytes: 4 << 20,
            open_files_max: default_open_files_max(),
            allocation_step_max: 64 << 20,
            recycle_bytes_max: 4 << 30,
            // Longer than an index becomes (segment.index.bytes): what is kept are segments.
            recycle_bytes_min: 11 << 20,
            read_ahead_bytes: 4 << 20,
            read_threads: 4,
            sync_threads: 2,
            ring_depth: 8,
            chunk_bytes: 1 << 20,
            pool_bytes: 256 << 20,
            cache_bytes: 32 << 20,
            kick_interval: Duration::from_millis(5),
        }
    }
}

/// Half of the descriptors that this process may have (`RLIMIT_NOFILE`, `ulimit -n`): the other half is for connections.
pub fn default_open_files_max() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    limit.and_then(|limit| usize::try_from(limit / 2).ok()).unwrap_or(usize::MAX).max(OPEN_FILES_MIN)
}

/// Fewer would be opened and closed all the time.
const OPEN_FILES_MIN: usize = 16;
