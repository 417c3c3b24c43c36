//! From one generation to the next.

use std::collections::BTreeMap;
use std::time::Duration;

use logdyno_record::Nanos;

use super::member::{Member, Waits};
use super::{Effect, Group, Initial, State, nothing};
use crate::error::GroupError;

impl Group {
    /// Everybody is to join again; goes on at once if all have.
    pub(super) fn prepare_rebalance(&mut self, now: Nanos, now_ms: i64, effects: &mut Vec<Effect>) {
        match self.state {
            State::PreparingRebalance => {}
            State::Empty => {
                let delay = self.limits.initial_delay;
                let wait = delay.min(self.rebalance_timeout());
                let left = self.rebalance_timeout().saturating_sub(delay);
                self.initial = Some(Initial { left, has_new: false });
                self.deadline = Some(now.after(wait));
                self.enter(State::PreparingRebalance, now_ms);
            }
            State::CompletingRebalance | State::Stable => {
                if self.state == State::CompletingRebalance {
                    self.forget_assignments();
                }
                self.refuse_syncs(GroupError::RebalanceInProgress, now, effects);
                self.storing = false;
                self.deadline = Some(now.after(self.rebalance_timeout()));
                self.enter(State::PreparingRebalance, now_ms);
            }
        }
        self.complete_if_all_joined(now, now_ms, effects);
    }

    /// As long as the slowest member may take.
    fn rebalance_timeout(&self) -> Duration {
        self.members.values().map(|member| member.rebalance_timeout).max().unwrap_or_default()
    }

    /// Who waits for its assignment gets this instead. It was not silent meanwhile, so its session begins anew.
    pub(super) fn refuse_syncs(&mut self, error: GroupError, now: Nanos, effects: &mut Vec<Effect>) {
        for (id, member) in &mut self.members {
            if let Some(Waits::Sync(_)) = member.waits {
                effects.extend(member.refusal(id, error));
                member.waits = None;
                member.is_alive(now);
            }
        }
    }

    pub(super) fn complete_if_all_joined(&mut self, now: Nanos, now_ms: i64, effects: &mut Vec<Effect>) {
        let all = self.pending.is_empty() && self.members.values().all(Member::joins);
        // An empty group waits for its first members in any case.
        if self.state == State::PreparingRebalance && all && (self.initial.is_none() || self.members.is_empty()) {
            self.complete_join(now, now_ms, effects);
        }
    }

    /// The time to join is over.
    pub(super) fn join_time_over(&mut self, now: Nanos, now_ms: i64, effects: &mut Vec<Effect>) {
        if let Some(Initial { left, has_new: true }) = self.initial
            && !left.is_zero()
        {
            let more = left.min(self.limits.initial_delay);
            self.initial = Some(Initial { left: left.saturating_sub(more), has_new: false });
            self.deadline = Some(now.after(more));
            return;
        }
        self.complete_join(now, now_ms, effects);
    }

    fn complete_join(&mut self, now: Nanos, now_ms: i64, effects: &mut Vec<Effect>) {
        let joined = self.members.values().filter(|member| member.joins()).count();
        let only_static = joined == 0 && self.members.values().any(|member| member.instance.is_some());
        if only_static {
            // They are on their way back; a leader there must be.
            self.deadline = Some(now.after(self.rebalance_timeout()));
            return;
        }
        self.initial = None;
        self.members.retain(|_, member| member.joins() || member.instance.is_some());
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        if self.members.is_empty() {
            self.become_empty(now_ms);
            effects.push(Effect::Store(self.generation));
            return;
        }
        let leads = |id: &String| self.members.get(id).is_some_and(Member::joins);
        if !self.leader.as_ref().is_some_and(leads) {
            self.leader = self.members.iter().find(|(_, member)| member.joins()).map(|(id, _)| id.clone());
        }
        self.protocol = self.vote();
        self.note_subscriptions();
        self.enter(State::CompletingRebalance, now_ms);
        self.deadline = Some(now.after(self.rebalance_timeout()));
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            let Some(member) = self.members.get_mut(&id) else { continue };
            member.is_alive(now);
            member.owes_sync = true;
            if let Some(Waits::Join(ticket)) = member.waits.take() {
                effects.push(self.joined(&id, ticket));
            }
        }
    }

    pub(super) fn become_empty(&mut self, now_ms: i64) {
        self.protocol = None;
        self.note_subscriptions();
        self.leader = None;
        self.deadline = None;
        self.initial = None;
        self.enter(State::Empty, now_ms);
    }

    /// The assignor that most members prefer of those that all know; of several, the first by name.
    pub(super) fn vote(&self) -> Option<String> {
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.members.values() {
            let known_to_all = |name: &&str| self.members.values().all(|other| other.knows(name));
            let names = member.protocols.iter().map(|(name, _)| name.as_str());
            if let Some(preferred) = names.into_iter().find(known_to_all) {
                *votes.entry(preferred).or_default() += 1;
            }
        }
        let most = votes.values().max().copied()?;
        votes.into_iter().find(|(_, count)| *count == most).map(|(name, _)| name.to_owned())
    }

    /// Time has passed: sessions end, phases of a rebalance end.
    pub fn tick(&mut self, now: Nanos, now_ms: i64) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.pending.retain(|_, until| *until > now);
        let silent = |member: &Member| member.waits.is_none() && member.deadline <= now;
        let over: Vec<String> =
            self.members.iter().filter(|(_, member)| silent(member)).map(|(id, _)| id.clone()).collect();
        over.iter().for_each(|id| self.remove(id, GroupError::UnknownMember, now, now_ms, &mut effects));
        self.complete_if_all_joined(now, now_ms, &mut effects);
        // What is being written down is waited for.
        if self.deadline.is_some_and(|deadline| deadline <= now) && !self.storing {
            self.deadline = None;
            match self.state {
                State::PreparingRebalance => self.join_time_over(now, now_ms, &mut effects),
                State::CompletingRebalance | State::Stable => self.remove_who_owes_syncs(now, now_ms, &mut effects),
                State::Empty => {}
            }
        }
        effects
    }

    /// Who does not sync within the rebalance timeout is gone, also where the others have their parts: so is a static member that
    /// was kept its place and did not come back for it (KAFKA-10847).
    fn remove_who_owes_syncs(&mut self, now: Nanos, now_ms: i64, effects: &mut Vec<Effect>) {
        let owes: Vec<String> =
            self.members.iter().filter(|(_, member)| member.owes_sync).map(|(id, _)| id.clone()).collect();
        if !owes.is_empty() {
            owes.iter().for_each(|id| drop(self.take(id)));
            self.prepare_rebalance(now, now_ms, effects);
        }
    }

    /// Takes a member out of all lists.
    pub(super) fn take(&mut self, id: &str) -> Option<Member> {
        let member = self.members.remove(id)?;
        if let Some(instance) = &member.instance
            && self.instances.get(instance).is_some_and(|current| current == id)
        {
            self.instances.remove(instance);
        }
        if self.leader.as_deref() == Some(id) {
            self.leader = self.members.keys().next().cloned();
        }
        Some(member)
    }

    /// A member is gone: the others share its work.
    pub(super) fn remove(&mut self, id: &str, told: GroupError, now: Nanos, now_ms: i64, effects: &mut Vec<Effect>) {
        let Some(member) = self.take(id) else { return };
        effects.extend(member.refusal(id, told));
        match self.state {
            State::PreparingRebalance => self.complete_if_all_joined(now, now_ms, effects),
            State::CompletingRebalance | State::Stable => self.prepare_rebalance(now, now_ms, effects),
            State::Empty => {}
        }
    }

    pub(super) fn forget_assignments(&mut self) {
        self.members.values_mut().for_each(|member| member.assignment = nothing());
    }
}
