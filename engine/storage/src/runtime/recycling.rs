//! What becomes of removed files: their blocks are for the next files of the same directory, or are freed.
//!
//! A block that a file system has just taken from its free ones can be slow to write, because something below has to find it first: a
//! sparse image, a thinly provisioned device, with `discard` after each removal. Past the page cache, ext4 over virtio took 1.0 to 1.2 GB/s
//! into new blocks, and 1.6 to 2.0 into those of a removed file, as much as over written ones. And whoever frees blocks
//! delays the syncs of the moment. So a file that nobody else holds is not removed but set aside under another name, and a later file of
//! its directory begins as it.
//!
//! **No byte of the old file is seen in the new one.** The blocks are marked as never written (`FALLOC_FL_ZERO_RANGE`), durably, before they
//! are given away: the new file is what `fallocate` makes of a new one, and recovery need not know.
//!
//! **Nobody's bytes change under him.** Set aside is only what has no other holder in this process, no descriptor in another one and
//! no second name ([`Disk::take_over`]).
//!
//! **Space.** What is set aside is bounded over all directories; what came first goes first, and on a full disk all of it. It goes with its
//! directory, too, and is removed by the next [`Directory::open`](crate::Directory::open) after a crash, as Kafka would by its name.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::counters::Counters;
use crate::registry::Settings;
use crate::runtime::workers::Workers;
use crate::seam::{Disk, DiskFile};
use crate::whole_io::uninterrupted;

/// Ends the name of what is set aside. Kafka removes a `.deleted` file when it starts.
pub(crate) const SET_ASIDE: &str = ".recycled.deleted";

/// So many removed files may wait until they are freed: each is a descriptor.
const FREEING_MAX: usize = 16;

/// What one backend has set aside, and the thread for what takes long.
pub(crate) struct Recycling {
    disk: Arc<dyn Disk>,
    counters: Arc<Counters>,
    bytes_min: u64,
    bytes_max: u64,
    set_aside: AtomicU64,
    spares: Mutex<Spares>,
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
            set_aside: AtomicU64::new(0),
            spares: Mutex::default(),
            freeing: Arc::default(),
            workers: Workers::start("storage-free", 1)?,
        }))
    }

    /// One that sets nothing aside.
    #[cfg(test)]
    pub(crate) fn none() -> Arc<Recycling> {
        let settings = Settings { recycle_bytes_max: 0, ..Settings::default() };
        let disk: Arc<dyn Disk> = Arc::new(crate::seam::simulated::SimulatedDisk::new(0));
        Recycling::start(&disk, &settings, &Arc::default()).unwrap()
    }

    /// Takes away the name `path` and keeps the file's blocks; false, and nothing is done, if that cannot be. The name is gone durably
    /// with the next sync of its directory. The thread makes the blocks ready.
    pub(crate) fn set_aside(self: &Arc<Recycling>, path: &Path) -> bool {
        let Some(len) = self.disk.open(path, Default::default()).and_then(|file| file.len()).ok() else { return false };
        if len < self.bytes_min || len > self.bytes_max {
            return false;
        }
        let number = self.set_aside.fetch_add(1, Ordering::Relaxed);
        let spare = Spare { path: path.with_file_name(format!("{number}{SET_ASIDE}")), len };
        if !self.reserve(&spare) {
            return false;
        }
        // An error is met again by the removal that follows, which tells of it.
        let Some(file) = self.disk.take_over(path, &spare.path).ok().flatten() else {
            self.spares().zeroing.retain(|other| *other != spare);
            return false;
        };
        let recycling = Arc::clone(self);
        self.workers.run(move || recycling.make_ready(&*file, spare));
        true
    }

    /// Closes a file that has been removed: its blocks are freed by the thread and not by the remover's, unless that removes files faster
    /// than they are freed.
    pub(crate) fn free(&self, removed: Arc<dyn DiskFile>) {
        if self.freeing.fetch_add(1, Ordering::Relaxed) >= FREEING_MAX {
            self.freeing.fetch_sub(1, Ordering::Relaxed);
            return drop(removed);
        }
        let freeing = Arc::clone(&self.freeing);
        self.workers.run(move || {
            drop(removed);
            freeing.fetch_sub(1, Ordering::Relaxed);
        });
    }

    /// The name of a file of `dir` that reads as zeros and is not longer than `capacity`: the longest. It is the caller's from now on.
    pub(crate) fn take(&self, dir: &Path, capacity: u64) -> Option<PathBuf> {
        let mut spares = self.spares();
        let fits = |spare: &Spare| spare.len <= capacity && spare.path.parent() == Some(dir);
        let candidates = spares.ready.iter().enumerate().filter(|(_, spare)| fits(spare));
        let (longest, _) = candidates.max_by_key(|(_, spare)| spare.len)?;
        spares.ready.remove(longest).map(|spare| spare.path)
    }

    /// A file was made of what [`Recycling::take`] gave.
    pub(crate) fn used(&self) {
        self.counters.recycled.one();
    }

    /// Lets go of what is set aside of `dir`.
    pub(crate) fn forget(&self, dir: &Path) {
        let is_of_dir = |spare: &Spare| spare.path.parent() == Some(dir);
        self.spares().zeroing.retain(|spare| !is_of_dir(spare));
        self.remove_where(is_of_dir);
    }

    /// On a full disk: removes all that is set aside; true if there was something.
    pub(crate) fn give_back(&self) -> bool {
        self.remove_where(|_| true)
    }

    /// Makes room for `spare`, at the expense of older ones; false if there is none.
    fn reserve(&self, spare: &Spare) -> bool {
        let mut removed = Vec::new();
        let is_room = {
            let mut spares = self.spares();
            while spares.bytes() + spare.len > self.bytes_max
                && let Some(oldest) = spares.ready.pop_front()
            {
                removed.push(oldest);
            }
            let is_room = spares.bytes() + spare.len <= self.bytes_max;
            spares.zeroing.extend(is_room.then(|| spare.clone()));
            is_room
        };
        removed.iter().for_each(|spare| self.remove(spare));
        is_room
    }

    fn make_ready(&self, file: &dyn DiskFile, spare: Spare) {
        let zeroed = uninterrupted(|| file.zero(0..spare.len)).and_then(|()| uninterrupted(|| file.sync_data()));
        let mut spares = self.spares();
        // Else its directory is gone.
        let is_wanted = spares.zeroing.extract_if(.., |other| *other == spare).next().is_some();
        if is_wanted && zeroed.is_ok() {
            return spares.ready.push_back(spare);
        }
        drop(spares);
        if let Err(error) = zeroed {
            tracing::debug!("{} cannot be recycled: {error}", spare.path.display());
        }
        self.remove(&spare);
    }

    fn remove_where(&self, goes: impl Fn(&Spare) -> bool) -> bool {
        let gone: Vec<Spare> = {
            let mut spares = self.spares();
            let (gone, left) = spares.ready.drain(..).partition(goes);
            spares.ready = left;
            VecDeque::into(gone)
        };
        gone.iter().for_each(|spare| self.remove(spare));
        !gone.is_empty()
    }

    fn remove(&self, spare: &Spare) {
        if let Err(error) = self.disk.remove(&spare.path) {
            // With its folder, perhaps; else the next start removes it.
            tracing::debug!("could not remove {}: {error}", spare.path.display());
        }
    }

    fn spares(&self) -> MutexGuard<'_, Spares> {
        self.spares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spares {
    fn bytes(&self) -> u64 {
        self.zeroing.iter().chain(&self.ready).map(|spare| spare.len).sum()
    }
}
