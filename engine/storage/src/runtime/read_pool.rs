//! The bounded threads that wait for the device on behalf of readers.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use crate::contract::{ReadDone, Result};
use crate::runtime::workers::Workers;

/// Runs cold reads, at most as many at a time as it has threads.
#[derive(Clone)]
pub(crate) struct ReadPool {
    workers: Arc<Workers>,
}

impl ReadPool {
    /// Starts the threads.
    pub(crate) fn start(threads: usize) -> io::Result<ReadPool> {
        Ok(ReadPool { workers: Arc::new(Workers::start("storage-read", threads)?) })
    }

    /// Reads on a thread of the pool, and hands over what came out of it there.
    pub(crate) fn read(&self, read: impl FnOnce() -> Result<Bytes> + Send + 'static, done: ReadDone) {
        self.workers.run(move || done(read()));
    }

    /// Asks for bytes ahead of a reader. Whether it worked shows in how fast the reader goes, nowhere else.
    pub(crate) fn ahead(&self, ask: impl FnOnce() -> io::Result<()> + Send + 'static) {
        self.workers.run(move || {
            if let Err(error) = ask() {
                tracing::debug!("readahead failed: {error}");
            }
        });
    }
}

/// Where a reader's last cold read ended: one that starts there is sequential, and has more read ahead of it.
pub(crate) struct SequentialReads(AtomicU64);

impl Default for SequentialReads {
    fn default() -> SequentialReads {
        SequentialReads(AtomicU64::new(u64::MAX))
    }
}

impl SequentialReads {
    /// Notes a cold read; true if it goes on where the last one ended.
    pub(crate) fn go_on(&self, range: &Range<u64>) -> bool {
        self.0.swap(range.end, Ordering::Relaxed) == range.start && !range.is_empty()
    }
}
