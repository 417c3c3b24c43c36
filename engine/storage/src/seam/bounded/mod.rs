//! A disk of which only so many files are open at a time, however many the backends above hold.
//!
//! A log has a file for each segment and a data directory thousands of logs, but a process has a bounded number of descriptors.
//! Below this disk, files that nobody has used for longest are closed when too many are open, and opened again, by
//! their name, by the next operation on them. Those above see none of it:
//!
//! * **What is in use stays open**: each operation, also one in a ring, holds the descriptor that it works on until it is done.
//! * **What is not durable stays open** from the first write to the sync behind the last one. The kernel tells of a failed
//!   writeback once, to the descriptors that were open at the time. Where so many files are written that the bound is passed by
//!   half, the one that was used longest ago is synced and closed; if that fails, the next sync of it says so.
//! * **Names change only through this disk**, and what is open below a changed name is known: a renamed file is opened by its
//!   new name, one that is removed or replaced is opened before it loses its name, and stays open for those who hold it.
//! * **A name that another process, or a caller past this disk, has given to another file** is an error, not that file's
//!   bytes: each file is known by its [`FileIdentity`].
//! * **Nobody waits who must not**: a read that may not wait for the device is told so of a closed file.
//!
//! A mapping lives without the descriptor that it was made with: mapped files are closed as others are.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::file::BoundedFile;
use self::open_files::OpenFiles;
use self::ring::BoundedRing;
use super::{Disk, DiskFile, Open, Ring};

mod file;
mod open_files;
mod ring;

/// Another disk, of which a bounded number of files is open.
pub(crate) struct BoundedDisk {
    files: Arc<OpenFiles>,
}

impl BoundedDisk {
    /// At most `open_max` files of `disk` are open, but for those that must be.
    pub(crate) fn new(disk: Arc<dyn Disk>, open_max: usize) -> BoundedDisk {
        BoundedDisk { files: Arc::new(OpenFiles::new(disk, open_max)) }
    }
}

impl Disk for BoundedDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        let naming = self.files.naming();
        let descriptor = self.files.open(path, how)?;
        let file = BoundedFile::new(&self.files, path, how.direct, descriptor);
        drop(naming);
        self.files.make_room();
        Ok(file)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.files.disk().create_dir_all(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        self.files.with_descriptor(|disk| disk.list(dir))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let _naming = self.files.renaming();
        // Whose name is taken has none by which it could be opened again.
        self.files.named(to).iter().try_for_each(|replaced| replaced.hold_open())?;
        self.files.disk().rename(from, to)?;
        drop(self.files.forget_name(to));
        self.files.forget_name(from).iter().for_each(|file| file.set_path(to));
        Ok(())
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        let _naming = self.files.renaming();
        self.files.disk().rename_new(from, to)?;
        self.files.forget_name(from).iter().for_each(|file| file.set_path(to));
        Ok(())
    }

    /// Who holds a file that is closed just now is known here only.
    fn take_over(&self, from: &Path, to: &Path) -> io::Result<Option<Arc<dyn DiskFile>>> {
        let _naming = self.files.renaming();
        if !self.files.named(from).is_empty() {
            return Ok(None);
        }
        let taken = self.files.with_descriptor(|disk| disk.take_over(from, to))?;
        Ok(taken.map(|file| BoundedFile::new(&self.files, to, false, self.files.count_in(file)) as Arc<dyn DiskFile>))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let _naming = self.files.renaming();
        self.files.named(path).iter().try_for_each(|removed| removed.hold_open())?;
        self.files.disk().remove(path)?;
        drop(self.files.forget_name(path));
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.files.with_descriptor(|disk| disk.sync_dir(dir))
    }

    fn ring(&self, entries: u32) -> io::Result<Box<dyn Ring>> {
        Ok(Box::new(BoundedRing::new(self.files.disk().ring(entries)?)))
    }
}

#[cfg(test)]
mod tests;
