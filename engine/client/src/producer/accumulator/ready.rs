//! Which brokers have something to take, and when to look again.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use logdyno_record::{CloseReason, Nanos};

use super::queue::{PartitionQueue, QueueState};
use super::{Accumulator, TopicQueues};
use crate::network::{Leader, Leaders};
use crate::producer::batch::ProducerBatch;

/// What [`Accumulator::ready`] found.
#[derive(Default)]
pub(crate) struct Ready {
    /// Brokers with a batch that is ready, and all their partitions that have a batch, ready or not.
    pub(crate) nodes: BTreeMap<i32, Vec<Arc<PartitionQueue>>>,
    /// When to look again: the next linger or pause that ends, or batch that expires. `None`: when woken.
    pub(crate) look_again: Option<Nanos>,
    /// Topics with batches and a partition without known leader.
    pub(crate) leaderless: Vec<Arc<str>>,
}

/// When each broker last had batches ready, and last took some: for `partitioner.availability.timeout.ms`.
#[derive(Debug, Default)]
pub(crate) struct NodeLatencies(HashMap<i32, Latency>);

#[derive(Clone, Copy, Debug)]
struct Latency {
    ready: Nanos,
    drained: Nanos,
}

impl NodeLatencies {
    /// The broker had batches ready at `now`, and could take them or not.
    pub(crate) fn note(&mut self, node: i32, now: Nanos, took: bool) {
        let latency = self.0.entry(node).or_insert(Latency { ready: now, drained: now });
        latency.ready = now;
        if took {
            latency.drained = now;
        }
    }

    fn exceeds(&self, node: i32, timeout: Duration) -> bool {
        self.0.get(&node).is_some_and(|latency| latency.ready.since(latency.drained) > timeout)
    }
}

/// What makes any batch ready, however empty.
#[derive(Clone, Copy)]
struct Pressure {
    flushing: bool,
    exhausted: bool,
}

impl Accumulator {
    /// Looks over all queues.
    pub(crate) fn ready(&self, leaders: &dyn Leaders, latencies: &NodeLatencies, now: Nanos) -> Ready {
        let mut found = Found { ready: Ready::default(), waiting: BTreeMap::new() };
        let pressure =
            Pressure { flushing: self.is_flushing() || self.is_closed(), exhausted: self.pool.waiting() > 0 };
        for topic in self.all_topics() {
            self.look_at_topic(&topic, leaders, latencies, pressure, now, &mut found);
        }
        let Found { mut ready, waiting } = found;
        for (node, queues) in waiting {
            if let Some(taken_along) = ready.nodes.get_mut(&node) {
                taken_along.extend(queues);
            }
        }
        for queues in ready.nodes.values_mut() {
            queues.sort_by(|a, b| a.partition().cmp(b.partition()));
        }
        ready
    }

    fn look_at_topic(
        &self,
        topic: &TopicQueues,
        leaders: &dyn Leaders,
        latencies: &NodeLatencies,
        pressure: Pressure,
        now: Nanos,
        found: &mut Found,
    ) {
        let queues = topic.queues();
        let known = leaders.partitions(topic.name());
        let mut lengths = Vec::new();
        for queue in &queues {
            let leader = leaders.leader(queue.partition());
            let state = queue.lock();
            if let Some(leader) = leader
                && !self.is_avoided(leader.node, latencies)
            {
                lengths.push((queue.partition().partition, u32::try_from(state.len()).unwrap_or(u32::MAX)));
            }
            let Some(first) = state.first() else { continue };
            found.look_again_at(first.deadline(self.settings.delivery_timeout));
            match leader {
                None => found.leaderless(topic.name()),
                Some(leader) => match self.batch_ready(&state, first, leader, pressure, now) {
                    Look::Ready => found.ready.nodes.entry(leader.node).or_default().push(Arc::clone(queue)),
                    Look::Again(at) => {
                        found.look_again_at(at);
                        found.waiting.entry(leader.node).or_default().push(Arc::clone(queue));
                    }
                    Look::WhenAnswered => {}
                },
            }
        }
        if self.settings.adaptive && known > 0 && queues.len() >= known {
            topic.sticky.learn(&lengths, queues.len());
        } else {
            topic.sticky.forget();
        }
    }

    fn is_avoided(&self, node: i32, latencies: &NodeLatencies) -> bool {
        self.settings.availability_timeout.is_some_and(|timeout| latencies.exceeds(node, timeout))
    }

    fn batch_ready(
        &self,
        state: &QueueState,
        first: &ProducerBatch,
        leader: Leader,
        pressure: Pressure,
        now: Nanos,
    ) -> Look {
        if state.must_wait_for_in_flight(leader.node) {
            return Look::WhenAnswered;
        }
        if first.is_backing_off(now, Some((leader.node, leader.epoch))) {
            return Look::Again(first.not_before);
        }
        let full = state.len() > 1 || first.is_full();
        let lingered = first.created().after(self.settings.linger);
        if full || first.attempts > 0 || now >= lingered || pressure.flushing || pressure.exhausted {
            return Look::Ready;
        }
        Look::Again(lingered)
    }

    /// Why a batch that is taken now stops taking records.
    pub(super) fn close_reason(&self, batch: &ProducerBatch, now: Nanos) -> CloseReason {
        if now >= batch.created().after(self.settings.linger) {
            CloseReason::Linger
        } else if self.is_flushing() || self.is_closed() {
            CloseReason::Flush
        } else if self.pool.waiting() > 0 {
            CloseReason::MemoryPressure
        } else {
            CloseReason::TakenAlong
        }
    }
}

enum Look {
    Ready,
    Again(Nanos),
    WhenAnswered,
}

struct Found {
    ready: Ready,
    waiting: BTreeMap<i32, Vec<Arc<PartitionQueue>>>,
}

impl Found {
    fn look_again_at(&mut self, at: Nanos) {
        self.ready.look_again = Some(self.ready.look_again.map_or(at, |earlier| earlier.min(at)));
    }

    fn leaderless(&mut self, topic: &Arc<str>) {
        if !self.ready.leaderless.contains(topic) {
            self.ready.leaderless.push(Arc::clone(topic));
        }
    }
}
