//! How far one follower is, as its leader sees it (Kafka's `Replica` and `ReplicaState`).

use std::time::Duration;

use logdyno_record::{Nanos, Offset};

/// A follower's position and how lately it was caught up. Only its own fetches move it.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    /// Its fetch offset: everything before is at the ack level on its disk. `None` until it has fetched
    /// in this leadership.
    pub(super) end: Option<Offset>,
    /// Where its log starts, by its last fetch; `None` if it did not say.
    pub(super) log_start: Option<Offset>,
    /// The incarnation that fetched last; -1 if it did not say.
    pub(super) broker_epoch: i64,
    /// Whether the metadata let it join the ISR when it fetched last: registered, not fenced, same incarnation.
    pub(super) eligible: bool,
    last_caught_up: Option<Nanos>,
    last_fetch: Option<Fetch>,
}

/// A past fetch: whoever reaches what was the leader's end then was caught up at that time.
#[derive(Clone, Copy, Debug)]
struct Fetch {
    at: Nanos,
    leader_end: Offset,
}

impl Progress {
    /// A follower at the start of a leadership: one of the ISR gets the benefit of the doubt for one lag time.
    pub(super) fn at_start(in_sync: bool, leader_end: Offset, now: Nanos) -> Progress {
        Progress {
            end: None,
            log_start: None,
            broker_epoch: -1,
            eligible: false,
            last_caught_up: in_sync.then_some(now),
            last_fetch: in_sync.then_some(Fetch { at: now, leader_end }),
        }
    }

    /// Notes a fetch from `offset` while the leader's log ended at `leader_end`.
    ///
    /// A follower that reads steadily behind a busy leader never sees the leader's end, but each of its
    /// fetches reaches what was the end at the one before: it was caught up *then*.
    pub(super) fn fetched(&mut self, offset: Offset, leader_end: Offset, now: Nanos) {
        let caught_up = if offset >= leader_end {
            Some(now)
        } else {
            self.last_fetch.filter(|last| offset >= last.leader_end).map(|last| last.at)
        };
        self.last_caught_up = self.last_caught_up.max(caught_up);
        self.end = Some(offset);
        self.last_fetch = Some(Fetch { at: now, leader_end });
    }

    /// Whether it has all the leader has, or had it within the last `lag_time_max`.
    pub(super) fn is_caught_up(&self, leader_end: Offset, now: Nanos, lag_time_max: Duration) -> bool {
        self.end == Some(leader_end)
            || self.last_caught_up.is_some_and(|caught_up| now.since(caught_up) <= lag_time_max)
    }
}
