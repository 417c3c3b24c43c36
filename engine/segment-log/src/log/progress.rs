//! One level's progress: the syncs that run, and who waits for them.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use logdyno_record::Offset;
use logdyno_storage::{Level, Marks};

use super::Result;
use super::commit::Waiter;
use super::parking::{Duty, Parking};

/// Who waits for a level.
pub(super) enum Waiting {
    Callback(Waiter),
    /// A thread in [`super::Log::wait_for`].
    Thread(Duty),
}

impl Waiting {
    pub(super) fn tell(self, reached: Result<()>) {
        match self {
            Waiting::Callback(waiter) => waiter(reached),
            Waiting::Thread(duty) => duty.parking().reached(reached),
        }
    }
}

/// One level's syncs and waiters.
pub(super) struct Progress {
    pub(super) end: Offset,
    /// What the syncs under way, and those before them, cover.
    pub(super) requested: Offset,
    pub(super) running: VecDeque<Commit>,
    pub(super) waiters: BTreeMap<(Offset, u64), Waiting>,
}

pub(super) struct Commit {
    pub(super) ticket: u64,
    pub(super) end: Offset,
    pub(super) done: bool,
    /// What it covers of the active segment, and how far that is.
    pub(super) position: u64,
    pub(super) marks: Arc<Marks>,
}

impl Commit {
    /// Whether all that is left of it is the device's cache: the next one may write meanwhile.
    pub(super) fn is_written(&self) -> bool {
        self.marks.reached(Level::Written) >= self.position
    }
}

impl Progress {
    pub(super) fn new(end: Offset) -> Progress {
        Progress { end, requested: end, running: VecDeque::new(), waiters: BTreeMap::new() }
    }

    /// The end of what is wanted by waiters, if no sync covers it yet.
    pub(super) fn wanted(&self) -> Option<Offset> {
        self.waiters.last_key_value().map(|((offset, _), _)| *offset).filter(|offset| *offset > self.requested)
    }

    /// A thread that waits for an offset in `(covered.start, covered.end]`.
    pub(super) fn thread_in(&self, covered: &Range<Offset>) -> Option<&Arc<Parking>> {
        let mut waiters = self.waiters.range((covered.start.next(), 0)..(covered.end.next(), 0));
        waiters.find_map(|(_, waiting)| match waiting {
            Waiting::Thread(duty) => Some(duty.parking()),
            Waiting::Callback(_) => None,
        })
    }

    pub(super) fn raise(&mut self, end: Offset) -> Vec<Waiting> {
        if end <= self.end {
            return Vec::new();
        }
        self.end = end;
        self.requested = self.requested.max(end);
        let later = self.waiters.split_off(&(end.next(), 0));
        std::mem::replace(&mut self.waiters, later).into_values().collect()
    }

    /// Notes that a sync has ended, and returns how far the contiguous front of ended ones reaches.
    pub(super) fn complete(&mut self, ticket: u64) -> Option<Offset> {
        self.running.iter_mut().find(|commit| commit.ticket == ticket)?.done = true;
        let mut end = None;
        while let Some(commit) = self.running.pop_front_if(|commit| commit.done) {
            end = Some(commit.end);
        }
        end
    }
}
