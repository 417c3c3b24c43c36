//! One partition on one broker: its log and its role. It applies what the pure machines decide.
//!
//! Locks: `transitions` keeps role changes and a follower's writes apart from a leader's appends; `state`
//! is held for decisions only, never across a call into the log (which calls back while it holds locks of
//! its own) and never while a callback runs.
//!
//! Callbacks come on any thread, possibly from within an append: they hand on what they are told and
//! return. They never block and never call the replica from where they are.

mod acks;
mod append;
mod deletion;
mod following;
mod offsets;
mod roles;
mod serving;
mod waiting;

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};

use logdyno_record::{BrokerId, Clock, LeaderEpoch, Nanos, Offset, Probe, TopicPartition};
use logdyno_segment_log::Log;

use crate::error::ReplicaError;
use crate::follower::FollowerState;
use crate::leader::{Effects, LeaderState, OwnLog, ReplicaSettings};
use crate::leader_and_isr::IsrProposal;
use crate::purgatory::Purgatory;
use acks::{Calls, ParkedAck};

pub use append::{Acks, AppendDone};
pub use following::FetchPosition;
pub use offsets::{Asker, OffsetSpec};
pub use serving::{FetchSlice, FollowerAnswer, FollowerFetch, Isolation};
pub use waiting::Waiting;

/// What a leader asks of the controller: sent as AlterPartition by whoever implements [`IsrChanges`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlterIsr {
    /// The partition.
    pub partition: TopicPartition,
    /// The ISR to commit, and on what it builds.
    pub proposal: IsrProposal,
}

/// A replica's line to the controller.
pub trait IsrChanges: Send + Sync {
    /// Asks the controller to commit an ISR. Must not block, nor call the replica back from within.
    ///
    /// The answer goes to [`Replica::on_isr_committed`] or [`Replica::on_isr_refused`], once.
    fn propose(&self, change: AlterIsr);

    /// The incarnation under which a broker is registered; `None` if it is not, or is fenced. From the metadata. Called under a replica's
    /// lock: whoever shows metadata here must not call a replica while it holds what this needs.
    fn broker_epoch(&self, broker: BrokerId) -> Option<i64>;
}

/// One partition on one broker.
pub struct Replica {
    me: BrokerId,
    partition: TopicPartition,
    log: Arc<Log>,
    clock: Arc<dyn Clock>,
    probe: Arc<dyn Probe>,
    controller: Arc<dyn IsrChanges>,
    transitions: RwLock<()>,
    state: Mutex<State>,
    high_watermark: AtomicI64,
    itself: Weak<Replica>,
}

struct State {
    role: Role,
    settings: ReplicaSettings,
    acks: Purgatory<ParkedAck>,
    at_high_watermark: Purgatory<Wake>,
    at_log_end: Purgatory<Wake>,
    at_low_watermark: Purgatory<Wake>,
}

/// Called once something worth another look has happened.
type Wake = Box<dyn FnOnce() + Send>;

enum Role {
    Leader(LeaderState),
    Follower(FollowerState),
    /// Nothing heard from the metadata yet, or told to stop.
    Offline {
        high_watermark: Offset,
    },
}

impl Role {
    fn high_watermark(&self) -> Offset {
        match self {
            Role::Leader(leader) => leader.high_watermark(),
            Role::Follower(follower) => follower.high_watermark(),
            Role::Offline { high_watermark } => *high_watermark,
        }
    }

    /// The newest state heard of, as `(leader_epoch, partition_epoch)`.
    fn epochs(&self) -> Option<(LeaderEpoch, i32)> {
        match self {
            Role::Leader(leader) => Some((leader.epoch(), leader.partition_epoch())),
            Role::Follower(follower) => Some((follower.epoch(), follower.partition_epoch())),
            Role::Offline { .. } => None,
        }
    }
}

impl Replica {
    /// A replica that knows no leader yet. `high_watermark` is the checkpointed one.
    ///
    /// The log's content counts as far as recovery has kept it; the high watermark cannot be behind its
    /// end or before its start.
    pub fn new(
        me: BrokerId,
        log: Arc<Log>,
        high_watermark: Offset,
        settings: ReplicaSettings,
        clock: Arc<dyn Clock>,
        probe: Arc<dyn Probe>,
        controller: Arc<dyn IsrChanges>,
    ) -> Arc<Replica> {
        let high_watermark = high_watermark.min(log.end_offset()).max(log.start_offset());
        let replica = Arc::new_cyclic(|itself: &Weak<Replica>| Replica {
            me,
            partition: log.partition().clone(),
            log,
            clock,
            probe,
            controller,
            transitions: RwLock::new(()),
            state: Mutex::new(State {
                role: Role::Offline { high_watermark },
                settings,
                acks: Purgatory::default(),
                at_high_watermark: Purgatory::default(),
                at_log_end: Purgatory::default(),
                at_low_watermark: Purgatory::default(),
            }),
            high_watermark: AtomicI64::new(high_watermark.0),
            itself: itself.clone(),
        });
        let weak = replica.itself.clone();
        replica.log.on_ack_end(Arc::new(move |end| {
            if let Some(replica) = weak.upgrade() {
                replica.on_ack_end(end);
            }
        }));
        replica
    }

    /// The partition.
    pub fn partition(&self) -> &TopicPartition {
        &self.partition
    }

    /// Its log.
    pub fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// Everything before it is committed: what consumers may read, and what the checkpoint file keeps.
    pub fn high_watermark(&self) -> Offset {
        Offset(self.high_watermark.load(Ordering::Acquire))
    }

    /// Everything before it is gone from the log of every live replica (KIP-107); `None` while that is not known, or elsewhere
    /// than on the leader.
    pub fn low_watermark(&self) -> Option<Offset> {
        self.low_watermark_in(&self.state().role)
    }

    /// Whether this broker leads the partition, as far as it has heard.
    pub fn is_leader(&self) -> bool {
        matches!(self.state().role, Role::Leader(_))
    }

    /// The newest leadership heard of.
    pub fn leader_epoch(&self) -> Option<LeaderEpoch> {
        self.state().role.epochs().map(|(epoch, _)| epoch)
    }

    /// The committed ISR as this leader knows it; `None` elsewhere.
    pub fn isr(&self) -> Option<Vec<BrokerId>> {
        match &self.state().role {
            Role::Leader(leader) => Some(leader.isr()),
            _ => None,
        }
    }

    /// Obeys other settings from here on; whom a smaller `min.insync.replicas` serves, it serves at once.
    pub fn reconfigure(&self, settings: ReplicaSettings) {
        let now = self.clock.now();
        let mut state = self.state();
        state.settings = settings;
        let calls = match &mut state.role {
            Role::Leader(leader) => {
                let effects = leader.reconfigure(settings, now);
                self.carry_out(&mut state, effects, now)
            }
            _ => Calls::default(),
        };
        drop(state);
        calls.run(self);
    }

    /// Time has passed: checks the ISR for members that lag, and fails acks whose time is over.
    ///
    /// Worth a call every few hundred milliseconds: it is how late a timeout may be.
    pub fn tick(&self, now: Nanos) {
        let mut state = self.state();
        let mut calls = match &mut state.role {
            Role::Leader(leader) => {
                let effects = leader.tick(|id| self.controller.broker_epoch(id), now);
                self.carry_out(&mut state, effects, now)
            }
            _ => Calls::default(),
        };
        for late in state.acks.take_expired(now) {
            let error = ReplicaError::TimedOut { partition: self.partition.clone(), offset: late.appended.last };
            calls.answer(late.done, Err(error));
        }
        // A replica that died is not waited for any more.
        calls.wake_too(self.at_low_watermark(&mut state));
        drop(state);
        calls.run(self);
    }

    /// The log says that more of it has reached the ack level. Asks nothing back: the log may be mid-append.
    fn on_ack_end(&self, ack_end: Offset) {
        let now = self.clock.now();
        let mut state = self.state();
        let calls = match &mut state.role {
            Role::Leader(leader) => {
                let effects = leader.on_own_log(OwnLog { end: ack_end, ack_end }, now);
                self.carry_out(&mut state, effects, now)
            }
            Role::Follower(follower) => {
                follower.on_own_ack_end(ack_end);
                self.publish_high_watermark(&mut state)
            }
            Role::Offline { .. } => Calls::default(),
        };
        drop(state);
        calls.run(self);
    }

    /// Turns what a leader decided into calls to be made once the lock is released.
    fn carry_out(&self, state: &mut State, effects: Effects, now: Nanos) -> Calls {
        let mut calls = self.publish_high_watermark(state);
        if let Role::Leader(leader) = &state.role {
            let enough = leader.check_after_append();
            for ack in state.acks.take_reached(leader.high_watermark()) {
                calls.answer(ack.done, self.after_append(ack.appended, enough));
            }
        }
        calls.observe(effects, now);
        calls
    }

    /// Makes the role's high watermark readable, and finds out who waits for it.
    fn publish_high_watermark(&self, state: &mut State) -> Calls {
        let high_watermark = state.role.high_watermark();
        self.high_watermark.store(high_watermark.0, Ordering::Release);
        self.log.note_high_watermark(high_watermark);
        Calls::wake(state.at_high_watermark.take_reached(high_watermark))
    }

    /// Who waits for the low watermark that there is now.
    fn at_low_watermark(&self, state: &mut State) -> Vec<Wake> {
        if state.at_low_watermark.len() == 0 {
            return Vec::new();
        }
        self.low_watermark_in(&state.role).map_or_else(Vec::new, |low| state.at_low_watermark.take_reached(low))
    }

    fn low_watermark_in(&self, role: &Role) -> Option<Offset> {
        let Role::Leader(leader) = role else { return None };
        leader.low_watermark(self.log.start_offset(), |id| self.controller.broker_epoch(id).is_some())
    }

    fn not_leader(&self) -> ReplicaError {
        ReplicaError::NotLeader { partition: self.partition.clone() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
