//! Heartbeat and LeaveGroup.

use logdyno_record::Nanos;

use super::{Effect, Group, State};
use crate::error::GroupError;

/// Somebody that leaves, or is made to: by member id, or by `group.instance.id`.
#[derive(Clone, Debug)]
pub struct Leaving {
    /// May be empty for a static member.
    pub member: String,
    /// `group.instance.id`.
    pub instance: Option<String>,
}

impl Group {
    /// A member is alive.
    pub fn heartbeat(
        &mut self,
        id: &str,
        instance: Option<&str>,
        generation: i32,
        now: Nanos,
    ) -> Result<(), GroupError> {
        let state = self.state;
        self.current_member(id, instance, generation)?.is_alive(now);
        match state {
            State::Empty => Err(GroupError::UnknownMember),
            State::PreparingRebalance => Err(GroupError::RebalanceInProgress),
            State::CompletingRebalance | State::Stable => Ok(()),
        }
    }

    /// A member goes.
    pub fn leave(&mut self, leaving: &Leaving, now: Nanos, now_ms: i64) -> (Result<(), GroupError>, Vec<Effect>) {
        let mut effects = Vec::new();
        let left = self.try_leave(leaving, now, now_ms, &mut effects);
        (left, effects)
    }

    fn try_leave(
        &mut self,
        leaving: &Leaving,
        now: Nanos,
        now_ms: i64,
        effects: &mut Vec<Effect>,
    ) -> Result<(), GroupError> {
        let id = match &leaving.instance {
            None => leaving.member.clone(),
            Some(instance) => {
                let current = self.instances.get(instance).ok_or(GroupError::UnknownMember)?.clone();
                if !leaving.member.is_empty() && leaving.member != current {
                    return Err(GroupError::FencedInstance);
                }
                current
            }
        };
        if self.pending.remove(&id).is_some() {
            // Kafka has the others join again, though nothing of theirs was this one's.
            match self.state {
                State::Empty => {}
                State::PreparingRebalance => self.complete_if_all_joined(now, now_ms, effects),
                State::CompletingRebalance | State::Stable => self.prepare_rebalance(now, now_ms, effects),
            }
            return Ok(());
        }
        if !self.members.contains_key(&id) {
            return Err(GroupError::UnknownMember);
        }
        self.remove(&id, GroupError::UnknownMember, now, now_ms, effects);
        Ok(())
    }
}
