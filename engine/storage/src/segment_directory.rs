//! A directory of which a backend's segments are: what is removed of it is recycled, and a full disk is given back what waits for that.

use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use crate::contract::Result;
use crate::directory::Directory;
use crate::entries::Entry;
use crate::error::StorageError;
use crate::runtime::recycling::{Blocks, Recycling};
use crate::seam::{Disk, DiskFile};

/// A [`Directory`] whose removed segments are the next ones' blocks.
pub(crate) struct SegmentDirectory {
    directory: Directory,
    recycling: Arc<Recycling>,
}

/// A file that has just been made.
pub(crate) struct NewFile {
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) entry: Entry,
    /// What it began with: as many zeros, and the blocks for them.
    pub(crate) blocks: Blocks,
}

impl SegmentDirectory {
    /// As [`Directory::open`].
    pub(crate) fn open(disk: Arc<dyn Disk>, path: &Path, recycling: &Arc<Recycling>) -> Result<SegmentDirectory> {
        Ok(SegmentDirectory { directory: Directory::open(disk, path)?, recycling: Arc::clone(recycling) })
    }

    /// As [`Directory::create`], for a file of up to `capacity` bytes.
    pub(crate) fn create_segment(&self, name: &str, capacity: u64, direct: bool) -> Result<NewFile> {
        if let Some((file, blocks)) = self.recycling.take(&self.path_of(name), capacity, direct) {
            return Ok(NewFile { file, entry: self.made(), blocks });
        }
        let (file, entry) = self.or_with_room(|| self.create(name, direct))?;
        Ok(NewFile { file, entry, blocks: self.no_blocks() })
    }

    /// Of a file that is opened.
    pub(crate) fn no_blocks(&self) -> Blocks {
        Blocks::none(&self.recycling)
    }

    /// Removes a file durably. Its blocks may be recycled, and are not freed on this thread.
    pub(crate) fn remove_segment(&self, name: &str) -> Result<()> {
        let Some(removed) = self.recycling.set_aside(&self.path_of(name)) else {
            self.recycling.free(self.remove(name)?);
            return Ok(());
        };
        let synced = self.sync_entries();
        // The name may come back if that failed, and then with all bytes.
        if synced.is_ok() {
            self.recycling.make_ready(removed)
        } else {
            self.recycling.give_up(removed)
        }
        synced
    }

    /// As [`Directory::replace`].
    pub(crate) fn replace(&self, name: &str, content: &[u8]) -> Result<()> {
        self.or_with_room(|| self.directory.replace(name, content))
    }

    /// As [`Directory::write_rebuildable`].
    pub(crate) fn write_rebuildable(&self, name: &str, content: &[u8]) -> Result<()> {
        self.or_with_room(|| self.directory.write_rebuildable(name, content))
    }

    /// Does it again if there was no space and now is some.
    fn or_with_room<T>(&self, work: impl Fn() -> Result<T>) -> Result<T> {
        match work() {
            Err(StorageError::NoSpace { .. }) if self.recycling.give_back() => work(),
            done => done,
        }
    }
}

impl Deref for SegmentDirectory {
    type Target = Directory;

    fn deref(&self) -> &Directory {
        &self.directory
    }
}

impl Drop for SegmentDirectory {
    fn drop(&mut self) {
        self.recycling.forget(self.directory.path());
    }
}
