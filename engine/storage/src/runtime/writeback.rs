//! Streaming to the device while appends go on, and the bound on what is on its way.
//!
//! Left alone, the kernel writes dirty pages back late and all at once, and then puts the writer to sleep
//! (`balance_dirty_pages`). Here writeback starts after each step behind the tail (`sync_file_range`), and
//! once too much is under way the writer answers [`crate::Append::Full`] instead of being stopped.
//! None of this makes anything durable.

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::counters::Counters;
use crate::runtime::open_file::OpenFile;
use crate::runtime::workers::Workers;
use crate::seam::real::PAGE;
use crate::whole_io::uninterrupted;

type Waker = Box<dyn FnOnce() + Send>;

/// How far one file's writeback is.
pub(crate) struct WriteBack {
    /// Writeback has been asked for up to here. Moved by the writer alone.
    requested: AtomicU64,
    /// Up to here nothing is under way any more.
    finished: AtomicU64,
    room: Mutex<Vec<Waker>>,
}

impl WriteBack {
    pub(crate) fn new(len: u64) -> WriteBack {
        WriteBack { requested: len.into(), finished: len.into(), room: Mutex::default() }
    }

    /// Everything before `position` has reached the device.
    pub(crate) fn finish(&self, position: u64) {
        self.finished.fetch_max(position, Ordering::AcqRel);
        self.wake();
    }

    /// Bytes before `position` that may still be on their way.
    fn under_way(&self, position: u64) -> u64 {
        position.saturating_sub(self.finished.load(Ordering::Acquire))
    }

    /// Calls everyone who waits for room: they look for themselves whether there is enough.
    pub(crate) fn wake(&self) {
        let wakers = std::mem::take(&mut *self.room.lock().unwrap_or_else(PoisonError::into_inner));
        for waker in wakers {
            waker();
        }
    }
}

/// The thread that starts writeback and, when much is under way, waits for the oldest.
pub(crate) struct Pacer {
    workers: Workers,
    pace: Pace,
    counters: Arc<Counters>,
}

#[derive(Clone, Copy)]
struct Pace {
    step: u64,
    limit: u64,
}

impl Pacer {
    /// Starts writeback each `step` bytes; a file with more than `limit` under way is full.
    ///
    /// The limit is at least two steps: one may wait to be complete while the rest drains.
    pub(crate) fn start(step: u64, limit: u64, counters: Arc<Counters>) -> io::Result<Pacer> {
        let pace = Pace { step: step.max(1), limit: limit.max(2 * step) };
        Ok(Pacer { workers: Workers::start("storage-writeback", 1)?, pace, counters })
    }

    /// The kernel holds the file up to `written` now: starts writeback if another step is complete.
    ///
    /// The page that the tail is in stays out: it would be written again, and under a mapping the next store
    /// would fault because writeback has protected it.
    pub(crate) fn wrote(&self, file: &Arc<OpenFile>, written: u64) {
        let before = file.write_back.requested.load(Ordering::Relaxed);
        let written = written - written % PAGE as u64;
        if written < before + self.pace.step {
            return;
        }
        file.write_back.requested.store(written, Ordering::Relaxed);
        let (file, counters, pace) = (file.clone(), self.counters.clone(), self.pace);
        self.workers.run(move || {
            // A failure has poisoned the file: its writer and its waiters know.
            if write_back(&file, before..written, pace, &counters).is_err() {
                tracing::debug!(path = %file.path.display(), "writeback stopped");
            }
        });
    }

    /// True if an append must wait: too much of what the kernel holds is on its way to the device.
    pub(crate) fn is_full(&self, file: &OpenFile, written: u64) -> bool {
        file.write_back.under_way(written) > self.pace.limit
    }

    /// Calls `waker` once there is room, at once if there is.
    pub(crate) fn when_room(&self, file: &OpenFile, written: u64, waker: Waker) {
        file.write_back.room.lock().unwrap_or_else(PoisonError::into_inner).push(waker);
        if !self.is_full(file, written) || file.marks.is_poisoned() {
            file.write_back.wake();
        }
    }
}

fn write_back(file: &OpenFile, range: Range<u64>, pace: Pace, counters: &Counters) -> crate::contract::Result<()> {
    let ask = |range: Range<u64>, wait: bool| {
        file.check()?;
        uninterrupted(|| file.file.write_back(range.clone(), wait)).map_err(|error| file.fail("writeback", error))
    };
    counters.write_backs.one();
    let_go_of_pages(file, range.clone());
    ask(range.clone(), false)?;
    // Waiting begins at half the bound, so that a steady writer meets room and not the bound.
    while file.write_back.under_way(range.end) > pace.limit / 2 {
        let oldest = file.write_back.finished.load(Ordering::Acquire);
        let end = range.end.min(oldest + pace.step);
        ask(oldest..end, true)?;
        file.write_back.finish(end);
    }
    Ok(())
}

/// Takes mapped pages out of the page table at once. Else writeback takes the right to store from each page by itself, and
/// interrupts every processor that runs this process each time: 41 % of all samples of an mmap writer were those interrupts.
fn let_go_of_pages(file: &OpenFile, range: Range<u64>) {
    let Some(mapping) = &file.mapping else { return };
    if let Err(error) = mapping.let_go(range.start as usize..range.end as usize) {
        tracing::debug!(path = %file.path.display(), "writeback will protect page by page: {error}");
    }
}
