//! Threads for the system call that waits longest: `fdatasync`.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use crate::contract::Level;
use crate::counters::Counters;
use crate::runtime::open_file::OpenFile;
use crate::runtime::workers::Workers;
use crate::whole_io::uninterrupted;

/// Brings files to [`Level::Durable`], off the threads that append.
pub(crate) struct Flusher {
    workers: Workers,
    counters: Arc<Counters>,
}

/// What a file has been asked to make durable. Requests that come while a sync runs become one sync.
#[derive(Default)]
pub(crate) struct SyncRequest(Mutex<Requested>);

#[derive(Default)]
struct Requested {
    position: Option<u64>,
    scheduled: bool,
}

impl SyncRequest {
    /// Notes the request; true if a job for it has to be scheduled.
    fn add(&self, position: u64) -> bool {
        let mut requested = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        requested.position = requested.position.max(Some(position));
        !std::mem::replace(&mut requested.scheduled, true)
    }

    /// The position to sync next; `None` ends the job.
    fn take(&self) -> Option<u64> {
        let mut requested = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let position = requested.position.take();
        requested.scheduled = position.is_some();
        position
    }
}

impl Flusher {
    /// Starts the threads.
    pub(crate) fn start(threads: usize, counters: Arc<Counters>) -> io::Result<Flusher> {
        Ok(Flusher { workers: Workers::start("storage-sync", threads)?, counters })
    }

    /// Makes the first `position` bytes durable, which the kernel must already hold. Raises the mark, or poisons.
    pub(crate) fn sync(&self, file: &Arc<OpenFile>, position: u64) {
        if file.sync_request.add(position) {
            let (file, counters) = (file.clone(), self.counters.clone());
            self.workers.run(move || run(&file, &counters));
        }
    }
}

fn run(file: &OpenFile, counters: &Counters) {
    while let Some(position) = file.sync_request.take() {
        // The error of a failed sync has been told to all waiters; no further one is tried.
        if sync_now(file, position, counters).is_err() {
            return;
        }
    }
}

/// `fdatasync` on this thread: raises the mark of durable, or poisons.
pub(crate) fn sync_now(file: &OpenFile, position: u64, counters: &Counters) -> crate::contract::Result<()> {
    file.check()?;
    counters.syncs.one();
    uninterrupted(|| file.file.sync_data()).map_err(|error| file.fail("sync", error))?;
    file.write_back.finish(position);
    file.marks.raise(Level::Durable, position);
    Ok(())
}
