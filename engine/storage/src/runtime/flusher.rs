//! The system call that waits longest, `fdatasync`: on threads for it, or on the thread of a caller who would only wait.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use crate::contract::Level;
use crate::counters::Counters;
use crate::pending_sync::BlockingSync;
use crate::runtime::Runtime;
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
    /// Notes the request; true if nobody is at work who will take it.
    fn add(&self, position: u64) -> bool {
        let mut requested = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        requested.position = requested.position.max(Some(position));
        !std::mem::replace(&mut requested.scheduled, true)
    }

    /// The position to sync next; `None` if there is nothing more to do.
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

    /// Syncs of `file` on a thread of this flusher, beginning with one up to `position`, until none is wanted any more.
    fn schedule(&self, file: Arc<OpenFile>, position: u64) {
        let counters = self.counters.clone();
        self.workers.run(move || {
            let mut next = Some(position);
            while let Some(position) = next {
                // The error of a failed sync has been told to all waiters; no further one is tried.
                if sync_now(&file, position, &counters).is_err() {
                    return;
                }
                next = file.sync_request.take();
            }
        });
    }
}

/// A wish that the first bytes of a file, which the kernel already holds, be durable.
pub(crate) struct FileSync {
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) file: Arc<OpenFile>,
    pub(crate) position: u64,
}

impl FileSync {
    /// The position to sync now. `None` if a sync of the file runs: its thread takes this wish along next.
    fn begin(&self) -> Option<u64> {
        if self.file.sync_request.add(self.position) { self.file.sync_request.take() } else { None }
    }
}

impl BlockingSync for FileSync {
    fn here(self: Box<Self>) {
        let flusher = &self.runtime.flusher;
        let Some(position) = self.begin() else { return };
        if sync_now(&self.file, position, &flusher.counters).is_err() {
            return;
        }
        // What others wish meanwhile does not hold up this thread.
        if let Some(next) = self.file.sync_request.take() {
            flusher.schedule(self.file.clone(), next);
        }
    }

    fn elsewhere(self: Box<Self>) {
        if let Some(position) = self.begin() {
            self.runtime.flusher.schedule(self.file.clone(), position);
        }
    }
}

/// `fdatasync` on this thread, and the sync of the directory that a new file needs: raises the mark of durable, or poisons.
pub(crate) fn sync_now(file: &OpenFile, position: u64, counters: &Counters) -> crate::contract::Result<()> {
    file.check()?;
    counters.syncs.one();
    let synced = uninterrupted(|| file.file.sync_data()).and_then(|()| file.sync_entry());
    synced.map_err(|error| file.fail("sync", error))?;
    file.write_back.finish(position);
    file.marks.raise(Level::Durable, position);
    Ok(())
}
