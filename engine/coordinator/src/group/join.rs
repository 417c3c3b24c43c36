//! JoinGroup: who comes, and as whom.

use std::time::Duration;

use bytes::Bytes;
use logdyno_record::Nanos;
use uuid::Uuid;

use super::member::{Member, Waits};
use super::{Effect, Group, State, Ticket};
use crate::error::GroupError;

/// A request to join.
#[derive(Clone, Debug)]
pub struct Joining {
    /// Empty for who has none yet.
    pub member: String,
    /// `group.instance.id`.
    pub instance: Option<String>,
    /// `client.id`.
    pub client_id: String,
    /// Where it connected from.
    pub client_host: String,
    /// `session.timeout.ms`.
    pub session_timeout: Duration,
    /// `max.poll.interval.ms`.
    pub rebalance_timeout: Duration,
    /// `consumer`, `connect`…
    pub protocol_type: String,
    /// The assignors it knows, best first, each with what it has to say to it.
    pub protocols: Vec<(String, Bytes)>,
    /// Whether it understands that it is to come again with the id that it is given (version 4, KIP-394).
    pub comes_again: bool,
    /// Whether a leader understands that it need not assign again (version 9, KIP-814).
    pub can_skip: bool,
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JoinAnswer {
    /// The no, if it is one.
    pub error: Option<GroupError>,
    /// Counts rebalances; -1 with an error.
    pub generation: i32,
    /// `consumer`, `connect`…
    pub protocol_type: Option<String>,
    /// The assignor.
    pub protocol: Option<String>,
    /// Who assigns.
    pub leader: String,
    /// The leader need not assign: everybody keeps what it has.
    pub skip_assignment: bool,
    /// The member's id.
    pub member: String,
    /// For the leader: all members, their instance ids and what they say to the assignor.
    pub members: Vec<(String, Option<String>, Bytes)>,
}

impl JoinAnswer {
    /// A no to this member.
    pub fn refused(member: &str, error: GroupError) -> JoinAnswer {
        JoinAnswer { error: Some(error), generation: -1, member: member.to_owned(), ..JoinAnswer::default() }
    }
}

impl Group {
    /// Somebody wants to be a member.
    pub fn join(&mut self, joining: Joining, ticket: Ticket, now: Nanos, now_ms: i64) -> Vec<Effect> {
        let mut effects = Vec::new();
        if let Err(error) = self.try_join(&joining, ticket, now, now_ms, &mut effects) {
            effects.push(Effect::Joined(ticket, JoinAnswer::refused(&joining.member, error)));
        }
        effects
    }

    fn try_join(
        &mut self,
        joining: &Joining,
        ticket: Ticket,
        now: Nanos,
        now_ms: i64,
        effects: &mut Vec<Effect>,
    ) -> Result<(), GroupError> {
        self.limits.check_session(joining.session_timeout)?;
        if self.is_full_for(joining) {
            return Err(GroupError::GroupMaxSizeReached);
        }
        self.check_protocols(joining)?;
        match joining.member.is_empty() {
            true => self.join_anew(joining, ticket, now, now_ms, effects),
            false => self.join_again(joining, ticket, now, now_ms, effects),
        }
    }

    /// A member that has joined this rebalance already, or was promised a place, keeps it.
    fn is_full_for(&self, joining: &Joining) -> bool {
        let known = self.members.contains_key(&joining.member) || self.pending.contains_key(&joining.member);
        let known = known || joining.instance.as_ref().is_some_and(|instance| self.instances.contains_key(instance));
        !known && self.members.len() + self.pending.len() >= self.limits.members_max
    }

    fn check_protocols(&self, joining: &Joining) -> Result<(), GroupError> {
        // As Kafka does it, with what the member itself has said before: it comes with other assignors as somebody else.
        let known_to_all = |name: &str| self.members.values().all(|member| member.knows(name));
        let fits = if self.members.is_empty() {
            !joining.protocol_type.is_empty() && !joining.protocols.is_empty()
        } else {
            self.protocol_type.as_deref() == Some(&joining.protocol_type)
                && joining.protocols.iter().any(|(name, _)| known_to_all(name))
        };
        if fits { Ok(()) } else { Err(GroupError::InconsistentProtocol) }
    }

    fn join_anew(
        &mut self,
        joining: &Joining,
        ticket: Ticket,
        now: Nanos,
        now_ms: i64,
        effects: &mut Vec<Effect>,
    ) -> Result<(), GroupError> {
        let front = joining.instance.as_deref().unwrap_or(&joining.client_id);
        let id = format!("{front}-{}", Uuid::new_v4());
        if let Some(before) = joining.instance.as_ref().and_then(|instance| self.instances.get(instance)).cloned() {
            self.replace_static(&before, &id, joining, ticket, now, now_ms, effects);
        } else if joining.instance.is_none() && joining.comes_again {
            self.pending.insert(id.clone(), now.after(joining.session_timeout));
            effects.push(Effect::Joined(ticket, JoinAnswer::refused(&id, GroupError::MemberIdRequired)));
        } else {
            self.add(id, joining, ticket, now, now_ms, effects);
        }
        Ok(())
    }

    fn join_again(
        &mut self,
        joining: &Joining,
        ticket: Ticket,
        now: Nanos,
        now_ms: i64,
        effects: &mut Vec<Effect>,
    ) -> Result<(), GroupError> {
        let id = joining.member.clone();
        if self.pending.remove(&id).is_some() {
            self.add(id, joining, ticket, now, now_ms, effects);
            return Ok(());
        }
        let leads = self.leader.as_ref() == Some(&id);
        let state = self.state;
        let member = self.member(&id, joining.instance.as_deref())?;
        let same = member.protocols == joining.protocols;
        match state {
            State::CompletingRebalance if same => effects.push(self.joined(&id, ticket)),
            State::Stable if same && !leads => effects.push(self.joined(&id, ticket)),
            State::Empty => return Err(GroupError::UnknownMember),
            _ => {
                effects.extend(member.refusal(&id, GroupError::RebalanceInProgress));
                member.protocols = joining.protocols.clone();
                member.rebalance_timeout = joining.rebalance_timeout;
                member.session_timeout = joining.session_timeout;
                member.waits = Some(Waits::Join(ticket));
                self.prepare_rebalance(now, now_ms, effects);
            }
        }
        Ok(())
    }

    /// A new member: everybody joins again.
    fn add(
        &mut self,
        id: String,
        joining: &Joining,
        ticket: Ticket,
        now: Nanos,
        now_ms: i64,
        effects: &mut Vec<Effect>,
    ) {
        let mut member = Member::new(joining, now);
        member.waits = Some(Waits::Join(ticket));
        if let Some(instance) = &joining.instance {
            self.instances.insert(instance.clone(), id.clone());
        }
        self.protocol_type.get_or_insert_with(|| joining.protocol_type.clone());
        if self.members.is_empty() {
            self.protocol_type = Some(joining.protocol_type.clone());
        }
        self.leader.get_or_insert_with(|| id.clone());
        self.members.insert(id, member);
        if let Some(initial) = &mut self.initial {
            initial.has_new = true;
        }
        self.prepare_rebalance(now, now_ms, effects);
    }

    /// A static member that was restarted takes the place of what it was, under another id (KIP-345).
    #[expect(clippy::too_many_arguments, reason = "both ids, the request and the two clocks")]
    fn replace_static(
        &mut self,
        before: &str,
        id: &str,
        joining: &Joining,
        ticket: Ticket,
        now: Nanos,
        now_ms: i64,
        effects: &mut Vec<Effect>,
    ) {
        let Some(old) = self.members.remove(before) else { return };
        effects.extend(old.refusal(before, GroupError::FencedInstance));
        let chosen = self.protocol.clone().unwrap_or_default();
        let mut member = Member::new(joining, now);
        member.assignment = old.assignment.clone();
        let led = self.leader.as_deref() == Some(before);
        if led {
            self.leader = Some(id.to_owned());
        }
        self.instances.extend(joining.instance.clone().map(|instance| (instance, id.to_owned())));
        self.members.insert(id.to_owned(), member);
        // Only another assignor makes the others join again: what this one subscribes to counts from the next generation on.
        let keeps = self.state == State::Stable && self.vote().unwrap_or_default() == chosen;
        if !keeps {
            if let Some(member) = self.members.get_mut(id) {
                member.waits = Some(Waits::Join(ticket));
            }
            return self.prepare_rebalance(now, now_ms, effects);
        }
        // Nothing has changed but its id: the generation goes on.
        let mut answer = self.answer(id);
        if led && joining.can_skip {
            answer.skip_assignment = true;
        } else if led {
            // It must not believe that it is to assign.
            answer.leader = before.to_owned();
            answer.members.clear();
        }
        effects.push(Effect::Joined(ticket, answer));
        effects.push(Effect::Store(self.generation));
    }

    /// The answer of the current generation, to one that has joined it.
    pub(super) fn joined(&self, id: &str, ticket: Ticket) -> Effect {
        Effect::Joined(ticket, self.answer(id))
    }

    fn answer(&self, id: &str) -> JoinAnswer {
        let leads = self.leader.as_deref() == Some(id);
        let chosen = self.protocol.clone().unwrap_or_default();
        let all = self.members.iter().filter(|_| leads);
        JoinAnswer {
            error: None,
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone().unwrap_or_default(),
            skip_assignment: false,
            member: id.to_owned(),
            members: all.map(|(id, member)| (id.clone(), member.instance.clone(), member.metadata(&chosen))).collect(),
        }
    }
}
