//! The buffered backend: the page cache holds the file, this process only the tail that is not worth a
//! system call yet.
//!
//! * Small appends are combined in a 64 KiB buffer ([`tail`]); large ones, and a full buffer, are written with
//!   one gathered `pwritev`. Readers see combined bytes in the buffer itself.
//! * What is in the page cache has reached [`crate::Level::Written`]. Writeback is started behind the tail.
//! * `fdatasync` runs on the flusher's threads.

use std::path::Path;
use std::sync::Arc;

use crate::contract::{Backend, Result, Storage};
use crate::counters::Counts;
use crate::error::Refused;
use crate::probing::probe;
use crate::registry::{BackendOptions, Kind};
use crate::runtime::Runtime;

mod reader;
mod storage;
mod tail;
mod writer;

/// How it is started.
pub(crate) const KIND: Kind = Kind { name: "buffered", start };

struct Buffered {
    runtime: Arc<Runtime>,
}

fn start(options: BackendOptions) -> std::result::Result<Arc<dyn Backend>, Refused> {
    probe(KIND.name, &options, |_| Ok(()))?;
    let runtime = Runtime::start(options.disk, options.settings).map_err(|error| Refused {
        backend: KIND.name,
        dir: options.dir,
        reason: format!("its threads cannot be started: {error}"),
    })?;
    Ok(Arc::new(Buffered { runtime: Arc::new(runtime) }))
}

impl Backend for Buffered {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn open(&self, dir: &Path) -> Result<Arc<dyn Storage>> {
        Ok(Arc::new(storage::BufferedStorage::open(self.runtime.clone(), dir)?))
    }

    fn counters(&self) -> Counts {
        self.runtime.counters.counts()
    }
}
