//! Taking batches out of the queues: for sending, or because their time is over.

use std::collections::HashMap;
use std::sync::Arc;

use logdyno_record::{Nanos, TopicPartition};

use super::Accumulator;
use super::queue::PartitionQueue;
use crate::network::Leaders;
use crate::producer::batch::ProducerBatch;

/// What one drain tells the next.
#[derive(Debug, Default)]
pub(crate) struct DrainIndex {
    /// The partition that the last full request to each broker had no room for: the next one begins with it.
    left_out: HashMap<i32, TopicPartition>,
    /// The id of the idempotent producer whose batches are taken.
    pub(crate) producer: Option<i64>,
    /// A partition has used up all epochs of that id.
    pub(crate) wants_other_id: bool,
}

impl Accumulator {
    /// Takes at most one batch per partition for a request to `node` of at most `max_bytes`; the first always fits.
    ///
    /// Batches are closed but not yet compressed: a guess of their size counts.
    pub(crate) fn drain(
        &self,
        node: i32,
        queues: &[Arc<PartitionQueue>],
        leaders: &dyn Leaders,
        max_bytes: usize,
        index: &mut DrainIndex,
        now: Nanos,
    ) -> Vec<ProducerBatch> {
        let left_out = index.left_out.remove(&node);
        let start = left_out.map_or(0, |left_out| queues.partition_point(|queue| *queue.partition() < left_out));
        let mut taken = Vec::new();
        let mut bytes = 0;
        for step in 0..queues.len() {
            let queue = &queues[(start + step) % queues.len()];
            let leader = leaders.leader(queue.partition()).filter(|leader| leader.node == node);
            let Some(leader) = leader.map(|leader| (leader.node, leader.epoch)) else { continue };
            let mut state = queue.lock();
            let Some(first) = state.first() else { continue };
            if state.must_wait_for_in_flight(node) || first.is_backing_off(now, Some(leader)) {
                continue;
            }
            if !taken.is_empty() && bytes + first.estimated_size() > max_bytes {
                index.left_out.insert(node, queue.partition().clone());
                return taken;
            }
            let Some(mut batch) = state.take_first(node, index.producer) else {
                index.wants_other_id |= index.producer.is_some_and(|id| state.sequences().has_spent(id));
                continue;
            };
            drop(state);
            let reason = self.close_reason(&batch, now);
            batch.close(reason, now);
            batch.last_leader = Some(leader);
            bytes += batch.estimated_size();
            taken.push(batch);
        }
        taken
    }

    /// Takes out the queued batches that are older than `delivery.timeout.ms`.
    pub(crate) fn take_expired(&self, now: Nanos) -> Vec<ProducerBatch> {
        let timeout = self.settings.delivery_timeout;
        let topics = self.all_topics();
        let queues = topics.iter().flat_map(|topic| topic.queues());
        queues.flat_map(|queue| queue.lock().remove_expired(|batch| batch.deadline(timeout) <= now)).collect()
    }
}
