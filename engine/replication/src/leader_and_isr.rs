//! What the metadata says about one partition: the only source of leadership.

use logdyno_record::{BrokerId, LeaderEpoch};

/// Who leads a partition, since when, and who is in sync: one state of the controller's record of it.
///
/// Leadership is only ever an input. A replica never makes itself a leader, and it obeys the newest
/// state by `(leader_epoch, partition_epoch)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaderAndIsr {
    /// The broker that takes appends.
    pub leader: BrokerId,
    /// The number of this leadership.
    pub leader_epoch: LeaderEpoch,
    /// Counts every change of this state; the controller compares it before it accepts another ISR.
    pub partition_epoch: i32,
    /// The committed in-sync replicas: every acknowledged record is on all of them.
    pub isr: Vec<BrokerId>,
    /// All assigned replicas, preferred leader first.
    pub replicas: Vec<BrokerId>,
}

/// A member of a proposed ISR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct IsrMember {
    /// The broker.
    pub broker: BrokerId,
    /// The incarnation that was seen fetching; -1 where the proposer does not know (its own).
    ///
    /// The controller refuses a member that has registered anew since, because the new incarnation may
    /// have lost its disk (KIP-903).
    pub broker_epoch: i64,
}

/// An ISR that a leader asks the controller to commit, as a compare-and-set on both epochs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IsrProposal {
    /// The leadership that proposes.
    pub leader_epoch: LeaderEpoch,
    /// The state that the proposal replaces.
    pub partition_epoch: i32,
    /// The whole new ISR, ordered by broker.
    pub isr: Vec<IsrMember>,
}

/// Why a proposed ISR was not committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsrRefusal {
    /// A member may not join (fenced, shutting down, another incarnation): back to the committed ISR.
    Ineligible,
    /// The controller's state is newer than the proposal: keep the cautious view until the metadata tells.
    Stale,
    /// The controller could not be asked, or could not answer: propose the same again at the next tick.
    Unanswered,
}
