//! What a log knows of idempotent producers (Kafka's ProducerStateManager): which batches of theirs it has, so that one
//! that is sent again is not appended again, and one that is missing is noticed.
//!
//! Leader and followers keep it from the batches that they append, so that it outlives a change of leader. It is written
//! down at each roll and clean close ([`snapshot`]), and rebuilt from there.
//!
//! A transactional batch opens a transaction of its producer, if none is open; the next marker of that producer ends it.

pub(crate) mod loading;
pub(crate) mod snapshot;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use logdyno_record::batch::BatchHeader;
use logdyno_record::batch::control::{ControlType, EndTransactionMarker};
use logdyno_record::{Offset, TopicPartition};

use crate::error::LogError;
use crate::index::AbortedTransaction;

/// As many batches of a producer are remembered as it may have in flight (Kafka's NUM_BATCHES_TO_RETAIN).
const REMEMBERED: usize = 5;

/// A batch that the log has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Remembered {
    pub(crate) last_sequence: i32,
    pub(crate) last_offset: Offset,
    /// The last offset minus the first; the same for sequences.
    pub(crate) offset_delta: i32,
    pub(crate) timestamp: i64,
}

impl Remembered {
    fn of(header: &BatchHeader) -> Remembered {
        Remembered {
            last_sequence: advance(header.base_sequence, header.last_offset_delta),
            last_offset: header.last_offset(),
            offset_delta: header.last_offset_delta,
            timestamp: header.max_timestamp,
        }
    }

    fn first_sequence(&self) -> i32 {
        retreat(self.last_sequence, self.offset_delta)
    }

    pub(crate) fn first_offset(&self) -> Offset {
        Offset(self.last_offset.0 - i64::from(self.offset_delta))
    }
}

/// One producer in one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Producer {
    pub(crate) epoch: i16,
    /// Of this epoch, oldest first.
    batches: VecDeque<Remembered>,
    /// When it was last heard of, by its own records.
    pub(crate) timestamp: i64,
    /// Of the transaction coordinator that wrote the last marker; -1 if none did.
    pub(crate) coordinator_epoch: i32,
    /// Where its open transaction begins.
    pub(crate) transaction: Option<Offset>,
}

impl Producer {
    pub(crate) fn last(&self) -> Option<&Remembered> {
        self.batches.back()
    }
}

/// A producer that wrote to a log and may write on, as `DescribeProducers` tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActiveProducer {
    /// Its id.
    pub id: i64,
    /// Its epoch.
    pub epoch: i16,
    /// The last sequence number that it has used; -1 if it has written only markers in this epoch.
    pub last_sequence: i32,
    /// Of its last records, in ms since 1970.
    pub last_timestamp: i64,
    /// Of the transaction coordinator that wrote its last marker; -1 if none did.
    pub coordinator_epoch: i32,
    /// Where its open transaction begins, if one is open.
    pub transaction_start: Option<Offset>,
}

/// What is to be done with a producer's batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// It is the next one.
    Append,
    /// The log has it already.
    Duplicate(Remembered),
}

/// All producers of one partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Producers {
    producers: BTreeMap<i64, Producer>,
    /// Where the open transactions begin.
    open: BTreeSet<Offset>,
    /// What ended since it was asked for last: first offsets, and those of the markers.
    ended: Vec<(Offset, Offset)>,
}

impl Producers {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (i64, &Producer)> {
        self.producers.iter().map(|(id, producer)| (*id, producer))
    }

    /// All of them, by id.
    pub(crate) fn active(&self) -> Vec<ActiveProducer> {
        let active = self.iter().map(|(id, producer)| ActiveProducer {
            id,
            epoch: producer.epoch,
            last_sequence: producer.last().map_or(-1, |last| last.last_sequence),
            last_timestamp: producer.timestamp,
            coordinator_epoch: producer.coordinator_epoch,
            transaction_start: producer.transaction,
        });
        active.collect()
    }

    /// Of this producer and epoch, as last heard of at `timestamp`, one more batch is remembered, or just that there is such a producer.
    pub(crate) fn remember(&mut self, id: i64, epoch: i16, timestamp: i64, batch: Option<Remembered>) {
        let producer = self.entry(id, epoch);
        if producer.epoch != epoch {
            producer.epoch = epoch;
            producer.batches.clear();
        }
        producer.timestamp = timestamp;
        if producer.batches.len() == REMEMBERED && batch.is_some() {
            producer.batches.pop_front();
        }
        producer.batches.extend(batch);
    }

    /// Of this producer, who is remembered, what a snapshot says of its transactions.
    pub(crate) fn remember_transaction(&mut self, id: i64, coordinator_epoch: i32, transaction: Option<Offset>) {
        let Some(producer) = self.producers.get_mut(&id) else { return };
        producer.coordinator_epoch = coordinator_epoch;
        if let Some(before) = std::mem::replace(&mut producer.transaction, transaction) {
            self.open.remove(&before);
        }
        self.open.extend(transaction);
    }

    fn entry(&mut self, id: i64, epoch: i16) -> &mut Producer {
        let fresh =
            || Producer { epoch, batches: VecDeque::new(), timestamp: -1, coordinator_epoch: -1, transaction: None };
        self.producers.entry(id).or_insert_with(fresh)
    }

    pub(crate) fn clear(&mut self) {
        *self = Producers::default();
    }

    /// Where the first of the open transactions begins.
    pub(crate) fn first_open(&self) -> Option<Offset> {
        self.open.first().copied()
    }

    /// The transactions that ended since the last call: first offsets, and those of the markers.
    pub(crate) fn take_ended(&mut self) -> Vec<(Offset, Offset)> {
        std::mem::take(&mut self.ended)
    }

    /// Judges a batch that a client sent to the leader, by the rules of Kafka's ProducerAppendInfo.
    ///
    /// The next sequence follows the last one and comes back to 0 behind the greatest; a new epoch starts at 0; of a
    /// producer that is not known any more, all is accepted. Until its open transaction has ended, all that it sends belongs to it.
    /// A marker must be of no earlier epochs than those that were seen, the producer's and the coordinator's.
    pub(crate) fn judge(
        &self,
        header: &BatchHeader,
        marker: Option<EndTransactionMarker>,
        partition: &TopicPartition,
    ) -> Result<Judgement, LogError> {
        let Some(known) = self.producers.get(&header.producer_id).filter(|_| header.has_producer_id()) else {
            return Ok(Judgement::Append);
        };
        let (producer, epoch, found) = (header.producer_id, header.producer_epoch, header.base_sequence);
        let partition = || partition.clone();
        if epoch < known.epoch {
            return Err(LogError::ProducerFenced { partition: partition(), producer, epoch, current: known.epoch });
        }
        if let Some(EndTransactionMarker { coordinator_epoch: epoch, .. }) = marker {
            let (partition, current) = (partition(), known.coordinator_epoch);
            let fenced = LogError::CoordinatorFenced { partition, producer, epoch, current };
            return if epoch < current { Err(fenced) } else { Ok(Judgement::Append) };
        }
        if epoch == known.epoch {
            let last = advance(found, header.last_offset_delta);
            let same = |batch: &&Remembered| batch.first_sequence() == found && batch.last_sequence == last;
            if let Some(duplicate) = known.batches.iter().find(same) {
                return Ok(Judgement::Duplicate(*duplicate));
            }
        }
        let expected = match known.last() {
            Some(last) if epoch == known.epoch => advance(last.last_sequence, 1),
            _ => 0,
        };
        if found != expected {
            return Err(LogError::OutOfOrderSequence { partition: partition(), producer, epoch, expected, found });
        }
        match known.transaction {
            Some(first) if !header.is_transactional() => {
                Err(LogError::InvalidTransactionState { partition: partition(), producer, first })
            }
            _ => Ok(Judgement::Append),
        }
    }

    /// Notes a batch that was appended, and says which transaction its marker aborts. What a leader has accepted, nobody judges again.
    pub(crate) fn note(
        &mut self,
        header: &BatchHeader,
        marker: Option<EndTransactionMarker>,
    ) -> Option<AbortedTransaction> {
        if !header.has_producer_id() {
            return None;
        }
        let (id, epoch) = (header.producer_id, header.producer_epoch);
        // A marker ends a transaction, and takes no sequence.
        let batch = (!header.is_control()).then(|| Remembered::of(header));
        self.remember(id, epoch, header.max_timestamp, batch);
        let producer = self.entry(id, epoch);
        if let Some(marker) = marker {
            producer.coordinator_epoch = marker.coordinator_epoch;
            let first = producer.transaction.take()?;
            let ended = self.end(id, first, header.last_offset());
            return (marker.control_type == ControlType::Abort).then_some(ended);
        }
        if header.is_transactional() && !header.is_control() && producer.transaction.is_none() {
            producer.transaction = Some(header.base_offset);
            self.open.insert(header.base_offset);
        }
        None
    }

    /// Kafka's ProducerStateManager.completeTxn, lastStableOffset.
    fn end(&mut self, producer_id: i64, first: Offset, last: Offset) -> AbortedTransaction {
        self.open.remove(&first);
        self.ended.push((first, last));
        let last_stable_offset = self.first_open().unwrap_or(last.next());
        AbortedTransaction { producer_id, first_offset: first, last_offset: last, last_stable_offset }
    }

    /// Forgets who has written nothing for `expiration_ms` (`producer.id.expiration.ms`) and has no transaction open.
    pub(crate) fn expire(&mut self, now_ms: i64, expiration_ms: i64) {
        self.producers.retain(|_, producer| {
            producer.transaction.is_some() || now_ms.saturating_sub(producer.timestamp) < expiration_ms
        });
    }
}

/// The sequence `by` behind this one: they count from 0 to the greatest i32, and then from 0 again.
fn advance(sequence: i32, by: i32) -> i32 {
    ((i64::from(sequence) + i64::from(by)) % (i64::from(i32::MAX) + 1)) as i32
}

/// The sequence `by` before this one.
fn retreat(sequence: i32, by: i32) -> i32 {
    (i64::from(sequence) - i64::from(by)).rem_euclid(i64::from(i32::MAX) + 1) as i32
}

#[cfg(test)]
mod tests {
    use logdyno_record::{BatchBuilder, BatchOptions, Codec, Compression};

    use super::*;

    /// `count` records of producer 7 from this sequence on, at this offset.
    fn header(epoch: i16, sequence: i32, count: i32, offset: i64) -> BatchHeader {
        let mut builder = BatchBuilder::new(Codec::new(Compression::None), 64);
        for _ in 0..count {
            builder.append(1_000, None, None, &[]);
        }
        let batch = builder.build(&BatchOptions::default()).expect("a batch");
        let (producer_id, base_offset) = (7, Offset(offset));
        BatchHeader { producer_id, producer_epoch: epoch, base_sequence: sequence, base_offset, ..*batch.header() }
    }

    /// What becomes of a batch after these, which are all appended: `ok`, the first offset of its twin, or an error code.
    fn judged(before: &[BatchHeader], next: BatchHeader) -> String {
        let mut producers = Producers::default();
        before.iter().for_each(|header| assert_eq!(producers.note(header, None), None));
        match producers.judge(&next, None, &TopicPartition::new("t", 0)) {
            Ok(Judgement::Append) => "ok".to_owned(),
            Ok(Judgement::Duplicate(twin)) => format!("at {}", twin.first_offset()),
            Err(error) => error.code().to_string(),
        }
    }

    /// Row 71, and what Kafka's ProducerStateManagerTest demands of sequences and epochs.
    #[test]
    fn sequences_and_epochs_are_judged_as_kafka_does() {
        let ten = header(0, 0, 10, 100);
        let many: Vec<_> = (0..7).map(|n| header(0, n * 10, 10, 100 + i64::from(n) * 10)).collect();
        let last = header(0, i32::MAX - 9, 10, 100);
        let across = header(0, i32::MAX - 4, 10, 100);
        for (what, before, next, expected) in [
            ("an unknown producer starts anywhere", &[][..], header(3, 55, 1, 0), "ok"),
            ("the next follows", &[ten], header(0, 10, 5, 0), "ok"),
            ("a gap", &[ten], header(0, 11, 5, 0), "45"),
            ("back, but no twin", &[ten], header(0, 5, 5, 0), "45"),
            ("the same again", &[ten], header(0, 0, 10, 0), "at 100"),
            ("the same start, but longer", &[ten], header(0, 0, 11, 0), "45"),
            ("a new epoch starts at 0", &[ten], header(1, 0, 1, 0), "ok"),
            ("a new epoch does not go on", &[ten], header(1, 10, 1, 0), "45"),
            ("an old epoch is fenced", &[ten, header(1, 0, 1, 110)], header(0, 10, 1, 0), "47"),
            ("a twin of an old epoch is fenced, too", &[ten, header(1, 0, 1, 110)], header(0, 0, 10, 0), "47"),
            ("the fifth before is remembered", &many, header(0, 20, 10, 0), "at 120"),
            ("the sixth is not", &many, header(0, 10, 10, 0), "45"),
            ("behind the greatest comes 0", &[last], header(0, 0, 1, 0), "ok"),
            ("behind the greatest comes nothing else", &[last], header(0, 1, 1, 0), "45"),
            ("a batch across the greatest is found again", &[across], header(0, i32::MAX - 4, 10, 0), "at 100"),
            ("and followed", &[across], header(0, 5, 1, 0), "ok"),
        ] {
            assert_eq!(judged(before, next), expected, "{what}");
        }
    }

    #[test]
    fn a_batch_without_a_producer_is_nobodys() {
        let anonymous = BatchHeader { producer_id: -1, ..header(-1, -1, 1, 0) };
        assert_eq!(judged(&[anonymous, anonymous], anonymous), "ok");
        let mut producers = Producers::default();
        assert_eq!(producers.note(&anonymous, None), None);
        assert_eq!(producers, Producers::default());
    }

    #[test]
    fn who_is_silent_for_too_long_is_forgotten() {
        let mut producers = Producers::default();
        assert_eq!(producers.note(&header(0, 0, 1, 0), None), None);
        producers.expire(1_999, 1_000);
        assert_eq!(producers.iter().count(), 1);
        producers.expire(2_000, 1_000);
        assert_eq!(producers.iter().count(), 0);
    }
}
