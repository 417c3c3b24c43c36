//! A storage that keeps files in memory and does nothing else, on the caller's thread: what a log itself costs.

use std::collections::BTreeMap;
use std::io::IoSlice;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use logdyno_engine::storage::contract::ReadDone;
use logdyno_engine::storage::{Append, Level, Marks, PendingSync, Reader, Result, Storage, Writer};

/// A directory without a disk.
#[derive(Default)]
pub(crate) struct Nowhere(Mutex<BTreeMap<String, File>>);

/// A file's content, shared by its writer and its readers, and how far it is.
#[derive(Clone, Default)]
struct File {
    content: Arc<Mutex<BytesMut>>,
    marks: Arc<Marks>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Nowhere {
    fn file(&self, name: &str) -> File {
        lock(&self.0).entry(name.to_owned()).or_default().clone()
    }

    fn put(&self, name: &str, content: &[u8]) -> Result<()> {
        *lock(&self.file(name).content) = BytesMut::from(content);
        Ok(())
    }
}

impl Storage for Nowhere {
    fn create(&self, name: &str, capacity: u64) -> Result<Box<dyn Writer>> {
        let file = self.file(name);
        // What a growing vector moves is not the log's.
        lock(&file.content).reserve((capacity as usize).min(64 << 20));
        Ok(Box::new(file))
    }

    fn reopen(&self, name: &str, valid_len: u64, _: u64) -> Result<Box<dyn Writer>> {
        let file = self.file(name);
        lock(&file.content).truncate(valid_len as usize);
        Ok(Box::new(file))
    }

    fn reader(&self, name: &str) -> Result<Arc<dyn Reader>> {
        Ok(Arc::new(self.file(name)))
    }

    fn list(&self) -> Result<Vec<String>> {
        Ok(lock(&self.0).keys().cloned().collect())
    }

    fn remove(&self, name: &str) -> Result<()> {
        lock(&self.0).remove(name);
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        let moved = lock(&self.0).remove(from);
        lock(&self.0).extend(moved.map(|file| (to.to_owned(), file)));
        Ok(())
    }

    fn replace(&self, name: &str, content: &[u8]) -> Result<()> {
        self.put(name, content)
    }

    fn write_rebuildable(&self, name: &str, content: &[u8]) -> Result<()> {
        self.put(name, content)
    }

    fn load(&self, name: &str) -> Result<Option<Vec<u8>>> {
        Ok(lock(&self.0).get(name).map(|file| lock(&file.content).to_vec()))
    }

    fn sync_all(&self) -> Result<()> {
        Ok(())
    }
}

impl Writer for File {
    fn append(&mut self, parts: &[IoSlice<'_>]) -> Result<Append> {
        let mut content = lock(&self.content);
        let start = content.len() as u64;
        parts.iter().for_each(|part| content.extend_from_slice(part));
        let end = content.len() as u64;
        drop(content);
        [Level::Durable, Level::Written, Level::Visible].into_iter().for_each(|level| self.marks.raise(level, end));
        Ok(Append::At(start))
    }

    fn when_room(&mut self, waker: Box<dyn FnOnce() + Send>) {
        waker();
    }

    fn kick(&mut self) {}

    fn begin_sync(&mut self, _: Level) -> Result<PendingSync> {
        Ok(PendingSync::under_way(lock(&self.content).len() as u64))
    }

    fn marks(&self) -> Arc<Marks> {
        Arc::clone(&self.marks)
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

impl Reader for File {
    fn len(&self) -> u64 {
        lock(&self.content).len() as u64
    }

    fn read_cached(&self, position: u64, len: usize) -> Result<Option<Bytes>> {
        let content = lock(&self.content);
        let start = (position as usize).min(content.len());
        Ok(Some(Bytes::copy_from_slice(&content[start..start.saturating_add(len).min(content.len())])))
    }

    fn begin_read(&self, position: u64, len: usize, done: ReadDone) {
        done(self.read_cached(position, len).map(Option::unwrap_or_default));
    }

    fn prefetch(&self, _: u64, _: usize) {}
}
