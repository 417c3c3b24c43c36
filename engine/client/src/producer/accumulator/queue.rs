//! The batches of one partition, in order.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use logdyno_record::TopicPartition;

use crate::producer::batch::ProducerBatch;

/// One partition's queue. Callers append to its last batch, the sender takes its first.
pub(crate) struct PartitionQueue {
    partition: TopicPartition,
    state: Mutex<QueueState>,
}

/// What the queue's lock protects.
#[derive(Default)]
pub(crate) struct QueueState {
    batches: VecDeque<ProducerBatch>,
    next_number: u64,
    in_flight: usize,
    retries_in_flight: usize,
}

impl PartitionQueue {
    /// An empty queue.
    pub(crate) fn new(partition: TopicPartition) -> PartitionQueue {
        PartitionQueue { partition, state: Mutex::default() }
    }

    /// Whose queue it is.
    pub(crate) fn partition(&self) -> &TopicPartition {
        &self.partition
    }

    /// The queue, locked.
    pub(crate) fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl QueueState {
    /// The batch that is sent next.
    pub(crate) fn first(&self) -> Option<&ProducerBatch> {
        self.batches.front()
    }

    /// The batch that fills.
    pub(crate) fn last_mut(&mut self) -> Option<&mut ProducerBatch> {
        self.batches.back_mut()
    }

    /// How many batches wait.
    pub(crate) fn len(&self) -> usize {
        self.batches.len()
    }

    /// True if the batch that fills is full, or there is none: a good moment to leave the partition.
    pub(crate) fn is_at_boundary(&self) -> bool {
        self.batches.back().is_none_or(ProducerBatch::is_full)
    }

    /// The number of the next new batch.
    pub(crate) fn take_number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    /// Adds a new batch.
    pub(crate) fn push(&mut self, batch: ProducerBatch) {
        self.batches.push_back(batch);
    }

    /// True if the first batch must wait for batches in flight.
    ///
    /// Without idempotence the broker cannot put batches in order. So once one was refused, a single batch is
    /// in flight until every retry has been answered; it is not sent before the fate of those behind it is known.
    pub(crate) fn must_wait_for_in_flight(&self) -> bool {
        let first_is_retry = self.first().is_some_and(|batch| batch.attempts > 0);
        self.in_flight > 0 && (first_is_retry || self.retries_in_flight > 0)
    }

    /// Takes the first batch for sending.
    pub(crate) fn take_first(&mut self) -> Option<ProducerBatch> {
        let batch = self.batches.pop_front()?;
        self.in_flight += 1;
        self.retries_in_flight += usize::from(batch.attempts > 0);
        Some(batch)
    }

    /// A batch taken by [`take_first`](Self::take_first) is no longer in flight. `was_retry`: it had been sent before.
    pub(crate) fn landed(&mut self, was_retry: bool) {
        self.in_flight -= 1;
        self.retries_in_flight -= usize::from(was_retry);
    }

    /// Puts back what shall be sent again, one batch or the parts of one in order, where its number says.
    ///
    /// Parts of a split batch share its number. At most one of them is in flight, the first: it goes back before the others.
    pub(crate) fn put_back(&mut self, parts: Vec<ProducerBatch>) {
        for batch in parts.into_iter().rev() {
            let place = self.batches.partition_point(|other| other.number < batch.number);
            self.batches.insert(place, batch);
        }
    }

    /// Takes out the batches that `expired` says, from the front.
    pub(crate) fn remove_expired(&mut self, expired: impl Fn(&ProducerBatch) -> bool) -> Vec<ProducerBatch> {
        let count = self.batches.iter().take_while(|batch| expired(batch)).count();
        self.batches.drain(..count).collect()
    }

    /// Takes out everything.
    pub(crate) fn remove_all(&mut self) -> Vec<ProducerBatch> {
        self.batches.drain(..).collect()
    }
}
