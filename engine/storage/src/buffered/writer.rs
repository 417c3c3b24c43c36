//! The writer of a buffered file.

use std::io::IoSlice;
use std::sync::Arc;

use super::storage::BufferedFile;
use super::tail::Tail;
use crate::allocation::{Allocation, Zeroing};
use crate::contract::{Append, Level, Result, Writer};
use crate::error::{StorageError, is_disk_full};
use crate::marks::Marks;
use crate::pending_sync::PendingSync;
use crate::runtime::Runtime;
use crate::runtime::flusher::{FileSync, sync_now};
use crate::runtime::open_file::OpenFile;
use crate::runtime::recycling::Blocks;
use crate::whole_io::{uninterrupted, write_whole};

/// Combines small appends in `tail`, which holds the file from `tail.base()` to `appended`; of that,
/// everything before `written` is in the file too.
pub(super) struct BufferedWriter {
    runtime: Arc<Runtime>,
    file: Arc<BufferedFile>,
    tail: Arc<Tail>,
    allocation: Arc<Allocation>,
    capacity: u64,
    appended: u64,
    written: u64,
}

impl BufferedWriter {
    /// A writer of the file that is `len` bytes long and began with `blocks`.
    pub(super) fn new(
        runtime: Arc<Runtime>,
        file: Arc<BufferedFile>,
        (len, capacity): (u64, u64),
        blocks: Blocks,
    ) -> BufferedWriter {
        let step_max = runtime.settings.allocation_step_max;
        let allocation = Arc::new(Allocation::new(len, capacity, step_max, Zeroing::Cached, blocks));
        BufferedWriter { runtime, tail: file.tail(), file, allocation, capacity, appended: len, written: len }
    }

    fn open(&self) -> &Arc<OpenFile> {
        &self.file.open
    }

    /// Writes the combined bytes and `parts` behind them with one call, and starts a new tail behind both.
    fn write_through(&mut self, parts: &[IoSlice<'_>], len: u64) -> Result<()> {
        let end = self.appended + len;
        self.write(parts)?;
        self.start_tail(end);
        self.appended = end;
        self.open().marks.raise(Level::Visible, end);
        self.wrote(end);
        Ok(())
    }

    /// Combines from `base` on; everything before it is in the file.
    fn start_tail(&mut self, base: u64) {
        self.tail = Tail::new(base, self.runtime.settings.combine_bytes);
        self.file.set_tail(self.tail.clone());
    }

    /// Stores `parts` in the tail if they fit, if need be into a new one: but never writes.
    fn combine(&mut self, parts: &[IoSlice<'_>], len: u64) -> bool {
        let nothing_waits = self.written == self.appended;
        if len > self.tail.room(self.appended) as u64 {
            if !nothing_waits || len > self.runtime.settings.combine_bytes as u64 {
                return false;
            }
            self.start_tail(self.appended);
        }
        // SAFETY: this is the writer, and nothing from `appended` on is visible.
        unsafe { self.tail.store(self.appended, parts) };
        self.runtime.counters.bytes_copied_in.add(len);
        self.appended += len;
        self.open().marks.raise(Level::Visible, self.appended);
        true
    }

    /// Writes the combined bytes. They stay in the tail for readers.
    fn flush(&mut self) -> Result<()> {
        if self.written < self.appended {
            self.write(&[])?;
            self.wrote(self.appended);
        }
        Ok(())
    }

    /// Brings the combined bytes and `parts` to the page cache.
    fn write(&mut self, parts: &[IoSlice<'_>]) -> Result<()> {
        self.open().check()?;
        let len = parts.iter().map(|part| part.len() as u64).sum::<u64>();
        self.allocation.keep_zeros_behind(self.appended + len);
        let tail = self.tail.clone();
        // SAFETY: this is the writer, and it has stored everything before `appended`.
        let combined = unsafe { tail.bytes(self.written.max(tail.base())..self.appended.max(tail.base())) };
        let mut slices = Vec::with_capacity(parts.len() + 1);
        slices.push(IoSlice::new(combined));
        slices.extend(parts.iter().map(|part| IoSlice::new(part)));
        let (written, result) = write_whole(&*self.open().file, &mut slices, self.written, &self.runtime.counters);
        let Err(error) = result else { return Ok(()) };
        if !is_disk_full(&error) {
            return Err(self.open().fail("write", error));
        }
        self.give_back(written)?;
        Err(StorageError::NoSpace { path: self.open().path.clone() })
    }

    /// After a write that found the disk full `written` bytes on: keeps what was appended before, and cuts off
    /// what a reader after a crash could take for an append that was refused.
    fn give_back(&mut self, written: u64) -> Result<()> {
        let end = self.written + written;
        if end > self.appended {
            let cut = self.allocation.cut(self.appended, &*self.open().file);
            cut.map_err(|error| self.open().fail("truncate", error))?;
        }
        self.wrote(end.min(self.appended));
        Ok(())
    }

    /// The page cache holds everything before `end` now.
    fn wrote(&mut self, end: u64) {
        self.written = end;
        self.open().marks.raise(Level::Written, end);
        self.runtime.pacer.wrote(self.open(), end);
        if self.allocation.is_due(end) {
            let (allocation, file) = (self.allocation.clone(), self.open().file.clone());
            let counters = self.runtime.counters.clone();
            self.runtime.preparation.soon("allocate", move || allocation.extend(&*file, &counters));
        }
    }
}

impl Writer for BufferedWriter {
    fn append(&mut self, parts: &[IoSlice<'_>]) -> Result<Append> {
        let (start, len) = (self.appended, parts.iter().map(|part| part.len() as u64).sum::<u64>());
        self.open().check()?;
        if start + len > self.capacity {
            let path = self.open().path.clone();
            return Err(StorageError::Capacity { path, capacity: self.capacity, wanted: start + len });
        }
        if self.runtime.pacer.is_full(self.open(), self.written) {
            self.runtime.counters.full.one();
            return Ok(Append::Full);
        }
        if !self.combine(parts, len) {
            self.write_through(parts, len)?;
        }
        self.runtime.counters.appends.one();
        self.runtime.counters.bytes_appended.add(len);
        Ok(Append::At(start))
    }

    fn when_room(&mut self, waker: Box<dyn FnOnce() + Send>) {
        self.runtime.pacer.when_room(self.open(), self.written, waker);
    }

    fn kick(&mut self) {
        // A failure is not lost: it has poisoned the file, or the disk is full and the next call says so.
        if let Err(error) = self.flush() {
            tracing::debug!("kick: {error}");
        }
    }

    fn begin_sync(&mut self, level: Level) -> Result<PendingSync> {
        self.open().check()?;
        if level >= Level::Written {
            self.flush()?;
        }
        if level < Level::Durable || self.open().marks.reached(Level::Durable) >= self.written {
            return Ok(PendingSync::under_way(self.appended));
        }
        self.allocation.syncs();
        let (runtime, file, position) = (self.runtime.clone(), self.open().clone(), self.written);
        Ok(PendingSync::new(self.appended, FileSync { runtime, file, position }))
    }

    fn marks(&self) -> Arc<Marks> {
        self.open().marks.clone()
    }

    fn close(mut self: Box<Self>) -> Result<()> {
        self.flush()?;
        self.allocation.stop();
        let open = self.open();
        uninterrupted(|| open.file.set_len(self.appended)).map_err(|error| open.fail("truncate", error))?;
        sync_now(open, self.appended, &self.runtime.counters)
    }
}

impl Drop for BufferedWriter {
    fn drop(&mut self) {
        // Nothing may change the file's length once another writer can have it.
        self.allocation.stop();
    }
}
