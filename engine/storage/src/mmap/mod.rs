//! The mmap backend: a segment is one shared mapping of its whole capacity; appending is a copy into it,
//! reading lends slices of it.
//!
//! * Address space for the whole capacity is reserved once; blocks come in steps ([`crate::allocation`]).
//! * A store into a page without a block, or of a full disk, is SIGBUS. So no byte is stored before its block
//!   is allocated and its page populated ([`ahead`]): there the same conditions are errors.
//! * A page is lent only below the visible end, and a mapped file is never cut below it.
//! * What is stored has reached [`crate::Level::Written`]: the pages belong to the kernel.
//!
//! One thing no order of calls can prevent: a page that was written back, reclaimed and then cannot be read
//! from the device again is SIGBUS on touch. The process dies then, and says so.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::contract::{Backend, Result, Storage};
use crate::counters::Counts;
use crate::error::Refused;
use crate::probing::probe;
use crate::registry::{BackendOptions, Kind};
use crate::runtime::Runtime;
use crate::seam::DiskFile;
use crate::seam::real::PAGE;

mod ahead;
mod file;
mod reader;
mod residence;
mod storage;
mod writer;

/// How it is started.
pub(crate) const KIND: Kind = Kind { name: "mmap", start };

struct Mmap {
    runtime: Arc<Runtime>,
}

fn start(options: BackendOptions) -> std::result::Result<Arc<dyn Backend>, Refused> {
    let options = options.bounded();
    probe(KIND.name, &options, try_out)?;
    Ok(Arc::new(Mmap { runtime: Runtime::start(KIND.name, options)? }))
}

/// Needs shared mappings, allocation, and populating (Linux 5.14): without them a full disk would be SIGBUS.
fn try_out(file: &dyn DiskFile) -> io::Result<()> {
    file.allocate(0..PAGE as u64)?;
    let mapping = file.map(PAGE as u64)?;
    mapping.populate_write(0..PAGE)?;
    mapping.populate_read(0..PAGE)
}

impl Backend for Mmap {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn open(&self, dir: &Path) -> Result<Arc<dyn Storage>> {
        Ok(Arc::new(storage::MmapStorage::open(self.runtime.clone(), dir)?))
    }

    fn counters(&self) -> Counts {
        self.runtime.counters.counts()
    }
}
