//! A member: what it can do, what it has, and what it waits for.

use std::time::Duration;

use bytes::Bytes;
use logdyno_record::Nanos;

use super::join::{JoinAnswer, Joining};
use super::sync::SyncAnswer;
use super::{Effect, Ticket};
use crate::error::GroupError;
use crate::records::StoredMember;

/// What a member's request waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waits {
    Join(Ticket),
    Sync(Ticket),
}

#[derive(Debug)]
pub(super) struct Member {
    pub(super) instance: Option<String>,
    pub(super) client_id: String,
    pub(super) client_host: String,
    pub(super) rebalance_timeout: Duration,
    pub(super) session_timeout: Duration,
    /// The assignors it knows, best first, each with what it has to say to it.
    pub(super) protocols: Vec<(String, Bytes)>,
    pub(super) assignment: Bytes,
    pub(super) waits: Option<Waits>,
    /// When its session is over, unless it waits.
    pub(super) deadline: Nanos,
    /// It has not synced in this generation yet.
    pub(super) owes_sync: bool,
}

impl Member {
    pub(super) fn new(joining: &Joining, now: Nanos) -> Member {
        Member {
            instance: joining.instance.clone(),
            client_id: joining.client_id.clone(),
            client_host: joining.client_host.clone(),
            rebalance_timeout: joining.rebalance_timeout,
            session_timeout: joining.session_timeout,
            protocols: joining.protocols.clone(),
            assignment: super::nothing(),
            waits: None,
            deadline: now.after(joining.session_timeout),
            owes_sync: false,
        }
    }

    pub(super) fn restore(stored: &StoredMember, protocol: &str, now: Nanos) -> Member {
        let timeout = |ms: i32| Duration::from_millis(u64::try_from(ms).unwrap_or(0));
        Member {
            instance: stored.instance.clone(),
            client_id: stored.client_id.clone(),
            client_host: stored.client_host.clone(),
            rebalance_timeout: timeout(stored.rebalance_timeout_ms),
            session_timeout: timeout(stored.session_timeout_ms),
            protocols: vec![(protocol.to_owned(), stored.subscription.clone())],
            assignment: stored.assignment.clone(),
            waits: None,
            deadline: now.after(timeout(stored.session_timeout_ms)),
            owes_sync: false,
        }
    }

    /// It has been heard of.
    pub(super) fn is_alive(&mut self, now: Nanos) {
        self.deadline = now.after(self.session_timeout);
    }

    pub(super) fn joins(&self) -> bool {
        matches!(self.waits, Some(Waits::Join(_)))
    }

    pub(super) fn knows(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|(name, _)| name == protocol)
    }

    /// What it says to this assignor.
    pub(super) fn metadata(&self, protocol: &str) -> Bytes {
        let found = self.protocols.iter().find(|(name, _)| name == protocol);
        found.map(|(_, metadata)| metadata.clone()).unwrap_or_default()
    }

    /// The answer to what it waits for, if it does, when that will not come.
    pub(super) fn refusal(&self, id: &str, error: GroupError) -> Option<Effect> {
        Some(match self.waits? {
            Waits::Join(ticket) => Effect::Joined(ticket, JoinAnswer::refused(id, error)),
            Waits::Sync(ticket) => Effect::Synced(ticket, SyncAnswer::refused(error)),
        })
    }
}
