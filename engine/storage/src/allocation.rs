//! Blocks ahead of the tail, in steps that grow with the log.
//!
//! A write into blocks that exist and below the end of the file needs no allocation and, for direct I/O, no
//! exclusive inode lock. Idle logs take nothing: the first step is taken on the first write, and each is twice
//! the one before.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::counters::Counters;
use crate::error::is_disk_full;
use crate::seam::DiskFile;
use crate::whole_io::uninterrupted;

/// The first step.
const STEP_MIN: u64 = 1 << 20;

/// How far one file has blocks.
pub(crate) struct Allocation {
    end: AtomicU64,
    /// A writer that gets here asks for the next step: half a step before the end.
    due: AtomicU64,
    capacity: u64,
    step_max: u64,
    /// True while somebody has been asked for the next step.
    requested: AtomicBool,
    state: Mutex<State>,
}

struct State {
    step: u64,
    stopped: bool,
}

impl Allocation {
    /// A file that has blocks up to `end` and may grow to `capacity`.
    pub(crate) fn new(end: u64, capacity: u64, step_max: u64) -> Allocation {
        let state = Mutex::new(State { step: STEP_MIN.min(step_max), stopped: false });
        let capacity = capacity.max(end);
        Allocation { end: end.into(), due: end.into(), capacity, step_max, requested: false.into(), state }
    }

    /// True, once per step, when a writer at `position` should ask for the next one.
    pub(crate) fn is_due(&self, position: u64) -> bool {
        position >= self.due.load(Ordering::Acquire) && !self.requested.swap(true, Ordering::AcqRel)
    }

    /// Takes the next step (as an answer to [`Allocation::is_due`]). Does nothing after [`Allocation::stop`].
    pub(crate) fn extend(&self, file: &dyn DiskFile, counters: &Counters) -> io::Result<()> {
        let mut state = self.state();
        let done = self.step(&mut state, file, counters);
        self.requested.store(false, Ordering::Release);
        done
    }

    /// True if a writer that must not wait should come back later: there are no blocks up to `position` yet, and
    /// the next step is being taken.
    pub(crate) fn is_behind(&self, position: u64) -> bool {
        // In this order: a step that ends in between has moved the end before it was done.
        let under_way = self.requested.load(Ordering::Acquire);
        under_way && self.end.load(Ordering::Acquire) < position
    }

    /// Takes steps on this thread until there are blocks up to `position`: for stores that must not come first.
    pub(crate) fn cover(&self, position: u64, file: &dyn DiskFile, counters: &Counters) -> io::Result<()> {
        while self.end.load(Ordering::Acquire) < position {
            let mut state = self.state();
            if self.end.load(Ordering::Acquire) < position {
                self.step(&mut state, file, counters)?;
            }
        }
        Ok(())
    }

    /// No step is taken any more, and none is under way, when this returns: the file's length is the caller's.
    pub(crate) fn stop(&self) {
        self.state().stopped = true;
    }

    /// Cuts the file to `len` and forgets the blocks behind it.
    pub(crate) fn cut(&self, len: u64, file: &dyn DiskFile) -> io::Result<()> {
        let mut state = self.state();
        uninterrupted(|| file.set_len(len))?;
        state.step = STEP_MIN.min(self.step_max);
        self.end.store(len, Ordering::Release);
        self.due.store(len, Ordering::Release);
        Ok(())
    }

    /// Allocates the next step, or what smaller one a nearly full disk has space for.
    fn step(&self, state: &mut State, file: &dyn DiskFile, counters: &Counters) -> io::Result<()> {
        let start = self.end.load(Ordering::Acquire);
        if state.stopped || start >= self.capacity {
            return Ok(());
        }
        let end = loop {
            let end = self.capacity.min(start + state.step);
            counters.allocations.one();
            match uninterrupted(|| file.allocate(start..end)) {
                Ok(()) => break end,
                Err(error) if is_disk_full(&error) && state.step > STEP_MIN => state.step /= 2,
                Err(error) => return Err(error),
            }
        };
        let due = if end == self.capacity { u64::MAX } else { end - state.step / 2 };
        state.step = self.step_max.min(state.step * 2);
        self.end.store(end, Ordering::Release);
        self.due.store(due, Ordering::Release);
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::seam::simulated::SimulatedDisk;
    use crate::seam::{Disk, Open};

    const MIB: u64 = 1 << 20;

    fn file(disk: &SimulatedDisk) -> Arc<dyn DiskFile> {
        disk.create_dir_all(Path::new("/disk")).unwrap();
        disk.open(Path::new("/disk/a"), Open { create: true, ..Open::default() }).unwrap()
    }

    #[test]
    fn steps_begin_with_the_first_write_and_double() {
        let (file, counters) = (file(&SimulatedDisk::new(1)), Counters::default());
        let allocation = Allocation::new(0, 20 * MIB, 4 * MIB);
        let mut ends = Vec::new();
        for position in (0..20 * MIB).step_by(4096) {
            if allocation.is_due(position) {
                assert!(!allocation.is_due(position), "a step is asked for once");
                allocation.extend(&*file, &counters).unwrap();
                ends.push((position / MIB, file.len().unwrap() / MIB));
            }
        }
        assert_eq!(ends, [(0, 1), (0, 3), (2, 7), (5, 11), (9, 15), (13, 19), (17, 20)]);
        assert_eq!(counters.allocations.get(), 7);
    }

    #[test]
    fn a_nearly_full_disk_gives_what_it_has() {
        let disk = SimulatedDisk::new(1);
        let (file, counters) = (file(&disk), Counters::default());
        let allocation = Allocation::new(0, 64 * MIB, 64 * MIB);
        disk.set_capacity(12 * MIB + 4096);
        assert!(allocation.cover(64 * MIB, &*file, &counters).is_err());
        assert_eq!(file.len().unwrap(), 12 * MIB);
        disk.set_capacity(64 * MIB);
        allocation.cover(64 * MIB, &*file, &counters).unwrap();
        assert_eq!(file.len().unwrap(), 64 * MIB);
    }

    #[test]
    fn a_full_disk_is_asked_again_and_a_stopped_one_is_not() {
        let disk = SimulatedDisk::new(1);
        let (file, counters) = (file(&disk), Counters::default());
        let allocation = Allocation::new(0, 8 * MIB, 8 * MIB);
        disk.set_capacity(0);
        assert!(allocation.is_due(0) && allocation.extend(&*file, &counters).is_err());
        disk.set_capacity(8 * MIB);
        assert!(allocation.is_due(0), "a step that failed is due again");
        allocation.cover(2 * MIB, &*file, &counters).unwrap();
        assert_eq!(file.len().unwrap(), 3 * MIB);
        allocation.stop();
        allocation.extend(&*file, &counters).unwrap();
        assert_eq!(file.len().unwrap(), 3 * MIB, "after stop the length is the caller's");
    }
}
