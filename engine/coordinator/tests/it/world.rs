//! A group, a clock, and clients that speak to it.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use logdyno_coordinator::{Effect, Group, GroupError, GroupLimits, JoinAnswer, Joining, SyncAnswer, Syncing, Ticket};
use logdyno_record::Nanos;

pub(crate) const LIMITS: GroupLimits = GroupLimits {
    session_timeout_min: Duration::from_secs(6),
    session_timeout_max: Duration::from_secs(1800),
    initial_delay: Duration::from_secs(3),
    members_max: 10,
};

/// A group and all answers that it has given.
pub(crate) struct World {
    pub(crate) group: Group,
    pub(crate) now_ms: u64,
    tickets: Ticket,
    joined: HashMap<Ticket, JoinAnswer>,
    synced: HashMap<Ticket, SyncAnswer>,
    pub(crate) stores: usize,
}

/// What a client says when it joins: it knows one assignor.
pub(crate) fn joining(member: &str, instance: Option<&str>, says: &str) -> Joining {
    Joining {
        member: member.to_owned(),
        instance: instance.map(str::to_owned),
        client_id: "client".to_owned(),
        client_host: "/127.0.0.1".to_owned(),
        session_timeout: Duration::from_secs(10),
        rebalance_timeout: Duration::from_secs(60),
        protocol_type: "consumer".to_owned(),
        protocols: vec![("range".to_owned(), Bytes::copy_from_slice(says.as_bytes()))],
        comes_again: true,
        can_skip: true,
    }
}

impl World {
    pub(crate) fn new() -> World {
        World::with(LIMITS)
    }

    pub(crate) fn with(limits: GroupLimits) -> World {
        World {
            group: Group::new(limits, 0),
            now_ms: 0,
            tickets: 0,
            joined: HashMap::new(),
            synced: HashMap::new(),
            stores: 0,
        }
    }

    pub(crate) fn now(&self) -> Nanos {
        Nanos(self.now_ms * 1_000_000)
    }

    pub(crate) fn wall_ms(&self) -> i64 {
        self.now_ms as i64
    }

    /// Everything that is to be written down is safe at once.
    pub(crate) fn take(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Joined(ticket, answer) => {
                    assert_eq!(self.joined.insert(ticket, answer), None, "answered twice")
                }
                Effect::Synced(ticket, answer) => {
                    assert_eq!(self.synced.insert(ticket, answer), None, "answered twice")
                }
                Effect::Store(generation) => {
                    self.stores += 1;
                    let more = self.group.stored(generation, true, self.now(), self.wall_ms());
                    self.take(more);
                }
            }
        }
    }

    pub(crate) fn join(&mut self, joining: Joining) -> Ticket {
        self.tickets += 1;
        let effects = self.group.join(joining, self.tickets, self.now(), self.wall_ms());
        self.take(effects);
        self.tickets
    }

    /// Joins as a new member does: gets an id first.
    pub(crate) fn enter(&mut self, says: &str) -> (String, Ticket) {
        let asked = self.join(joining("", None, says));
        let given = self.joined(asked).expect("an id at once");
        assert_eq!(given.error, Some(GroupError::MemberIdRequired));
        let ticket = self.join(joining(&given.member, None, says));
        (given.member, ticket)
    }

    pub(crate) fn joined(&mut self, ticket: Ticket) -> Option<JoinAnswer> {
        self.joined.remove(&ticket)
    }

    pub(crate) fn sync(&mut self, member: &str, generation: i32, assignments: &[(&str, &str)]) -> Ticket {
        self.tickets += 1;
        let assignments =
            assignments.iter().map(|(id, part)| ((*id).to_owned(), Bytes::copy_from_slice(part.as_bytes())));
        let syncing = Syncing {
            member: member.to_owned(),
            instance: None,
            generation,
            protocol_type: Some("consumer".to_owned()),
            protocol: Some("range".to_owned()),
            assignments: assignments.collect(),
        };
        let effects = self.group.sync(syncing, self.tickets, self.now());
        self.take(effects);
        self.tickets
    }

    pub(crate) fn synced(&mut self, ticket: Ticket) -> Option<SyncAnswer> {
        self.synced.remove(&ticket)
    }

    pub(crate) fn heartbeat(&mut self, member: &str, generation: i32) -> Result<(), GroupError> {
        let now = self.now();
        self.group.heartbeat(member, None, generation, now)
    }

    /// Time passes, and the group is looked at whenever it has a deadline.
    pub(crate) fn pass(&mut self, ms: u64) {
        let until = self.now_ms + ms;
        while let Some(due) = self.group.next_deadline().map(|due| due.0 / 1_000_000).filter(|due| *due <= until) {
            self.now_ms = self.now_ms.max(due);
            let effects = self.group.tick(self.now(), self.wall_ms());
            self.take(effects);
        }
        self.now_ms = until;
    }

    /// A stable group of as many members; the first leads. Gives their ids.
    pub(crate) fn stable(&mut self, count: usize) -> Vec<String> {
        let entered: Vec<_> = (0..count).map(|n| self.enter(&n.to_string())).collect();
        // Who comes while the first ones wait makes them wait once more.
        self.pass(if count == 1 { 3_000 } else { 6_000 });
        let answers: Vec<_> =
            entered.iter().map(|(_, ticket)| self.joined(*ticket).expect("the delay is over")).collect();
        let leader = answers[0].leader.clone();
        let ids: Vec<String> = entered.into_iter().map(|(id, _)| id).collect();
        let parts: Vec<(String, String)> = ids.iter().map(|id| (id.clone(), format!("part of {id}"))).collect();
        let parts: Vec<_> = parts.iter().map(|(id, part)| (id.as_str(), part.as_str())).collect();
        for id in &ids {
            self.sync(id, answers[0].generation, if *id == leader { &parts } else { &[] });
        }
        self.synced.clear();
        ids
    }
}
