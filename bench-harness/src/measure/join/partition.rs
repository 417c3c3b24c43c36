//! What is known of one partition: records under way by offset, batches, stamps.

use std::collections::{BTreeMap, VecDeque};

use logdyno_engine::record::{Nanos, Offset, ProducedBatch};

use super::super::marks::Marks;
use super::super::path::BatchMoments;
use crate::target::{Path, Ticket};

/// Offsets further ahead than this of what is settled are no offsets of this run.
pub(super) const AHEAD_MAX: i64 = 1 << 26;

/// A partition's records between their first report and the settlement of their batch.
#[derive(Debug, Default)]
pub(super) struct PartitionJoin {
    /// The first offset that is not settled.
    pub(super) next: i64,
    /// Of the records from there on that were acknowledged; `None` where one behind was reported before.
    pub(super) tickets: VecDeque<Option<Ticket>>,
    /// How many of them are `None`.
    pub(super) unacknowledged: usize,
    /// What came out of the records from `next` on.
    pub(super) outcomes: VecDeque<Outcome>,
    /// Where the next delivery is expected.
    pub(super) next_delivery: i64,
    /// Where the next record is if nobody tells (`acks=0`).
    pub(super) next_receipt: i64,
    pub(super) next_batch: i64,
    pub(super) batches: BTreeMap<i64, ProducedBatch>,
    pub(super) marks: Marks,
    /// The last number of each producer.
    pub(super) numbers: Vec<Option<u64>>,
}

/// What came out of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Delivered(u64),
    Lost,
}

impl PartitionJoin {
    /// Takes the tickets of records that stand one after the other from `first` on. Hands back the offsets at which there was one already.
    pub(super) fn acknowledge(&mut self, first: i64, tickets: &[Ticket], mut twice: impl FnMut(i64)) {
        if first == self.next + self.tickets.len() as i64 {
            self.tickets.extend(tickets.iter().copied().map(Some));
            return;
        }
        for (offset, ticket) in (first..).zip(tickets) {
            match self.ticket_at(offset) {
                Some(place) if place.is_none() => {
                    *place = Some(*ticket);
                    self.unacknowledged -= 1;
                }
                _ => twice(offset),
            }
        }
    }

    /// The place of an offset's ticket; `None` if it is settled or far ahead.
    fn ticket_at(&mut self, offset: i64) -> Option<&mut Option<Ticket>> {
        let index = usize::try_from(offset - self.next).ok().filter(|index| *index < AHEAD_MAX as usize)?;
        if self.tickets.len() <= index {
            self.unacknowledged += index + 1 - self.tickets.len();
            self.tickets.resize(index + 1, None);
        }
        self.tickets.get_mut(index)
    }

    /// Whether of the next `count` records all are acknowledged and have come out, or are lost.
    pub(super) fn has(&self, count: usize) -> bool {
        self.tickets.len() >= count
            && self.outcomes.len() >= count
            && (self.unacknowledged == 0 || self.tickets.iter().take(count).all(Option::is_some))
    }

    /// Records that are acknowledged or delivered and not settled.
    pub(super) fn held(&self) -> usize {
        self.tickets.len().max(self.outcomes.len())
    }

    /// Leaves a record behind.
    pub(super) fn skip(&mut self) {
        if let Some(None) = self.tickets.pop_front() {
            self.unacknowledged -= 1;
        }
        self.outcomes.pop_front();
        self.next += 1;
    }

    /// First offset and offset after the last.
    pub(super) fn range_of(&self, batch: &ProducedBatch) -> (i64, i64) {
        let known = batch.base_offset.map(|base| base.0);
        // With acks=0 the batch stands where it was put.
        let base =
            known.or_else(|| self.batches.range(..=self.next).next_back().map(|(base, _)| *base)).unwrap_or(self.next);
        (base, base + i64::from(batch.records))
    }

    /// Whether every stage that the target stamps has been stamped for all offsets before `end`.
    pub(super) fn is_stamped(&self, path: &Path, end: i64) -> bool {
        let last = Offset(end - 1);
        let marks = &self.marks;
        let is_delivered =
            self.outcomes.iter().take((end - self.next) as usize).any(|outcome| *outcome != Outcome::Lost);
        let wanted = [
            (path.appended, &marks.appended),
            (path.written, &marks.written),
            (path.high_watermark, &marks.high_watermark),
            (path.fetched && is_delivered, &marks.fetched),
            (is_delivered, &marks.delivered),
        ];
        // Followers are stamped before the high watermark that waited for them: it covers those that there are.
        wanted.into_iter().all(|(is_wanted, line)| !is_wanted || line.covering(last).is_some())
    }

    /// When the next record was fetched and handed out, and the first offset, at most `end`, of which that is not so.
    pub(super) fn handed_out_together(&self, end: i64) -> (Option<Nanos>, Nanos, i64) {
        let (fetched, fetched_until) = self.marks.fetched.covering_until(Offset(self.next));
        let (delivered, delivered_until) = self.marks.delivered.covering_until(Offset(self.next));
        let until = [fetched_until, delivered_until].into_iter().flatten().map(|offset| offset.0).fold(end, i64::min);
        (fetched, delivered.unwrap_or_default(), until)
    }

    pub(super) fn moments(&self, batch: &ProducedBatch, last: Offset) -> BatchMoments {
        let marks = &self.marks;
        let high_watermark = marks.high_watermark.covering(last);
        BatchMoments {
            created: batch.created,
            closed: batch.closed,
            drained: batch.drained,
            compressed: batch.compressed,
            sent: batch.sent,
            acknowledged: batch.acknowledged,
            appended: marks.appended.covering(last),
            written: marks.written.covering(last),
            replicated: marks.replicated(last, high_watermark),
            high_watermark,
        }
    }
}
