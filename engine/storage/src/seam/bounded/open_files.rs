//! Which files are open, and which of them are closed for others.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

use super::file::{BoundedFile, Unsynced};
use crate::error::lacks_descriptor;
use crate::seam::{Disk, DiskFile, Open};

/// When files are closed, more than needed are: this part of the bound, so that not every opening looks through all.
const CLOSED_AT_ONCE: usize = 16;

/// Files that are not durable stay open beyond the bound, half as many as it again but at least these. Beyond that they are synced, by
/// whoever opens one more, and closed.
const UNSYNCED_MIN: usize = 64;

/// A file of the disk below, open as long as this lives.
pub(super) struct Descriptor {
    pub(super) file: Arc<dyn DiskFile>,
    files: Arc<OpenFiles>,
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        self.files.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// All files of a disk that somebody holds, open or closed.
///
/// Locks are taken in this order: `naming`, a file's own, `known`. None is held while the last holder of a file may let go of it
/// but the first.
pub(super) struct OpenFiles {
    disk: Arc<dyn Disk>,
    open_max: usize,
    open: AtomicUsize,
    /// Counts openings: the clock by which files were used long ago.
    openings: AtomicU64,
    /// Openings before it is worth looking again for what can be closed, after nothing could.
    patience: AtomicUsize,
    warned: Once,
    /// Held while a name becomes another file's; shared while a file is opened by its name.
    naming: RwLock<()>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    by_path: HashMap<PathBuf, Vec<Weak<BoundedFile>>>,
    /// Those that are open, by id.
    open: HashMap<u64, Weak<BoundedFile>>,
}

impl OpenFiles {
    pub(super) fn new(disk: Arc<dyn Disk>, open_max: usize) -> OpenFiles {
        OpenFiles {
            disk,
            open_max: open_max.max(1),
            open: AtomicUsize::new(0),
            openings: AtomicU64::new(0),
            patience: AtomicUsize::new(0),
            warned: Once::new(),
            naming: RwLock::default(),
            known: Mutex::default(),
        }
    }

    pub(super) fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    /// The time, in openings.
    pub(super) fn now(&self) -> u64 {
        self.openings.load(Ordering::Relaxed)
    }

    /// Names stay what they are as long as this is held.
    pub(super) fn naming(&self) -> RwLockReadGuard<'_, ()> {
        self.naming.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing is opened by its name as long as this is held.
    pub(super) fn renaming(&self) -> RwLockWriteGuard<'_, ()> {
        self.naming.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a file of the disk below.
    pub(super) fn open(self: &Arc<OpenFiles>, path: &Path, how: Open) -> io::Result<Arc<Descriptor>> {
        Ok(self.count_in(self.with_descriptor(|disk| disk.open(path, how))?))
    }

    /// Does on the disk below what takes a descriptor. Where the process, or the machine, has none left, files are closed for it.
    pub(super) fn with_descriptor<T>(&self, work: impl Fn(&dyn Disk) -> io::Result<T>) -> io::Result<T> {
        match work(self.disk()) {
            Err(error) if lacks_descriptor(&error) => {
                if self.close_idle(self.at_once(), Unsynced::Keep) == 0 {
                    self.close_idle(self.at_once(), Unsynced::Sync);
                }
                work(self.disk())
            }
            done => done,
        }
    }

    /// A file of the disk below that has just been opened.
    pub(super) fn count_in(self: &Arc<OpenFiles>, file: Arc<dyn DiskFile>) -> Arc<Descriptor> {
        self.open.fetch_add(1, Ordering::Relaxed);
        self.openings.fetch_add(1, Ordering::Relaxed);
        Arc::new(Descriptor { file, files: Arc::clone(self) })
    }

    /// Closes what was used longest ago if too many are open. The caller holds no lock of a file.
    pub(super) fn make_room(&self) {
        let open = self.open.load(Ordering::Relaxed);
        if open <= self.open_max {
            return;
        }
        let hurry =
            self.patience.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err();
        if hurry && self.close_idle(open - self.open_max + self.at_once() - 1, Unsynced::Keep) == 0 {
            self.patience.store(self.at_once(), Ordering::Relaxed);
        }
        let beyond = self.open_max + (self.open_max / 2).max(UNSYNCED_MIN);
        if self.open.load(Ordering::Relaxed) > beyond {
            self.warned.call_once(|| {
                tracing::warn!(
                    "{} files may be open, and more are being written: they are synced so that they can be closed, which takes long; \
                     allow more (logdyno.open.files.max, ulimit -n)",
                    self.open_max
                );
            });
            self.close_idle(self.at_once(), Unsynced::Sync);
        }
    }

    fn at_once(&self) -> usize {
        self.open_max.div_ceil(CLOSED_AT_ONCE)
    }

    /// Closes up to `count` files that nobody uses, those first that were used longest ago; returns how many.
    fn close_idle(&self, count: usize, unsynced: Unsynced) -> usize {
        let open: Vec<Arc<BoundedFile>> = self.known().open.values().filter_map(Weak::upgrade).collect();
        let wanted = |file: &Arc<BoundedFile>| unsynced == Unsynced::Sync || file.is_durable();
        let mut closable: Vec<_> = open.into_iter().filter(wanted).map(|file| (file.last_used(), file)).collect();
        closable.sort_unstable_by_key(|(used, _)| *used);
        closable.iter().filter(|(_, file)| file.close_if_idle(unsynced)).take(count).count()
    }

    /// The files of this name that somebody holds.
    pub(super) fn named(&self, path: &Path) -> Vec<Arc<BoundedFile>> {
        let known = self.known();
        known.by_path.get(path).into_iter().flatten().filter_map(Weak::upgrade).collect()
    }

    /// As [`OpenFiles::named`]; the name no longer stands for them.
    pub(super) fn forget_name(&self, path: &Path) -> Vec<Arc<BoundedFile>> {
        let mut known = self.known();
        known.by_path.remove(path).into_iter().flatten().filter_map(|file| file.upgrade()).collect()
    }

    /// Notes what a held file is called.
    pub(super) fn put_name(&self, path: &Path, file: Weak<BoundedFile>) {
        self.known().by_path.entry(path.to_owned()).or_default().push(file);
    }

    /// Notes that a file is open.
    pub(super) fn put_open(&self, id: u64, file: Weak<BoundedFile>) {
        self.known().open.insert(id, file);
    }

    /// Notes that a file is closed.
    pub(super) fn closed(&self, id: u64) {
        self.known().open.remove(&id);
    }

    /// Nobody holds this file any more.
    pub(super) fn dropped(&self, id: u64, path: &Path) {
        let mut known = self.known();
        known.open.remove(&id);
        if let Some(files) = known.by_path.get_mut(path) {
            files.retain(|file| file.strong_count() > 0);
            if files.is_empty() {
                known.by_path.remove(path);
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}
