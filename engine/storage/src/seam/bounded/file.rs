//! A file that is open when it is used, and may be closed in between.

use std::io::{self, IoSlice};
use std::ops::Range;
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

use super::open_files::{Descriptor, OpenFiles};
use crate::seam::{DiskFile, FileIdentity, Mapping, Open};
use crate::whole_io::uninterrupted;

/// A file as those hold it who work with it.
pub(super) struct BoundedFile {
    itself: Weak<BoundedFile>,
    files: Arc<OpenFiles>,
    id: u64,
    direct: bool,
    place: RwLock<Place>,
    /// Operations that may have left something to sync. Counted when they are done: before, they hold the descriptor.
    changes: AtomicU64,
    /// So many of them are durable.
    durable: AtomicU64,
    last_used: AtomicU64,
    failed: OnceLock<i32>,
}

/// What becomes of files that are not durable when others are closed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unsynced {
    Keep,
    Sync,
}

struct Place {
    path: PathBuf,
    descriptor: Option<Arc<Descriptor>>,
    /// What must be found under the name; known once the file has been closed.
    identity: Option<FileIdentity>,
    /// It has no name any more, or its descriptor's number was given away.
    held: bool,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(0);

impl BoundedFile {
    pub(super) fn new(
        files: &Arc<OpenFiles>,
        path: &Path,
        direct: bool,
        descriptor: Arc<Descriptor>,
    ) -> Arc<BoundedFile> {
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let place = Place { path: path.to_owned(), descriptor: Some(descriptor), identity: None, held: false };
        let file = Arc::new_cyclic(|itself| BoundedFile {
            itself: Weak::clone(itself),
            files: Arc::clone(files),
            id,
            direct,
            place: RwLock::new(place),
            changes: AtomicU64::new(0),
            durable: AtomicU64::new(0),
            last_used: AtomicU64::new(files.now()),
            failed: OnceLock::new(),
        });
        files.put_name(path, Arc::downgrade(&file));
        files.put_open(id, Arc::downgrade(&file));
        file
    }

    /// The descriptor, for as long as the answer is held.
    pub(super) fn descriptor(&self) -> io::Result<Arc<Descriptor>> {
        if let Some(descriptor) = self.descriptor_if_open() {
            return Ok(descriptor);
        }
        let naming = self.files.naming();
        let opened = self.open_in(&mut self.place_mut())?;
        drop(naming);
        self.files.make_room();
        Ok(opened)
    }

    fn descriptor_if_open(&self) -> Option<Arc<Descriptor>> {
        self.last_used.store(self.files.now(), Ordering::Relaxed);
        self.place().descriptor.clone()
    }

    /// Opens the file by its name. Names stay what they are meanwhile.
    fn open_in(&self, place: &mut Place) -> io::Result<Arc<Descriptor>> {
        if let Some(descriptor) = &place.descriptor {
            return Ok(Arc::clone(descriptor));
        }
        let opened = self.files.open(&place.path, Open { direct: self.direct, ..Open::default() })?;
        if place.identity != Some(opened.file.identity()?) {
            return Err(io::Error::new(io::ErrorKind::NotFound, "another file has taken its name"));
        }
        place.descriptor = Some(Arc::clone(&opened));
        self.files.put_open(self.id, Weak::clone(&self.itself));
        Ok(opened)
    }

    /// The file stays open until nobody holds it. The caller keeps names from changing.
    ///
    /// One that has lost its name behind this disk's back, with a folder that was renamed, cannot be helped any more, and need not be.
    pub(super) fn hold_open(&self) -> io::Result<()> {
        let mut place = self.place_mut();
        if place.held {
            return Ok(());
        }
        match self.open_in(&mut place) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            opened => {
                place.held = opened.is_ok();
                opened.map(drop)
            }
        }
    }

    /// The file has another name now.
    pub(super) fn set_path(&self, path: &Path) {
        path.clone_into(&mut self.place_mut().path);
        self.files.put_name(path, Weak::clone(&self.itself));
    }

    /// When it was used, in openings of files.
    pub(super) fn last_used(&self) -> u64 {
        self.last_used.load(Ordering::Relaxed)
    }

    /// Whether everything done to it so far has been synced.
    pub(super) fn is_durable(&self) -> bool {
        self.changes.load(Ordering::Acquire) == self.durable.load(Ordering::Acquire)
    }

    /// Closes the file unless it is in use, must stay open, or has something to sync that `unsynced` leaves alone; true if it did.
    ///
    /// Does not wait for a file that is busy: its lock may be held by somebody who closes others.
    pub(super) fn close_if_idle(&self, unsynced: Unsynced) -> bool {
        let Ok(mut place) = self.place.try_write() else { return false };
        if place.held {
            return false;
        }
        // Nobody else has it, and nobody gets it while the lock is held: what others did is seen here.
        let Some(descriptor) = place.descriptor.as_mut().and_then(Arc::get_mut) else { return false };
        if !self.is_durable() && (unsynced == Unsynced::Keep || !self.sync_alone(&*descriptor.file)) {
            return false;
        }
        let Ok(identity) = descriptor.file.identity() else { return false };
        place.identity = Some(identity);
        let closed = place.descriptor.take();
        self.files.closed(self.id);
        drop(closed);
        true
    }

    /// Syncs the file while nobody else has it. The kernel tells of a failed writeback once: if it is now, those who sync the file
    /// themselves are told from here on.
    fn sync_alone(&self, file: &dyn DiskFile) -> bool {
        if self.check().is_err() {
            return false;
        }
        let changes = self.changes();
        match uninterrupted(|| file.sync_data()) {
            Ok(()) => self.has_synced(changes),
            Err(error) => drop(self.failed.set(error.raw_os_error().unwrap_or(libc::EIO))),
        }
        self.is_durable()
    }

    /// The error of a sync that nobody was told of yet, for ever: a second attempt would prove nothing.
    pub(super) fn check(&self) -> io::Result<()> {
        self.failed.get().map_or(Ok(()), |errno| Err(io::Error::from_raw_os_error(*errno)))
    }

    /// How many changes a sync that begins now makes durable.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// A change is done, or has failed; the descriptor is still held.
    pub(super) fn has_changed(&self) {
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// A sync that began after so many changes is done.
    pub(super) fn has_synced(&self, changes: u64) {
        self.durable.fetch_max(changes, Ordering::Release);
    }

    fn with<T>(&self, operation: impl FnOnce(&dyn DiskFile) -> io::Result<T>) -> io::Result<T> {
        operation(&*self.descriptor()?.file)
    }

    fn changing<T>(&self, operation: impl FnOnce(&dyn DiskFile) -> io::Result<T>) -> io::Result<T> {
        self.with(|file| {
            let done = operation(file);
            self.has_changed();
            done
        })
    }

    fn place(&self) -> RwLockReadGuard<'_, Place> {
        self.place.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn place_mut(&self) -> RwLockWriteGuard<'_, Place> {
        self.place.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for BoundedFile {
    fn drop(&mut self) {
        let place = self.place.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.files.dropped(self.id, &place.path);
    }
}

impl DiskFile for BoundedFile {
    fn len(&self) -> io::Result<u64> {
        self.with(|file| file.len())
    }

    fn write_at(&self, parts: &[IoSlice<'_>], position: u64) -> io::Result<usize> {
        self.changing(|file| file.write_at(parts, position))
    }

    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.with(|file| file.read_at(buffer, position))
    }

    fn read_at_nowait(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        // Opening may wait for the device.
        let descriptor = self.descriptor_if_open().ok_or(io::ErrorKind::WouldBlock)?;
        descriptor.file.read_at_nowait(buffer, position)
    }

    fn allocate(&self, range: Range<u64>) -> io::Result<()> {
        self.changing(|file| file.allocate(range))
    }

    fn zero(&self, range: Range<u64>) -> io::Result<()> {
        self.changing(|file| file.zero(range))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.changing(|file| file.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.with(|file| {
            self.check()?;
            let changes = self.changes();
            file.sync_data()?;
            self.has_synced(changes);
            Ok(())
        })
    }

    fn write_back(&self, range: Range<u64>, wait: bool) -> io::Result<()> {
        self.with(|file| file.write_back(range, wait))
    }

    fn read_ahead(&self, range: Range<u64>) -> io::Result<()> {
        self.with(|file| file.read_ahead(range))
    }

    fn forget(&self, range: Range<u64>) -> io::Result<()> {
        self.with(|file| file.forget(range))
    }

    /// Stores into the mapping are seen by nobody. A descriptor that is opened after they failed to reach the device is told of it all
    /// the same if no other was (Linux since 4.17), and the mapping keeps the kernel from forgetting the file.
    fn map(&self, len: u64) -> io::Result<Arc<dyn Mapping>> {
        self.with(|file| file.map(len))
    }

    fn raw_fd(&self) -> Option<RawFd> {
        let _naming = self.files.naming();
        let mut place = self.place_mut();
        let descriptor = self.open_in(&mut place).ok()?;
        place.held = true;
        descriptor.file.raw_fd()
    }

    fn direct_alignment(&self) -> io::Result<u32> {
        self.with(|file| file.direct_alignment())
    }

    fn identity(&self) -> io::Result<FileIdentity> {
        self.with(|file| file.identity())
    }
}
