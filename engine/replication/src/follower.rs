//! A partition's follower as pure decisions: where to truncate, and what its high watermark is.
//!
//! A follower never truncates to its high watermark, which is always behind what was acknowledged: after
//! two fast elections it would throw away acknowledged records (KIP-101). It asks the leader where their
//! epochs part instead.

use logdyno_record::{BrokerId, LeaderEpoch, Offset};

use crate::EpochEnd;
use crate::leader_and_isr::LeaderAndIsr;

/// A partition's follower.
#[derive(Clone, Debug)]
pub struct FollowerState {
    leader: BrokerId,
    epoch: LeaderEpoch,
    partition_epoch: i32,
    high_watermark: Offset,
    leaders_high_watermark: Offset,
}

impl FollowerState {
    /// A follower of `state.leader` that keeps the high watermark it knew.
    pub fn new(state: &LeaderAndIsr, high_watermark: Offset) -> FollowerState {
        FollowerState {
            leader: state.leader,
            epoch: state.leader_epoch,
            partition_epoch: state.partition_epoch,
            high_watermark,
            leaders_high_watermark: high_watermark,
        }
    }

    /// Whom it fetches from.
    pub fn leader(&self) -> BrokerId {
        self.leader
    }

    /// The leadership it follows: it tells the leader with every fetch.
    pub fn epoch(&self) -> LeaderEpoch {
        self.epoch
    }

    /// The newest committed state that it has heard of.
    pub fn partition_epoch(&self) -> i32 {
        self.partition_epoch
    }

    /// Everything before it is known to be committed.
    pub fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    /// The leader has told its high watermark: ours is as much of that as we hold at the ack level.
    ///
    /// It does not fall with a new leader that has heard less than we have: what was committed stays so.
    pub fn on_leader_high_watermark(&mut self, leaders: Offset, own_ack_end: Offset) {
        self.leaders_high_watermark = leaders;
        self.on_own_ack_end(own_ack_end);
    }

    /// More of the own log has reached the ack level.
    pub fn on_own_ack_end(&mut self, own_ack_end: Offset) {
        self.high_watermark = self.high_watermark.max(self.leaders_high_watermark.min(own_ack_end));
    }

    /// The log was cut to `end`, which is never below the high watermark.
    pub fn on_truncated(&mut self, end: Offset) {
        self.leaders_high_watermark = self.leaders_high_watermark.min(end);
    }

    /// The log starts at `start` now: what is before is gone everywhere, so it was committed.
    pub fn on_started_over(&mut self, start: Offset) {
        self.high_watermark = self.high_watermark.max(start);
    }
}

/// Where to cut the log after the leader said that the logs part at `leaders` (Kafka's `getOffsetTruncationState`).
///
/// `own` is this log's largest epoch not above the leader's, and where it ends; `log_end` where the log ends.
/// If we know the leader's epoch, both logs agree up to the smaller of both ends. If we do not, we go back
/// to the end of our next smaller epoch; the next fetch asks about that one. Either way the log never grows,
/// and each round goes back by an epoch at least, so that the rounds end.
pub fn truncation_offset(leaders: EpochEnd, own: Option<EpochEnd>, log_end: Offset) -> Offset {
    match own {
        Some(own) if own.epoch == leaders.epoch => own.end.min(leaders.end).min(log_end),
        Some(own) => own.end.min(log_end),
        // No epoch as old as the leader's is left here: only the leader's end can be meant.
        None => leaders.end.min(log_end),
    }
}

/// What to do when the leader has answered that our fetch offset is out of its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// The leader's log ends before ours: cut ours to there, as far as nothing was committed behind it.
    TruncateTo(Offset),
    /// The leader's log starts behind our end: drop everything and start there.
    StartAt(Offset),
    /// Our end lies within the leader's log again: just go on.
    GoOn,
}

/// Kafka's `fetchOffsetAndTruncate`.
pub fn after_out_of_range(leader_start: Offset, leader_end: Offset, log_end: Offset) -> Restart {
    if leader_end < log_end {
        Restart::TruncateTo(leader_end)
    } else if leader_start > log_end {
        Restart::StartAt(leader_start)
    } else {
        Restart::GoOn
    }
}
