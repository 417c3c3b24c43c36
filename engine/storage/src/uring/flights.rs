//! What is in flight: for each operation the memory that the kernel uses, and what to do when it is over.
//!
//! A flight stays in this table from before its submission until its completion has been reaped, and with it
//! the chunk or copy that the kernel reads or writes. The ring thread drops its ring, which waits for the
//! kernel, before it drops this table.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;

use super::flush::Write;
use super::memory::{BLOCK, Chunk};
use super::segment::Segment;
use super::transfer::Transfer;
use crate::seam::{Operation, Ring};

/// An operation under way.
pub(super) enum Flight {
    /// Blocks of a segment on their way to the device.
    Write { segment: Arc<Segment>, write: Write, source: Source, transfer: Transfer },
    /// Blocks on their way into a chunk that nobody else knows yet.
    Read { segment: Arc<Segment>, base: u64, chunk: Arc<Chunk>, transfer: Transfer },
    /// A sync that makes everything before `covering` durable.
    Sync { segment: Arc<Segment>, covering: u64, transfer: Transfer },
}

/// Where a write's bytes are: whole blocks in a chunk, then perhaps a copy of the last, partial block.
///
/// The copy is what makes it sound to append to a block while the kernel reads it: it does not.
pub(super) struct Source {
    pub(super) chunk: Arc<Chunk>,
    /// Where in the chunk the write starts.
    pub(super) at: usize,
    /// Bytes from there. They are published, and so never change.
    pub(super) whole: usize,
    pub(super) last: Option<Arc<PaddedBlock>>,
}

/// A copy of a segment's last block, padded with zeros.
///
/// In an `Arc` and not a `Box`: a box claims that nobody else has a pointer to its content, and the kernel does.
#[repr(C, align(4096))]
pub(super) struct PaddedBlock([u8; BLOCK]);

impl PaddedBlock {
    /// Copies `bytes` and pads them.
    pub(super) fn new(bytes: &[u8]) -> Arc<PaddedBlock> {
        let mut block = PaddedBlock([0; BLOCK]);
        block.0[..bytes.len()].copy_from_slice(bytes);
        Arc::new(block)
    }
}

/// What of several sources, one behind the other, is left behind the first `done` bytes, a whole number of blocks: for a write on the
/// caller's thread.
pub(super) fn parts_behind(sources: &[Source], done: usize) -> Vec<IoSlice<'_>> {
    let mut done = done;
    let mut parts = Vec::with_capacity(2 * sources.len());
    for part in sources.iter().flat_map(Source::parts) {
        let passed = done.min(part.len());
        done -= passed;
        // A direct write refuses an empty part: it lies nowhere, and so not at a block's start.
        if passed < part.len() {
            parts.push(IoSlice::new(&part[passed..]));
        }
    }
    parts
}

impl Source {
    fn parts(&self) -> [&[u8]; 2] {
        // SAFETY: whole blocks below a position that was appended: stored, published and never changed again.
        let whole = unsafe { self.chunk.slice(self.at..self.at + self.whole) };
        [whole, self.last.as_ref().map_or(&[], |block| &block.0[..])]
    }

    /// What is left behind the first `done` bytes, a whole number of blocks.
    fn rest(&self, done: usize) -> (*const u8, usize, Option<(*const u8, u32)>) {
        let last = self.last.as_ref().map(|block| block.0.as_ptr());
        match last {
            Some(last) if done == self.whole => (last, BLOCK, None),
            last => {
                let memory = self.chunk.pointer(self.at + done).cast_const();
                (memory, self.whole - done, last.map(|last| (last, BLOCK as u32)))
            }
        }
    }
}

impl Flight {
    /// How far it is.
    pub(super) fn transfer(&mut self) -> &mut Transfer {
        match self {
            Flight::Write { transfer, .. } | Flight::Read { transfer, .. } | Flight::Sync { transfer, .. } => transfer,
        }
    }

    /// The operation for what is left of it.
    fn operation(&self) -> Operation {
        match self {
            Flight::Write { segment, write, source, transfer } => {
                let (done, _) = transfer.rest();
                let (memory, len, then) = source.rest(done);
                let position = write.start + done as u64;
                Operation::Write { file: segment.file.clone(), memory, len: small(len), then, position }
            }
            Flight::Read { segment, base, chunk, transfer } => {
                let (done, left) = transfer.rest();
                let memory = chunk.pointer(done);
                Operation::Read { file: segment.file.clone(), memory, len: small(left), position: base + done as u64 }
            }
            Flight::Sync { segment, .. } => Operation::SyncData { file: segment.file.clone() },
        }
    }
}

/// The ring's lengths are of 32 bits, and chunks far smaller than that.
fn small(len: usize) -> u32 {
    u32::try_from(len).expect("a chunk is smaller than 4 GiB")
}

/// Flights by token.
#[derive(Default)]
pub(super) struct Flights {
    flights: Vec<Option<Flight>>,
    free: Vec<usize>,
    /// Tokens of flights that the ring had no place for.
    backlog: VecDeque<usize>,
}

impl Flights {
    /// Starts a flight. An error is a completion with that error: nothing has been submitted.
    pub(super) fn start(&mut self, ring: &mut dyn Ring, flight: Flight) -> Option<(u64, io::Error)> {
        let token = self.free.pop().unwrap_or_else(|| {
            self.flights.push(None);
            self.flights.len() - 1
        });
        self.flights[token] = Some(flight);
        self.submit(ring, token)
    }

    /// Submits what is left of a flight.
    pub(super) fn resume(&mut self, ring: &mut dyn Ring, token: u64, flight: Flight) -> Option<(u64, io::Error)> {
        let token = token as usize;
        self.flights[token] = Some(flight);
        self.submit(ring, token)
    }

    /// Submits those that had to wait for a place.
    pub(super) fn resume_backlog(&mut self, ring: &mut dyn Ring) -> Option<(u64, io::Error)> {
        while let Some(token) = self.backlog.pop_front() {
            let waiting = self.backlog.len();
            if let Some(failed) = self.submit(ring, token) {
                return Some(failed);
            }
            if self.backlog.len() > waiting {
                break;
            }
        }
        None
    }

    /// True while the ring has no place: nothing new should be started.
    pub(super) fn is_full(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// True if nothing is under way.
    pub(super) fn is_empty(&self) -> bool {
        self.free.len() == self.flights.len()
    }

    /// Takes a flight whose completion has been reaped. It goes back in by `resume`, or out by `end`.
    pub(super) fn take(&mut self, token: u64) -> Flight {
        self.flights[token as usize].take().expect("a flight completes once")
    }

    /// The token is free again.
    pub(super) fn end(&mut self, token: u64) {
        self.free.push(token as usize);
    }

    fn submit(&mut self, ring: &mut dyn Ring, token: usize) -> Option<(u64, io::Error)> {
        let operation = self.flights[token].as_ref().expect("it was put in").operation();
        // SAFETY: the memory belongs to a chunk or copy that the flight holds, and the flight stays in this
        // table until its completion has been reaped; the ring is dropped before the table. For a write, the bytes are
        // published and never change, or private to the flight. For a read, the chunk is known to the
        // flight alone.
        match unsafe { ring.submit(operation, token as u64) } {
            Ok(()) => None,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.backlog.push_back(token);
                None
            }
            Err(error) => Some((token as u64, error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::memory::{Pool, UNIT};
    use super::*;

    /// Two chunks and a partial block behind them, each a write of its own for the ring, are one for a caller: all of it, and what is left of
    /// it wherever it stops.
    #[test]
    fn what_lies_in_several_chunks_is_left_behind_any_block() {
        let pool = Pool::new(4 * UNIT, Arc::default()).unwrap();
        let source = |number: u8, at: usize, whole: usize, last: Option<Arc<PaddedBlock>>| {
            let chunk = pool.take(UNIT).unwrap();
            // SAFETY: nobody else knows the chunk yet.
            unsafe { chunk.store(0, &vec![number; UNIT]) };
            Source { chunk, at, whole, last }
        };
        let sources = [
            source(1, UNIT - 2 * BLOCK, 2 * BLOCK, None),
            source(2, 0, BLOCK, Some(PaddedBlock::new(&[3; 10]))),
            source(4, 0, 0, Some(PaddedBlock::new(&[5; BLOCK]))),
        ];
        let whole = [[1; BLOCK], [1; BLOCK], [2; BLOCK], PaddedBlock::new(&[3; 10]).0, [5; BLOCK]].concat();
        for done in (0..=whole.len()).step_by(BLOCK) {
            let parts = parts_behind(&sources, done);
            assert!(parts.iter().all(|part| !part.is_empty()));
            let bytes: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
            assert!(bytes == whole[done..], "behind {done}");
        }
    }
}
