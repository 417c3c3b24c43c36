//! The writer: copies appends into chunks and tells the ring thread what to write.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvError, channel};
use std::time::Duration;

use super::backend::Core;
use super::commit_here::Commit;
use super::flush::{block_end, block_start};
use super::memory::{Chunk, UNIT};
use super::queue::Command;
use super::segment::Segment;
use super::shared::Shared;
use super::tail::{Tail, next_chunk_bytes};
use crate::contract::{Append, Level, Result, Writer};
use crate::error::StorageError;
use crate::marks::Marks;
use crate::pending_sync::PendingSync;
use crate::whole_io::uninterrupted;

/// The one writer of a segment.
pub(super) struct RingWriter {
    core: Arc<Core>,
    segment: Arc<Segment>,
    capacity: u64,
    /// The end of what was appended.
    position: u64,
    tail: Option<Tail>,
    /// The size of the next chunk.
    chunk_bytes: usize,
    /// Why the last append was refused.
    lack: Lack,
    closed: bool,
}

/// Of memory from outside of the pool a log gets at least so much, or what its chunks have: it has to be written before it gets more.
const OUTSIDE_BYTES_MIN: usize = 64 << 10;

/// What an append that was refused has to wait for.
#[derive(Clone, Copy)]
enum Lack {
    /// Memory or blocks: room may have appeared since this moment.
    Room(u64),
    /// The log has too much on its way: until so many of its bytes are written.
    Written(u64),
}

impl RingWriter {
    /// The writer of a segment whose bytes so far are on the device.
    ///
    /// `last_block` holds what of the last block is kept: it will be written again, with more behind it.
    pub(super) fn new(core: Arc<Core>, segment: Arc<Segment>, capacity: u64, last_block: &[u8]) -> Result<RingWriter> {
        let position = segment.marks.reached(Level::Visible);
        let mut writer = RingWriter {
            core,
            segment,
            capacity,
            position,
            tail: None,
            chunk_bytes: UNIT,
            lack: Lack::Room(0),
            closed: false,
        };
        if !last_block.is_empty() {
            assert_eq!(
                block_start(position) + last_block.len() as u64,
                position,
                "the last block ends where the file does"
            );
            writer.restore(last_block)?;
        }
        Ok(writer)
    }

    /// Begins with a chunk for the partial block alone. It is not of the pool: very many logs that are opened and stay idle would
    /// take a unit each.
    fn restore(&mut self, last_block: &[u8]) -> Result<()> {
        let no_memory = || StorageError::from_io("reopen", &self.segment.path, io::ErrorKind::OutOfMemory.into());
        let chunk = self.shared().pool.take_outside(last_block.len()).ok_or_else(no_memory)?;
        // SAFETY: nobody but this writer knows the chunk yet.
        unsafe { chunk.store(0, last_block) };
        let base = block_start(self.position);
        self.segment.resident().extend(base, Arc::clone(&chunk));
        self.tail = Some(Tail { base, chunk, since: self.ticks() });
        Ok(())
    }

    fn shared(&self) -> &Shared {
        &self.core.shared
    }

    fn ticks(&self) -> u64 {
        self.segment.ticks.load(Ordering::Relaxed)
    }

    /// Refuses what can never be appended.
    fn check(&self, bytes: usize) -> Result<()> {
        self.segment.check()?;
        let wanted = self.position + bytes as u64;
        if wanted > self.capacity {
            let path = self.segment.path.clone();
            return Err(StorageError::Capacity { path, capacity: self.capacity, wanted });
        }
        Ok(())
    }

    /// Where writing has to get before `bytes` more are taken, if the log has too much on its way to the device. A quarter of what may
    /// be: who was woken for each write that ends would append a batch and wait again.
    fn resumes_at(&self, bytes: usize) -> Option<u64> {
        let (written, may) = (self.segment.marks.reached(Level::Written), self.shared().unwritten_bytes_max() as u64);
        let is_ahead = written < self.position && self.position - written + bytes as u64 > may;
        is_ahead.then(|| self.position - may.saturating_sub(bytes as u64).min(may - may / 4))
    }

    fn refuse(&mut self, lack: Lack) -> Append {
        self.lack = lack;
        self.shared().counters.full.one();
        Append::Full
    }

    /// Has blocks for everything up to `end`, and asks for the next step when it is due. Bytes are taken only
    /// when there are blocks for them: so an accepted append never meets a full device.
    fn allocate(&self, end: u64) -> Result<()> {
        let (segment, counters) = (&self.segment, &self.shared().counters);
        // Only when nobody is at it: `fallocate` waits for direct writes in flight.
        let covered = segment.allocation.cover(block_end(end), &*segment.file, counters);
        covered.map_err(|error| StorageError::from_io("allocate", &segment.path, error))?;
        if segment.allocation.is_due(end) {
            let (segment, counters, pool) =
                (Arc::clone(segment), Arc::clone(counters), Arc::clone(&self.shared().pool));
            self.shared().preparation.soon("allocate", move || {
                let extended = segment.allocation.extend(&*segment.file, &counters);
                pool.room_appeared();
                extended
            });
        }
        Ok(())
    }

    /// Chunks behind the tail for what does not fit into it. `None` if there is no memory for them now.
    ///
    /// A log that has nothing on its way is not refused, because no completion would ever bring anything back: what
    /// the pool does not have, the tails of very many logs being in it, and what of a large append is beyond a log's
    /// share of it, comes from outside.
    fn chunks_for(&self, bytes: usize) -> Option<Vec<Arc<Chunk>>> {
        let (shared, all_written) = (self.shared(), self.segment.marks.reached(Level::Written) == self.position);
        let mut room = self.tail.as_ref().map_or(0, |tail| (tail.end() - self.position) as usize);
        let (mut chunks, mut pooled) = (Vec::new(), 0);
        while room < bytes {
            let within_share = pooled < shared.unwritten_bytes_max();
            let wanted = self.chunk_bytes.max((bytes - room).next_power_of_two()).min(shared.chunk_bytes_max());
            let chunk = match within_share.then(|| shared.tail_chunk(wanted)).flatten() {
                Some(chunk) => chunk,
                None if all_written => shared.pool.take_outside(wanted.min((bytes - room).max(OUTSIDE_BYTES_MIN)))?,
                None => return None,
            };
            (room, pooled) = (room + chunk.len(), pooled + chunk.footprint());
            chunks.push(chunk);
        }
        Some(chunks)
    }

    /// Copies the parts behind the end, across chunks. Readers see nothing of it yet.
    fn copy(&mut self, parts: &[IoSlice<'_>], fresh: Vec<Arc<Chunk>>) {
        let mut fresh = fresh.into_iter();
        for part in parts {
            let mut rest: &[u8] = part;
            while !rest.is_empty() {
                if self.tail.as_ref().is_none_or(|tail| tail.end() == self.position) {
                    self.begin_chunk(fresh.next().expect("chunks were counted before"));
                }
                let tail = self.tail.as_ref().expect("there is one now");
                let at = (self.position - tail.base) as usize;
                let (now, later) = rest.split_at(rest.len().min(tail.chunk.len() - at));
                // SAFETY: a segment has one writer, so nobody else stores into its tail. The range starts at
                // the end of what was appended; marks, which are what readers and the ring thread go by, are
                // raised over it only after the copy.
                unsafe { tail.chunk.store(at, now) };
                self.position += now.len() as u64;
                rest = later;
            }
        }
    }

    /// The tail is full: the next chunk follows it.
    fn begin_chunk(&mut self, chunk: Arc<Chunk>) {
        let now = self.ticks();
        if let Some(full) = &self.tail {
            let took = now - full.since;
            self.chunk_bytes = next_chunk_bytes(full.chunk.len(), took, self.shared().chunk_bytes_max());
        }
        let base = self.position;
        self.segment.resident().extend(base, Arc::clone(&chunk));
        self.tail = Some(Tail { base, chunk, since: now });
    }

    /// Shows the appended bytes to readers and has them written in time: at once if a chunk is full, else by the kick timer.
    /// `began` is the chunk that the append began in.
    fn publish(&mut self, began: u64) {
        self.segment.marks.raise(Level::Visible, self.position);
        let tail_base = self.tail.as_ref().map(|tail| (tail.base, tail.end()));
        let full = match tail_base {
            Some((_, end)) if end == self.position => Some(end),
            // What lies before the tail's chunk is full.
            Some((base, _)) if began < base => Some(base),
            _ => None,
        };
        let queue = &self.shared().queue;
        if let Some(end) = full
            && !self.segment.driver.has_callers()
        {
            queue.push(Command::Flush(Arc::clone(&self.segment), end));
        }
        if !self.segment.dirty.swap(true, Ordering::SeqCst) {
            queue.push(Command::Dirty(Arc::clone(&self.segment)));
        }
    }

    /// Waits until `level` has reached everything.
    fn wait(&self, level: Level) -> Result<()> {
        while !self.segment.marks.wait(level, self.position, Duration::from_secs(60))? {
            tracing::warn!(path = %self.segment.path.display(), "the device has not answered for a minute");
        }
        Ok(())
    }

    /// Waits until the ring has nothing of this segment any more.
    fn retire(&self) {
        retire(self.shared(), &self.segment);
    }

    fn cut_and_sync(&self) -> Result<()> {
        let segment = &self.segment;
        segment.allocation.stop();
        uninterrupted(|| segment.file.set_len(self.position)).map_err(|error| segment.fail("truncate", error))?;
        self.shared().counters.syncs.one();
        let synced = uninterrupted(|| segment.file.sync_data()).and_then(|()| segment.sync_entry());
        synced.map_err(|error| segment.fail("sync", error))?;
        segment.marks.raise(Level::Durable, self.position);
        Ok(())
    }
}

/// Waits until the ring has nothing of the segment in flight, and makes it forget what it has not submitted.
pub(super) fn retire(shared: &Shared, segment: &Arc<Segment>) {
    let (sender, receiver) = channel();
    shared.queue.push(Command::Retire(Arc::clone(segment), sender));
    // The sender goes away when it is so, or with the ring thread, which then has nothing in flight either.
    let Err(RecvError) = receiver.recv();
}

impl Writer for RingWriter {
    fn append(&mut self, parts: &[IoSlice<'_>]) -> Result<Append> {
        let bytes = parts.iter().map(|part| part.len()).sum();
        self.check(bytes)?;
        let counters = Arc::clone(&self.shared().counters);
        let room = Lack::Room(self.shared().pool.room.moment());
        let end = self.position + bytes as u64;
        if let Some(written) = self.resumes_at(bytes) {
            return Ok(self.refuse(Lack::Written(written)));
        }
        if self.segment.allocation.is_behind(block_end(end)) {
            return Ok(self.refuse(room));
        }
        self.allocate(end)?;
        let Some(fresh) = self.chunks_for(bytes) else {
            // What this log has on its way brings room, and is not to wait for the timer.
            self.kick();
            return Ok(self.refuse(room));
        };
        let at = self.position;
        let began = self.tail.as_ref().map_or(at, |tail| tail.base);
        self.copy(parts, fresh);
        self.publish(began);
        counters.appends.one();
        counters.bytes_appended.add(bytes as u64);
        counters.bytes_copied_in.add(bytes as u64);
        Ok(Append::At(at))
    }

    fn when_room(&mut self, waker: Box<dyn FnOnce() + Send>) {
        let shared = Arc::clone(&self.core.shared);
        match self.lack {
            Lack::Room(moment) => shared.pool.room.when_after(moment, waker, &shared.queue),
            Lack::Written(position) => {
                // What waits for the timer, or for a caller that has taken something else along, is waited for no longer.
                let full = self.tail.as_ref().map_or(self.position, |tail| tail.base);
                let end = if full < position { self.position } else { full };
                shared.queue.push(Command::Flush(Arc::clone(&self.segment), end));
                let wake = move |_| shared.pool.room.soon(waker, &shared.queue);
                self.segment.marks.when(Level::Written, position, Box::new(wake));
            }
        }
    }

    fn kick(&mut self) {
        if self.segment.marks.reached(Level::Written) < self.position {
            self.shared().queue.push(Command::Flush(Arc::clone(&self.segment), self.position));
        }
    }

    fn begin_sync(&mut self, level: Level) -> Result<PendingSync> {
        self.segment.check()?;
        let (segment, position) = (Arc::clone(&self.segment), self.position);
        if segment.marks.reached(level) < position {
            match level {
                Level::Visible => {}
                Level::Written => self.shared().queue.push(Command::Flush(segment, position)),
                Level::Durable => {
                    segment.allocation.syncs();
                    return Ok(PendingSync::new(position, Commit { core: Arc::clone(&self.core), segment, position }));
                }
            }
        }
        Ok(PendingSync::under_way(position))
    }

    fn marks(&self) -> Arc<Marks> {
        Arc::clone(&self.segment.marks)
    }

    fn close(mut self: Box<Self>) -> Result<()> {
        self.closed = true;
        self.segment.check()?;
        self.kick();
        self.wait(Level::Written)?;
        self.retire();
        self.cut_and_sync()?;
        let rest = self.segment.resident().clean_rest();
        self.shared().admit(&self.segment, rest);
        Ok(())
    }
}

impl Drop for RingWriter {
    fn drop(&mut self) {
        if !self.closed {
            // Not promised, but cheap: the bytes reach the device although nobody waits for them.
            self.kick();
            self.segment.allocation.stop();
        }
    }
}
