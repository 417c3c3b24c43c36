//! SyncGroup: the leader says who does what, and everybody hears its part once that is written down.

use std::collections::HashMap;

use bytes::Bytes;
use logdyno_record::Nanos;

use super::member::Waits;
use super::{Effect, Group, State, Ticket};
use crate::error::GroupError;

/// A request for one's part.
#[derive(Clone, Debug)]
pub struct Syncing {
    /// The member's id.
    pub member: String,
    /// `group.instance.id`.
    pub instance: Option<String>,
    /// As joined.
    pub generation: i32,
    /// As joined, if it says.
    pub protocol_type: Option<String>,
    /// As joined, if it says.
    pub protocol: Option<String>,
    /// From the leader: everybody's part.
    pub assignments: HashMap<String, Bytes>,
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncAnswer {
    /// The no, if it is one.
    pub error: Option<GroupError>,
    /// `consumer`, `connect`…
    pub protocol_type: Option<String>,
    /// The assignor.
    pub protocol: Option<String>,
    /// The member's part.
    pub assignment: Bytes,
}

impl SyncAnswer {
    /// A no.
    pub fn refused(error: GroupError) -> SyncAnswer {
        SyncAnswer { error: Some(error), ..SyncAnswer::default() }
    }
}

impl Group {
    /// A member asks for its part; the leader brings everybody's.
    pub fn sync(&mut self, syncing: Syncing, ticket: Ticket, now: Nanos) -> Vec<Effect> {
        let mut effects = Vec::new();
        if let Err(error) = self.try_sync(syncing, ticket, now, &mut effects) {
            effects.push(Effect::Synced(ticket, SyncAnswer::refused(error)));
        }
        effects
    }

    fn try_sync(
        &mut self,
        syncing: Syncing,
        ticket: Ticket,
        now: Nanos,
        effects: &mut Vec<Effect>,
    ) -> Result<(), GroupError> {
        let Syncing { member: id, instance, generation, protocol_type, protocol, assignments } = syncing;
        let differs = |said: Option<String>, is: &Option<String>| said.is_some() && said != *is;
        let other_protocol = differs(protocol_type, &self.protocol_type) || differs(protocol, &self.protocol);
        let (state, leads) = (self.state, self.leader.as_ref() == Some(&id));
        let member = self.current_member(&id, instance.as_deref(), generation)?;
        if other_protocol {
            return Err(GroupError::InconsistentProtocol);
        }
        match state {
            State::Empty => Err(GroupError::UnknownMember),
            State::PreparingRebalance => Err(GroupError::RebalanceInProgress),
            State::Stable => {
                member.is_alive(now);
                member.owes_sync = false;
                effects.push(self.synced(&id, ticket));
                Ok(())
            }
            State::CompletingRebalance => {
                effects.extend(member.refusal(&id, GroupError::RebalanceInProgress));
                member.waits = Some(Waits::Sync(ticket));
                member.owes_sync = false;
                if leads && !self.storing {
                    for (id, member) in &mut self.members {
                        member.assignment = assignments.get(id).cloned().unwrap_or_default();
                    }
                    self.storing = true;
                    effects.push(Effect::Store(generation));
                }
                Ok(())
            }
        }
    }

    /// What was to be written down in this generation is safe, or is not.
    pub fn stored(&mut self, generation: i32, is_safe: bool, now: Nanos, now_ms: i64) -> Vec<Effect> {
        let mut effects = Vec::new();
        let expected = self.storing && generation == self.generation && self.state == State::CompletingRebalance;
        if !expected {
            return effects;
        }
        self.storing = false;
        if !is_safe {
            self.forget_assignments();
            self.refuse_syncs(GroupError::NotStored, now, &mut effects);
            self.prepare_rebalance(now, now_ms, &mut effects);
            return effects;
        }
        // The others still owe their syncs by the same deadline.
        self.enter(State::Stable, now_ms);
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            let Some(member) = self.members.get_mut(&id) else { continue };
            if let Some(Waits::Sync(ticket)) = member.waits.take() {
                member.is_alive(now);
                effects.push(self.synced(&id, ticket));
            }
        }
        effects
    }

    fn synced(&self, id: &str, ticket: Ticket) -> Effect {
        let assignment = self.members.get(id).map(|member| member.assignment.clone()).unwrap_or_default();
        let (protocol_type, protocol) = (self.protocol_type.clone(), self.protocol.clone());
        Effect::Synced(ticket, SyncAnswer { error: None, protocol_type, protocol, assignment })
    }
}
