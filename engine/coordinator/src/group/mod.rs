//! One group's membership (Kafka's `ClassicGroup`): who is a member, in which generation, with which part of the work.
//!
//! ```text
//! Empty ──join──▶ PreparingRebalance ──all joined, or time is over──▶ CompletingRebalance ──leader's sync stored──▶ Stable
//!   ▲                 ▲      │                                             │                                     │
//!   └──nobody left────┼──────┘◀────────── a member joins, leaves, fails ───┴─────────────────────────────────────┘
//! ```
//! Joins and syncs wait for others: they come with a [`Ticket`], and the answer is an [`Effect`] that names it, now or later.

mod describe;
mod join;
mod member;
mod membership;
mod rebalance;
mod subscription;
mod sync;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use bytes::Bytes;
use logdyno_record::Nanos;

pub use describe::{Description, MemberDescription};
pub use join::{JoinAnswer, Joining};
use member::Member;
pub use membership::Leaving;
pub use sync::{SyncAnswer, Syncing};

use crate::error::GroupError;
use crate::records::{StoredGroup, StoredMember};

/// Names a request that waits for its answer.
pub type Ticket = u64;

/// Where a group stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No members; perhaps offsets.
    Empty,
    /// Members are to join.
    PreparingRebalance,
    /// All have joined; the leader is to assign.
    CompletingRebalance,
    /// Everybody has a part.
    Stable,
}

/// What the broker's settings allow.
#[derive(Clone, Copy, Debug)]
pub struct GroupLimits {
    /// `group.min.session.timeout.ms`.
    pub session_timeout_min: Duration,
    /// `group.max.session.timeout.ms`.
    pub session_timeout_max: Duration,
    /// `group.initial.rebalance.delay.ms`: an empty group waits so long for more members.
    pub initial_delay: Duration,
    /// `group.max.size`.
    pub members_max: usize,
}

/// What comes of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The answer to a join.
    Joined(Ticket, JoinAnswer),
    /// The answer to a sync.
    Synced(Ticket, SyncAnswer),
    /// Write the group down as it is now, then say so by [`Group::stored`] with this generation.
    Store(i32),
}

/// A group's members and their generation.
#[derive(Debug)]
pub struct Group {
    limits: GroupLimits,
    state: State,
    state_ms: i64,
    generation: i32,
    protocol_type: Option<String>,
    protocol: Option<String>,
    leader: Option<String>,
    members: BTreeMap<String, Member>,
    /// Member ids by `group.instance.id`.
    instances: HashMap<String, String>,
    /// Ids that were given out and have not come back yet, and until when they may.
    pending: BTreeMap<String, Nanos>,
    /// When the phase of the rebalance ends whoever is missing.
    deadline: Option<Nanos>,
    /// While an empty group waits for its first members: what is left of the rebalance timeout, and whether one came.
    initial: Option<Initial>,
    /// The leader's assignment is being written down.
    storing: bool,
    /// Topics of the last generation's members; `None` where that is not known.
    subscribed: Option<BTreeSet<String>>,
}

#[derive(Clone, Copy, Debug)]
struct Initial {
    left: Duration,
    has_new: bool,
}

impl GroupLimits {
    /// Whether a member may be silent for so long; if not, nothing else about it is looked at.
    pub fn check_session(&self, timeout: Duration) -> Result<(), GroupError> {
        let allowed = (self.session_timeout_min..=self.session_timeout_max).contains(&timeout);
        if allowed { Ok(()) } else { Err(GroupError::InvalidSessionTimeout) }
    }
}

impl Group {
    /// A group without members.
    pub fn new(limits: GroupLimits, now_ms: i64) -> Group {
        Group {
            limits,
            state: State::Empty,
            state_ms: now_ms,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            instances: HashMap::new(),
            pending: BTreeMap::new(),
            deadline: None,
            initial: None,
            storing: false,
            subscribed: None,
        }
    }

    /// The group as it was written down. Its members get a whole session from now on.
    pub fn restore(stored: &StoredGroup, limits: GroupLimits, now: Nanos) -> Group {
        let mut group = Group::new(limits, stored.state_ms);
        group.generation = stored.generation;
        group.protocol_type = (!stored.protocol_type.is_empty()).then(|| stored.protocol_type.clone());
        group.protocol = stored.protocol.clone();
        group.leader = stored.leader.clone();
        for member in &stored.members {
            let restored = Member::restore(member, stored.protocol.as_deref().unwrap_or_default(), now);
            if let Some(instance) = &member.instance {
                group.instances.insert(instance.clone(), member.id.clone());
            }
            group.members.insert(member.id.clone(), restored);
        }
        if !group.members.is_empty() {
            group.state = State::Stable;
        }
        group.note_subscriptions();
        group
    }

    /// The group as it is to be written down.
    pub fn to_store(&self) -> StoredGroup {
        let members = self.members.iter().map(|(id, member)| StoredMember {
            id: id.clone(),
            instance: member.instance.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            rebalance_timeout_ms: millis(member.rebalance_timeout),
            session_timeout_ms: millis(member.session_timeout),
            subscription: self.protocol.as_deref().map(|chosen| member.metadata(chosen)).unwrap_or_default(),
            assignment: member.assignment.clone(),
        });
        StoredGroup {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            state_ms: self.state_ms,
            members: members.collect(),
        }
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// Counts rebalances.
    pub fn generation(&self) -> i32 {
        self.generation
    }

    /// Since when it has had no members; `None` while it has some, or if it never had.
    pub fn empty_since_ms(&self) -> Option<i64> {
        (self.state == State::Empty && self.protocol_type.is_some()).then_some(self.state_ms)
    }

    /// The earliest moment at which [`Group::tick`] has something to do.
    pub fn next_deadline(&self) -> Option<Nanos> {
        let sessions = self.members.values().filter(|member| member.waits.is_none()).map(|member| member.deadline);
        sessions.chain(self.pending.values().copied()).chain(self.deadline).min()
    }

    fn enter(&mut self, state: State, now_ms: i64) {
        self.state = state;
        self.state_ms = now_ms;
    }

    /// The member of this id, if its `group.instance.id` is not somebody else's by now.
    fn member(&mut self, id: &str, instance: Option<&str>) -> Result<&mut Member, GroupError> {
        if let Some(instance) = instance {
            match self.instances.get(instance) {
                None => return Err(GroupError::UnknownMember),
                Some(current) if current != id => return Err(GroupError::FencedInstance),
                Some(_) => {}
            }
        }
        self.members.get_mut(id).ok_or(GroupError::UnknownMember)
    }

    /// As [`Group::member`], of the current generation.
    fn current_member(&mut self, id: &str, instance: Option<&str>, generation: i32) -> Result<&mut Member, GroupError> {
        let current = self.generation;
        let member = self.member(id, instance)?;
        if generation == current { Ok(member) } else { Err(GroupError::IllegalGeneration) }
    }

    /// Whether this member may commit offsets now (Kafka's `validateOffsetCommit`); a commit counts as a heartbeat.
    /// A generation below 0 is a consumer that manages itself.
    pub fn may_commit(
        &mut self,
        id: &str,
        instance: Option<&str>,
        generation: i32,
        now: Nanos,
    ) -> Result<(), GroupError> {
        if generation < 0 && self.state == State::Empty {
            return Ok(());
        }
        if generation < 0 && id.is_empty() && instance.is_none() {
            return Err(GroupError::UnknownMember);
        }
        self.current_member(id, instance, generation)?.is_alive(now);
        match self.state {
            State::CompletingRebalance => Err(GroupError::RebalanceInProgress),
            _ => Ok(()),
        }
    }

    /// Fails whoever waits: another broker coordinates the group now.
    pub fn give_up(&mut self) -> Vec<Effect> {
        let members = std::mem::take(&mut self.members);
        let effects = members.into_iter().filter_map(|(id, member)| member.refusal(&id, GroupError::NotCoordinator));
        effects.collect()
    }
}

/// The part of the work that one member has, or none yet.
fn nothing() -> Bytes {
    Bytes::new()
}

fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}
