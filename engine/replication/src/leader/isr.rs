//! The in-sync replicas as a leader knows them: what is committed, and the one change that is under way.

use std::collections::BTreeSet;

use logdyno_record::BrokerId;

/// Where the one pending change stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flight {
    /// The controller has been asked.
    Asked,
    /// It could not be asked: the next tick asks again.
    Again,
    /// It knows better: its next record for the partition decides.
    AwaitsMetadata,
}

/// Committed members and at most one pending change (Kafka's `CommittedPartitionState` and its pending kin).
#[derive(Clone, Debug)]
pub(super) struct Isr {
    committed: BTreeSet<BrokerId>,
    pending: Option<(BTreeSet<BrokerId>, Flight)>,
}

impl Isr {
    pub(super) fn new(committed: impl IntoIterator<Item = BrokerId>) -> Isr {
        Isr { committed: committed.into_iter().collect(), pending: None }
    }

    pub(super) fn committed(&self) -> &BTreeSet<BrokerId> {
        &self.committed
    }

    /// The proposed members, while a change is under way.
    pub(super) fn pending(&self) -> Option<&BTreeSet<BrokerId>> {
        self.pending.as_ref().map(|(members, _)| members)
    }

    /// Whether `broker` is in the maximal ISR: committed or pending.
    ///
    /// So a joining member counts from the moment it is proposed, and a leaving one until it is gone:
    /// whichever of both states the controller has committed, all of its members are waited for.
    pub(super) fn maximal_contains(&self, broker: BrokerId) -> bool {
        self.committed.contains(&broker) || self.pending().is_some_and(|members| members.contains(&broker))
    }

    /// How many members the maximal ISR has.
    pub(super) fn maximal_len(&self) -> usize {
        let joining = self.pending().map_or(0, |members| members.difference(&self.committed).count());
        self.committed.len() + joining
    }

    /// Notes that the controller is asked for `members`. One change at a time.
    pub(super) fn propose(&mut self, members: BTreeSet<BrokerId>) {
        debug_assert!(self.pending.is_none(), "one AlterPartition in flight");
        self.pending = Some((members, Flight::Asked));
    }

    /// The controller's word: nothing is pending any more.
    pub(super) fn commit(&mut self, members: impl IntoIterator<Item = BrokerId>) {
        *self = Isr::new(members);
    }

    /// Drops the pending change: the controller has refused it for good.
    pub(super) fn revert(&mut self) {
        self.pending = None;
    }

    pub(super) fn await_metadata(&mut self) {
        self.set_flight(Flight::AwaitsMetadata);
    }

    pub(super) fn ask_again(&mut self) {
        self.set_flight(Flight::Again);
    }

    /// The members to propose once more, if the last attempt got no answer.
    pub(super) fn take_again(&mut self) -> Option<BTreeSet<BrokerId>> {
        match &mut self.pending {
            Some((members, flight @ Flight::Again)) => {
                *flight = Flight::Asked;
                Some(members.clone())
            }
            _ => None,
        }
    }

    fn set_flight(&mut self, to: Flight) {
        if let Some((_, flight)) = &mut self.pending {
            *flight = to;
        }
    }
}
