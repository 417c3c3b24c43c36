//! Reads by offset: whole batches, as they lie in the segment, cut by size and by an end offset.
//!
//! One look-up, two ways to the bytes: what storage has at hand is taken at once; else a [`PendingRead`] goes to
//! the device without a thread of the caller's waiting for it.

use std::sync::{Arc, PoisonError, mpsc};

use bytes::Bytes;
use logdyno_record::Offset;
use logdyno_record::batch::{BatchHeader, HEADER_LEN};
use logdyno_storage::StorageError;

use super::{Log, Result};
use crate::error::LogError;
use crate::rope::Rope;
use crate::segment::Segment;

/// What a read gave.
#[derive(Clone, Debug, Default)]
pub struct Slice {
    /// The base offset of the first batch: at or before the offset asked for. The offset asked for if there is none.
    pub first: Offset,
    /// Whole batches when joined; a piece ends where storage's memory ends, which may be within a batch.
    pub batches: Vec<Bytes>,
}

impl Slice {
    /// The offset behind the last batch; `None` if there is none.
    pub(crate) fn end(&self) -> Option<Offset> {
        let mut rope = Rope::default();
        self.batches.iter().for_each(|piece| rope.push(piece.clone()));
        let (mut at, mut end) = (0, None);
        while let Some(header) = header_at(&rope, at) {
            at += header.size();
            end = Some(header.next_offset());
        }
        end
    }

    /// Bytes of all pieces.
    pub fn size(&self) -> usize {
        self.batches.iter().map(Bytes::len).sum()
    }
}

/// The outcome of [`Log::read`].
pub enum LogRead {
    /// The bytes were at hand.
    Ready(Slice),
    /// The device has to be asked.
    Wait(PendingRead),
}

/// A read that has to go to the device.
pub struct PendingRead {
    log: Arc<Log>,
    limits: Limits,
    place: Place,
}

/// Called once with what was read, on a thread of the backend's.
type Done = Box<dyn FnOnce(Result<Slice>) + Send>;

/// What a read may return.
#[derive(Clone, Copy)]
struct Limits {
    from: Offset,
    up_to: Offset,
    max_bytes: usize,
    at_least_one: bool,
}

/// Where a read looks next: at a batch's start.
#[derive(Clone)]
struct Place {
    segment: Arc<Segment>,
    position: u64,
    len: usize,
}

/// What a look at some bytes says.
enum Look {
    /// This range of them is the answer.
    Found { first: Offset, from: usize, to: usize },
    /// Look here, at this many bytes.
    Further { position: u64, len: usize },
    /// Nothing at or behind the offset.
    Nothing,
}

impl Log {
    /// Batches from the one that holds `from`, at most `max_bytes` of them and none that reaches `up_to` or beyond.
    ///
    /// `at_least_one` gives the first batch even if it alone is over `max_bytes`. Never waits for a device.
    ///
    /// # Errors
    /// [`LogError::OutOfRange`] if `from` is before the start or behind the end.
    pub fn read(&self, from: Offset, up_to: Offset, max_bytes: usize, at_least_one: bool) -> Result<LogRead> {
        let limits = Limits { from, up_to: up_to.min(self.end_offset()), max_bytes, at_least_one };
        let Some(mut place) = self.place(&limits)? else {
            return Ok(LogRead::Ready(Slice { first: from, batches: Vec::new() }));
        };
        loop {
            let Some(rope) = self.at_hand(&place)? else {
                let log = self.itself.upgrade().ok_or_else(|| self.storage_error(StorageError::Stopped))?;
                return Ok(LogRead::Wait(PendingRead { log, limits, place }));
            };
            match self.look(&limits, &mut place, &rope)? {
                Some(slice) => return Ok(LogRead::Ready(slice)),
                None => continue,
            }
        }
    }

    /// As [`Log::read`], waiting for the device on this thread.
    pub fn read_blocking(&self, from: Offset, up_to: Offset, max_bytes: usize, at_least_one: bool) -> Result<Slice> {
        match self.read(from, up_to, max_bytes, at_least_one)? {
            LogRead::Ready(slice) => Ok(slice),
            LogRead::Wait(pending) => {
                let (sender, read) = mpsc::sync_channel(1);
                // The receiver only goes away with the waiting thread itself.
                pending.begin(Box::new(move |slice| drop(sender.send(slice))));
                read.recv().map_err(|_| self.storage_error(StorageError::Stopped))?
            }
        }
    }

    /// Where to start looking; `None` if there is nothing to return.
    fn place(&self, limits: &Limits) -> Result<Option<Place>> {
        // The list before the start: a deletion moves the start first, so a list that lacks what is asked for is noticed.
        let segments = self.segments();
        let (start, end) = (self.start_offset(), self.end_offset());
        if limits.from < start || limits.from > end {
            return Err(LogError::OutOfRange { partition: self.partition.clone(), offset: limits.from, start, end });
        }
        if limits.from >= limits.up_to || (limits.max_bytes == 0 && !limits.at_least_one) {
            return Ok(None);
        }
        let at = segments.partition_point(|segment| segment.base <= limits.from).saturating_sub(1);
        let Some(segment) = segments.get(at).cloned() else { return Ok(None) };
        let position = segment.contents().offsets.floor(segment.base, limits.from);
        let len = limits.max_bytes.max(HEADER_LEN).saturating_add(self.scan_slack());
        Ok(Some(Place { segment, position, len }))
    }

    /// Up to this many bytes lie between an index entry and the batch that is looked for, large batches apart.
    fn scan_slack(&self) -> usize {
        usize::try_from(self.config().index_interval_bytes.saturating_mul(2)).unwrap_or(usize::MAX).min(1 << 20)
    }

    /// The bytes of a place if none of them needs the device.
    fn at_hand(&self, place: &Place) -> Result<Option<Rope>> {
        let mut rope = Rope::default();
        let end = place.segment.contents().size;
        let wanted = place.len.min(usize::try_from(end.saturating_sub(place.position)).unwrap_or(usize::MAX));
        while rope.len() < wanted {
            let position = place.position + rope.len() as u64;
            let piece = place.segment.reader.read_cached(position, wanted - rope.len());
            match piece.map_err(|source| self.storage_error(source))? {
                None => return Ok(None),
                Some(piece) if piece.is_empty() => break,
                Some(piece) => rope.push(piece),
            }
        }
        Ok(Some(rope))
    }

    /// Takes the answer out of the bytes of a place, or moves the place on.
    fn look(&self, limits: &Limits, place: &mut Place, rope: &Rope) -> Result<Option<Slice>> {
        let size = place.segment.contents().size;
        let looked = look(limits, place.position, size, rope);
        if self.is_replaced(&place.segment) {
            // A truncation came between: what lies there now need not be what the index spoke of.
            return Ok(Some(Slice { first: limits.from, batches: Vec::new() }));
        }
        let ended = (rope.len() as u64) < (place.len as u64).min(size - place.position.min(size));
        match looked {
            Look::Found { first, from, to } => Ok(Some(Slice { first, batches: rope.slice(from, to) })),
            Look::Further { position, len } => {
                if position == place.position && (ended || len <= rope.len()) {
                    return Err(self.unreadable(place, "the bytes there are no batch"));
                }
                place.position = position;
                place.len = len.max(place.len);
                Ok(None)
            }
            Look::Nothing => {
                let next = self.segment_after(&place.segment);
                if place.segment.contents().size > size {
                    // It has grown since it was looked at, perhaps by what is looked for, and been rolled.
                    return Ok(None);
                }
                match next.filter(|_| !self.is_replaced(&place.segment)) {
                    Some(next) => {
                        place.position = 0;
                        place.segment = next;
                        Ok(None)
                    }
                    None => Ok(Some(Slice { first: limits.from, batches: Vec::new() })),
                }
            }
        }
    }

    /// Whether a truncation has put another in this segment's place, or nothing.
    fn is_replaced(&self, segment: &Arc<Segment>) -> bool {
        if segment.is_retired() {
            return false;
        }
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        !segments.iter().rev().any(|current| Arc::ptr_eq(current, segment))
    }

    fn segment_after(&self, segment: &Segment) -> Option<Arc<Segment>> {
        self.segments().into_iter().find(|other| other.base > segment.base)
    }

    fn unreadable(&self, place: &Place, why: &str) -> LogError {
        LogError::Corrupt {
            partition: self.partition.clone(),
            file: place.segment.file(),
            position: place.position,
            why: why.to_owned(),
            recovery_point: self.recovery_point(),
        }
    }
}

impl PendingRead {
    /// Reads, and calls `done` on a thread of the backend's.
    pub fn begin(self, done: Box<dyn FnOnce(Result<Slice>) + Send>) {
        let PendingRead { log, limits, place } = self;
        go_on(log, limits, place, done);
    }
}

fn go_on(log: Arc<Log>, limits: Limits, mut place: Place, done: Done) {
    let reader = Arc::clone(&place.segment.reader);
    let (position, len) = (place.position, place.len);
    reader.begin_read(
        position,
        len,
        Box::new(move |read| {
            let mut rope = Rope::default();
            let looked = read.map_err(|source| log.storage_error(source)).and_then(|bytes| {
                rope.push(bytes);
                log.look(&limits, &mut place, &rope)
            });
            match looked {
                Ok(Some(slice)) => done(Ok(slice)),
                Ok(None) => go_on(log, limits, place, done),
                Err(error) => done(Err(error)),
            }
        }),
    );
}

/// Finds the batches to return in bytes that start at a batch, at `position` of a segment of `size` bytes.
fn look(limits: &Limits, position: u64, size: u64, rope: &Rope) -> Look {
    let mut at = 0;
    let mut found: Option<(Offset, usize)> = None;
    loop {
        let here = position + at as u64;
        let header = (here < size).then(|| header_at(rope, at)).flatten();
        let found_so_far = |to| found.map(|(first, from)| Look::Found { first, from, to });
        // The bytes end here, not the batches: where the index was too sparse for what was read, it is read again from the first batch on.
        let cut_short = || {
            let from = found.map(|(_, from)| from).filter(|from| *from > 0)?;
            let wanted = limits.max_bytes.min(usize::try_from(size - position - from as u64).unwrap_or(usize::MAX));
            let further = Look::Further { position: position + from as u64, len: limits.max_bytes };
            (rope.len() - from < wanted).then_some(further)
        };
        let Some(header) = header else {
            let further = Look::Further { position: here, len: HEADER_LEN };
            let ended = || found_so_far(at).unwrap_or(if here < size { further } else { Look::Nothing });
            return cut_short().unwrap_or_else(ended);
        };
        if header.last_offset() < limits.from {
            at += header.size();
            continue;
        }
        let start = found.map_or(at, |(_, from)| from);
        let fits = at + header.size() - start <= limits.max_bytes || (found.is_none() && limits.at_least_one);
        if !fits || header.next_offset() > limits.up_to {
            return found_so_far(at).unwrap_or(Look::Found { first: limits.from, from: at, to: at });
        }
        if at + header.size() > rope.len() {
            let further = Look::Further { position: here, len: header.size() };
            return cut_short().unwrap_or_else(|| found_so_far(at).unwrap_or(further));
        }
        found.get_or_insert((header.base_offset, at));
        at += header.size();
    }
}

fn header_at(rope: &Rope, at: usize) -> Option<BatchHeader> {
    let mut bytes = [0; HEADER_LEN];
    rope.copy_to(at, &mut bytes).then(|| BatchHeader::parse(&bytes).ok())?
}
