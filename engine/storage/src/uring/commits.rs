//! Which syncs of a segment run: group commit as a pure plan.
//!
//! A sync covers every write that was complete when it started, so it starts at once if fewer than two
//! run, and otherwise the next one takes everything that piled up. Two, because the writes of one group can
//! then travel while the flush of the group before is under way.

use std::collections::VecDeque;

/// Syncs of one segment in flight at most.
const IN_FLIGHT_MAX: usize = 2;

/// Positions that shall be durable, and syncs under way.
#[derive(Debug, Default)]
pub(super) struct Commits {
    /// Ascending.
    wanted: VecDeque<u64>,
    /// What the syncs under way cover at most.
    covered: u64,
    in_flight: usize,
}

impl Commits {
    /// Everything before `position` shall be durable.
    pub(super) fn want(&mut self, position: u64) {
        if position > self.covered && self.wanted.back().is_none_or(|last| *last < position) {
            self.wanted.push_back(position);
        }
    }

    /// If a sync should start now that everything before `written` is: the position that it covers.
    pub(super) fn next(&mut self, written: u64) -> Option<u64> {
        let due = self.wanted.front().is_some_and(|first| *first <= written);
        if !due || self.in_flight == IN_FLIGHT_MAX {
            return None;
        }
        while self.wanted.front().is_some_and(|first| *first <= written) {
            self.wanted.pop_front();
        }
        self.in_flight += 1;
        self.covered = written;
        Some(written)
    }

    /// A sync is over.
    pub(super) fn finished(&mut self) {
        self.in_flight -= 1;
    }

    /// Starts no more.
    pub(super) fn cancel(&mut self) {
        self.wanted.clear();
    }

    /// Nothing under way and nothing wanted.
    pub(super) fn is_idle(&self) -> bool {
        self.in_flight == 0 && self.wanted.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sync_waits_for_its_bytes_to_be_written() {
        let mut commits = Commits::default();
        commits.want(100);
        assert_eq!(commits.next(99), None);
        assert_eq!(commits.next(120), Some(120));
        assert_eq!(commits.next(120), None);
    }

    #[test]
    fn what_a_running_sync_covers_needs_no_other() {
        let mut commits = Commits::default();
        commits.want(100);
        assert_eq!(commits.next(150), Some(150));
        commits.want(150);
        commits.finished();
        assert!(commits.is_idle());
    }

    #[test]
    fn two_run_and_the_third_takes_all_that_piled_up() {
        let mut commits = Commits::default();
        for position in 1..=10 {
            commits.want(position);
        }
        assert_eq!(commits.next(1), Some(1));
        assert_eq!(commits.next(3), Some(3));
        assert_eq!(commits.next(8), None);
        commits.finished();
        assert_eq!(commits.next(8), Some(8));
        assert_eq!(commits.next(8), None);
        commits.finished();
        commits.finished();
        assert_eq!(commits.next(10), Some(10));
    }
}
