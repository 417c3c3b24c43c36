//! The batches of one partition, in order.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use logdyno_record::TopicPartition;

use crate::producer::batch::ProducerBatch;
use crate::producer::sequences::Sequences;

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
    /// The broker that has those in flight, or had the last of them.
    in_flight_at: Option<i32>,
    retries_in_flight: usize,
    sequences: Sequences,
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

    /// The numbers of an idempotent producer's batches.
    pub(crate) fn sequences(&mut self) -> &mut Sequences {
        &mut self.sequences
    }

    /// True if the first batch, which `node` would get, must wait for batches in flight.
    ///
    /// All wait for what another broker has in flight: after a change of leader, what comes later is not to be there before what
    /// may have to be sent again.
    ///
    /// Of an idempotent producer one that is sent again waits until it is the one that the broker expects; all wait that
    /// are about to start over, or while the broker may not know the producer.
    ///
    /// Without idempotence the broker cannot put batches in order. So once one was refused, a single batch is
    /// in flight until every retry has been answered; it is not sent before the fate of those behind it is known.
    pub(crate) fn must_wait_for_in_flight(&self, node: i32) -> bool {
        if self.in_flight > 0 && self.in_flight_at != Some(node) {
            return true;
        }
        if self.sequences.starts_over() || self.sequences.may_be_unknown() {
            return self.in_flight > 0;
        }
        if let Some(stamped) = self.first().and_then(|batch| batch.stamped) {
            return !self.sequences.is_next(stamped.position);
        }
        if self.sequences.are_used() {
            return false;
        }
        let first_is_retry = self.first().is_some_and(|batch| batch.attempts > 0);
        self.in_flight > 0 && (first_is_retry || self.retries_in_flight > 0)
    }

    /// Takes the first batch for sending to `node`, numbered if it is `producer`'s, an idempotent one. `None` also if that
    /// needs another id: [`Sequences::has_spent`].
    pub(crate) fn take_first(&mut self, node: i32, producer: Option<i64>) -> Option<ProducerBatch> {
        if let Some(id) = producer {
            if self.sequences.starts_over() && self.in_flight == 0 {
                self.sequences.start_over();
                self.batches.iter_mut().for_each(|batch| batch.stamped = None);
            }
            let first = self.batches.front_mut()?;
            if first.stamped.is_none() {
                first.stamped = Some(self.sequences.stamp(id, first.records())?);
            }
        }
        let batch = self.batches.pop_front()?;
        self.in_flight += 1;
        self.in_flight_at = Some(node);
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
    /// Parts of a split batch share its number; an idempotent producer tells them apart by their sequences. Of another's,
    /// at most one is in flight, the first: it goes back before the others.
    pub(crate) fn put_back(&mut self, parts: Vec<ProducerBatch>) {
        for batch in parts.into_iter().rev() {
            let place = self.batches.partition_point(|other| other.order() < batch.order());
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
