//! What the metadata makes of this replica.

use std::sync::PoisonError;

use logdyno_record::{LeaderEpoch, Offset};

use super::acks::Calls;
use super::{Replica, Role, State};
use crate::error::ReplicaError;
use crate::follower::FollowerState;
use crate::leader::{LeaderState, OwnLog};
use crate::leader_and_isr::{IsrRefusal, LeaderAndIsr};

impl Replica {
    /// Leads from now on, or goes on leading with a changed ISR. Old news are ignored.
    ///
    /// A new epoch is persisted in the log's epoch checkpoint, with the log end offset as its start,
    /// before the first append in it.
    pub fn become_leader(&self, news: &LeaderAndIsr) -> Result<(), ReplicaError> {
        let _transition = self.transitions.write().unwrap_or_else(PoisonError::into_inner);
        if self.is_old(news) {
            return Ok(());
        }
        if !self.goes_on_leading(news) {
            self.log.start_epoch(news.leader_epoch)?;
            self.log.set_leading(true);
            self.take_office(news);
        }
        self.on_isr_committed(news.leader_epoch, &news.isr, news.partition_epoch);
        // What reached the ack level before the role was in place is told now.
        self.on_ack_end(self.log.ack_end());
        Ok(())
    }

    /// Follows `news.leader` from now on. Appends that wait are answered with error 6. Old news are ignored.
    pub fn become_follower(&self, news: &LeaderAndIsr) {
        let _transition = self.transitions.write().unwrap_or_else(PoisonError::into_inner);
        if self.is_old(news) {
            return;
        }
        self.log.set_leading(false);
        let mut state = self.state();
        let follower = FollowerState::new(news, state.role.high_watermark());
        let calls = self.change_role(&mut state, Role::Follower(follower));
        drop(state);
        calls.run(self);
    }

    /// Serves nobody any more: the topic is deleted, or the broker stops. Whoever waits is answered.
    ///
    /// The next news of the metadata, whichever, puts it back into service.
    pub fn go_offline(&self) {
        let _transition = self.transitions.write().unwrap_or_else(PoisonError::into_inner);
        self.log.set_leading(false);
        let mut state = self.state();
        let high_watermark = state.role.high_watermark();
        let calls = self.change_role(&mut state, Role::Offline { high_watermark });
        drop(state);
        calls.run(self);
    }

    /// The controller has committed an ISR of the leadership `leader_epoch`.
    pub fn on_isr_committed(&self, leader_epoch: LeaderEpoch, isr: &[logdyno_record::BrokerId], partition_epoch: i32) {
        let now = self.clock.now();
        let mut state = self.state();
        let Role::Leader(leader) = &mut state.role else { return };
        if leader.epoch() != leader_epoch {
            return;
        }
        let effects = leader.on_isr_committed(isr, partition_epoch, now);
        let calls = self.carry_out(&mut state, effects, now);
        drop(state);
        calls.run(self);
    }

    /// The controller has not committed what was proposed on `(leader_epoch, partition_epoch)`.
    pub fn on_isr_refused(&self, leader_epoch: LeaderEpoch, partition_epoch: i32, refusal: IsrRefusal) {
        let mut state = self.state();
        if let Role::Leader(leader) = &mut state.role
            && leader.epoch() == leader_epoch
        {
            leader.on_isr_refused(partition_epoch, refusal);
        }
    }

    fn is_old(&self, news: &LeaderAndIsr) -> bool {
        self.state().role.epochs().is_some_and(|known| (news.leader_epoch, news.partition_epoch) <= known)
    }

    fn goes_on_leading(&self, news: &LeaderAndIsr) -> bool {
        matches!(&self.state().role, Role::Leader(leader) if leader.epoch() == news.leader_epoch)
    }

    fn take_office(&self, news: &LeaderAndIsr) {
        let own = OwnLog { end: self.log.end_offset(), ack_end: self.log.ack_end() };
        let now = self.clock.now();
        let mut state = self.state();
        let known: Offset = state.role.high_watermark();
        let (leader, effects) = LeaderState::new(self.me, news, own, known, state.settings, now);
        let changed = self.change_role(&mut state, Role::Leader(leader));
        let calls = self.carry_out(&mut state, effects, now);
        drop(state);
        changed.run(self);
        calls.run(self);
    }

    /// Whoever waits, waits for what the old role had promised: acks fail, fetches look again.
    fn change_role(&self, state: &mut State, role: Role) -> Calls {
        state.role = role;
        let mut calls = Calls::wake(state.at_high_watermark.take_all());
        calls.wake_too(state.at_log_end.take_all());
        calls.wake_too(state.at_low_watermark.take_all());
        for ack in state.acks.take_all() {
            calls.answer(ack.done, Err(self.not_leader()));
        }
        calls
    }
}
