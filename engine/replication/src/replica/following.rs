//! The follower's side: where to fetch from, and what to do with the answer.
//!
//! Every answer is handed in with the leadership in which it was asked for. One of an earlier leadership
//! is ignored: what it says may no longer be true of this log.

use std::sync::PoisonError;

use bytes::Bytes;
use logdyno_record::{BrokerId, LeaderEpoch, Offset};
use logdyno_segment_log::LogError;

use super::{Replica, Role};
use crate::EpochEnd;
use crate::error::ReplicaError;
use crate::follower::{FollowerState, Restart, after_out_of_range, truncation_offset};

/// What a follower asks its leader for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchPosition {
    /// Whom to ask.
    pub leader: BrokerId,
    /// The leadership to name (`current_leader_epoch`), and to hand in again with the answer.
    pub leader_epoch: LeaderEpoch,
    /// From where (`fetch_offset`).
    pub offset: Offset,
    /// The epoch of the last record before (`last_fetched_epoch`).
    pub last_fetched_epoch: LeaderEpoch,
    /// For `log_start_offset`.
    pub log_start: Offset,
}

impl Replica {
    /// Where to fetch from; `None` on no follower, and while the log's tail is not at the ack level yet.
    ///
    /// A fetch offset is a promise to hold everything before it at the ack level. Asking from inside the
    /// unsettled tail would be honest too, but then the leader compares epochs at that point only, and
    /// the tail behind it could have parted from the leader's log unnoticed.
    pub fn fetch_position(&self) -> Option<FetchPosition> {
        let (leader, leader_epoch) = match &self.state().role {
            Role::Follower(follower) => (follower.leader(), follower.epoch()),
            _ => return None,
        };
        let offset = self.log.end_offset();
        (self.log.ack_end() >= offset).then(|| FetchPosition {
            leader,
            leader_epoch,
            offset,
            last_fetched_epoch: self.log.latest_epoch().unwrap_or(LeaderEpoch::NONE),
            log_start: self.log.start_offset(),
        })
    }

    /// Calls `settled` when all that the log holds now is at its ack level, or never will be.
    pub fn when_settled(&self, settled: Box<dyn FnOnce(Result<(), LogError>) + Send>) {
        self.log.when(self.log.ack_level(), self.log.end_offset(), settled);
    }

    /// Appends what the leader sent, and takes over its high watermark and its log start as far as we have got.
    ///
    /// `false` if the answer came too late to be of use: another leadership, or another end of the log.
    pub fn apply_fetched(
        &self,
        leader_epoch: LeaderEpoch,
        from: Offset,
        batches: Bytes,
        leader_high_watermark: Offset,
        leader_log_start: Offset,
    ) -> Result<bool, ReplicaError> {
        let _transition = self.transitions.write().unwrap_or_else(PoisonError::into_inner);
        if !self.follows_in(leader_epoch) || self.log.end_offset() != from {
            return Ok(false);
        }
        if !batches.is_empty() {
            self.log.append_as_follower(batches)?;
        }
        let ack_end = self.log.ack_end();
        self.update_follower(|follower| follower.on_leader_high_watermark(leader_high_watermark, ack_end));
        self.follow_leaders_start(leader_log_start)?;
        Ok(true)
    }

    /// Truncates to where the log agrees with the leader's at most; the next fetch finds out the rest (KIP-101, KIP-279).
    ///
    /// Gives the new end of the log, or `None` if the answer came too late.
    pub fn on_diverging(&self, leader_epoch: LeaderEpoch, leaders: EpochEnd) -> Result<Option<Offset>, ReplicaError> {
        let _transition = self.transitions.write().unwrap_or_else(PoisonError::into_inner);
        if !self.follows_in(leader_epoch) {
            return Ok(None);
        }
        let own = self.log.end_offset_for_epoch(leaders.epoch);
        let before = self.log.end_offset();
        let end = truncation_offset(leaders, own, before);
        self.truncate_to(end)?;
        tracing::info!(
            partition = %self.partition, to = %end, from = %before, epoch = %leaders.epoch,
            "truncated: the log parts from its leader's here"
        );
        Ok(Some(end))
    }

    /// The leader's log does not reach our end, from either side: cuts ours or starts over.
    ///
    /// `leader_start` and `leader_end` are the leader's earliest and latest offsets, asked for after the error 1.
    pub fn on_out_of_range(
        &self,
        leader_epoch: LeaderEpoch,
        leader_start: Offset,
        leader_end: Offset,
    ) -> Result<(), ReplicaError> {
        let _transition = self.transitions.write().unwrap_or_else(PoisonError::into_inner);
        if !self.follows_in(leader_epoch) {
            return Ok(());
        }
        match after_out_of_range(leader_start, leader_end, self.log.end_offset()) {
            Restart::GoOn => Ok(()),
            Restart::TruncateTo(end) => {
                self.truncate_to(end)?;
                tracing::warn!(partition = %self.partition, to = %end, "truncated: the leader's log is shorter than this one");
                Ok(())
            }
            Restart::StartAt(start) => {
                tracing::warn!(partition = %self.partition, at = %start, "starting over: the leader no longer has what follows this log");
                self.log.truncate_fully_and_start_at(start)?;
                self.update_follower(|follower| follower.on_started_over(start));
                Ok(())
            }
        }
    }

    /// Never below what was committed: a leader that lacks it has lost it, and this may be the last copy.
    fn truncate_to(&self, end: Offset) -> Result<(), ReplicaError> {
        let high_watermark = self.high_watermark();
        if end < high_watermark {
            return Err(ReplicaError::CommittedElsewhere { partition: self.partition.clone(), end, high_watermark });
        }
        self.log.truncate_to(end)?;
        self.update_follower(|follower| follower.on_truncated(end));
        Ok(())
    }

    fn follows_in(&self, leader_epoch: LeaderEpoch) -> bool {
        matches!(&self.state().role, Role::Follower(follower) if follower.epoch() == leader_epoch)
    }

    fn update_follower(&self, update: impl FnOnce(&mut FollowerState)) {
        let mut state = self.state();
        if let Role::Follower(follower) = &mut state.role {
            update(follower);
        }
        let calls = self.publish_high_watermark(&mut state);
        drop(state);
        calls.run(self);
    }
}
