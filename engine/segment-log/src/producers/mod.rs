//! What a log knows of idempotent producers (Kafka's ProducerStateManager): which batches of theirs it has, so that one
//! that is sent again is not appended again, and one that is missing is noticed.
//!
//! Leader and followers keep it from the batches that they append, so that it outlives a change of leader. It is written
//! down at each roll and clean close ([`snapshot`]), and rebuilt from there.

pub(crate) mod loading;
pub(crate) mod snapshot;

use std::collections::{BTreeMap, VecDeque};

use logdyno_record::batch::BatchHeader;
use logdyno_record::{Offset, TopicPartition};

use crate::error::LogError;

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
        });
        active.collect()
    }

    /// Of this producer and epoch, as last heard of at `timestamp`, one more batch is remembered, or just that there is such a producer.
    pub(crate) fn remember(&mut self, id: i64, epoch: i16, timestamp: i64, batch: Option<Remembered>) {
        let fresh = || Producer { epoch, batches: VecDeque::new(), timestamp };
        let producer = self.producers.entry(id).or_insert_with(fresh);
        if producer.epoch != epoch {
            *producer = fresh();
        }
        producer.timestamp = timestamp;
        if producer.batches.len() == REMEMBERED && batch.is_some() {
            producer.batches.pop_front();
        }
        producer.batches.extend(batch);
    }

    pub(crate) fn clear(&mut self) {
        self.producers.clear();
    }

    /// Judges a batch that a client sent to the leader, by the rules of Kafka's ProducerAppendInfo.
    ///
    /// The next sequence follows the last one and comes back to 0 behind the greatest; a new epoch starts at 0; of a
    /// producer that is not known any more, all is accepted.
    pub(crate) fn judge(&self, header: &BatchHeader, partition: &TopicPartition) -> Result<Judgement, LogError> {
        let Some(known) = self.producers.get(&header.producer_id).filter(|_| header.has_producer_id()) else {
            return Ok(Judgement::Append);
        };
        let (producer, epoch, found) = (header.producer_id, header.producer_epoch, header.base_sequence);
        let partition = || partition.clone();
        if epoch < known.epoch {
            return Err(LogError::ProducerFenced { partition: partition(), producer, epoch, current: known.epoch });
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
        if found == expected {
            return Ok(Judgement::Append);
        }
        Err(LogError::OutOfOrderSequence { partition: partition(), producer, epoch, expected, found })
    }

    /// Notes a batch that was appended. What a leader has accepted, nobody judges again.
    pub(crate) fn note(&mut self, header: &BatchHeader) {
        if !header.has_producer_id() {
            return;
        }
        // A marker ends a transaction, and takes no sequence.
        let batch = (!header.is_control()).then(|| Remembered::of(header));
        self.remember(header.producer_id, header.producer_epoch, header.max_timestamp, batch);
    }

    /// Forgets who has written nothing for `expiration_ms` (`producer.id.expiration.ms`).
    pub(crate) fn expire(&mut self, now_ms: i64, expiration_ms: i64) {
        self.producers.retain(|_, producer| now_ms.saturating_sub(producer.timestamp) < expiration_ms);
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
        before.iter().for_each(|header| producers.note(header));
        match producers.judge(&next, &TopicPartition::new("t", 0)) {
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
        producers.note(&anonymous);
        assert_eq!(producers, Producers::default());
    }

    #[test]
    fn who_is_silent_for_too_long_is_forgotten() {
        let mut producers = Producers::default();
        producers.note(&header(0, 0, 1, 0));
        producers.expire(1_999, 1_000);
        assert_eq!(producers.iter().count(), 1);
        producers.expire(2_000, 1_000);
        assert_eq!(producers.iter().count(), 0);
    }
}
