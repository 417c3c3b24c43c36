//! The reader: lends what is in memory, has the ring thread read what is not.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::assembly::{Slice, assemble};
use super::backend::Core;
use super::memory::UNIT;
use super::queue::{Command, Demand};
use super::segment::Segment;
use crate::contract::{Level, ReadDone, Reader, Result};

/// A piece of this size is worth an answer of its own: rather than copying it together with the next
/// chunk's, it is lent, and the caller comes back for the rest.
const LEND_BYTES_MIN: usize = UNIT;

/// A reader of a segment.
pub(super) struct RingReader {
    core: Arc<Core>,
    segment: Arc<Segment>,
}

impl RingReader {
    /// A reader of a segment.
    pub(super) fn new(core: Arc<Core>, segment: Arc<Segment>) -> RingReader {
        RingReader { core, segment }
    }

    /// The asked bytes that exist.
    fn visible(&self, position: u64, len: usize) -> Range<u64> {
        let end = self.len();
        position.min(end)..position.saturating_add(len as u64).min(end)
    }

    /// What memory holds of `range` from its start on, without a gap, in so many chunks.
    fn in_memory(&self, range: &Range<u64>, chunks_max: usize) -> Vec<Slice> {
        let resident = self.segment.resident();
        let (mut slices, mut at) = (Vec::new(), range.start);
        while at < range.end
            && slices.len() < chunks_max
            && let Some((base, chunk)) = resident.find(at)
        {
            chunk.touch();
            let slice = Slice::new(base, chunk, at..range.end);
            at += slice.len() as u64;
            slices.push(slice);
        }
        slices
    }

    /// All of `range`, if it is in memory.
    fn cached_whole(&self, range: &Range<u64>) -> Option<Bytes> {
        let slices = self.in_memory(range, usize::MAX);
        let len: usize = slices.iter().map(Slice::len).sum();
        if len as u64 != range.end - range.start {
            return None;
        }
        // SAFETY: `range` was cut at the visible mark by an acquiring load, and what lies in a chunk before
        // that mark is published; chunks of reads enter the segment when they are complete.
        Some(unsafe { assemble(&slices, &self.core.shared.counters) })
    }

    /// The start of `range`, as much of it as is worth an answer; `None` if its first byte is not in memory.
    fn cached_start(&self, range: &Range<u64>) -> Option<Bytes> {
        let mut slices = self.in_memory(range, 2);
        let first = slices.first()?.len();
        if first >= LEND_BYTES_MIN {
            slices.truncate(1);
        } else if let [_, second] = &mut slices[..] {
            second.truncate(LEND_BYTES_MIN);
        }
        // SAFETY: as in `cached_whole`.
        Some(unsafe { assemble(&slices, &self.core.shared.counters) })
    }

    /// Notes what was read, and has read ahead what will be wanted next.
    fn look_ahead(&self, read: Range<u64>) {
        for piece in self.segment.streams().note(read, self.ahead_bytes_max()) {
            self.ask_for(piece);
        }
    }

    /// Half of what the cache keeps.
    fn ahead_bytes_max(&self) -> u64 {
        self.core.shared.cache.bytes_max() as u64 / 2
    }

    /// Has the missing part of a range read, for nobody in particular.
    fn ask_for(&self, range: Range<u64>) {
        let range = range.start..range.end.min(self.segment.marks.reached(Level::Written));
        let missing = if range.is_empty() { None } else { self.segment.resident().gap(range.clone()) };
        if missing.is_some() {
            self.core.shared.queue.push(Command::Prefetch(Arc::clone(&self.segment), range));
        }
    }
}

impl Reader for RingReader {
    fn len(&self) -> u64 {
        self.segment.marks.reached(Level::Visible)
    }

    fn read_cached(&self, position: u64, len: usize) -> Result<Option<Bytes>> {
        let range = self.visible(position, len);
        if range.is_empty() {
            return Ok(Some(Bytes::new()));
        }
        let bytes = self.cached_start(&range);
        if let Some(bytes) = &bytes {
            self.core.shared.counters.reads_cached.one();
            self.look_ahead(range.start..range.start + bytes.len() as u64);
        }
        Ok(bytes)
    }

    fn begin_read(&self, position: u64, len: usize, done: ReadDone) {
        let range = self.visible(position, len);
        if range.is_empty() {
            return done(Ok(Bytes::new()));
        }
        let counters = &self.core.shared.counters;
        if let Some(bytes) = self.cached_whole(&range) {
            counters.reads_cached.one();
            self.look_ahead(range);
            return done(Ok(bytes));
        }
        counters.reads_cold.one();
        let (segment, queue) = (Arc::clone(&self.segment), &self.core.shared.queue);
        queue.push(Command::Read(Demand { segment, range: range.clone(), done }));
        // After the demand, so that what somebody waits for is read first.
        self.look_ahead(range);
    }

    fn prefetch(&self, position: u64, len: usize) {
        let bytes_max = usize::try_from(self.ahead_bytes_max()).unwrap_or(usize::MAX);
        self.ask_for(self.visible(position, len.min(bytes_max)));
    }
}
