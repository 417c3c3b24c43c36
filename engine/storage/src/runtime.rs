//! What all files of one backend share: the disk, the settings, the counters and the threads.

use std::io;
use std::sync::Arc;

use crate::counters::Counters;
use crate::flusher::Flusher;
use crate::preparation::Preparation;
use crate::read_pool::ReadPool;
use crate::registry::Settings;
use crate::seam::Disk;
use crate::writeback::Pacer;

/// The shared part of a backend that works with blocking system calls.
pub(crate) struct Runtime {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) settings: Settings,
    pub(crate) counters: Arc<Counters>,
    pub(crate) preparation: Preparation,
    pub(crate) flusher: Flusher,
    pub(crate) pacer: Pacer,
    pub(crate) read_pool: ReadPool,
}

impl Runtime {
    /// Starts the threads.
    pub(crate) fn start(disk: Arc<dyn Disk>, settings: Settings) -> io::Result<Runtime> {
        let counters = Arc::new(Counters::default());
        Ok(Runtime {
            disk,
            preparation: Preparation::start()?,
            flusher: Flusher::start(settings.sync_threads, counters.clone())?,
            pacer: Pacer::start(settings.write_back_bytes, settings.write_back_bytes_max, counters.clone())?,
            read_pool: ReadPool::start(settings.read_threads)?,
            settings,
            counters,
        })
    }
}
