//! Settles a batch: each of its records is checked, and their times are counted, together where they share them.

use logdyno_engine::record::{Offset, ProducedBatch};

use super::super::path::{Course, StepTimes};
use super::super::verify::Altered;
use super::Join;
use super::joined::{Counted, PathJoined};
use super::partition::{Outcome, Slot};
use crate::load::part_of;
use crate::target::Ticket;

/// Records of a batch whose courses differ only until its closing, and that are counted in the same part.
struct Span<'a> {
    course: Course<'a>,
    /// The steps that they share, and the sum of those.
    shared: StepTimes,
    shared_ns: u64,
    records: Vec<Counted>,
    partition: i32,
}

impl<'a> Span<'a> {
    fn new(course: Course<'a>, partition: usize, records_max: i64) -> Span<'a> {
        let shared = course.shared();
        let records = Vec::with_capacity(records_max as usize);
        Span { course, shared, shared_ns: shared.total(), records, partition: partition as i32 }
    }

    /// Takes a record, and says how long its course was. One whose stamps are out of order is counted at once.
    fn take(&mut self, ticket: &Ticket, offset: i64, into: &mut PathJoined) -> u64 {
        if let Some(own) = self.course.own(ticket.intended, ticket.called) {
            self.records.push(Counted { offset, own });
            return own.total() + self.shared_ns;
        }
        let (own, shared) = self.course.steps(ticket.intended, ticket.called).parted();
        into.record(&[Counted { offset, own }], &shared, self.partition);
        own.total() + shared.total()
    }

    /// Counts what was taken.
    fn flush(&mut self, into: &mut PathJoined) {
        into.record(&self.records, &self.shared, self.partition);
        self.records.clear();
    }
}

impl Join {
    /// Settles the next batch of a partition, or what is left of it, if all is known about it.
    pub(super) fn settle_batch(&mut self, index: usize) -> bool {
        let partition = &mut self.partitions[index];
        let Some((_, batch)) = partition.batches.range(..=partition.next).next_back() else { return false };
        let (base, end) = partition.range_of(batch);
        if end <= partition.next {
            partition.batches.remove(&base);
            return true;
        }
        let count = (end - partition.next) as usize;
        let is_complete = partition.slots.len() >= count
            && partition.slots.iter().take(count).all(|slot| slot.ticket.is_some() && slot.outcome != Outcome::Pending);
        if !is_complete || !partition.is_stamped(&self.settings.path, end) {
            return false;
        }
        let Some(batch) = partition.batches.remove(&base) else { return false };
        self.settle(index, &batch, end);
        true
    }

    fn settle(&mut self, index: usize, batch: &ProducedBatch, end: i64) {
        let moments = self.partitions[index].moments(batch, Offset(end - 1));
        let to_acknowledgement = Course::to_acknowledgement(&self.settings.path, &moments);
        let mut acknowledged = Span::new(to_acknowledgement, index, end - self.partitions[index].next);
        // The part that the batch is counted in, and that of the record before.
        let (mut counted_in, mut part) = (None, 0);
        while self.partitions[index].next < end {
            let (fetched, handed_out, until) = self.partitions[index].handed_out_together(end);
            let to_delivery = Course::to_delivery(&moments, fetched, handed_out);
            let mut delivered = Span::new(to_delivery, index, until - self.partitions[index].next);
            while self.partitions[index].next < until {
                let Some((offset, ticket, is_delivered)) = self.next_checked(index) else { break };
                let Some(begin) = self.begin.filter(|begin| ticket.intended >= *begin) else { continue };
                let at = part_of(&self.cuts, ticket.intended);
                if at != part {
                    acknowledged.flush(&mut self.joined.parts[part].to_acknowledgement);
                    delivered.flush(&mut self.joined.parts[part].to_delivery);
                    part = at;
                }
                counted_in.get_or_insert(at);
                let began = at.checked_sub(1).map_or(begin, |cut| self.cuts[cut]);
                let into = &mut self.joined.parts[at];
                let total = acknowledged.take(&ticket, offset, &mut into.to_acknowledgement);
                into.timeline.record(ticket.intended.0 - began.0, total);
                into.service.record(batch.acknowledged.0.saturating_sub(ticket.called.0));
                if is_delivered {
                    delivered.take(&ticket, offset, &mut into.to_delivery);
                }
            }
            delivered.flush(&mut self.joined.parts[part].to_delivery);
        }
        acknowledged.flush(&mut self.joined.parts[part].to_acknowledgement);
        if let Some(part) = counted_in {
            self.joined.parts[part].panel.add(batch);
        }
        let partition = &mut self.partitions[index];
        partition.marks.forget_before(Offset(partition.next));
    }

    /// Takes the next record of a batch of which all is known, with its content and order checked: its offset, and whether it came out.
    fn next_checked(&mut self, index: usize) -> Option<(i64, Ticket, bool)> {
        let partition = &mut self.partitions[index];
        let offset = partition.next;
        partition.next += 1;
        let Slot { ticket, outcome } = partition.slots.pop_front()?;
        let ticket = ticket?;
        self.check(index, offset, &ticket, outcome);
        Some((offset, ticket, matches!(outcome, Outcome::Delivered(_))))
    }

    /// Content and order of a record.
    pub(super) fn check(&mut self, index: usize, offset: i64, ticket: &Ticket, outcome: Outcome) {
        let partition = &mut self.partitions[index];
        let producers = partition.numbers.len() as u64;
        let last = &mut partition.numbers[(ticket.number % producers) as usize];
        if last.is_some_and(|last| last > ticket.number) {
            self.joined.violations.reordered(index as i32, offset);
        }
        *last = Some(ticket.number);
        let sent = self.settings.digest_sent(ticket);
        if let Outcome::Delivered(delivered) = outcome
            && delivered != sent
        {
            self.joined.violations.altered(Altered { partition: index as i32, offset, sent, delivered });
        }
    }
}
