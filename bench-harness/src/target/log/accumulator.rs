//! Which batch a record goes to, and when a batch is closed: decisions alone, under the sink's lock.

use std::collections::VecDeque;
use std::time::Duration;

use logdyno_engine::client::ProducerConfig;
use logdyno_engine::client::config::PartitionerChoice;
use logdyno_engine::record::{BatchBuilder, CloseReason, Codec, Nanos, partition_for_key};

use crate::target::{Outgoing, Ticket};

/// An open batch per partition of every topic, and the closed ones in the order in which they are to be appended.
pub(super) struct Accumulator {
    codec: Codec,
    batch_size: usize,
    linger: Duration,
    choice: PartitionerChoice,
    ignores_keys: bool,
    /// By the index of the partition over all topics.
    open: Vec<Option<Filling>>,
    closed: VecDeque<ClosedBatch>,
    /// How many partitions a topic has.
    partitions: usize,
    /// For each topic: where records without a key go until the batch there is closed; with round robin, where the next record
    /// goes.
    current: Vec<usize>,
}

/// A batch that takes records.
struct Filling {
    builder: BatchBuilder,
    tickets: Vec<Ticket>,
    charged_bytes: usize,
    created: Nanos,
}

impl Filling {
    /// Takes a record, unless the batch would have more than `size_max` bytes with it: then false.
    fn take(&mut self, record: &Outgoing, size_max: usize) -> bool {
        let (key, value) = (record.key.as_deref(), Some(&*record.value));
        let check = |size| if size <= size_max { Ok(()) } else { Err(()) };
        if self.builder.append_if(record.timestamp, key, value, &[], check).is_err() {
            return false;
        }
        self.tickets.push(record.ticket);
        self.charged_bytes += charge(record);
        true
    }
}

/// A batch that takes no more records and is not compressed yet.
pub(super) struct ClosedBatch {
    /// The index of its partition over all topics.
    pub(super) partition: usize,
    /// Its records.
    pub(super) builder: BatchBuilder,
    /// Theirs, in order.
    pub(super) tickets: Vec<Ticket>,
    /// What it takes of `buffer.memory`.
    pub(super) charged_bytes: usize,
    /// When its first record came.
    pub(super) created: Nanos,
    /// When it was closed.
    pub(super) closed: Nanos,
    /// Why.
    pub(super) reason: CloseReason,
}

/// What a record takes of `buffer.memory`.
pub(super) fn charge(record: &Outgoing) -> usize {
    BatchBuilder::upper_bound(record.key.as_deref(), Some(&record.value), &[])
}

impl Accumulator {
    pub(super) fn new(config: &ProducerConfig, topics: usize, partitions: usize) -> Accumulator {
        Accumulator {
            codec: config.codec,
            batch_size: config.batch_size,
            linger: config.linger,
            choice: config.partitioner,
            ignores_keys: config.ignore_keys,
            open: (0..topics * partitions).map(|_| None).collect(),
            closed: VecDeque::new(),
            partitions,
            current: vec![0; topics],
        }
    }

    /// Takes a record of a topic. True if whoever appends has something new to look at: a batch to take, or a later one to wait for.
    pub(super) fn push(&mut self, topic: usize, record: &Outgoing, now: Nanos) -> bool {
        let partition = topic * self.partitions + self.choose(topic, record.key.as_deref());
        let batch_size = self.batch_size;
        let is_taken = self.open[partition].as_mut().is_some_and(|batch| batch.take(record, batch_size));
        if !is_taken {
            self.close(partition, CloseReason::Size, now);
            let builder = BatchBuilder::new(self.codec, batch_size);
            let mut batch = Filling { builder, tickets: Vec::new(), charged_bytes: 0, created: now };
            // The first record fits, whatever its size.
            batch.take(record, usize::MAX);
            self.open[partition] = Some(batch);
        }
        let is_full = self.open[partition].as_ref().is_some_and(|batch| batch.builder.size() >= batch_size);
        if is_full {
            self.close(partition, CloseReason::Size, now);
        }
        !is_taken || is_full
    }

    fn choose(&mut self, topic: usize, key: Option<&[u8]>) -> usize {
        let partitions = self.partitions;
        match (self.choice, key) {
            (PartitionerChoice::RoundRobin, _) => {
                let chosen = self.current[topic];
                self.current[topic] = (chosen + 1) % partitions;
                chosen
            }
            (PartitionerChoice::BuiltIn, Some(key)) if !self.ignores_keys => {
                usize::try_from(partition_for_key(key, partitions as i32)).unwrap_or(0)
            }
            (PartitionerChoice::BuiltIn, _) => self.current[topic],
        }
    }

    fn close(&mut self, partition: usize, reason: CloseReason, now: Nanos) {
        let Some(Filling { builder, tickets, charged_bytes, created }) = self.open[partition].take() else { return };
        // The time may have been asked for before the lock was had, and a record have come meanwhile.
        let closed = now.max(created);
        self.closed.push_back(ClosedBatch { partition, builder, tickets, charged_bytes, created, closed, reason });
        let (topic, partition) = (partition / self.partitions, partition % self.partitions);
        if self.choice == PartitionerChoice::BuiltIn && partition == self.current[topic] {
            self.current[topic] = (partition + 1) % self.partitions;
        }
    }

    /// Closes every open batch.
    pub(super) fn close_all(&mut self, reason: CloseReason, now: Nanos) {
        (0..self.open.len()).for_each(|partition| self.close(partition, reason, now));
    }

    /// The next batch to append; one that has lingered is closed now.
    pub(super) fn take(&mut self, now: Nanos) -> Option<ClosedBatch> {
        if self.closed.is_empty() {
            let due = |batch: &Option<Filling>| batch.as_ref().is_some_and(|it| it.created.after(self.linger) <= now);
            let lingered: Vec<usize> = (0..self.open.len()).filter(|index| due(&self.open[*index])).collect();
            lingered.into_iter().for_each(|partition| self.close(partition, CloseReason::Linger, now));
        }
        self.closed.pop_front()
    }

    /// When the next open batch will have lingered.
    pub(super) fn next_due(&self) -> Option<Nanos> {
        self.open.iter().flatten().map(|batch| batch.created.after(self.linger)).min()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn accumulator(settings: &[(&str, &str)], partitions: usize) -> Accumulator {
        let pairs = std::iter::once(("bootstrap.servers", "localhost:1")).chain(settings.iter().copied());
        Accumulator::new(&ProducerConfig::from_pairs(pairs).expect("good settings"), 1, partitions)
    }

    fn record(key: Option<&'static str>, bytes: usize) -> Outgoing {
        let ticket = Ticket { number: 0, intended: Nanos(0), called: Nanos(0) };
        Outgoing { ticket, key: key.map(Bytes::from), value: vec![b'v'; bytes].into(), timestamp: 5 }
    }

    #[test]
    fn a_batch_waits_for_linger_and_no_longer() {
        let mut batches = accumulator(&[("linger.ms", "5")], 1);
        assert!(batches.push(0, &record(None, 10), Nanos(1_000_000)), "the first record sets a time to wait for");
        assert!(!batches.push(0, &record(None, 10), Nanos(2_000_000)), "the second does not");
        assert_eq!(batches.next_due(), Some(Nanos(6_000_000)));
        assert!(batches.take(Nanos(5_999_999)).is_none());
        let batch = batches.take(Nanos(6_000_000)).expect("a batch that has lingered");
        assert_eq!((batch.reason, batch.tickets.len()), (CloseReason::Linger, 2));
        assert_eq!(batches.next_due(), None);
    }

    #[test]
    fn a_batch_never_grows_over_batch_size_unless_one_record_does() {
        let mut batches = accumulator(&[("batch.size", "500"), ("linger.ms", "1000")], 1);
        for _ in 0..5 {
            batches.push(0, &record(None, 150), Nanos(0));
        }
        batches.push(0, &record(None, 900), Nanos(0));
        let sizes: Vec<_> =
            std::iter::from_fn(|| batches.take(Nanos(0))).map(|it| (it.tickets.len(), it.builder.size())).collect();
        assert_eq!(sizes.iter().map(|(records, _)| *records).collect::<Vec<_>>(), [2, 2, 1, 1]);
        assert!(sizes[..3].iter().all(|(_, size)| *size <= 500), "{sizes:?}");
    }

    #[test]
    fn without_a_key_the_next_batch_is_for_the_next_partition() {
        let mut batches = accumulator(&[("batch.size", "0")], 3);
        for _ in 0..4 {
            batches.push(0, &record(None, 10), Nanos(0));
        }
        let partitions: Vec<_> = std::iter::from_fn(|| batches.take(Nanos(0))).map(|it| it.partition).collect();
        assert_eq!(partitions, [0, 1, 2, 0]);
    }

    #[test]
    fn a_key_has_its_partition() {
        let mut batches = accumulator(&[("batch.size", "0")], 3);
        for key in ["a", "b", "c", "a"] {
            batches.push(0, &record(Some(key), 10), Nanos(0));
        }
        let partitions: Vec<_> = std::iter::from_fn(|| batches.take(Nanos(0))).map(|it| it.partition as i32).collect();
        assert_eq!(partitions, ["a", "b", "c", "a"].map(|key| partition_for_key(key.as_bytes(), 3)));
    }
}
