//! A directory's names and its small files: the same on every backend.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::contract::Result;
use crate::counters::Counters;
use crate::entries::{Entries, Entry};
use crate::error::StorageError;
use crate::runtime::recycling::SET_ASIDE;
use crate::seam::{Disk, DiskFile, Open};
use crate::whole_io::{read_whole, uninterrupted, write_whole};

/// Marks a file that takes another one's name once it is whole.
pub(crate) const TEMPORARY: &str = ".tmp";

/// What [`crate::Storage`] promises about a directory, without segment writers and readers.
pub struct Directory {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    entries: Arc<Entries>,
    /// Small files are not what the backend's counters are about.
    uncounted: Counters,
}

impl Directory {
    /// Opens `path`, creating it durably if it is missing, and removes what a crash left half written (`*.tmp`) or set aside.
    pub fn open(disk: Arc<dyn Disk>, path: &Path) -> Result<Directory> {
        disk.create_dir_all(path).map_err(|error| StorageError::from_io("create directory", path, error))?;
        let entries = Entries::new(Arc::clone(&disk), path);
        let (path, uncounted) = (path.to_owned(), Counters::default());
        let directory = Directory { disk: Arc::clone(&disk), path, entries, uncounted };
        let mut leftovers = directory.names()?;
        leftovers.retain(|name| name.ends_with(TEMPORARY) || name.ends_with(SET_ASIDE));
        for path in leftovers.iter().map(|name| directory.path_of(name)) {
            match disk.remove(&path) {
                // Who had the directory open before has just let go of what it had set aside.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed.map_err(|error| StorageError::from_io("remove", &path, error))?,
            }
        }
        if !leftovers.is_empty() {
            directory.sync_entries()?;
        }
        Ok(directory)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file of this directory.
    pub fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Makes a file. Before anything of it counts as durable, its name has to be: [`Entry::make_durable`].
    pub fn create(&self, name: &str, direct: bool) -> Result<(Arc<dyn DiskFile>, Entry)> {
        let file = self.open_file(name, Open { create_new: true, direct, ..Open::default() })?;
        Ok((file, self.made()))
    }

    /// A file has just got a name.
    pub(crate) fn made(&self) -> Entry {
        self.entries.make()
    }

    /// Opens a file that exists, and whose name is durable from here on.
    pub fn open_durable(&self, name: &str, direct: bool) -> Result<Arc<dyn DiskFile>> {
        let file = self.open_existing(name, direct)?;
        self.entries.sync_new().map_err(|error| self.not_synced(error))?;
        Ok(file)
    }

    /// Opens a file that exists.
    pub fn open_existing(&self, name: &str, direct: bool) -> Result<Arc<dyn DiskFile>> {
        self.open_file(name, Open { direct, ..Open::default() })
    }

    /// Names of all files, but for those that are set aside.
    pub fn list(&self) -> Result<Vec<String>> {
        let mut names = self.names()?;
        names.retain(|name| !name.ends_with(SET_ASIDE));
        Ok(names)
    }

    fn names(&self) -> Result<Vec<String>> {
        let files = self.disk.list(&self.path).map_err(|error| StorageError::from_io("list", &self.path, error))?;
        Ok(files.iter().filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect())
    }

    /// Removes a file durably, and gives back its descriptor: dropping that frees the blocks, which takes long.
    pub fn remove(&self, name: &str) -> Result<Arc<dyn DiskFile>> {
        let path = self.path_of(name);
        let file = self.open_existing(name, false)?;
        self.disk.remove(&path).map_err(|error| StorageError::from_io("remove", &path, error))?;
        self.sync_entries()?;
        Ok(file)
    }

    /// Renames a file durably.
    pub fn rename(&self, from: &str, to: &str) -> Result<()> {
        let (from, to) = (self.path_of(from), self.path_of(to));
        self.disk.rename(&from, &to).map_err(|error| StorageError::from_io("rename", &from, error))?;
        self.sync_entries()
    }

    /// Replaces a small file: the old content or the new one, whatever happens.
    pub fn replace(&self, name: &str, content: &[u8]) -> Result<()> {
        let temporary = format!("{name}{TEMPORARY}");
        let file = self.write_small(&temporary, content)?;
        uninterrupted(|| file.sync_data())
            .map_err(|error| StorageError::from_io("sync", &self.path_of(&temporary), error))?;
        self.rename(&temporary, name)
    }

    /// Writes a small file that can be rebuilt, without syncing it.
    pub fn write_rebuildable(&self, name: &str, content: &[u8]) -> Result<()> {
        self.write_small(name, content).map(drop)
    }

    /// Starts to read a small file.
    pub fn prefetch(&self, name: &str) {
        // What is wrong with it, its reader will be told.
        let started = self.disk.open(&self.path_of(name), Open::default());
        started.and_then(|file| file.read_ahead(0..file.len()?)).ok();
    }

    /// A small file whole; `None` if it does not exist.
    pub fn load(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let path = self.path_of(name);
        let fail = |error| StorageError::from_io("read", &path, error);
        let file = match self.disk.open(&path, Open::default()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(|error| StorageError::from_io("open", &path, error))?,
        };
        let mut content = vec![0; file.len().map_err(fail)? as usize];
        let len = read_whole(&*file, &mut content, 0, usize::MAX, &self.uncounted).map_err(fail)?;
        content.truncate(len);
        Ok(Some(content))
    }

    /// Makes all that the kernel holds of this directory's files, and their names, durable.
    pub fn sync_all(&self) -> Result<()> {
        for name in self.list()? {
            let file = self.open_existing(&name, false)?;
            uninterrupted(|| file.sync_data())
                .map_err(|error| StorageError::from_io("sync", &self.path_of(&name), error))?;
        }
        self.sync_entries()
    }

    /// Makes the names durable.
    pub fn sync_entries(&self) -> Result<()> {
        self.entries.sync().map_err(|error| self.not_synced(error))
    }

    fn not_synced(&self, error: io::Error) -> StorageError {
        StorageError::from_io("sync directory", &self.path, error)
    }

    fn open_file(&self, name: &str, how: Open) -> Result<Arc<dyn DiskFile>> {
        let path = self.path_of(name);
        let operation = if how.create_new { "create" } else { "open" };
        self.disk.open(&path, how).map_err(|error| StorageError::from_io(operation, &path, error))
    }

    fn write_small(&self, name: &str, content: &[u8]) -> Result<Arc<dyn DiskFile>> {
        let file = self.open_file(name, Open { create: true, ..Open::default() })?;
        let written = uninterrupted(|| file.set_len(0))
            .and_then(|()| write_whole(&*file, &mut [IoSlice::new(content)], 0, &self.uncounted).1);
        written.map_err(|error| StorageError::from_io("write", &self.path_of(name), error))?;
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seam::simulated::SimulatedDisk;

    #[test]
    fn a_file_that_was_prefetched_is_loaded_without_waiting() {
        let disk = SimulatedDisk::new(1);
        let directory = Directory::open(Arc::new(disk.clone()), Path::new("/d")).unwrap();
        directory.replace("index", b"content").unwrap();
        disk.cool();
        directory.prefetch("index");
        directory.prefetch("there is none");
        disk.hold_device();
        assert_eq!(directory.load("index").unwrap().as_deref(), Some(&b"content"[..]));
        disk.release_device();
    }
}
