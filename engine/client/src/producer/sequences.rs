//! An idempotent producer's sequence numbers in one partition (KIP-98, KIP-360), as values in and values out.
//!
//! Batches are numbered by the records before them in this epoch, when they are first taken for sending, and keep that
//! number until they are done. A broker that knows the producer takes them in that order, and none of the last five twice; one
//! that does not know it takes any number. So the first of an epoch goes alone: once it is acknowledged, the producer is known.
//!
//! Where the broker can take none any more, since one of them never came and never will, what is left starts over in the next
//! epoch. That is certain only while nothing behind it was acknowledged: else it may be in the log already, or would come to
//! stand behind what followed it. Then it is tried as it is until its time is over (Kafka's `TransactionManager.canRetry`).
//!
//! An epoch counts for this partition alone: without transactions nobody compares it across partitions, and a failure in
//! one partition leaves the others alone.

use std::collections::BTreeSet;

use logdyno_record::ProducerStamp;

/// A batch's place in its partition: how many records of this epoch come before it.
pub(crate) type Position = u64;

/// Sequence numbers begin anew behind the greatest.
const SEQUENCES: u64 = 1 << 31;

/// What a batch carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamped {
    pub(crate) position: Position,
    pub(crate) stamp: ProducerStamp,
}

impl Stamped {
    /// The stamp of a part of this batch that starts at its record `index`.
    pub(crate) fn part(self, index: u32) -> Stamped {
        let position = self.position + u64::from(index);
        Stamped { position, stamp: ProducerStamp { base_sequence: sequence(position), ..self.stamp } }
    }
}

/// One partition's numbers.
#[derive(Debug, Default)]
pub(crate) struct Sequences {
    producer: Option<(i64, i16)>,
    next: Position,
    /// Batches that are in flight or wait to be sent again.
    unfinished: BTreeSet<Position>,
    /// The last batch of this epoch that a broker has acknowledged.
    acknowledged: Option<Position>,
    starts_over: bool,
    /// A producer id whose epochs have all been used here.
    spent: Option<i64>,
}

impl Sequences {
    /// Gives the next batch its number. `None` if the producer needs another id first.
    pub(crate) fn stamp(&mut self, id: i64, records: u32) -> Option<Stamped> {
        if self.producer.is_none() && self.spent != Some(id) {
            self.producer = Some((id, 0));
            self.next = 0;
        }
        let (id, epoch) = self.producer?;
        let position = self.next;
        self.next += u64::from(records);
        self.unfinished.insert(position);
        Some(Stamped { position, stamp: ProducerStamp { id, epoch, base_sequence: sequence(position) } })
    }

    /// Whether the producer is an idempotent one.
    pub(crate) fn are_used(&self) -> bool {
        self.producer.is_some() || self.spent.is_some()
    }

    /// Whether `id` cannot be used here any more.
    pub(crate) fn has_spent(&self, id: i64) -> bool {
        self.producer.is_none() && self.spent == Some(id)
    }

    /// Whether a broker may not know the producer in this epoch yet.
    pub(crate) fn may_be_unknown(&self) -> bool {
        self.producer.is_some() && self.acknowledged.is_none()
    }

    /// A broker has a batch.
    pub(crate) fn acknowledged(&mut self, position: Position) {
        self.acknowledged = self.acknowledged.max(Some(position));
    }

    /// A batch is done, well or not.
    pub(crate) fn finished(&mut self, position: Position) {
        self.unfinished.remove(&position);
    }

    /// A batch was split into these.
    pub(crate) fn split(&mut self, whole: Position, parts: impl Iterator<Item = Position>) {
        self.unfinished.remove(&whole);
        self.unfinished.extend(parts);
    }

    /// Whether no batch before this one is undone: it is the one that the broker waits for.
    pub(crate) fn is_next(&self, position: Position) -> bool {
        self.unfinished.first().is_none_or(|first| *first >= position)
    }

    /// The broker has refused the batch at `position` since it waits for another one. If there is none, neither before this
    /// batch nor behind it, it waits for what never comes: all that is left starts over.
    pub(crate) fn refused(&mut self, position: Position) {
        self.starts_over |= self.is_next(position) && self.acknowledged < Some(position);
    }

    /// Whether all that is left starts over, once nothing is in flight.
    pub(crate) fn starts_over(&self) -> bool {
        self.starts_over
    }

    /// Goes on in the next epoch with nothing sent; whoever waits is to be stamped again.
    pub(crate) fn start_over(&mut self) {
        self.starts_over = false;
        self.unfinished.clear();
        self.acknowledged = None;
        self.next = 0;
        if let Some((id, epoch)) = self.producer {
            self.producer = epoch.checked_add(1).map(|epoch| (id, epoch));
            if self.producer.is_none() {
                self.spent = Some(id);
            }
        }
    }
}

fn sequence(position: Position) -> i32 {
    (position % SEQUENCES) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(sequences: &mut Sequences, records: u32) -> (u64, i16, i32) {
        let stamped = sequences.stamp(7, records).expect("the id is good");
        assert_eq!(stamped.stamp.id, 7);
        (stamped.position, stamped.stamp.epoch, stamped.stamp.base_sequence)
    }

    #[test]
    fn sequences_count_records_and_begin_anew_behind_the_greatest() {
        let mut sequences = Sequences::default();
        assert_eq!(stamp(&mut sequences, 3), (0, 0, 0));
        assert_eq!(stamp(&mut sequences, 1), (3, 0, 3));
        sequences.next = SEQUENCES - 2;
        assert_eq!(stamp(&mut sequences, 5), (SEQUENCES - 2, 0, i32::MAX - 1));
        assert_eq!(stamp(&mut sequences, 1), (SEQUENCES + 3, 0, 3));
    }

    /// Kafka's TransactionManager.canRetry: an out-of-order answer to a batch that is not the next one says nothing.
    #[test]
    fn only_the_refusal_of_the_next_batch_starts_over() {
        let mut sequences = Sequences::default();
        let [first, second, third] = [2, 2, 2].map(|records| stamp(&mut sequences, records).0);
        sequences.refused(third);
        assert!(!sequences.starts_over(), "the first two may come yet");
        sequences.finished(first);
        assert!(sequences.is_next(second) && !sequences.is_next(third));
        sequences.finished(second);
        sequences.refused(third);
        assert!(sequences.starts_over());
        sequences.start_over();
        assert_eq!(stamp(&mut sequences, 2), (0, 1, 0));
        assert_eq!(stamp(&mut sequences, 2), (2, 1, 2));
    }

    /// Kafka's lastAckedSequence: what was acknowledged behind a batch would come to stand before it.
    #[test]
    fn nothing_starts_over_that_something_acknowledged_has_overtaken() {
        let mut sequences = Sequences::default();
        let [first, second, third] = [2, 2, 2].map(|records| stamp(&mut sequences, records).0);
        sequences.acknowledged(second);
        sequences.finished(second);
        sequences.refused(first);
        assert!(!sequences.starts_over(), "the second is in the log");
        sequences.finished(first);
        sequences.refused(third);
        assert!(sequences.starts_over(), "the third is behind all that is in the log");
        sequences.start_over();
        let again = stamp(&mut sequences, 2).0;
        sequences.refused(again);
        assert!(sequences.starts_over(), "in the new epoch nothing is acknowledged yet");
    }

    #[test]
    fn a_spent_id_is_not_used_again() {
        let mut sequences = Sequences::default();
        stamp(&mut sequences, 1);
        sequences.producer = Some((7, i16::MAX));
        sequences.start_over();
        assert!(sequences.has_spent(7) && sequences.stamp(7, 1).is_none());
        assert!(!sequences.has_spent(8));
        let stamped = sequences.stamp(8, 1).expect("another id").stamp;
        assert_eq!((stamped.id, stamped.epoch, stamped.base_sequence), (8, 0, 0));
    }

    #[test]
    fn parts_take_the_numbers_of_the_whole() {
        let mut sequences = Sequences::default();
        stamp(&mut sequences, 5);
        let whole = sequences.stamp(7, 10).expect("a stamp");
        let parts = [0, 4].map(|index| whole.part(index));
        assert_eq!(parts.map(|part| part.stamp.base_sequence), [5, 9]);
        sequences.split(whole.position, parts.iter().map(|part| part.position));
        sequences.finished(0);
        assert!(sequences.is_next(5) && !sequences.is_next(9));
        assert_eq!(stamp(&mut sequences, 1).2, 15, "what comes next is not moved");
    }
}
