//! Names of new files: durable with the first bytes of theirs that are.
//!
//! A power loss that takes a file's name takes all its bytes, so a sync of a new file is not over before one of its directory. That
//! takes milliseconds, and a log makes its next segment on the thread that appends: it does not wait for them, but whoever waits for
//! bytes to be durable does, once in a file's life. Names that were made since the directory's last sync share one.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::seam::Disk;
use crate::whole_io::uninterrupted;

/// How many names a directory was given since it was opened, and how many of them are durable.
pub(crate) struct Entries {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    made: AtomicU64,
    durable: AtomicU64,
    /// Names up to this one were in a sync that failed. It is locked while the directory is synced for new names.
    lost: Mutex<u64>,
}

impl Entries {
    /// Of a directory that has no new names.
    pub(crate) fn new(disk: Arc<dyn Disk>, dir: &Path) -> Arc<Entries> {
        let (made, durable) = (AtomicU64::new(0), AtomicU64::new(0));
        Arc::new(Entries { disk, dir: dir.to_owned(), made, durable, lost: Mutex::new(0) })
    }

    /// A name that has just been made.
    pub(crate) fn make(self: &Arc<Entries>) -> Entry {
        Entry { entries: Arc::clone(self), number: self.made.fetch_add(1, Ordering::SeqCst) + 1 }
    }

    /// Makes all names durable, and what was renamed and removed.
    pub(crate) fn sync(&self) -> io::Result<()> {
        let made = self.made.load(Ordering::SeqCst);
        uninterrupted(|| self.disk.sync_dir(&self.dir))?;
        self.durable.fetch_max(made, Ordering::SeqCst);
        Ok(())
    }

    /// Makes new names durable, if there are any.
    pub(crate) fn sync_new(&self) -> io::Result<()> {
        self.make_durable(self.made.load(Ordering::SeqCst))
    }

    fn make_durable(&self, number: u64) -> io::Result<()> {
        let is_durable = || self.durable.load(Ordering::SeqCst) >= number;
        if is_durable() {
            return Ok(());
        }
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        if is_durable() {
            return Ok(());
        }
        if number <= *lost {
            return Err(io::Error::other(format!("an earlier sync of {} has failed", self.dir.display())));
        }
        let made = self.made.load(Ordering::SeqCst);
        self.sync().map_err(|error| {
            // As with a file: what a failed sync was to bring to the device is unknown, and a second one proves nothing about it.
            *lost = made;
            io::Error::new(error.kind(), format!("its directory {}: {error}", self.dir.display()))
        })
    }
}

/// The name of a file that was made, on its way to be durable.
pub struct Entry {
    entries: Arc<Entries>,
    number: u64,
}

impl Entry {
    /// Returns when the name is durable: at once, if it has been. It is never tried again after a failure.
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
    fn what_a_sync_lost_stays_lost_and_later_names_have_their_own() {
        let (disk, entries) = entries();
        let (one, two) = (entries.make(), entries.make());
        disk.fail_next(Point::SyncNames, 1, libc::EIO);
        assert!(one.make_durable().unwrap_err().to_string().contains("/d"));
        assert!(one.make_durable().is_err() && two.make_durable().is_err(), "the second try would succeed");
        entries.make().make_durable().unwrap();
    }
}
