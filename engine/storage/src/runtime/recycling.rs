//! What becomes of removed files: their blocks are for the next files of the same directory, or are freed.
//!
//! A block that a file system has just taken from its free ones can be slow to write, because something below has to find it first: a
//! sparse image, a thinly provisioned device, with `discard` after each removal. Past the page cache, ext4 over virtio took 1.0 to 1.2 GB/s
//! into new blocks, and 1.6 to 2.0 into those of a removed file, as much as over written ones. And whoever frees blocks
//! delays the syncs of the moment. So a file that nobody else holds is not removed but set aside under another name, and a later file of
//! its directory begins as it. (XFS frees the blocks of a range that is zeroed, and takes others: nothing is gained there, nor lost.)
//!
//! **No byte of the old file is seen in the new one.** The blocks are marked as never written (`FALLOC_FL_ZERO_RANGE`), durably, before they
//! are given away: the new file is what `fallocate` makes of a new one, and recovery need not know.
//!
//! **Nobody's bytes change under him.** Set aside is only what has no other holder in this process, no descriptor in another one and
//! no second name ([`Disk::take_over`]).
//!
//! **Space.** What is set aside, and what of it lies ahead of the writers that have taken it, is bounded over all directories; what came first
//! goes first, and on a full disk all that nobody has taken. It goes with its directory, too, and is removed by the next
//! [`Directory::open`](crate::Directory::open) after a crash, as Kafka would by its name.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::counters::Counters;
use crate::registry::Settings;
use crate::runtime::workers::Workers;
use crate::seam::{Disk, DiskFile, Open};
use crate::whole_io::uninterrupted;

/// Ends the name of what is set aside. Kafka removes a `.deleted` file when it starts.
pub(crate) const SET_ASIDE: &str = ".recycled.deleted";

/// A directory has no more than these, however many are removed at once: a short log would else take several times what is kept of it.
const OF_A_DIRECTORY_MAX: usize = 4;

/// So many removed files may wait until they are freed, and as many until they are zeroed: each is a descriptor.
const WAITING_MAX: usize = 16;

/// What one backend has set aside, and the thread for what takes long.
pub(crate) struct Recycling {
    disk: Arc<dyn Disk>,
    counters: Arc<Counters>,
    bytes_min: u64,
    bytes_max: u64,
    /// The file system cannot zero a range.
    impossible: AtomicBool,
    set_aside: AtomicU64,
    spares: Mutex<Spares>,
    /// Bytes of taken files that their writers have not come to.
    taken: AtomicU64,
    freeing: Arc<AtomicUsize>,
    workers: Workers,
}

#[derive(Default)]
struct Spares {
    zeroing: Vec<Spare>,
    /// The oldest first.
    ready: VecDeque<Spare>,
}

/// A file that is set aside.
#[derive(Clone, PartialEq)]
struct Spare {
    path: PathBuf,
    len: u64,
}

/// A file that has lost its name and is not zeroed yet.
pub(crate) struct Removed {
    file: Arc<dyn DiskFile>,
    spare: Spare,
}

impl Recycling {
    /// Sets files aside as `settings` say. Starts the thread.
    pub(crate) fn start(
        disk: &Arc<dyn Disk>,
        settings: &Settings,
        counters: &Arc<Counters>,
    ) -> io::Result<Arc<Recycling>> {
        Ok(Arc::new(Recycling {
            disk: Arc::clone(disk),
            counters: Arc::clone(counters),
            bytes_min: settings.recycle_bytes_min.max(1),
            bytes_max: settings.recycle_bytes_max,
            impossible: AtomicBool::new(false),
            set_aside: AtomicU64::new(0),
            spares: Mutex::default(),
            taken: AtomicU64::new(0),
            freeing: Arc::default(),
            workers: Workers::start("storage-free", 1)?,
        }))
    }

    /// Takes away the name `path` and keeps the file's blocks; `None`, and nothing is done, if that cannot be. The caller makes it durable that
    /// the name is gone, and then says what to do.
    pub(crate) fn set_aside(&self, path: &Path) -> Option<Removed> {
        let len = self.disk.open(path, Open::default()).and_then(|file| file.len()).ok()?;
        if len < self.bytes_min || len > self.bytes_max || self.impossible.load(Ordering::Relaxed) {
            return None;
        }
        let number = self.set_aside.fetch_add(1, Ordering::Relaxed);
        let spare = Spare { path: path.with_file_name(format!("{number}{SET_ASIDE}")), len };
        if !self.reserve(&spare) {
            return None;
        }
        // An error is met again by the removal that follows, which tells of it.
        let taken = self.disk.take_over(path, &spare.path).ok().flatten();
        let removed = taken.map(|file| Removed { file, spare: spare.clone() });
        if removed.is_none() {
            self.withdraw(&spare);
        }
        removed
    }

    /// Has its blocks made ready for another file.
    pub(crate) fn make_ready(self: &Arc<Recycling>, removed: Removed) {
        let recycling = Arc::clone(self);
        self.workers.run(move || recycling.zero(removed));
    }

    /// Has its blocks freed.
    pub(crate) fn give_up(&self, removed: Removed) {
        self.withdraw(&removed.spare);
        self.remove(&removed.spare);
        self.free(removed.file);
    }

    /// Closes a file that has been removed: its blocks are freed by the thread and not by the remover's, unless that removes files faster
    /// than they are freed.
    pub(crate) fn free(&self, removed: Arc<dyn DiskFile>) {
        if self.freeing.fetch_add(1, Ordering::Relaxed) >= WAITING_MAX {
            self.freeing.fetch_sub(1, Ordering::Relaxed);
            return drop(removed);
        }
        let freeing = Arc::clone(&self.freeing);
        self.workers.run(move || {
            drop(removed);
            freeing.fetch_sub(1, Ordering::Relaxed);
        });
    }

    /// Gives the longest file of `dir` that is not longer than `capacity` the name `to`, and opens it: it reads as zeros.
    pub(crate) fn take(
        self: &Arc<Recycling>,
        to: &Path,
        capacity: u64,
        direct: bool,
    ) -> Option<(Arc<dyn DiskFile>, Blocks)> {
        let spare = {
            let mut spares = self.spares();
            let fits = |spare: &Spare| spare.len <= capacity && spare.path.parent() == to.parent();
            let candidates = spares.ready.iter().enumerate().filter(|(_, spare)| fits(spare));
            let (longest, _) = candidates.max_by_key(|(_, spare)| spare.len)?;
            let spare = spares.ready.remove(longest)?;
            self.taken.fetch_add(spare.len, Ordering::Relaxed);
            spare
        };
        let blocks = Blocks { recycling: Arc::clone(self), len: spare.len, ahead: spare.len };
        let file = self.disk.open(&spare.path, Open { direct, ..Open::default() });
        match file.and_then(|file| self.disk.rename_new(&spare.path, to).map(|()| file)) {
            Ok(file) => {
                self.counters.recycled.one();
                Some((file, blocks))
            }
            Err(error) => {
                tracing::debug!("{} does not become {}: {error}", spare.path.display(), to.display());
                self.remove_and_free(&spare);
                None
            }
        }
    }

    /// Lets go of what is set aside of `dir`.
    pub(crate) fn forget(&self, dir: &Path) {
        let is_of_dir = |spare: &Spare| spare.path.parent() == Some(dir);
        let gone = self.withdraw_where(is_of_dir);
        gone.iter().for_each(|spare| self.remove_and_free(spare));
    }

    /// On a full disk: removes all that nobody has taken; true if that gives room at once.
    pub(crate) fn give_back(&self) -> bool {
        let gone = self.withdraw_where(|_| true);
        gone.iter().for_each(|spare| self.remove(spare));
        !gone.is_empty()
    }

    /// Makes room for `spare`, at the expense of older ones; false if there is none.
    fn reserve(&self, spare: &Spare) -> bool {
        let (mut removed, mut spares) = (Vec::new(), self.spares());
        let is_of_same = |other: &&Spare| other.path.parent() == spare.path.parent();
        let of_same = spares.zeroing.iter().chain(&spares.ready).filter(is_of_same).count();
        let others = spares.zeroing.iter().map(|spare| spare.len).sum::<u64>() + self.taken.load(Ordering::Relaxed);
        let is_too_many = of_same >= OF_A_DIRECTORY_MAX || spares.zeroing.len() >= WAITING_MAX;
        if is_too_many || others + spare.len > self.bytes_max {
            return false;
        }
        while others + spares.ready.iter().map(|spare| spare.len).sum::<u64>() + spare.len > self.bytes_max {
            removed.extend(spares.ready.pop_front());
        }
        spares.zeroing.push(spare.clone());
        drop(spares);
        removed.iter().for_each(|spare| self.remove_and_free(spare));
        true
    }

    fn zero(&self, Removed { file, spare }: Removed) {
        // Its directory may be gone, or the disk full.
        let is_wanted = || self.spares().zeroing.contains(&spare);
        let zeroed = if is_wanted() { self.zero_durably(&*file, &spare) } else { Ok(false) };
        let mut spares = self.spares();
        let is_wanted = spares.zeroing.extract_if(.., |other| *other == spare).next().is_some();
        if is_wanted && matches!(zeroed, Ok(true)) {
            return spares.ready.push_back(spare);
        }
        drop(spares);
        if let Err(error) = zeroed {
            tracing::debug!("{} cannot be recycled: {error}", spare.path.display());
        }
        self.remove(&spare);
    }

    /// False if the file is another one than was set aside.
    fn zero_durably(&self, file: &dyn DiskFile, spare: &Spare) -> io::Result<bool> {
        if uninterrupted(|| file.len())? != spare.len {
            return Ok(false);
        }
        let zeroed = uninterrupted(|| file.zero(0..spare.len));
        let is_unsupported = |error: &io::Error| error.kind() == io::ErrorKind::Unsupported;
        self.impossible.fetch_or(zeroed.as_ref().is_err_and(is_unsupported), Ordering::Relaxed);
        zeroed.and_then(|()| uninterrupted(|| file.sync_data())).map(|()| true)
    }

    /// It is not to become ready.
    fn withdraw(&self, spare: &Spare) {
        self.spares().zeroing.retain(|other| other != spare);
    }

    /// Those that are ready, and no longer are; what is being zeroed does not become ready.
    fn withdraw_where(&self, goes: impl Fn(&Spare) -> bool) -> Vec<Spare> {
        let mut spares = self.spares();
        spares.zeroing.retain(|spare| !goes(spare));
        let (gone, left) = spares.ready.drain(..).partition::<Vec<Spare>, _>(goes);
        spares.ready = left.into();
        gone
    }

    fn remove(&self, spare: &Spare) {
        if let Err(error) = self.disk.remove(&spare.path) {
            // With its folder, perhaps; else the next start removes it.
            tracing::debug!("could not remove {}: {error}", spare.path.display());
        }
    }

    fn remove_and_free(&self, spare: &Spare) {
        let file = self.disk.open(&spare.path, Open::default());
        self.remove(spare);
        if let Ok(file) = file {
            self.free(file);
        }
    }

    fn spares(&self) -> MutexGuard<'_, Spares> {
        self.spares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The blocks that a file began with: as long as its writer has not come to them, they count as set aside.
pub(crate) struct Blocks {
    recycling: Arc<Recycling>,
    len: u64,
    ahead: u64,
}

impl Blocks {
    /// Of a file that began with none.
    pub(crate) fn none(recycling: &Arc<Recycling>) -> Blocks {
        Blocks { recycling: Arc::clone(recycling), len: 0, ahead: 0 }
    }

    /// The writer needs those before `end`.
    pub(crate) fn need(&mut self, end: u64) {
        let ahead = self.len.saturating_sub(end).min(self.ahead);
        self.recycling.taken.fetch_sub(self.ahead - ahead, Ordering::Relaxed);
        self.ahead = ahead;
    }

    /// As [`Recycling::give_back`].
    pub(crate) fn give_back(&self) -> bool {
        self.recycling.give_back()
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        self.need(u64::MAX);
    }
}

#[cfg(test)]
impl Blocks {
    /// On a backend that sets nothing aside.
    pub(crate) fn of_nobody() -> Blocks {
        let settings = Settings { recycle_bytes_max: 0, ..Settings::default() };
        let disk: Arc<dyn Disk> = Arc::new(crate::seam::simulated::SimulatedDisk::new(0));
        Blocks::none(&Recycling::start(&disk, &settings, &Arc::default()).unwrap())
    }
}
