//! The queues of one topic.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use logdyno_record::{Nanos, TopicPartition};

use super::queue::{PartitionQueue, QueueState};
use crate::producer::compression_ratio::CompressionRatio;
use crate::producer::partitioner::sticky::{Choices, StickyPartition, StickyPartitioner};
use crate::random::Random;

/// One topic's sticky partitioner, compression ratio and queues by partition.
pub(crate) struct TopicQueues {
    name: Arc<str>,
    /// Who chooses for records without key.
    pub(crate) sticky: StickyPartitioner,
    /// How well its batches compress.
    pub(crate) ratio: CompressionRatio,
    queues: RwLock<Vec<Option<Arc<PartitionQueue>>>>,
    /// When the metadata was last told that the topic is in use, in nanoseconds.
    told_used: AtomicU64,
}

/// How often the metadata is told that a topic is in use; far below the least `metadata.max.idle.ms`.
const TELL_USED_EVERY: Duration = Duration::from_secs(1);

impl TopicQueues {
    pub(super) fn new(name: Arc<str>, batch_size: usize, random: Random) -> TopicQueues {
        TopicQueues {
            name,
            sticky: StickyPartitioner::new(batch_size.max(1), random),
            ratio: CompressionRatio::new(),
            queues: RwLock::default(),
            told_used: AtomicU64::new(0),
        }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// True once in a while: the metadata should be told that the topic is still in use. Spares `send` its lock.
    pub(crate) fn is_due_to_tell_used(&self, now: Nanos) -> bool {
        let told = Nanos(self.told_used.load(Ordering::Relaxed));
        let due = now.since(told) >= TELL_USED_EVERY;
        if due {
            self.told_used.store(now.0, Ordering::Relaxed);
        }
        due
    }

    /// The queue of `partition` (≥ 0); made when first asked for.
    pub(crate) fn queue(&self, partition: i32) -> Arc<PartitionQueue> {
        let index = partition as usize;
        if let Some(Some(queue)) = self.queues.read().unwrap_or_else(PoisonError::into_inner).get(index) {
            return Arc::clone(queue);
        }
        let mut queues = self.queues.write().unwrap_or_else(PoisonError::into_inner);
        if queues.len() <= index {
            queues.resize(index + 1, None);
        }
        let make = || Arc::new(PartitionQueue::new(TopicPartition::new(Arc::clone(&self.name), partition)));
        Arc::clone(queues[index].get_or_insert_with(make))
    }

    /// Its queues, by ascending partition.
    pub(crate) fn queues(&self) -> Vec<Arc<PartitionQueue>> {
        self.queues.read().unwrap_or_else(PoisonError::into_inner).iter().flatten().map(Arc::clone).collect()
    }

    /// True if the sticky partition is no longer `sticky`; also makes a switch that was deferred to this boundary.
    pub(super) fn has_moved(&self, sticky: &Arc<StickyPartition>, state: &QueueState, choices: Choices<'_>) -> bool {
        if self.sticky.has_changed(sticky) {
            return true;
        }
        if state.is_at_boundary() {
            self.sticky.update(sticky, 0, true, choices);
            return self.sticky.has_changed(sticky);
        }
        false
    }
}
