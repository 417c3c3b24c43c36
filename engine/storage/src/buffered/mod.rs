//! The buffered backend: the page cache holds the file, this process only the tail that is not worth a
//! system call yet.
//!
//! * Small appends are combined in a 64 KiB buffer ([`tail`]); large ones, and a full buffer, are written with
//!   one gathered `pwritev`. Readers see combined bytes in the buffer itself.
//! * What is in the page cache has reached [`crate::Level::Written`]. Writeback is started behind the tail.
//! * Cold reads and reads of what was written are copied out of the page cache into buffers that are used
//!   again ([`buffers`]).
//! * `fdatasync` runs on the flusher's threads.

use std::path::Path;
use std::sync::Arc;

use self::buffers::Buffers;
use crate::contract::{Backend, Result, Storage};
use crate::counters::Counts;
use crate::error::Refused;
use crate::probing::probe;
use crate::registry::{BackendOptions, Kind};
use crate::runtime::Runtime;

mod buffers;
mod reader;
mod storage;
mod tail;
mod writer;

/// How it is started.
pub(crate) const KIND: Kind = Kind { name: "buffered", start };

struct Buffered {
    runtime: Arc<Runtime>,
    buffers: Buffers,
}

fn start(options: BackendOptions) -> std::result::Result<Arc<dyn Backend>, Refused> {
    let options = options.bounded();
    probe(KIND.name, &options, |_| Ok(()))?;
    Ok(Arc::new(Buffered { runtime: Runtime::start(KIND.name, options)?, buffers: Buffers::default() }))
}

impl Backend for Buffered {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn open(&self, dir: &Path) -> Result<Arc<dyn Storage>> {
        Ok(Arc::new(storage::BufferedStorage::open(self.runtime.clone(), self.buffers.clone(), dir)?))
    }

    fn counters(&self) -> Counts {
        self.runtime.counters.counts()
    }
}
