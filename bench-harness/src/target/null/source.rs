//! The consumer, which gives records their offsets, and their receipts before it delivers them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use logdyno_engine::record::{CloseReason, Nanos, Offset, ProducedBatch, Stage, TopicPartition, partition_for_key};

use super::lane::Lane;
use super::{Fault, Shared, lock};
use crate::target::{Delivered, Outgoing, Source, TargetError, Ticket};

pub(super) struct NullSource {
    shared: Arc<Shared>,
    /// By their indexes over all topics.
    partitions: Vec<Partition>,
    /// The other half of a lane: swapped with it, so that the producer waits for a moment only.
    taken: Vec<Outgoing>,
}

struct Partition {
    name: TopicPartition,
    index: i32,
    next: Offset,
    open: Batch,
    /// A record that waits to change places with the next one.
    swapped: Option<Item>,
}

/// Records that are acknowledged together.
#[derive(Default)]
struct Batch {
    base: Offset,
    bytes: usize,
    created: Nanos,
    tickets: Vec<Ticket>,
    items: Vec<Item>,
}

struct Item {
    offset: Offset,
    timestamp: i64,
    key: Option<Bytes>,
    value: Bytes,
}

impl NullSource {
    pub(super) fn new(shared: Arc<Shared>) -> NullSource {
        let partitions = (0..).zip(shared.setup.topics.partitions()).map(|(index, name)| Partition {
            name,
            index,
            next: Offset::ZERO,
            open: Batch::default(),
            swapped: None,
        });
        NullSource { partitions: partitions.collect(), taken: Vec::new(), shared }
    }

    /// Takes a lane's records to their partitions.
    fn take_from(&mut self, lane: &Lane, take: &mut dyn FnMut(Delivered<'_>)) {
        let mut taken = std::mem::take(&mut self.taken);
        lane.take(&mut taken);
        if !taken.is_empty() {
            let at = self.shared.setup.clock.now();
            for record in taken.drain(..) {
                self.append(record, at, take);
            }
            for partition in &mut self.partitions {
                partition.close(&self.shared, CloseReason::Linger, at, take);
            }
            lane.settle();
        }
        self.taken = taken;
    }

    fn append(&mut self, record: Outgoing, at: Nanos, take: &mut dyn FnMut(Delivered<'_>)) {
        let topics = &self.shared.setup.topics;
        let (number, count) = (record.ticket.number, topics.partitions_each());
        // The records of one turn over the topics are one of each.
        let turn = if topics.count() == 1 { number } else { number / topics.count() as u64 };
        let partition = match &record.key {
            Some(key) => partition_for_key(key, count),
            None => (turn % count as u64) as i32,
        };
        let index = topics.index(topics.of_record(number), partition);
        let partition = &mut self.partitions[index as usize];
        let bytes = record.key.as_ref().map_or(0, Bytes::len) + record.value.len();
        if !partition.open.tickets.is_empty() && partition.open.bytes + bytes > self.shared.batch_size {
            partition.close(&self.shared, CloseReason::Size, at, take);
        }
        if self.shared.faults.is_empty() {
            partition.add(record, bytes);
        } else {
            partition.add_wrongly(&self.shared, record, bytes, at, take);
        }
    }
}

impl Partition {
    fn add(&mut self, record: Outgoing, bytes: usize) {
        let offset = self.accept(record.ticket, bytes);
        self.open.items.push(Item { offset, timestamp: record.timestamp, key: record.key, value: record.value });
    }

    /// Gives a record its offset in the open batch, where it will be acknowledged.
    fn accept(&mut self, ticket: Ticket, bytes: usize) -> Offset {
        let (offset, batch) = (self.next, &mut self.open);
        if batch.tickets.is_empty() {
            (batch.base, batch.created) = (offset, ticket.called);
        }
        batch.tickets.push(ticket);
        batch.bytes += bytes;
        self.next = offset.next();
        offset
    }

    /// As [`Partition::add`], with the faults that are planted; a record that is wrong stands in a batch of its own.
    fn add_wrongly(
        &mut self,
        shared: &Shared,
        record: Outgoing,
        bytes: usize,
        at: Nanos,
        take: &mut dyn FnMut(Delivered<'_>),
    ) {
        let number = record.ticket.number;
        self.close(shared, CloseReason::Size, at, take);
        let offset = self.accept(record.ticket, bytes);
        let value = if shared.has(Fault::Flip(number)) { flipped(&record.value) } else { record.value };
        let item = Item { offset, timestamp: record.timestamp, key: record.key, value };
        let copy = shared.has(Fault::Duplicate(number)).then(|| {
            self.next = self.next.next();
            Item { offset: offset.next(), timestamp: item.timestamp, key: item.key.clone(), value: item.value.clone() }
        });
        match (self.swapped.take(), shared.has(Fault::Swap(number))) {
            (None, true) => self.swapped = Some(item),
            (None, false) if shared.has(Fault::Loss(number)) => {}
            (None, false) => self.open.items.push(item),
            (Some(first), _) => {
                let (earlier, later) = (first.offset, item.offset);
                self.open.items.push(Item { offset: earlier, ..item });
                self.open.items.push(Item { offset: later, ..first });
            }
        }
        self.open.items.extend(copy);
        self.close(shared, CloseReason::Size, at, take);
    }

    /// Acknowledges what the open batch holds, and delivers it.
    fn close(&mut self, shared: &Shared, why: CloseReason, at: Nanos, take: &mut dyn FnMut(Delivered<'_>)) {
        let batch = &mut self.open;
        if batch.tickets.is_empty() {
            return;
        }
        let (setup, bytes) = (&shared.setup, u32::try_from(batch.bytes).unwrap_or(u32::MAX));
        setup.probe.produced(&ProducedBatch {
            partition: self.name.clone(),
            base_offset: Some(batch.base),
            records: batch.tickets.len() as u32,
            bytes_uncompressed: bytes,
            bytes_sent: bytes,
            close_reason: why,
            retries: 0,
            created: batch.created,
            closed: at,
            drained: at,
            compressed: at,
            sent: at,
            acknowledged: at,
        });
        setup.probe.requested(1, u64::from(bytes));
        setup.receipts.acknowledged_together(&batch.tickets, self.name.partition, batch.base);
        batch.tickets.clear();
        let delivered = setup.clock.now();
        // A record that stands elsewhere than it was put is stamped there.
        let ends = batch.items.iter().map(|item| item.offset.next());
        if let Some(end) = ends.max() {
            setup.probe.passed(Stage::Delivered, &self.name, batch.base..end, delivered);
        }
        for item in batch.items.drain(..) {
            take(Delivered {
                partition: self.index,
                offset: item.offset,
                timestamp: item.timestamp,
                key: item.key.as_deref(),
                value: Some(&item.value),
            });
        }
        batch.bytes = 0;
    }
}

fn flipped(value: &Bytes) -> Bytes {
    let mut bytes = value.to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0b100;
    bytes.into()
}

impl Source for NullSource {
    fn poll(&mut self, timeout: Duration, take: &mut dyn FnMut(Delivered<'_>)) -> Result<(), TargetError> {
        self.shared.arrivals.wait(timeout);
        let lanes = lock(&self.shared.lanes).clone();
        lanes.iter().for_each(|lane| self.take_from(lane, take));
        Ok(())
    }
}

impl Drop for NullSource {
    fn drop(&mut self) {
        lock(&self.shared.lanes).iter().for_each(|lane| lane.close());
    }
}
