//! What a directory of segments does in the same way on every backend.

use std::sync::Arc;

use crate::contract::{Reader, Result, Storage, Writer};
use crate::live::Live;
use crate::segment_directory::SegmentDirectory;

/// A directory of which a backend says how its segments are opened: what else [`Storage`] is asked, is the directory's.
pub(crate) trait Segments: Send + Sync {
    /// What a segment's writer and its readers share.
    type File: Send + Sync;

    fn directory(&self) -> &SegmentDirectory;

    /// Which segments are open.
    fn live(&self) -> &Live<Self::File>;

    /// [`Storage::create`].
    fn create(&self, name: &str, capacity: u64) -> Result<Box<dyn Writer>>;

    /// [`Storage::reopen`].
    fn reopen(&self, name: &str, valid_len: u64, capacity: u64) -> Result<Box<dyn Writer>>;

    /// [`Storage::reader`].
    fn reader(&self, name: &str) -> Result<Arc<dyn Reader>>;
}

impl<S: Segments> Storage for S {
    fn create(&self, name: &str, capacity: u64) -> Result<Box<dyn Writer>> {
        Segments::create(self, name, capacity)
    }

    fn reopen(&self, name: &str, valid_len: u64, capacity: u64) -> Result<Box<dyn Writer>> {
        Segments::reopen(self, name, valid_len, capacity)
    }

    fn reader(&self, name: &str) -> Result<Arc<dyn Reader>> {
        Segments::reader(self, name)
    }

    fn list(&self) -> Result<Vec<String>> {
        self.directory().list()
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.directory().remove_segment(name)?;
        self.live().forget(name);
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.directory().rename(from, to)?;
        self.live().rename(from, to);
        Ok(())
    }

    fn replace(&self, name: &str, content: &[u8]) -> Result<()> {
        self.directory().replace(name, content)
    }

    fn write_rebuildable(&self, name: &str, content: &[u8]) -> Result<()> {
        self.directory().write_rebuildable(name, content)
    }

    fn prefetch(&self, name: &str) {
        self.directory().prefetch(name);
    }

    fn load(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.directory().load(name)
    }

    fn sync_all(&self) -> Result<()> {
        self.directory().sync_all()
    }
}
