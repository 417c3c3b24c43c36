//! Pages ahead of the tail, ready to be stored to.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::allocation::{Allocation, Zeroing};
use crate::counters::Counters;
use crate::registry::Settings;
use crate::runtime::recycling::Blocks;
use crate::seam::real::PAGE;
use crate::seam::{DiskFile, Mapping};
use crate::whole_io::uninterrupted;

/// The first window. Windows double from here, so that a quiet log has few pages that are dirty for nothing.
const WINDOW_MIN: u64 = 16 << 10;
/// What the windows of all logs of a backend come to: each has a part as large as its part of the appends.
const WINDOWS_OF_ALL: u64 = 64 << 20;

/// How far a mapped file can be stored to.
pub(super) struct Ahead {
    allocation: Allocation,
    ready: AtomicU64,
    /// A writer that gets here asks for the next window: a whole window before `ready`, because a page is
    /// stored to faster than it is made ready.
    due: AtomicU64,
    requested: AtomicBool,
    capacity: u64,
    window_max: u64,
    state: Mutex<State>,
}

struct State {
    window: u64,
    /// What all logs of the backend had appended when the last window was made ready.
    appended_by_all: u64,
    stopped: bool,
}

impl Ahead {
    /// A file of `len` bytes that may grow to `capacity`.
    pub(super) fn new(len: u64, capacity: u64, settings: &Settings, blocks: Blocks) -> Ahead {
        let (step_max, window_max) = (settings.allocation_step_max, settings.populate_bytes.max(1));
        let window = WINDOW_MIN.min(window_max);
        let state = Mutex::new(State { window, appended_by_all: 0, stopped: false });
        Ahead {
            allocation: Allocation::new(len, capacity, step_max, Zeroing::Never, blocks),
            ready: len.into(),
            due: len.into(),
            requested: false.into(),
            capacity: capacity.max(len),
            window_max,
            state,
        }
    }

    /// Everything before this can be stored to.
    pub(super) fn ready(&self) -> u64 {
        self.ready.load(Ordering::Acquire)
    }

    /// True, once per window, when a writer at `position` should have the next one made ready.
    pub(super) fn is_due(&self, position: u64) -> bool {
        position >= self.due.load(Ordering::Acquire) && !self.requested.swap(true, Ordering::AcqRel)
    }

    /// Makes the next window ready (as an answer to [`Ahead::is_due`]).
    pub(super) fn extend(&self, file: &dyn DiskFile, mapping: &dyn Mapping, counters: &Counters) -> io::Result<()> {
        let mut state = self.state();
        let end = self.ready() + state.window;
        let done = self.make_ready(&mut state, end, file, mapping, counters);
        self.requested.store(false, Ordering::Release);
        done
    }

    /// Makes everything before `position` ready on this thread: the background was not fast enough. Takes a whole
    /// window if there is space for it, so that not each of the next appends has to come here.
    pub(super) fn cover(
        &self,
        position: u64,
        file: &dyn DiskFile,
        mapping: &dyn Mapping,
        counters: &Counters,
    ) -> io::Result<()> {
        let mut state = self.state();
        // Mostly the background had the lock, and what was missing is there now.
        if position <= self.ready() {
            return Ok(());
        }
        let window = position + state.window;
        self.make_ready(&mut state, window, file, mapping, counters)
            .or_else(|_| self.make_ready(&mut state, position, file, mapping, counters))
    }

    /// Nothing is made ready any more when this returns: the file's length is the caller's.
    pub(super) fn stop(&self) {
        self.state().stopped = true;
        self.allocation.stop();
    }

    fn make_ready(
        &self,
        state: &mut State,
        end: u64,
        file: &dyn DiskFile,
        mapping: &dyn Mapping,
        counters: &Counters,
    ) -> io::Result<()> {
        let (start, end) = (self.ready(), end.min(self.capacity));
        if state.stopped || end <= start {
            return Ok(());
        }
        self.allocation.cover(end, file, counters)?;
        counters.populations.one();
        uninterrupted(|| mapping.populate_write(start as usize..end as usize))?;
        let appended_by_all = counters.bytes_appended.get();
        let meanwhile = appended_by_all - std::mem::replace(&mut state.appended_by_all, appended_by_all);
        state.window = next_window(state.window, meanwhile).min(self.window_max);
        let due = if end == self.capacity { u64::MAX } else { end.saturating_sub(state.window) };
        self.ready.store(end, Ordering::Release);
        self.due.store(due, Ordering::Release);
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The window after one that lasted while all logs, this one with them, appended so much.
fn next_window(window: u64, appended_by_all: u64) -> u64 {
    let part = window as f64 / appended_by_all.max(window) as f64;
    let share = (WINDOWS_OF_ALL as f64 * part) as u64;
    share.next_multiple_of(PAGE as u64).clamp(WINDOW_MIN, window.max(WINDOW_MIN) * 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn a_log_has_its_part_of_the_windows() {
        for (window, appended_by_all, next) in [
            (WINDOW_MIN, 0, 2 * WINDOW_MIN),
            (WINDOW_MIN, WINDOW_MIN, 2 * WINDOW_MIN),
            (4 * MIB, 4 * MIB, 8 * MIB),
            // One of ten equal ones, one of a hundred and twenty-eight, one of a thousand.
            (4 * MIB, 40 * MIB, 6 * MIB + 412 * 1024),
            (MIB, 128 * MIB, 512 * 1024),
            (64 * 1024, 1000 * 64 * 1024, 17 * PAGE as u64),
            (WINDOW_MIN, 5000 * WINDOW_MIN, WINDOW_MIN),
            (4 * MIB, 1 << 40, WINDOW_MIN),
        ] {
            assert_eq!(next_window(window, appended_by_all), next, "{window} while {appended_by_all} were appended");
        }
    }
}
