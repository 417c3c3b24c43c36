//! Fetches that a leader serves: consumers up to the high watermark, followers up to the end.

use logdyno_record::{BrokerId, LeaderEpoch, Offset};
use logdyno_segment_log::LogRead;

use super::{Replica, Role};
use crate::EpochEnd;
use crate::error::ReplicaError;
use crate::leader::{self, Divergence, divergence};

/// What a fetch is answered with.
pub struct FetchSlice {
    /// For the answer's `high_watermark`.
    pub high_watermark: Offset,
    /// For the answer's `last_stable_offset`.
    pub last_stable: Offset,
    /// For the answer's `log_start_offset`.
    pub log_start: Offset,
    /// Whole batches, at hand or to be read from disk.
    pub read: LogRead,
}

/// What a consumer wants to see (`isolation.level`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// Everything up to the high watermark.
    ReadUncommitted,
    /// Only what lies before the last stable offset; it drops itself what was aborted there.
    ReadCommitted,
}

/// A follower's request for one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FollowerFetch {
    /// Who asks (`replica_id`).
    pub follower: BrokerId,
    /// Its incarnation (`replica_epoch`, Fetch 15); -1 if the request has none.
    pub broker_epoch: i64,
    /// From where: the follower's end at its ack level.
    pub from: Offset,
    /// The epoch of the last record before; [`LeaderEpoch::NONE`] if it has none.
    pub last_fetched_epoch: LeaderEpoch,
    /// The leadership that the request was meant for, if it says.
    pub current_epoch: Option<LeaderEpoch>,
    /// Where the follower's log starts (`log_start_offset`, Fetch 5); `None` if it does not say.
    pub log_start: Option<Offset>,
    /// The most bytes.
    pub max_bytes: usize,
    /// Whether a first batch larger than that is to be sent whole.
    pub at_least_one: bool,
}

/// What a follower gets.
pub enum FollowerAnswer {
    /// What follows its log.
    Data(FetchSlice),
    /// The logs part at or before this end of this epoch: it is to truncate (`diverging_epoch`).
    Diverging(EpochEnd),
}

impl Replica {
    /// Batches that this consumer may see from `from` on, the first being the one that contains it (errors 1, 6, 74, 75).
    ///
    /// An offset between the last such one and the log end gives nothing yet.
    pub fn fetch_as_consumer(
        &self,
        from: Offset,
        max_bytes: usize,
        at_least_one: bool,
        current_epoch: Option<LeaderEpoch>,
        isolation: Isolation,
    ) -> Result<FetchSlice, ReplicaError> {
        let high_watermark = self.leader_in(&self.state().role, current_epoch)?.high_watermark();
        self.check_range(from)?;
        let up_to = self.visible_end(high_watermark, isolation);
        self.slice(from, up_to, high_watermark, max_bytes, at_least_one)
    }

    /// What a follower is to have next. Its request itself is the news of how far it is.
    ///
    /// It is noted only if the follower's log agrees with ours up to there: a diverging one has to
    /// truncate first (errors 1, 6, 74, 75).
    pub fn fetch_as_follower(&self, fetch: FollowerFetch) -> Result<FollowerAnswer, ReplicaError> {
        let epoch = self.leader_in(&self.state().role, fetch.current_epoch)?.epoch();
        let ours = self.log.end_offset_for_epoch(fetch.last_fetched_epoch);
        self.check_range_of_follower(fetch.from)?;
        match divergence(fetch.from, fetch.last_fetched_epoch, ours) {
            Divergence::At(end) => return Ok(FollowerAnswer::Diverging(end)),
            Divergence::OutOfRange => return Err(self.out_of_range(fetch.from)),
            Divergence::None => self.check_range(fetch.from)?,
        }
        let high_watermark = self.note_fetch(fetch, epoch)?;
        let slice =
            self.slice(fetch.from, self.log.end_offset(), high_watermark, fetch.max_bytes, fetch.at_least_one)?;
        Ok(FollowerAnswer::Data(slice))
    }

    /// Moves the follower's position, in the leadership in which its log was compared.
    fn note_fetch(&self, fetch: FollowerFetch, epoch: LeaderEpoch) -> Result<Offset, ReplicaError> {
        let registered = self.controller.broker_epoch(fetch.follower);
        let fetched = leader::FollowerFetched {
            follower: fetch.follower,
            broker_epoch: fetch.broker_epoch,
            eligible: leader::is_eligible(fetch.broker_epoch, registered),
            offset: fetch.from,
            log_start: fetch.log_start,
        };
        let now = self.clock.now();
        let mut state = self.state();
        let leader = match &mut state.role {
            Role::Leader(leader) if leader.epoch() == epoch => leader,
            _ => return Err(self.not_leader()),
        };
        let Some(effects) = leader.on_fetched(fetched, now) else {
            let named_epoch = fetch.current_epoch.is_some();
            let partition = self.partition.clone();
            return Err(ReplicaError::UnknownFollower { partition, follower: fetch.follower, named_epoch });
        };
        let high_watermark = leader.high_watermark();
        let mut calls = self.carry_out(&mut state, effects, now);
        calls.wake_too(self.at_low_watermark(&mut state));
        drop(state);
        calls.run(self);
        Ok(high_watermark)
    }

    fn slice(
        &self,
        from: Offset,
        up_to: Offset,
        high_watermark: Offset,
        max_bytes: usize,
        at_least_one: bool,
    ) -> Result<FetchSlice, ReplicaError> {
        let read = self.log.read(from, up_to.max(from), max_bytes, at_least_one)?;
        let last_stable = self.log.last_stable_offset(high_watermark);
        Ok(FetchSlice { high_watermark, last_stable, log_start: self.log.start_offset(), read })
    }

    /// Where what a consumer may see ends.
    pub(super) fn visible_end(&self, high_watermark: Offset, isolation: Isolation) -> Offset {
        match isolation {
            Isolation::ReadUncommitted => high_watermark,
            Isolation::ReadCommitted => self.log.last_stable_offset(high_watermark),
        }
    }

    fn check_range(&self, from: Offset) -> Result<(), ReplicaError> {
        let in_range = from >= self.log.start_offset() && from <= self.log.end_offset();
        if in_range { Ok(()) } else { Err(self.out_of_range(from)) }
    }

    /// Behind our end is a divergence if the follower names an epoch; before our start never is.
    fn check_range_of_follower(&self, from: Offset) -> Result<(), ReplicaError> {
        if from >= self.log.start_offset() { Ok(()) } else { Err(self.out_of_range(from)) }
    }

    fn out_of_range(&self, from: Offset) -> ReplicaError {
        let (start, end) = (self.log.start_offset(), self.log.end_offset());
        ReplicaError::OffsetOutOfRange { partition: self.partition.clone(), from, start, end }
    }
}
