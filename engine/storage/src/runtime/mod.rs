//! What all files of one backend share: the disk, the settings, the counters, and the threads that do what
//! appending and reading threads must not wait for.
//!
//! | thread | waits for |
//! |---|---|
//! | `storage-sync` ([`flusher`]) | `fdatasync` |
//! | `storage-writeback` ([`writeback`]) | the queue of the device |
//! | `storage-prepare` ([`preparation`]) | block allocation, page population |
//! | `storage-free` ([`recycling`]) | freeing of removed files, or zeroing them for new ones |
//! | `storage-read` ([`read_pool`]) | cold reads |

use std::sync::Arc;

use self::flusher::Flusher;
use self::preparation::Preparation;
use self::read_pool::ReadPool;
use self::recycling::Recycling;
use self::writeback::Pacer;
use crate::counters::Counters;
use crate::error::Refused;
use crate::registry::{BackendOptions, Settings};
use crate::seam::Disk;

pub(crate) mod flusher;
pub(crate) mod open_file;
pub(crate) mod preparation;
pub(crate) mod read_pool;
pub(crate) mod recycling;
pub(crate) mod workers;
pub(crate) mod writeback;

/// The shared part of a backend that works with blocking system calls.
pub(crate) struct Runtime {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) settings: Settings,
    pub(crate) counters: Arc<Counters>,
    pub(crate) preparation: Preparation,
    pub(crate) recycling: Arc<Recycling>,
    pub(crate) flusher: Flusher,
    pub(crate) pacer: Pacer,
    pub(crate) read_pool: ReadPool,
}

impl Runtime {
    /// Starts the threads of the backend of this name.
    pub(crate) fn start(backend: &'static str, options: BackendOptions) -> Result<Arc<Runtime>, Refused> {
        let BackendOptions { disk, dir, settings } = options;
        let started = Runtime::start_threads(disk, settings);
        started.map(Arc::new).map_err(|error| Refused {
            backend,
            dir,
            reason: format!("its threads cannot be started ({error}): is there a limit on processes?"),
        })
    }

    fn start_threads(disk: Arc<dyn Disk>, settings: Settings) -> std::io::Result<Runtime> {
        let counters = Arc::new(Counters::default());
        Ok(Runtime {
            recycling: Recycling::start(&disk, &settings, &counters)?,
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
