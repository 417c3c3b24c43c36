//! A machine that lacks what the backend needs, or loses it.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use logdyno_storage::seam::real::RealDisk;
use logdyno_storage::seam::{Completion, Disk, DiskFile, Open, Operation, Ring, RingWaker};
use logdyno_storage::{Append, BackendOptions, Level, Refused, Settings, StorageError};

use super::{LONG, MIB, append, fill, pattern, uring};

/// The real disk, but its file system knows no direct I/O, or its kernel no rings, or its rings stop working.
struct Lacking {
    direct: bool,
    ring: bool,
    broken: Arc<AtomicBool>,
}

impl Lacking {
    fn new(direct: bool, ring: bool) -> Lacking {
        Lacking { direct, ring, broken: Arc::default() }
    }
}

/// A ring in which waiting fails once it is broken.
struct Fragile {
    ring: Box<dyn Ring>,
    broken: Arc<AtomicBool>,
}

impl Ring for Fragile {
    unsafe fn submit(&mut self, operation: Operation, token: u64) -> io::Result<()> {
        // SAFETY: the caller's promise is passed on.
        unsafe { self.ring.submit(operation, token) }
    }

    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        if self.broken.load(Ordering::Relaxed) {
            return Err(io::Error::from_raw_os_error(libc::EBADF));
        }
        self.ring.wait(timeout)
    }

    fn reap(&mut self, into: &mut Vec<Completion>) {
        self.ring.reap(into);
    }

    fn waker(&self) -> Arc<dyn RingWaker> {
        self.ring.waker()
    }
}

impl Disk for Lacking {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        if how.direct && !self.direct {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        RealDisk.open(path, how)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        RealDisk.create_dir_all(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        RealDisk.list(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        RealDisk.sync_dir(dir)
    }

    fn ring(&self, entries: u32) -> io::Result<Box<dyn Ring>> {
        match self.ring {
            true => Ok(Box::new(Fragile { ring: RealDisk.ring(entries)?, broken: Arc::clone(&self.broken) })),
            false => Err(io::Error::new(io::ErrorKind::Unsupported, "no rings here: use another backend")),
        }
    }
}

fn refusal(disk: Lacking) -> Refused {
    let dir = tempfile::tempdir().unwrap();
    let options = BackendOptions { disk: Arc::new(disk), dir: dir.path().to_owned(), settings: Settings::default() };
    let refused = match (uring().start)(options) {
        Ok(_) => panic!("started where it cannot work"),
        Err(refused) => refused,
    };
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "the probe cleans up");
    refused
}

#[test]
fn without_direct_io_or_rings_it_refuses_with_the_reason() {
    let refused = refusal(Lacking::new(false, true)).to_string();
    assert!(refused.contains("O_DIRECT") && refused.contains("buffered"), "{refused}");
    let refused = refusal(Lacking::new(true, false)).to_string();
    assert!(refused.contains("no rings here"), "{refused}");
}

/// Without its ring the backend can do nothing, and nobody is left waiting for it.
#[test]
fn when_the_ring_breaks_everyone_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Lacking::new(true, true);
    let broken = Arc::clone(&disk.broken);
    let settings = Settings { kick_interval: Duration::from_secs(3600), ..Settings::default() };
    let backend =
        (uring().start)(BackendOptions { disk: Arc::new(disk), dir: dir.path().to_owned(), settings }).unwrap();
    let storage = backend.open(dir.path()).unwrap();
    fill(&*storage, "cold", 100_000);
    let reader = storage.reader("cold").unwrap();
    let mut writer = storage.create("a", MIB as u64).unwrap();
    append(&mut *writer, b"never written");
    let mut ahead = storage.create("b", 64 * MIB as u64).unwrap();
    append(&mut *ahead, &pattern(0..16 * MIB));
    broken.store(true, Ordering::Relaxed);
    // Until it is refused, or finds out; who waits then is told.
    while let Ok(Append::At(_)) = ahead.append(&[IoSlice::new(&[7; MIB])]) {}
    let (sender, told) = channel::<()>();
    ahead.when_room(Box::new(move || sender.send(()).unwrap()));
    assert_ne!(told.recv_timeout(LONG), Err(RecvTimeoutError::Timeout));

    let position = writer.begin_sync(Level::Written).unwrap().elsewhere();
    let told = writer.marks().wait(Level::Written, position, LONG);
    assert!(matches!(told, Err(StorageError::Stopped)), "{told:?}");
    assert!(matches!(writer.append(&[IoSlice::new(b"more")]), Err(StorageError::Stopped)));
    let (sender, read) = channel();
    reader.begin_read(0, 100_000, Box::new(move |bytes| sender.send(bytes).unwrap()));
    let read = read.recv_timeout(LONG).unwrap();
    assert!(matches!(read, Err(StorageError::Stopped)), "{read:?}");
    assert!(matches!(writer.close(), Err(StorageError::Stopped)));
}

/// tmpfs takes O_DIRECT since Linux 6.6, and ignores it.
#[test]
fn a_file_system_in_memory_is_refused() {
    let Ok(dir) = tempfile::tempdir_in("/dev/shm") else {
        return println!("no tmpfs here to be refused");
    };
    let refused = uring().start_on(dir.path()).map(|_| ()).unwrap_err().to_string();
    assert!(refused.contains("direct I/O"), "{refused}");
}
