//! Names of new files: durable with the first bytes of theirs that are.
//!
//! A power loss that takes a file's name takes all its bytes, so a sync of a new file is not over before one of its directory. That
//! takes milliseconds, and a log makes its next segment on the thread that appends: it does not wait for them, but whoever waits for
//! bytes to be durable does, once in a file's life. Names that were made since the directory's last sync share one.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::lacks_descriptor;
use crate::seam::Disk;
use crate::whole_io::uninterrupted;

/// How many names a directory was given since it was opened, and how many of them are durable.
pub(crate) struct Entries {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    made: AtomicU64,
    durable: AtomicU64,
    /// True when a sync has failed. It is locked while the directory is synced.
    failed: Mutex<bool>,
}

impl Entries {
    /// Of a directory that has no new names.
    pub(crate) fn new(disk: Arc<dyn Disk>, dir: &Path) -> Arc<Entries> {
        let (made, durable) = (AtomicU64::new(0), AtomicU64::new(0));
        Arc::new(Entries { disk, dir: dir.to_owned(), made, durable, failed: Mutex::new(false) })
    }

    /// A name that has just been made.
    pub(crate) fn make(self: &Arc<Entries>) -> Entry {
        Entry { entries: Arc::clone(self), number: self.made.fetch_add(1, Ordering::SeqCst) + 1 }
    }

    /// Makes durable what was renamed and removed, and all new names if no sync has failed before.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.sync_locked(&mut self.failed())
    }

    /// Makes new names durable, if there are any.
    pub(crate) fn sync_new(&self) -> io::Result<()> {
        self.make_durable(self.made.load(Ordering::SeqCst))
    }

    /// What a failed sync was to bring to the device is unknown, and a second one proves nothing about it: from then on, no new name is
    /// durable until the directory is opened again, after a recovery.
    fn make_durable(&self, number: u64) -> io::Result<()> {
        let is_durable = || self.durable.load(Ordering::SeqCst) >= number;
        if is_durable() {
            return Ok(());
        }
        let mut failed = self.failed();
        if is_durable() {
            return Ok(());
        }
        let of_directory = |kind, error| io::Error::new(kind, format!("directory {}: {error}", self.dir.display()));
        if *failed {
            return Err(of_directory(io::ErrorKind::Other, "an earlier sync of it has failed".to_owned()));
        }
        self.sync_locked(&mut failed).map_err(|error| of_directory(error.kind(), error.to_string()))
    }

    fn sync_locked(&self, failed: &mut bool) -> io::Result<()> {
        let made = self.made.load(Ordering::SeqCst);
        let synced = uninterrupted(|| self.disk.sync_dir(&self.dir));
        // Where the directory could not even be opened, nothing was tried, and nothing is in doubt.
        *failed |= synced.as_ref().is_err_and(|error| !lacks_descriptor(error));
        let is_synced = synced.is_ok();
        if is_synced && !*failed {
            self.durable.fetch_max(made, Ordering::SeqCst);
        }
        synced
    }

    fn failed(&self) -> MutexGuard<'_, bool> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name of a file that was made, on its way to be durable.
pub struct Entry {
    entries: Arc<Entries>,
    number: u64,
}

impl Entry {
    /// Returns when the name is durable: at once, if it has been. A sync that has failed is never tried again; one for which the directory
    /// could not be opened is.
    pub fn make_durable(&self) -> io::Result<()> {
        self.entries.make_durable(self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seam::simulated::{Point, SimulatedDisk};

    fn entries() -> (SimulatedDisk, Arc<Entries>) {
        let disk = SimulatedDisk::new(1);
        disk.create_dir_all(Path::new("/d")).unwrap();
        (disk.clone(), Entries::new(Arc::new(disk), Path::new("/d")))
    }

    #[test]
    fn names_share_a_sync() {
        let (disk, entries) = entries();
        let names = [entries.make(), entries.make(), entries.make()];
        for name in &names {
            name.make_durable().unwrap();
        }
        assert_eq!(disk.count(Point::SyncNames), 1);
        entries.sync_new().unwrap();
        assert_eq!(disk.count(Point::SyncNames), 1, "there is nothing new");
        entries.make().make_durable().unwrap();
        assert_eq!(disk.count(Point::SyncNames), 2);
    }

    #[test]
    fn a_sync_that_could_not_be_tried_is_tried_again() {
        let (disk, entries) = entries();
        let name = entries.make();
        disk.fail_next(Point::SyncNames, 1, libc::EMFILE);
        name.make_durable().unwrap_err();
        name.make_durable().unwrap();
    }

    /// Whatever the sync was for that failed.
    #[test]
    fn after_a_failed_sync_no_new_name_is_durable_and_old_ones_stay_so() {
        type Failing = fn(&Entries, &Entry) -> io::Result<()>;
        let failing: [Failing; 2] = [|_, name| name.make_durable(), |entries, _| entries.sync()];
        for fails in failing {
            let (disk, entries) = entries();
            let old = entries.make();
            old.make_durable().unwrap();
            let (one, two) = (entries.make(), entries.make());
            disk.fail_next(Point::SyncNames, 1, libc::EIO);
            fails(&entries, &one).unwrap_err();
            entries.sync().unwrap();
            let told = one.make_durable().unwrap_err().to_string();
            assert_eq!(told, "directory /d: an earlier sync of it has failed");
            assert!(two.make_durable().is_err() && entries.make().make_durable().is_err());
            old.make_durable().unwrap();
        }
    }
}
