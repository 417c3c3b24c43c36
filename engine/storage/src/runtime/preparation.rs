//! The thread for what takes long and nobody waits for: allocating ahead, populating maps, freeing blocks.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::runtime::workers::Workers;
use crate::seam::DiskFile;

/// One background thread per backend. Its failures show up where they matter: when a writer needs the
/// space or the pages and asks for them itself.
pub(crate) struct Preparation {
    workers: Workers,
    /// Removed files that wait for the thread.
    freeing: Arc<AtomicUsize>,
}

/// So many removed files may wait.
const FREEING_MAX: usize = 16;

impl Preparation {
    /// Starts the thread.
    pub(crate) fn start() -> io::Result<Preparation> {
        Ok(Preparation { workers: Workers::start("storage-prepare", 1)?, freeing: Arc::default() })
    }

    /// Runs `work` some time soon.
    pub(crate) fn soon(&self, what: &'static str, work: impl FnOnce() -> io::Result<()> + Send + 'static) {
        self.workers.run(move || {
            if let Err(error) = work() {
                tracing::debug!("could not {what} ahead of time: {error}");
            }
        });
    }

    /// Closes a file that has been removed: its blocks are freed here and not on the remover's thread, unless that removes files faster
    /// than they are freed. Each is a descriptor.
    pub(crate) fn free(&self, removed: Arc<dyn DiskFile>) {
        if self.freeing.fetch_add(1, Ordering::Relaxed) >= FREEING_MAX {
            self.freeing.fetch_sub(1, Ordering::Relaxed);
            return drop(removed);
        }
        let freeing = Arc::clone(&self.freeing);
        self.workers.run(move || {
            drop(removed);
            freeing.fetch_sub(1, Ordering::Relaxed);
        });
    }
}
