//! Reads from the device: demands that somebody waits for, and reads ahead.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::assembly::{Slice, assemble};
use super::callback::undisturbed;
use super::flights::Flight;
use super::flush::{block_end, block_start};
use super::memory::{Chunk, UNIT};
use super::queue::Demand;
use super::segment::Segment;
use super::shared::Shared;
use super::transfer::Transfer;
use crate::contract::Level;
use crate::error::StorageError;

/// Reads in flight at most, over all segments: with those of 1 MiB, enough for four sequential readers.
const IN_FLIGHT_MAX: usize = 16;
/// A read's largest size: 1 MiB that starts within a block and ends within another still is one read.
const READ_BYTES_MAX: u64 = (1 << 20) + UNIT as u64;

/// All reads of the ring thread.
#[derive(Default)]
pub(super) struct Reads {
    waiting: Vec<Waiting>,
    ahead: VecDeque<(Arc<Segment>, Range<u64>)>,
    /// What is being read, by segment.
    in_flight: HashMap<u64, Vec<Range<u64>>>,
    count: usize,
    /// Something has changed since demands were last looked at.
    stirred: bool,
}

/// A demand, and chunks that it holds on to, so that the cache cannot take them away before the rest is there.
struct Waiting {
    demand: Demand,
    held: BTreeMap<u64, Arc<Chunk>>,
}

/// What a demand lacks.
enum Lack {
    /// Nothing: it can be answered.
    Nothing,
    /// Bytes that are being read already.
    Patience,
    /// These bytes, which nobody reads yet.
    Bytes(Range<u64>),
}

impl Waiting {
    /// Gathers what is in memory, up to the first bytes that are not.
    fn gather(&mut self, in_flight: &[Range<u64>]) -> Lack {
        let mut patience = false;
        let mut at = block_start(self.demand.range.start);
        while at < self.demand.range.end {
            if let Some((base, chunk)) = holding(&self.held, at) {
                at = base + chunk.len() as u64;
            } else if let Some((base, chunk)) = self.demand.segment.resident().find(at) {
                self.held.insert(base, chunk);
            } else if let Some(read) = in_flight.iter().find(|read| read.contains(&at)) {
                patience = true;
                at = read.end;
            } else {
                return Lack::Bytes(at..self.demand.range.end);
            }
        }
        if patience { Lack::Patience } else { Lack::Nothing }
    }

    fn answer(self, shared: &Shared) {
        let (range, mut slices) = (self.demand.range.clone(), Vec::new());
        let mut at = range.start;
        while at < range.end {
            let (base, chunk) = holding(&self.held, at).expect("all of it has been gathered");
            let slice = Slice::new(base, Arc::clone(chunk), at..range.end);
            at += slice.len() as u64;
            slices.push(slice);
        }
        let done = self.demand.done;
        // SAFETY: the demand's range was cut at the visible mark, and `gather` has found all of it in chunks
        // that are tails up to there or completed reads.
        let bytes = unsafe { assemble(&slices, &shared.counters) };
        undisturbed(|| done(Ok(bytes)));
    }
}

/// A chunk with the byte at this position. Chunks may overlap: what was read again covers some that the cache had let go.
fn holding(held: &BTreeMap<u64, Arc<Chunk>>, at: u64) -> Option<(u64, &Arc<Chunk>)> {
    let mut before = held.range(..=at).rev();
    before.find(|(base, chunk)| at < *base + chunk.len() as u64).map(|(base, chunk)| (*base, chunk))
}

impl Reads {
    /// Somebody waits for bytes.
    pub(super) fn demand(&mut self, demand: Demand) {
        self.waiting.push(Waiting { demand, held: BTreeMap::new() });
        self.stirred = true;
    }

    /// Somebody will want bytes.
    pub(super) fn prefetch(&mut self, segment: Arc<Segment>, range: Range<u64>) {
        self.ahead.push_back((segment, range));
    }

    /// Nothing waited for.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Nothing will be read any more.
    pub(super) fn stop(&mut self) {
        for Waiting { demand, .. } in self.waiting.drain(..) {
            undisturbed(|| (demand.done)(Err(StorageError::Stopped)));
        }
    }

    /// Answers what can be answered, and returns the next read to start, if there is one.
    pub(super) fn next(&mut self, shared: &Shared) -> Option<Flight> {
        if self.stirred {
            if let Some(flight) = self.next_demanded(shared) {
                return Some(flight);
            }
            self.stirred = self.count >= IN_FLIGHT_MAX;
        }
        while self.count < IN_FLIGHT_MAX
            && let Some((segment, range)) = self.ahead.pop_front()
        {
            let Some(piece) = self.unread(&segment, range.clone()) else { continue };
            if piece.end < range.end {
                self.ahead.push_front((Arc::clone(&segment), piece.end..range.end));
            }
            // Reading ahead takes no memory from elsewhere: without room in the pool it is left out.
            let Some(chunk) = shared.chunk_or_evict((piece.end - piece.start) as usize) else { continue };
            return Some(self.start(shared, segment, piece, chunk));
        }
        None
    }

    fn next_demanded(&mut self, shared: &Shared) -> Option<Flight> {
        let mut index = 0;
        while index < self.waiting.len() {
            let segment = Arc::clone(&self.waiting[index].demand.segment);
            let in_flight = self.in_flight.get(&segment.id).map_or(&[][..], Vec::as_slice);
            match self.waiting[index].gather(in_flight) {
                Lack::Nothing => self.waiting.remove(index).answer(shared),
                Lack::Bytes(range) if self.count < IN_FLIGHT_MAX => {
                    // Somebody else may have read it in between: then the next round finds it.
                    let Some(piece) = self.unread(&segment, range) else { continue };
                    let bytes = (piece.end - piece.start) as usize;
                    match shared.chunk_or_evict(bytes).or_else(|| shared.pool.take_outside(bytes)) {
                        Some(chunk) => return Some(self.start(shared, segment, piece, chunk)),
                        None => self.waiting.remove(index).fail(io::ErrorKind::OutOfMemory.into()),
                    }
                }
                Lack::Bytes(_) | Lack::Patience => index += 1,
            }
        }
        None
    }

    /// The first piece of `range` that is neither in memory nor being read, as whole blocks; at least a
    /// unit of the pool, which it takes anyway.
    fn unread(&self, segment: &Segment, range: Range<u64>) -> Option<Range<u64>> {
        let file_end = block_end(segment.marks.reached(Level::Visible));
        let in_flight = self.in_flight.get(&segment.id).map_or(&[][..], Vec::as_slice);
        let mut start = block_start(range.start);
        let gap = loop {
            let end = range.end.max(start + UNIT as u64).min(file_end);
            let gap = segment.resident().gap(start..end)?;
            match in_flight.iter().find(|read| read.contains(&gap.start)) {
                Some(read) => start = read.end,
                None => break gap.start..gap.end.min(gap.start + READ_BYTES_MAX),
            }
            if start >= range.end {
                return None;
            }
        };
        let obstacle = in_flight.iter().map(|read| read.start).filter(|other| *other > gap.start).min();
        let piece = gap.start..block_end(gap.end).min(obstacle.unwrap_or(u64::MAX));
        (piece.start < range.end).then_some(piece)
    }

    fn start(&mut self, shared: &Shared, segment: Arc<Segment>, piece: Range<u64>, chunk: Arc<Chunk>) -> Flight {
        let len = chunk.len();
        let needed = (segment.marks.reached(Level::Visible).min(piece.end) - piece.start) as usize;
        let base = piece.start;
        self.in_flight.entry(segment.id).or_default().push(piece);
        self.count += 1;
        shared.counters.ring_reads.one();
        Flight::Read { segment, base, chunk, transfer: Transfer::new(len, needed) }
    }

    /// A read is complete: its chunk becomes part of the segment.
    pub(super) fn finished(&mut self, shared: &Shared, segment: &Arc<Segment>, base: u64, chunk: &Arc<Chunk>) {
        self.forget(segment.id, base);
        for waiting in &mut self.waiting {
            if waiting.demand.segment.id == segment.id {
                waiting.take(base, chunk);
            }
        }
        if chunk.footprint() > 0 && segment.resident().insert_read(base, chunk) {
            shared.admit(segment, vec![(base, Arc::clone(chunk))]);
        }
    }

    /// A read has failed: so have all demands that wait for any of it.
    pub(super) fn failed(&mut self, segment: &Segment, base: u64, len: usize, error: &io::Error) {
        self.forget(segment.id, base);
        let end = base + len as u64;
        let concerned = |waiting: &Waiting| {
            let Demand { segment: of, range, .. } = &waiting.demand;
            of.id == segment.id && block_start(range.start) < end && base < range.end
        };
        for waiting in self.waiting.extract_if(.., |waiting| concerned(waiting)).collect::<Vec<_>>() {
            waiting.fail(match error.raw_os_error() {
                Some(code) => io::Error::from_raw_os_error(code),
                None => io::Error::new(error.kind(), error.to_string()),
            });
        }
    }

    fn forget(&mut self, segment: u64, base: u64) {
        self.count -= 1;
        self.stirred = true;
        if let Some(reads) = self.in_flight.get_mut(&segment) {
            reads.retain(|read| read.start != base);
            if reads.is_empty() {
                self.in_flight.remove(&segment);
            }
        }
    }
}

impl Waiting {
    /// Keeps a chunk that it may have been waiting for. Chunks of reads for different demands may overlap;
    /// of two with the same start, the longer one is of more use.
    fn take(&mut self, base: u64, chunk: &Arc<Chunk>) {
        let wanted = self.demand.range.start < base + chunk.len() as u64 && base < self.demand.range.end;
        if wanted && self.held.get(&base).is_none_or(|held| held.len() < chunk.len()) {
            self.held.insert(base, Arc::clone(chunk));
        }
    }

    fn fail(self, error: io::Error) {
        let error = StorageError::from_io("read", &self.demand.segment.path, error);
        undisturbed(|| (self.demand.done)(Err(error)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uring::memory::Pool;

    /// A short one that the cache let go of in the middle of a long one that was read since.
    #[test]
    fn a_byte_is_found_in_whichever_chunk_has_it() {
        let pool = Pool::new(16 * UNIT, Arc::default()).unwrap();
        let unit = UNIT as u64;
        let held = BTreeMap::from([(0, pool.take(8 * UNIT).unwrap()), (unit, pool.take(UNIT).unwrap())]);
        let base_of = |at| holding(&held, at).map(|(base, _)| base);
        assert_eq!(
            [0, unit, 2 * unit, 8 * unit - 1, 8 * unit].map(base_of),
            [Some(0), Some(unit), Some(0), Some(0), None]
        );
    }
}
