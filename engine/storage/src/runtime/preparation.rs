//! The thread for what takes long and nobody waits for: allocating ahead, populating maps.

use std::io;

use crate::runtime::workers::Workers;

/// One background thread per backend. Its failures show up where they matter: when a writer needs the
/// space or the pages and asks for them itself.
pub(crate) struct Preparation {
    workers: Workers,
}

impl Preparation {
    /// Starts the thread.
    pub(crate) fn start() -> io::Result<Preparation> {
        Ok(Preparation { workers: Workers::start("storage-prepare", 1)? })
    }

    /// Runs `work` some time soon.
    pub(crate) fn soon(&self, what: &'static str, work: impl FnOnce() -> io::Result<()> + Send + 'static) {
        self.workers.run(move || {
            if let Err(error) = work() {
                tracing::debug!("could not {what} ahead of time: {error}");
            }
        });
    }
}
