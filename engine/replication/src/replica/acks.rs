//! Acks that wait for the high watermark, and calls that wait for the lock to be released.

use std::ops::Range;

use logdyno_record::{BrokerId, Nanos, Offset, Stage};
use logdyno_segment_log::Appended;

use super::append::AppendDone;
use super::{AlterIsr, Replica, Wake};
use crate::error::ReplicaError;
use crate::leader::{Effects, TooFewInSync};
use crate::leader_and_isr::IsrProposal;

/// An append with acks=all on its way to the in-sync replicas.
pub(super) struct ParkedAck {
    pub(super) appended: Appended,
    pub(super) done: AppendDone,
}

/// What is to be called, collected under the lock and run after it.
#[derive(Default)]
#[must_use = "collected calls are to be run"]
pub(super) struct Calls {
    at: Nanos,
    replicated: Option<(BrokerId, Range<Offset>)>,
    high_watermark: Option<Range<Offset>>,
    propose: Option<IsrProposal>,
    answers: Vec<(AppendDone, Result<Appended, ReplicaError>)>,
    wakes: Vec<Wake>,
}

impl Calls {
    pub(super) fn wake(wakes: Vec<Wake>) -> Calls {
        Calls { wakes, ..Calls::default() }
    }

    pub(super) fn wake_too(&mut self, wakes: Vec<Wake>) {
        self.wakes.extend(wakes);
    }

    pub(super) fn answer(&mut self, done: AppendDone, result: Result<Appended, ReplicaError>) {
        self.answers.push((done, result));
    }

    pub(super) fn observe(&mut self, effects: Effects, at: Nanos) {
        let Effects { replicated, high_watermark, propose } = effects;
        (self.at, self.replicated, self.high_watermark, self.propose) = (at, replicated, high_watermark, propose);
    }

    /// Stamps first: whoever is answered may look at them.
    pub(super) fn run(self, replica: &Replica) {
        let (probe, partition) = (&replica.probe, &replica.partition);
        if let Some((follower, offsets)) = self.replicated {
            probe.passed(Stage::Replicated(follower), partition, offsets, self.at);
        }
        if let Some(offsets) = self.high_watermark {
            probe.passed(Stage::HighWatermark, partition, offsets, self.at);
        }
        for (done, result) in self.answers {
            done(result);
        }
        for wake in self.wakes {
            wake();
        }
        if let Some(proposal) = self.propose {
            replica.controller.propose(AlterIsr { partition: partition.clone(), proposal });
        }
    }
}

impl Replica {
    /// The answer to an append that all in-sync replicas have.
    pub(super) fn after_append(
        &self,
        appended: Appended,
        enough: Result<(), TooFewInSync>,
    ) -> Result<Appended, ReplicaError> {
        match enough {
            Ok(()) => Ok(appended),
            Err(TooFewInSync { in_sync, needed }) => {
                let partition = self.partition.clone();
                Err(ReplicaError::NotEnoughReplicasAfterAppend { partition, in_sync, needed })
            }
        }
    }
}
