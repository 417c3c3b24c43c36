//! The bounded threads that wait for the device on behalf of readers.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use crate::contract::{ReadDone, Result};
use crate::workers::Workers;

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
