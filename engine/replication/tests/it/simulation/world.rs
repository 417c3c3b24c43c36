//! Three replicas and their controller, and what may happen to them, a step at a time.

use std::collections::BTreeMap;
use std::time::Duration;

use logdyno_record::{BrokerId, LeaderEpoch, Nanos, Offset};
use logdyno_replication::follower::{FollowerState, truncation_offset};
use logdyno_replication::leader::{
    Divergence, Effects, FollowerFetched, LeaderState, OwnLog, ReplicaSettings, divergence,
};
use logdyno_replication::{EpochEnd, IsrProposal, IsrRefusal, LeaderAndIsr};

use crate::model::{Entry, ModelLog};

const LAG: Duration = Duration::from_secs(30);

enum Role {
    Leader { state: LeaderState, unacked: Vec<(Offset, u64)> },
    Follower(FollowerState),
}

/// What a fetch brought back, on its way to the follower.
struct Answer {
    epoch: LeaderEpoch,
    from: Offset,
    result: Result<(Vec<Entry>, Offset), EpochEnd>,
}

pub(super) struct Replica {
    id: BrokerId,
    alive: bool,
    incarnation: i64,
    pub(super) log: ModelLog,
    role: Role,
    answer: Option<Answer>,
    high_watermark_seen: Offset,
}

impl Replica {
    fn own(&self) -> OwnLog {
        OwnLog { end: self.log.end(), ack_end: self.log.ack_end() }
    }

    fn high_watermark(&self) -> Offset {
        match &self.role {
            Role::Leader { state, .. } => state.high_watermark(),
            Role::Follower(state) => state.high_watermark(),
        }
    }

    fn epochs(&self) -> (LeaderEpoch, i32) {
        match &self.role {
            Role::Leader { state, .. } => (state.epoch(), state.partition_epoch()),
            Role::Follower(state) => (state.epoch(), state.partition_epoch()),
        }
    }
}

pub(super) struct World {
    pub(super) replicas: Vec<Replica>,
    metadata: LeaderAndIsr,
    proposals: Vec<(BrokerId, IsrProposal)>,
    pub(super) acknowledged: BTreeMap<Offset, u64>,
    settings: ReplicaSettings,
    now: Nanos,
    next_value: u64,
}

#[derive(Clone, Debug)]
pub(super) enum Event {
    Append(usize),
    Settle(usize),
    Fetch(usize),
    Deliver(usize),
    Learn(usize),
    Elect(usize),
    Crash { replica: usize, kept: usize },
    Restart(usize),
    Controller { answers: bool, reachable: bool },
    Pass(u64),
}

impl World {
    pub(super) fn new(min_insync_replicas: u32) -> World {
        let ids: Vec<BrokerId> = (0..3).map(BrokerId).collect();
        let metadata = LeaderAndIsr {
            leader: ids[0],
            leader_epoch: LeaderEpoch(0),
            partition_epoch: 0,
            isr: ids.clone(),
            replicas: ids.clone(),
        };
        // At first everybody follows; leadership is learnt like any other news.
        let before = LeaderAndIsr { leader_epoch: LeaderEpoch(-1), partition_epoch: -1, ..metadata.clone() };
        let replicas = ids.iter().map(|id| Replica {
            id: *id,
            alive: true,
            incarnation: 0,
            log: ModelLog::default(),
            role: Role::Follower(FollowerState::new(&before, Offset(0))),
            answer: None,
            high_watermark_seen: Offset(0),
        });
        World {
            replicas: replicas.collect(),
            metadata,
            proposals: Vec::new(),
            acknowledged: BTreeMap::new(),
            settings: ReplicaSettings { lag_time_max: LAG, min_insync_replicas },
            now: Nanos(1),
            next_value: 0,
        }
    }

    pub(super) fn step(&mut self, event: &Event) {
        match *event {
            Event::Append(i) => self.append(i),
            Event::Settle(i) => self.settle(i),
            Event::Fetch(i) => self.fetch(i),
            Event::Deliver(i) => self.deliver(i),
            Event::Learn(i) => self.learn(i),
            Event::Elect(choice) => self.elect(choice),
            Event::Crash { replica, kept } => self.crash(replica, kept),
            Event::Restart(i) => self.restart(i),
            Event::Controller { answers, reachable } => self.controller(answers, reachable),
            Event::Pass(seconds) => self.pass(seconds),
        }
        self.check();
    }

    fn append(&mut self, i: usize) {
        let (replica, now) = (&mut self.replicas[i], self.now);
        let own_end = replica.log.end();
        let Role::Leader { state, unacked } = &mut replica.role else { return };
        if !replica.alive || state.check_before_append().is_err() {
            return;
        }
        self.next_value += 1;
        replica.log.extend(&[(state.epoch().0, self.next_value)]);
        unacked.push((own_end.next(), self.next_value));
        let own = OwnLog { end: replica.log.end(), ack_end: replica.log.ack_end() };
        let effects = state.on_own_log(own, now);
        self.carry_out(i, effects);
    }

    fn settle(&mut self, i: usize) {
        let (replica, now) = (&mut self.replicas[i], self.now);
        if !replica.alive {
            return;
        }
        replica.log.settle();
        let own = replica.own();
        if let Role::Leader { state, .. } = &mut replica.role {
            let effects = state.on_own_log(own, now);
            self.carry_out(i, effects);
        }
    }

    /// The follower asks whom it takes for the leader; the answer is under way.
    fn fetch(&mut self, i: usize) {
        let follower = &self.replicas[i];
        let Role::Follower(state) = &follower.role else { return };
        let (leader, epoch) = (usize::try_from(state.leader().0).expect("an id"), state.epoch());
        if !follower.alive || !follower.log.is_settled() || leader == i || !self.replicas[leader].alive {
            return;
        }
        let (from, last) = (follower.log.end(), follower.log.latest_epoch());
        let (id, incarnation, now) = (follower.id, follower.incarnation, self.now);
        let serving = &mut self.replicas[leader];
        let ours = serving.log.epoch_end(last);
        let Role::Leader { state, .. } = &mut serving.role else { return };
        if state.epoch() != epoch {
            return;
        }
        let result = match divergence(from, last, ours) {
            Divergence::At(end) => Err(end),
            Divergence::OutOfRange => panic!("the leader knows every epoch that ever was committed"),
            Divergence::None => {
                let fetched = FollowerFetched {
                    follower: id,
                    broker_epoch: incarnation,
                    eligible: true,
                    offset: from,
                    log_start: None,
                };
                let effects = state.on_fetched(fetched, now).expect("an assigned replica");
                let high_watermark = state.high_watermark();
                let start = usize::try_from(from.0).expect("an offset");
                let entries = serving.log.entries[start..].iter().copied().take(3).collect();
                self.carry_out(leader, effects);
                Ok((entries, high_watermark))
            }
        };
        self.replicas[i].answer = Some(Answer { epoch, from, result });
    }

    fn deliver(&mut self, i: usize) {
        let replica = &mut self.replicas[i];
        let Some(answer) = replica.answer.take() else { return };
        let (log_end, ack_end) = (replica.log.end(), replica.log.ack_end());
        let Role::Follower(state) = &mut replica.role else { return };
        if !replica.alive || state.epoch() != answer.epoch || log_end != answer.from {
            return;
        }
        match answer.result {
            Ok((entries, leaders)) => {
                replica.log.extend(&entries);
                state.on_leader_high_watermark(leaders, ack_end);
            }
            Err(end) => {
                let cut = truncation_offset(end, replica.log.epoch_end(end.epoch), log_end);
                assert!(cut >= state.high_watermark(), "replica {i} cut to {cut}, below its high watermark");
                replica.log.truncate(cut);
            }
        }
    }

    fn learn(&mut self, i: usize) {
        let (metadata, settings, now) = (self.metadata.clone(), self.settings, self.now);
        let replica = &mut self.replicas[i];
        let known = replica.epochs();
        if !replica.alive || known >= (metadata.leader_epoch, metadata.partition_epoch) {
            return;
        }
        let own = replica.own();
        let high_watermark = replica.high_watermark();
        let effects = match &mut replica.role {
            Role::Leader { state, .. } if metadata.leader == replica.id && known.0 == metadata.leader_epoch => {
                state.on_isr_committed(&metadata.isr, metadata.partition_epoch, now)
            }
            _ if metadata.leader == replica.id => {
                replica.log.start_epoch(metadata.leader_epoch.0);
                let (state, effects) = LeaderState::new(replica.id, &metadata, own, high_watermark, settings, now);
                replica.role = Role::Leader { state, unacked: Vec::new() };
                effects
            }
            role => {
                *role = Role::Follower(FollowerState::new(&metadata, high_watermark));
                Effects::default()
            }
        };
        self.carry_out(i, effects);
    }

    /// A clean election: any live member of the ISR; the dead ones leave it.
    fn elect(&mut self, choice: usize) {
        let alive = |id: &BrokerId| self.replicas[usize::try_from(id.0).expect("an id")].alive;
        let live: Vec<BrokerId> = self.metadata.isr.iter().copied().filter(alive).collect();
        if live.is_empty() {
            return;
        }
        self.metadata.leader = live[choice % live.len()];
        self.metadata.leader_epoch.0 += 1;
        self.metadata.partition_epoch += 1;
        self.metadata.isr = live;
    }

    fn crash(&mut self, i: usize, kept: usize) {
        let replica = &mut self.replicas[i];
        let tail = replica.log.entries.len() - replica.log.ack_end;
        let end = replica.log.ack_end() + i64::try_from(kept % (tail + 1)).expect("a small log");
        replica.alive = false;
        if end < replica.log.end() {
            replica.log.truncate(end);
        }
    }

    /// Back with another incarnation and the high watermark of its checkpoint. A leader gets a new epoch first.
    fn restart(&mut self, i: usize) {
        let replica = &mut self.replicas[i];
        if replica.alive {
            return;
        }
        let high_watermark = replica.high_watermark().min(replica.log.end());
        let (leader_epoch, _) = replica.epochs();
        let before = LeaderAndIsr { leader_epoch, partition_epoch: -1, ..self.metadata.clone() };
        replica.role = Role::Follower(FollowerState::new(&before, high_watermark));
        replica.log.settle();
        (replica.alive, replica.answer) = (true, None);
        replica.incarnation += 1;
        if self.metadata.leader == replica.id {
            self.metadata.leader_epoch.0 += 1;
            self.metadata.partition_epoch += 1;
        }
    }

    /// The oldest proposal reaches the controller, or not; its answer reaches the leader, or not.
    fn controller(&mut self, answers: bool, reachable: bool) {
        if self.proposals.is_empty() {
            return;
        }
        let (from, proposal) = self.proposals.remove(0);
        let metadata = &mut self.metadata;
        let fresh = metadata.leader == from
            && metadata.leader_epoch == proposal.leader_epoch
            && metadata.partition_epoch == proposal.partition_epoch;
        let eligible = proposal.isr.iter().all(|member| {
            let replica = &self.replicas[usize::try_from(member.broker.0).expect("an id")];
            replica.alive && (member.broker_epoch == -1 || member.broker_epoch == replica.incarnation)
        });
        if reachable && fresh && eligible {
            metadata.isr = proposal.isr.iter().map(|member| member.broker).collect();
            metadata.partition_epoch += 1;
        }
        let refusal = match (reachable && answers, fresh, eligible) {
            (false, _, _) => Some(IsrRefusal::Unanswered),
            (true, false, _) => Some(IsrRefusal::Stale),
            (true, true, false) => Some(IsrRefusal::Ineligible),
            (true, true, true) => None,
        };
        let leader = &mut self.replicas[usize::try_from(from.0).expect("an id")];
        if let (Role::Leader { state, .. }, Some(refusal), true) = (&mut leader.role, refusal, leader.alive)
            && state.epoch() == proposal.leader_epoch
        {
            state.on_isr_refused(proposal.partition_epoch, refusal);
        }
    }

    fn pass(&mut self, seconds: u64) {
        self.now = self.now.after(Duration::from_secs(seconds));
        let in_service = [0, 1, 2].map(|i| self.replicas[i].alive.then_some(self.replicas[i].incarnation));
        for i in 0..self.replicas.len() {
            let (replica, now) = (&mut self.replicas[i], self.now);
            if let (Role::Leader { state, .. }, true) = (&mut replica.role, replica.alive) {
                let effects = state.tick(|id| in_service[usize::try_from(id.0).expect("an id")], now);
                self.carry_out(i, effects);
            }
        }
    }

    /// No more faults: everybody comes back, and the world has to come to rest with one more record acknowledged.
    pub(super) fn heal(&mut self) {
        for i in 0..3 {
            self.step(&Event::Restart(i));
        }
        self.step(&Event::Elect(0));
        let leader = usize::try_from(self.metadata.leader.0).expect("an id");
        for round in 0..60 {
            for i in 0..3 {
                let calm = [Event::Learn(i), Event::Settle(i), Event::Fetch(i), Event::Deliver(i), Event::Settle(i)];
                calm.iter().for_each(|event| self.step(event));
            }
            self.step(&Event::Controller { answers: true, reachable: true });
            self.step(&Event::Pass(1));
            if round == 30 {
                self.step(&Event::Append(leader));
            }
        }
        assert_eq!(self.metadata.isr.len(), 3, "everybody is in sync again");
        assert_eq!(self.acknowledged.values().last(), Some(&self.next_value), "the last record is acknowledged");
        let logs = self.replicas.iter().map(|replica| &replica.log.entries);
        assert!(logs.clone().all(|log| *log == self.replicas[leader].log.entries), "all logs are equal");
        assert!(self.replicas.iter().all(|replica| replica.high_watermark() == replica.log.end()));
    }

    fn carry_out(&mut self, i: usize, effects: Effects) {
        let replica = &mut self.replicas[i];
        if let Some(proposal) = effects.propose {
            self.proposals.push((replica.id, proposal));
        }
        let Role::Leader { state, unacked } = &mut replica.role else { return };
        let reached = unacked.extract_if(.., |(required, _)| *required <= state.high_watermark());
        for (required, value) in reached {
            if state.check_after_append().is_ok() {
                self.acknowledged.insert(required + -1, value);
            }
        }
    }

    fn check(&mut self) {
        for id in &self.metadata.isr {
            let log = &self.replicas[usize::try_from(id.0).expect("an id")].log;
            for (offset, value) in &self.acknowledged {
                let index = usize::try_from(offset.0).expect("an offset");
                let held = log.entries.get(index).filter(|_| index < log.ack_end).map(|entry| entry.1);
                assert_eq!(held, Some(*value), "acknowledged offset {offset} on ISR member {id}");
            }
        }
        for replica in &mut self.replicas {
            let high_watermark = replica.high_watermark();
            assert!(high_watermark >= replica.high_watermark_seen, "the high watermark of {} went back", replica.id);
            replica.high_watermark_seen = high_watermark;
        }
        for pair in [(0, 1), (0, 2), (1, 2)] {
            let (a, b) = (&self.replicas[pair.0], &self.replicas[pair.1]);
            let common = usize::try_from(a.high_watermark().min(b.high_watermark()).0).expect("an offset");
            assert_eq!(
                a.log.entries[..common],
                b.log.entries[..common],
                "replicas {pair:?} below their high watermarks"
            );
        }
    }
}
