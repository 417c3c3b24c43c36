//! A partition's leader as a pure state machine: events and the time go in, [`Effects`] come out.
//!
//! It holds no log, no lock and no clock. The rules are those of Kafka's `Partition` with KIP-966's
//! addition that the high watermark rests while the ISR is too small; what "end" means is ours: an
//! offset counts only once it is at the topic's ack level, here and on followers.

mod divergence;
mod isr;
mod progress;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use logdyno_record::{BrokerId, LeaderEpoch, Nanos, Offset};

pub use divergence::{Divergence, divergence};
use isr::Isr;
use progress::Progress;

use crate::leader_and_isr::{IsrMember, IsrProposal, IsrRefusal, LeaderAndIsr};

/// The settings that a leader's decisions depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplicaSettings {
    /// `replica.lag.time.max.ms` (30 s): how long a member may go without having been caught up.
    pub lag_time_max: Duration,
    /// `min.insync.replicas` (1): below it acks=all is refused and the high watermark rests.
    ///
    /// A partition with fewer replicas than that needs all of them.
    pub min_insync_replicas: u32,
}

impl Default for ReplicaSettings {
    fn default() -> ReplicaSettings {
        ReplicaSettings { lag_time_max: Duration::from_secs(30), min_insync_replicas: 1 }
    }
}

/// Where the leader's own log stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnLog {
    /// The next offset to be given: what followers may fetch up to.
    pub end: Offset,
    /// The first offset that is not yet at the ack level: what counts for the high watermark.
    pub ack_end: Offset,
}

/// A follower's fetch, as far as the leader's state is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FollowerFetched {
    /// Who.
    pub follower: BrokerId,
    /// Its incarnation; -1 if the request has no field for it.
    pub broker_epoch: i64,
    /// Whether the metadata lets this incarnation join the ISR: registered and not fenced.
    pub eligible: bool,
    /// From where: everything before is at the ack level on the follower.
    pub offset: Offset,
    /// Where its log starts; `None` if the request has no field for it.
    pub log_start: Option<Offset>,
}

/// What came of an event, for the replica to carry out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// The follower holds this range now.
    pub replicated: Option<(BrokerId, Range<Offset>)>,
    /// The high watermark rose over this range.
    pub high_watermark: Option<Range<Offset>>,
    /// The controller is to be asked for this ISR.
    pub propose: Option<IsrProposal>,
}

/// The ISR is smaller than `min.insync.replicas`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooFewInSync {
    /// Members.
    pub in_sync: usize,
    /// Members needed.
    pub needed: usize,
}

/// A partition's leader.
#[derive(Clone, Debug)]
pub struct LeaderState {
    epoch: LeaderEpoch,
    epoch_start: Offset,
    partition_epoch: i32,
    settings: ReplicaSettings,
    isr: Isr,
    followers: BTreeMap<BrokerId, Progress>,
    own: OwnLog,
    high_watermark: Offset,
}

impl LeaderState {
    /// The leader `me` at the start of a leadership, whose epoch begins at `own.end`.
    ///
    /// The high watermark starts where this replica knew it. Followers are unknown until they fetch, so
    /// with others in the ISR it rises only then.
    pub fn new(
        me: BrokerId,
        state: &LeaderAndIsr,
        own: OwnLog,
        high_watermark: Offset,
        settings: ReplicaSettings,
        now: Nanos,
    ) -> (LeaderState, Effects) {
        let isr = Isr::new(state.isr.iter().copied());
        let others = state.replicas.iter().copied().filter(|&replica| replica != me);
        let followers =
            others.map(|id| (id, Progress::at_start(isr.committed().contains(&id), own.end, now))).collect();
        let mut leader = LeaderState {
            epoch: state.leader_epoch,
            epoch_start: own.end,
            partition_epoch: state.partition_epoch,
            settings,
            isr,
            followers,
            own,
            high_watermark: high_watermark.min(own.end),
        };
        let effects = Effects { high_watermark: leader.advance(now), ..Effects::default() };
        (leader, effects)
    }

    /// The number of this leadership.
    pub fn epoch(&self) -> LeaderEpoch {
        self.epoch
    }

    /// The first offset of this leadership.
    pub fn epoch_start(&self) -> Offset {
        self.epoch_start
    }

    /// The next offset to be given, as far as it has been told.
    pub fn log_end(&self) -> Offset {
        self.own.end
    }

    /// The newest committed state that this leader has heard of.
    pub fn partition_epoch(&self) -> i32 {
        self.partition_epoch
    }

    /// Everything before it is on every in-sync replica, and readers may have it.
    pub fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    /// The lowest start of all replicas' logs, the leader's own being `own_start`: what is before it is gone everywhere.
    /// Replicas that are not `alive` are not waited for: they learn of it when they come back. `None` while one has not
    /// said where it starts.
    pub fn low_watermark(&self, own_start: Offset, alive: impl Fn(BrokerId) -> bool) -> Option<Offset> {
        let living = self.followers.iter().filter(|(id, _)| alive(**id));
        living.map(|(_, follower)| follower.log_start).try_fold(own_start, |low, start| Some(low.min(start?)))
    }

    /// The committed ISR, ordered by broker.
    pub fn isr(&self) -> Vec<BrokerId> {
        self.isr.committed().iter().copied().collect()
    }

    /// Whether a change of the ISR is under way.
    pub fn is_isr_change_pending(&self) -> bool {
        self.isr.pending().is_some()
    }

    /// Whether an append with acks=all may be taken now (error 19 if not).
    pub fn check_before_append(&self) -> Result<(), TooFewInSync> {
        self.enough(self.isr.committed().len())
    }

    /// Whether an append with acks=all that has reached the high watermark may be acknowledged (error 20 if not).
    pub fn check_after_append(&self) -> Result<(), TooFewInSync> {
        self.enough(self.isr.maximal_len())
    }

    /// The leader's own log has grown, or more of it has reached the ack level.
    #[must_use = "a high watermark that nobody hears of acknowledges nothing"]
    pub fn on_own_log(&mut self, own: OwnLog, now: Nanos) -> Effects {
        // Reports of several threads may overtake each other; a leader's log never shrinks.
        self.own.end = self.own.end.max(own.end);
        self.own.ack_end = self.own.ack_end.max(own.ack_end);
        Effects { high_watermark: self.advance(now), ..Effects::default() }
    }

    /// Other settings hold from here on.
    #[must_use = "a high watermark that nobody hears of acknowledges nothing"]
    pub fn reconfigure(&mut self, settings: ReplicaSettings, now: Nanos) -> Effects {
        self.settings = settings;
        Effects { high_watermark: self.advance(now), ..Effects::default() }
    }

    /// A follower has fetched: its log agrees with ours up to there. `None` for a broker that has no replica here.
    #[must_use = "a high watermark that nobody hears of acknowledges nothing"]
    pub fn on_fetched(&mut self, fetched: FollowerFetched, now: Nanos) -> Option<Effects> {
        let follower = self.followers.get_mut(&fetched.follower)?;
        let before = follower.end;
        follower.broker_epoch = fetched.broker_epoch;
        follower.eligible = fetched.eligible;
        follower.log_start = fetched.log_start;
        follower.fetched(fetched.offset, self.own.end, now);
        let gained = before.unwrap_or(self.epoch_start.min(fetched.offset))..fetched.offset;
        Some(Effects {
            replicated: (gained.start < gained.end).then_some((fetched.follower, gained)),
            propose: self.expand(fetched.follower),
            high_watermark: self.advance(now),
        })
    }

    /// Time has passed: members that lag are to leave the ISR, and what got no answer is asked again.
    ///
    /// `registered` is the incarnation under which the metadata know a broker that is in service: who has left since its last fetch may
    /// not join, so it is not waited for.
    #[must_use = "a high watermark that nobody hears of acknowledges nothing"]
    pub fn tick(&mut self, registered: impl Fn(BrokerId) -> Option<i64>, now: Nanos) -> Effects {
        for (id, follower) in &mut self.followers {
            follower.eligible &= is_eligible(follower.broker_epoch, registered(*id));
        }
        let again = self.isr.take_again();
        let propose = again.map(|members| self.proposal(&members)).or_else(|| self.shrink(now));
        Effects { propose, high_watermark: self.advance(now), ..Effects::default() }
    }

    /// The controller has committed a state of this leadership: by its answer or by the metadata, whichever is first.
    #[must_use = "a high watermark that nobody hears of acknowledges nothing"]
    pub fn on_isr_committed(&mut self, isr: &[BrokerId], partition_epoch: i32, now: Nanos) -> Effects {
        if partition_epoch <= self.partition_epoch {
            return Effects::default();
        }
        self.partition_epoch = partition_epoch;
        // Who has been taken out may have gone: not before its next fetch is it on its way back.
        for left in self.isr.committed().iter().filter(|id| !isr.contains(id)) {
            if let Some(follower) = self.followers.get_mut(left) {
                follower.eligible = false;
            }
        }
        self.isr.commit(isr.iter().copied());
        Effects { high_watermark: self.advance(now), ..Effects::default() }
    }

    /// The controller has not committed the proposal that was made on `partition_epoch`.
    pub fn on_isr_refused(&mut self, partition_epoch: i32, refusal: IsrRefusal) {
        if partition_epoch != self.partition_epoch {
            return;
        }
        match refusal {
            IsrRefusal::Ineligible => self.isr.revert(),
            IsrRefusal::Stale => self.isr.await_metadata(),
            IsrRefusal::Unanswered => self.isr.ask_again(),
        }
    }

    fn enough(&self, in_sync: usize) -> Result<(), TooFewInSync> {
        let needed = self.needed_in_sync();
        if in_sync < needed { Err(TooFewInSync { in_sync, needed }) } else { Ok(()) }
    }

    fn needed_in_sync(&self) -> usize {
        (self.settings.min_insync_replicas as usize).min(self.followers.len() + 1)
    }

    /// Raises the high watermark to the smallest end that counts.
    fn advance(&mut self, now: Nanos) -> Option<Range<Offset>> {
        if self.enough(self.isr.committed().len()).is_err() {
            return None;
        }
        let waited_for = self.followers.iter().filter(|(id, follower)| self.is_waited_for(**id, follower, now));
        let mut candidate = self.own.ack_end;
        for (_, follower) in waited_for {
            candidate = candidate.min(follower.end?);
        }
        let before = self.high_watermark;
        self.high_watermark = before.max(candidate);
        (before < candidate).then_some(before..candidate)
    }

    /// The high watermark waits for the maximal ISR, and for a replica that is about to join it: else it
    /// would run ahead of the joining one for ever.
    fn is_waited_for(&self, id: BrokerId, follower: &Progress, now: Nanos) -> bool {
        self.isr.maximal_contains(id)
            || (follower.eligible && follower.is_caught_up(self.own.end, now, self.settings.lag_time_max))
    }

    /// Proposes to take `follower` in if it has everything committed, and everything before this leadership.
    fn expand(&mut self, follower: BrokerId) -> Option<IsrProposal> {
        let progress = &self.followers[&follower];
        let in_sync = progress.end.is_some_and(|end| end >= self.high_watermark && end >= self.epoch_start);
        if !in_sync || !progress.eligible || self.isr.maximal_contains(follower) || self.is_isr_change_pending() {
            return None;
        }
        let mut members = self.isr.committed().clone();
        members.insert(follower);
        Some(self.propose(members))
    }

    /// Proposes to drop all lagging members at once. The leader itself always stays, so the ISR is never empty.
    fn shrink(&mut self, now: Nanos) -> Option<IsrProposal> {
        if self.is_isr_change_pending() {
            return None;
        }
        let lag = self.settings.lag_time_max;
        let lags = |id: &BrokerId| self.followers.get(id).is_some_and(|f| !f.is_caught_up(self.own.end, now, lag));
        let staying: BTreeSet<BrokerId> = self.isr.committed().iter().copied().filter(|id| !lags(id)).collect();
        if staying.len() == self.isr.committed().len() {
            return None;
        }
        Some(self.propose(staying))
    }

    fn propose(&mut self, members: BTreeSet<BrokerId>) -> IsrProposal {
        let proposal = self.proposal(&members);
        self.isr.propose(members);
        proposal
    }

    fn proposal(&self, members: &BTreeSet<BrokerId>) -> IsrProposal {
        let epoch_of = |id: &BrokerId| self.followers.get(id).map_or(-1, |follower| follower.broker_epoch);
        IsrProposal {
            leader_epoch: self.epoch,
            partition_epoch: self.partition_epoch,
            isr: members.iter().map(|id| IsrMember { broker: *id, broker_epoch: epoch_of(id) }).collect(),
        }
    }
}

/// Whether a follower that fetched under `broker_epoch` (-1: it did not say) may join the ISR, where the metadata know it as `registered`.
pub fn is_eligible(broker_epoch: i64, registered: Option<i64>) -> bool {
    registered.is_some_and(|registered| broker_epoch == -1 || broker_epoch == registered)
}
