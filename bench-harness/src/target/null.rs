//! A target that does nothing: the floor of what the harness itself costs, and, with planted faults, its own test.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use logdyno_engine::record::{CloseReason, Nanos, Offset, ProducedBatch, Stage, TopicPartition, partition_for_key};

use super::{
    AckPoint, Delivered, Objection, Observation, Outgoing, Path, Running, Setup, Sink, Source, Target, TargetError,
};
use crate::proof::Evidence;
use crate::workload::Plan;

/// Records that may wait for the consumer; the producer waits beyond.
const QUEUED_MAX: usize = 1 << 16;

/// Hands each record to the consumer at once; a record is a batch.
#[derive(Clone, Debug, Default)]
pub struct NullTarget {
    faults: Vec<Fault>,
}

/// What a null target can be made to get wrong, to test the harness by. Records are named by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The record's `send` takes this long.
    Stall(u64, Duration),
    /// The record is acknowledged and never delivered.
    Loss(u64),
    /// The record stands in the log twice and is acknowledged once.
    Duplicate(u64),
    /// The record and the next one of its partition stand in each other's places.
    Swap(u64),
    /// One bit of the record's value is another.
    Flip(u64),
}

impl NullTarget {
    /// One that gets these things wrong.
    #[must_use]
    pub fn with_faults(faults: impl Into<Vec<Fault>>) -> NullTarget {
        NullTarget { faults: faults.into() }
    }
}

impl Target for NullTarget {
    fn name(&self) -> &str {
        "null"
    }

    fn has_storage(&self) -> bool {
        false
    }

    fn check(&self, _: &Plan) -> Result<(), Objection> {
        Ok(())
    }

    fn ack_level(&self, _: &Plan) -> Option<String> {
        None
    }

    fn start(&self, setup: Setup) -> Result<Box<dyn Running>, TargetError> {
        let partitions = (0..setup.plan.topic.partitions).map(|partition| Partition {
            name: TopicPartition::new(setup.plan.topic.name.as_str(), partition),
            next: Offset::ZERO,
            swapped: None,
        });
        let state = State { partitions: partitions.collect(), queue: VecDeque::new(), is_source_gone: false };
        let faults = self.faults.clone();
        Ok(Box::new(NullRunning(Arc::new(Shared {
            setup,
            faults,
            state: Mutex::new(state),
            filled: Condvar::new(),
            taken: Condvar::new(),
        }))))
    }
}

struct NullRunning(Arc<Shared>);

struct Shared {
    setup: Setup,
    faults: Vec<Fault>,
    state: Mutex<State>,
    /// The queue is no longer empty, which the consumer waits for.
    filled: Condvar,
    /// The queue was taken, which producers wait for when it is full.
    taken: Condvar,
}

struct State {
    partitions: Vec<Partition>,
    queue: VecDeque<Item>,
    is_source_gone: bool,
}

struct Partition {
    name: TopicPartition,
    next: Offset,
    /// A record that waits to change places with the next one.
    swapped: Option<Item>,
}

struct Item {
    partition: i32,
    offset: Offset,
    timestamp: i64,
    key: Option<Bytes>,
    value: Bytes,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    fn report(&self, partition: &TopicPartition, offset: Offset, created: Nanos, at: Nanos, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.setup.probe.produced(&ProducedBatch {
            partition: partition.clone(),
            base_offset: Some(offset),
            records: 1,
            bytes_uncompressed: bytes,
            bytes_sent: bytes,
            close_reason: CloseReason::Size,
            retries: 0,
            created,
            closed: at,
            drained: at,
            compressed: at,
            sent: at,
            acknowledged: at,
        });
        self.setup.probe.requested(1, u64::from(bytes));
    }
}

impl Running for NullRunning {
    fn path(&self) -> Path {
        Path {
            batching: true,
            keeps_replicas: false,
            appended: false,
            written: false,
            replicated: false,
            high_watermark: false,
            fetched: false,
            acknowledged_after: AckPoint::Sent,
        }
    }

    fn sink(&self, _: u32) -> Result<Box<dyn Sink>, TargetError> {
        Ok(Box::new(NullSink { shared: Arc::clone(&self.0) }))
    }

    fn source(&self) -> Result<Box<dyn Source>, TargetError> {
        Ok(Box::new(NullSource { shared: Arc::clone(&self.0), taken: VecDeque::new() }))
    }

    fn observe(&self) -> Observation {
        Observation::default()
    }

    fn evidence(&self) -> Vec<Evidence> {
        Vec::new()
    }

    fn stop(self: Box<Self>) -> Result<(), TargetError> {
        Ok(())
    }
}

struct NullSink {
    shared: Arc<Shared>,
}

impl Sink for NullSink {
    fn send(&mut self, record: Outgoing) {
        let created = record.ticket.called;
        let number = record.ticket.number;
        for fault in &self.shared.faults {
            if let Fault::Stall(at, duration) = fault
                && *at == number
            {
                std::thread::sleep(*duration);
            }
        }
        let bytes = record.key.as_ref().map_or(0, Bytes::len) + record.value.len();
        let (partition, offset) = self.append(&record);
        let at = self.shared.setup.clock.now();
        self.shared.report(&partition, offset, created, at, bytes);
        self.shared.setup.receipts.acknowledged(record.ticket, partition.partition, Some(offset));
    }

    fn flush(&mut self) {}

    fn counters(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }
}

impl NullSink {
    fn append(&self, record: &Outgoing) -> (TopicPartition, Offset) {
        let mut state = self.shared.lock();
        while state.queue.len() >= QUEUED_MAX && !state.is_source_gone {
            state = self.shared.taken.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let was_empty = state.queue.is_empty();
        let state = &mut *state;
        let number = record.ticket.number;
        let count = state.partitions.len() as i32;
        let index = match &record.key {
            Some(key) => partition_for_key(key, count),
            None => (number % count as u64) as i32,
        };
        let partition = &mut state.partitions[index as usize];
        let offset = partition.next;
        let copies = if self.shared.has(Fault::Duplicate(number)) { 2 } else { 1 };
        for copy in 0..copies {
            let item = self.item(record, index, offset + copy);
            partition.next = offset + copy + 1;
            match (partition.swapped.take(), self.shared.has(Fault::Swap(number)) && copy == 0) {
                (None, true) => partition.swapped = Some(item),
                (None, false) if !self.shared.has(Fault::Loss(number)) => state.queue.push_back(item),
                (None, false) => {}
                (Some(first), _) => {
                    let (earlier, later) = (first.offset, item.offset);
                    state.queue.push_back(Item { offset: earlier, ..item });
                    state.queue.push_back(Item { offset: later, ..first });
                }
            }
        }
        // Only then may the consumer wait: a call to the kernel for each record would be most of what the harness costs.
        if was_empty && !state.queue.is_empty() {
            self.shared.filled.notify_one();
        }
        (partition.name.clone(), offset)
    }

    fn item(&self, record: &Outgoing, partition: i32, offset: Offset) -> Item {
        let mut value = record.value.clone();
        if self.shared.has(Fault::Flip(record.ticket.number)) {
            let mut bytes = value.to_vec();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0b100;
            value = bytes.into();
        }
        Item { partition, offset, timestamp: record.timestamp, key: record.key.clone(), value }
    }
}

struct NullSource {
    shared: Arc<Shared>,
    /// The other half of the queue: swapped with it, so that the producer waits for a moment only.
    taken: VecDeque<Item>,
}

impl Source for NullSource {
    fn poll(&mut self, timeout: Duration, take: &mut dyn FnMut(Delivered<'_>)) -> Result<(), TargetError> {
        let names: Vec<TopicPartition> = {
            let state = self.shared.lock();
            let (mut state, _) = self
                .shared
                .filled
                .wait_timeout_while(state, timeout, |state| state.queue.is_empty())
                .unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut state.queue, &mut self.taken);
            state.partitions.iter().map(|partition| partition.name.clone()).collect()
        };
        self.shared.taken.notify_all();
        let at = self.shared.setup.clock.now();
        for item in self.taken.drain(..) {
            let range = item.offset..item.offset.next();
            self.shared.setup.probe.passed(Stage::Delivered, &names[item.partition as usize], range, at);
            take(Delivered {
                partition: item.partition,
                offset: item.offset,
                timestamp: item.timestamp,
                key: item.key.as_deref(),
                value: Some(&item.value),
            });
        }
        Ok(())
    }
}

impl Drop for NullSource {
    fn drop(&mut self) {
        self.shared.lock().is_source_gone = true;
        self.shared.taken.notify_all();
    }
}
