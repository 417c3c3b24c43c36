//! The writer of a mapped file.

use std::io::IoSlice;
use std::sync::Arc;

use super::ahead::Ahead;
use super::file::MappedFile;
use crate::contract::{Append, Level, Result, Writer};
use crate::error::StorageError;
use crate::marks::Marks;
use crate::pending_sync::PendingSync;
use crate::runtime::Runtime;
use crate::runtime::flusher::{FileSync, sync_now};
use crate::runtime::open_file::OpenFile;
use crate::runtime::recycling::Blocks;
use crate::whole_io::uninterrupted;

/// Appends by copying into the mapping.
pub(super) struct MmapWriter {
    runtime: Arc<Runtime>,
    file: Arc<MappedFile>,
    ahead: Arc<Ahead>,
    capacity: u64,
    appended: u64,
}

impl MmapWriter {
    /// A writer of the file that is `len` bytes long and began with `blocks`.
    pub(super) fn new(
        runtime: Arc<Runtime>,
        file: Arc<MappedFile>,
        (len, capacity): (u64, u64),
        blocks: Blocks,
    ) -> MmapWriter {
        let ahead = Ahead::new(len, capacity, &runtime.settings, blocks);
        MmapWriter { runtime, file, ahead: Arc::new(ahead), capacity, appended: len }
    }

    fn open(&self) -> &Arc<OpenFile> {
        &self.file.open
    }

    /// Blocks and pages for everything before `end`. Mostly they are there already.
    fn make_ready(&self, end: u64) -> Result<()> {
        let Some(mapping) = self.file.mapping().filter(|_| end > self.ahead.ready()) else { return Ok(()) };
        let covered = self.ahead.cover(end, &*self.open().file, &**mapping, &self.runtime.counters);
        covered.map_err(|error| StorageError::from_io("populate", &self.open().path, error))
    }

    /// Has the next window made ready in the background, if it is time.
    fn prepare(&self) {
        let Some(mapping) = self.file.mapping().filter(|_| self.ahead.is_due(self.appended)) else { return };
        let (ahead, file, mapping) = (self.ahead.clone(), self.open().file.clone(), mapping.clone());
        let counters = self.runtime.counters.clone();
        self.runtime.preparation.soon("populate", move || ahead.extend(&*file, &*mapping, &counters));
    }
}

impl Writer for MmapWriter {
    fn append(&mut self, parts: &[IoSlice<'_>]) -> Result<Append> {
        let (start, len) = (self.appended, parts.iter().map(|part| part.len() as u64).sum::<u64>());
        let end = start + len;
        self.open().check()?;
        if end > self.capacity {
            let path = self.open().path.clone();
            return Err(StorageError::Capacity { path, capacity: self.capacity, wanted: end });
        }
        if self.runtime.pacer.is_full(self.open(), start) {
            self.runtime.counters.full.one();
            return Ok(Append::Full);
        }
        self.make_ready(end)?;
        // SAFETY: this is the writer, nothing from `appended` on is visible, and pages up to `end` are ready.
        unsafe { self.file.store(start, parts) };
        self.appended = end;
        self.open().marks.raise(Level::Visible, end);
        self.open().marks.raise(Level::Written, end);
        self.runtime.counters.appends.one();
        self.runtime.counters.bytes_appended.add(len);
        self.runtime.counters.bytes_copied_in.add(len);
        self.runtime.pacer.wrote(self.open(), end);
        self.prepare();
        Ok(Append::At(start))
    }

    fn when_room(&mut self, waker: Box<dyn FnOnce() + Send>) {
        self.runtime.pacer.when_room(self.open(), self.appended, waker);
    }

    fn kick(&mut self) {
        // Nothing is pending in this process: what is stored belongs to the kernel.
    }

    fn begin_sync(&mut self, level: Level) -> Result<PendingSync> {
        self.open().check()?;
        if level < Level::Durable || self.open().marks.reached(Level::Durable) >= self.appended {
            return Ok(PendingSync::under_way(self.appended));
        }
        let (runtime, file, position) = (self.runtime.clone(), self.open().clone(), self.appended);
        Ok(PendingSync::new(position, FileSync { runtime, file, position }))
    }

    fn marks(&self) -> Arc<Marks> {
        self.open().marks.clone()
    }

    fn close(self: Box<Self>) -> Result<()> {
        let open = self.open();
        open.check()?;
        self.ahead.stop();
        // Pages of the last appended byte and before stay: only they are ever lent.
        uninterrupted(|| open.file.set_len(self.appended)).map_err(|error| open.fail("truncate", error))?;
        sync_now(open, self.appended, &self.runtime.counters)
    }
}

impl Drop for MmapWriter {
    fn drop(&mut self) {
        // Nothing may change the file's length once another writer can have it.
        self.ahead.stop();
    }
}
