//! Appends by producers.

use std::sync::PoisonError;

use logdyno_record::batch::Batch;
use logdyno_record::{LeaderEpoch, Nanos, Offset};
use logdyno_segment_log::{Appended, LogError};

use super::acks::{Calls, ParkedAck};
use super::{Replica, Role};
use crate::error::ReplicaError;
use crate::leader::{LeaderState, OwnLog, TooFewInSync};

/// When an append is acknowledged (`acks`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acks {
    /// `acks=0` and `acks=1`: when it is at the ack level in the leader's own log. With 0 nobody is told.
    Leader,
    /// `acks=all`: when it is at the ack level on every in-sync replica.
    All,
}

/// Receives the outcome of an append, once, on any thread: must not block, nor call the replica from within.
pub type AppendDone = Box<dyn FnOnce(Result<Appended, ReplicaError>) + Send>;

impl Replica {
    /// Appends a batch that has been validated, and calls `done` when `acks` are there, cannot be, or `deadline` has passed.
    ///
    /// `current_epoch` is the leadership that the request was meant for, if it says. After
    /// [`ReplicaError::NotEnoughReplicasAfterAppend`] and [`ReplicaError::TimedOut`] the batch is in the
    /// log and may become visible; after every other error it is not, except that leadership lost while
    /// waiting leaves it to the next leader.
    ///
    /// Gives `done` back, with nothing appended, if the device does not keep up: [`Replica::when_room`] tells when to try again.
    #[must_use = "without room nothing was appended, and nobody has been told"]
    pub fn append(
        &self,
        batch: &Batch,
        acks: Acks,
        current_epoch: Option<LeaderEpoch>,
        deadline: Nanos,
        done: AppendDone,
    ) -> Option<AppendDone> {
        // No role change between the check and the end of the append.
        let transition = self.transitions.read().unwrap_or_else(PoisonError::into_inner);
        let appended = self.admit(acks, current_epoch).and_then(|epoch| Ok(self.log.append_as_leader(batch, epoch)?));
        let appended = match appended {
            Ok(appended) => appended,
            Err(ReplicaError::Log(LogError::Full { .. })) => return Some(done),
            Err(error) => {
                drop(transition);
                done(Err(error));
                return None;
            }
        };
        let (parked, waiting) = match acks {
            Acks::Leader => (None, Some(done)),
            Acks::All => (Some((deadline, ParkedAck { appended, done })), None),
        };
        let calls = self.appended_to(appended.last.next(), parked);
        drop(transition);
        calls.run(self);
        self.bring_to_ack_level(appended, waiting);
        None
    }

    /// Calls `waker` once when an append that found no room is worth trying again, or drops it: see [`Log::when_room`](logdyno_segment_log::Log::when_room).
    pub fn when_room(&self, waker: Box<dyn FnOnce() + Send>) {
        self.log.when_room(waker);
    }

    /// Whether an append may be taken, and in which epoch.
    fn admit(&self, acks: Acks, current_epoch: Option<LeaderEpoch>) -> Result<LeaderEpoch, ReplicaError> {
        let state = self.state();
        let leader = self.leader_in(&state.role, current_epoch)?;
        if acks == Acks::All {
            leader.check_before_append().map_err(|TooFewInSync { in_sync, needed }| {
                ReplicaError::NotEnoughReplicas { partition: self.partition.clone(), in_sync, needed }
            })?;
        }
        Ok(leader.epoch())
    }

    /// The leader's log ends at `end` now: parks the ack, tells followers that wait, and whom the high watermark serves.
    fn appended_to(&self, end: Offset, parked: Option<(Nanos, ParkedAck)>) -> Calls {
        let (now, ack_end) = (self.clock.now(), self.log.ack_end());
        let mut state = self.state();
        if let Some((deadline, ack)) = parked {
            state.acks.park(end, deadline, ack);
        }
        let mut calls = match &mut state.role {
            Role::Leader(leader) => {
                // Also where the watermark has passed it long since: a batch that was sent again.
                let effects = leader.on_own_log(OwnLog { end, ack_end }, now);
                self.carry_out(&mut state, effects, now)
            }
            _ => Calls::default(),
        };
        calls.wake_too(state.at_log_end.take_reached(end));
        calls
    }

    /// Sees to it that the append gets to the ack level; its listener moves the high watermark.
    fn bring_to_ack_level(&self, appended: Appended, waiting: Option<AppendDone>) {
        let replica = self.itself.clone();
        let end = appended.last.next();
        self.log.when(
            self.log.ack_level(),
            end,
            Box::new(move |reached| match (reached, waiting) {
                (Ok(()), Some(done)) => done(Ok(appended)),
                (Ok(()), None) => {}
                (Err(error), Some(done)) => done(Err(error.into())),
                (Err(error), None) => {
                    if let Some(replica) = replica.upgrade() {
                        replica.fail_acks(&error);
                    }
                }
            }),
        );
    }

    /// The log has failed: nothing that waits will ever be at the ack level.
    fn fail_acks(&self, error: &LogError) {
        let failed = self.state().acks.take_all();
        for ack in failed {
            (ack.done)(Err(error.clone().into()));
        }
    }

    /// The leader, if this is one and the request was meant for this leadership (errors 6, 74, 75).
    pub(super) fn leader_in<'a>(
        &self,
        role: &'a Role,
        asked: Option<LeaderEpoch>,
    ) -> Result<&'a LeaderState, ReplicaError> {
        self.check_epoch(role, asked)?;
        match role {
            Role::Leader(leader) => Ok(leader),
            _ => Err(self.not_leader()),
        }
    }

    /// Compares the leadership that a request names with ours; Kafka does that before it looks at the role.
    fn check_epoch(&self, role: &Role, asked: Option<LeaderEpoch>) -> Result<(), ReplicaError> {
        let (Some(asked), Some((ours, _))) = (asked, role.epochs()) else { return Ok(()) };
        let partition = self.partition.clone();
        match asked.cmp(&ours) {
            std::cmp::Ordering::Less => Err(ReplicaError::FencedLeaderEpoch { partition, asked, ours }),
            std::cmp::Ordering::Greater => Err(ReplicaError::UnknownLeaderEpoch { partition, asked, ours }),
            std::cmp::Ordering::Equal => Ok(()),
        }
    }
}
