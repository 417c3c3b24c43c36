//! Starting and stopping the backend.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::memory::BLOCK;
use super::queue::Command;
use super::ring_thread::RingThread;
use super::shared::Shared;
use super::storage::RingStorage;
use crate::contract::{Backend, Result, Storage};
use crate::counters::Counts;
use crate::error::Refused;
use crate::registry::{BackendOptions, Kind};
use crate::seam::{Disk, DiskFile, Open};

/// How it is started.
pub(crate) const KIND: Kind = Kind { name: "uring", start };

/// Submissions that wait in user space at most, and operations in flight of all segments together.
const RING_ENTRIES: u32 = 256;

/// What keeps the ring thread alive: directories, writers and readers hold it.
pub(super) struct Core {
    pub(super) shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Core {
    /// Starts the ring thread. The ring is made on that thread, because only its maker may use it.
    fn start(shared: Shared) -> io::Result<Core> {
        let shared = Arc::new(shared);
        let (ready, started) = sync_channel(1);
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("storage-ring".into()).spawn(move || work(of_thread, &ready))?;
        started.recv().map_err(|_| io::Error::other("its thread ended at once"))??;
        Ok(Core { shared, thread: Some(thread) })
    }
}

/// The ring thread: says whether it could make its ring, then works.
fn work(shared: Arc<Shared>, ready: &SyncSender<io::Result<()>>) {
    let ring = shared.disk.ring(RING_ENTRIES);
    let (ring, made) = match ring {
        Ok(ring) => {
            shared.queue.set_waker(ring.waker());
            (Some(ring), Ok(()))
        }
        Err(error) => (None, Err(error)),
    };
    // Only a starter that is gone does not listen, and then the queue brings `Stop` at once.
    drop(ready.send(made));
    if let Some(ring) = ring {
        RingThread::new(ring, shared).run();
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.shared.queue.push(Command::Stop);
        if let Some(thread) = self.thread.take()
            // The last owner may be the closure of a read or a waiter, and those run on the ring thread itself.
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("the ring thread panicked");
        }
    }
}

struct Uring {
    core: Arc<Core>,
}

fn start(options: BackendOptions) -> std::result::Result<Arc<dyn Backend>, Refused> {
    let options = options.bounded();
    let dir = options.dir.clone();
    let refused = |reason| Refused { backend: KIND.name, dir, reason };
    let core = probe(&*options.disk, &options.dir)
        .and_then(|()| Shared::new(options.disk, options.settings).map_err(|error| format!("it cannot start: {error}")))
        .and_then(|shared| Core::start(shared).map_err(|error| error.to_string()))
        .map_err(refused)?;
    Ok(Arc::new(Uring { core: Arc::new(core) }))
}

/// Tries in `dir` what files need: direct I/O in blocks of 4 KiB, and blocks ahead of the tail.
fn probe(disk: &dyn Disk, dir: &Path) -> std::result::Result<(), String> {
    disk.create_dir_all(dir).map_err(|error| format!("the directory cannot be made: {error}"))?;
    let path = dir.join(format!(".uring-probe-{}", std::process::id()));
    let opened = disk.open(&path, Open { create: true, direct: true, ..Open::default() });
    let tried = opened.map_err(no_direct).and_then(|file| try_out(&*file));
    match disk.remove(&path) {
        Err(error) if tried.is_ok() => Err(format!("files cannot be removed from it: {error}")),
        _ => tried,
    }
}

fn try_out(file: &dyn DiskFile) -> std::result::Result<(), String> {
    let alignment = file.direct_alignment().map_err(no_direct)?;
    if alignment == 0 || !BLOCK.is_multiple_of(alignment as usize) {
        return Err(format!(
            "its device moves blocks of {alignment} bytes, this backend moves {BLOCK}: use the buffered or mmap backend"
        ));
    }
    let blocks = file.allocate(0..BLOCK as u64);
    blocks.map_err(|error| {
        format!("its file system cannot allocate ahead ({error}): use ext4 or xfs, or the buffered or mmap backend")
    })
}

fn no_direct(error: io::Error) -> String {
    match error.kind() {
        io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported => format!(
            "its file system has no direct I/O (O_DIRECT: {error}): use a directory on ext4 or xfs, or the buffered or mmap backend"
        ),
        _ => format!("a file for direct I/O cannot be made in it: {error}"),
    }
}

impl Backend for Uring {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn open(&self, dir: &Path) -> Result<Arc<dyn Storage>> {
        Ok(Arc::new(RingStorage::open(Arc::clone(&self.core), dir)?))
    }

    fn counters(&self) -> Counts {
        self.core.shared.counters.counts()
    }
}
