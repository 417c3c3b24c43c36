//! Fetches that wait for more.

use std::sync::Weak;

use logdyno_record::{Nanos, Offset};

use super::{Replica, Role, Wake};
use crate::purgatory::Ticket;

/// A fetch's place in the queue of those who wait for more. Dropping it forgets the callback.
#[must_use = "dropping it forgets the callback"]
pub struct Waiting {
    replica: Weak<Replica>,
    place: Option<(Queue, Ticket)>,
}

#[derive(Clone, Copy)]
enum Queue {
    HighWatermark,
    LogEnd,
    LowWatermark,
}

impl Replica {
    /// Calls `wake` once when the high watermark has reached `at` (at once if it has), or the role has changed.
    pub fn when_high_watermark(&self, at: Offset, wake: Wake) -> Waiting {
        let mut state = self.state();
        if state.role.high_watermark() >= at {
            drop(state);
            return self.woken(wake);
        }
        let ticket = state.at_high_watermark.park(at, Nanos(u64::MAX), wake);
        Waiting { replica: self.itself.clone(), place: Some((Queue::HighWatermark, ticket)) }
    }

    /// Calls `wake` once when the leader's log end offset has reached `at` (at once if it has, or this is no
    /// leader), or the role has changed.
    pub fn when_log_end(&self, at: Offset, wake: Wake) -> Waiting {
        let mut state = self.state();
        let waits = matches!(&state.role, Role::Leader(leader) if leader.log_end() < at);
        if !waits {
            drop(state);
            return self.woken(wake);
        }
        let ticket = state.at_log_end.park(at, Nanos(u64::MAX), wake);
        Waiting { replica: self.itself.clone(), place: Some((Queue::LogEnd, ticket)) }
    }

    /// Calls `wake` once when the low watermark has reached `at` (at once if it has), or the role has changed.
    pub fn when_low_watermark(&self, at: Offset, wake: Wake) -> Waiting {
        let mut state = self.state();
        let waits =
            matches!(state.role, Role::Leader(_)) && self.low_watermark_in(&state.role).is_none_or(|low| low < at);
        if !waits {
            drop(state);
            return self.woken(wake);
        }
        let ticket = state.at_low_watermark.park(at, Nanos(u64::MAX), wake);
        Waiting { replica: self.itself.clone(), place: Some((Queue::LowWatermark, ticket)) }
    }

    /// How many appends wait for the in-sync replicas, and how many fetches for more.
    pub fn waiting(&self) -> (usize, usize) {
        let state = self.state();
        (state.acks.len(), state.at_high_watermark.len() + state.at_log_end.len())
    }

    fn woken(&self, wake: Wake) -> Waiting {
        wake();
        Waiting { replica: self.itself.clone(), place: None }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let (Some(replica), Some((queue, ticket))) = (self.replica.upgrade(), self.place) else { return };
        let mut state = replica.state();
        let forgotten = match queue {
            Queue::HighWatermark => state.at_high_watermark.forget(ticket),
            Queue::LogEnd => state.at_log_end.forget(ticket),
            Queue::LowWatermark => state.at_low_watermark.forget(ticket),
        };
        drop(state);
        // What the callback holds may have a drop of its own: not under the lock.
        drop(forgotten);
    }
}
