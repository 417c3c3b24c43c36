//! Settles a batch: each of its records is checked, and their times are counted, together where they share them.

use logdyno_engine::record::{Nanos, Offset, ProducedBatch};

use super::super::path::{BatchMoments, Course, StepTimes};
use super::super::verify::{Altered, Violations};
use super::joined::{Counted, Group};
use super::partition::Outcome;
use super::{Join, JoinSettings, JoinedPart};
use crate::load::part_of;
use crate::target::Ticket;

/// Records of a batch that were handed out together, differ only until its closing, and are counted in the same part.
struct Together<'a> {
    partition: i32,
    batch: &'a BatchMoments,
    to_acknowledgement: Course<'a>,
    to_delivery: Course<'a>,
    /// The steps that they share on the two paths.
    shared: [StepTimes; 2],
    /// Whether both end behind the batch's closing, and a record's own steps are the same on both.
    is_regular: bool,
    group: Group,
}

impl<'a> Together<'a> {
    fn new(
        settings: &JoinSettings,
        batch: &'a BatchMoments,
        (fetched, handed_out): (Option<Nanos>, Nanos),
        (partition, records_max): (usize, i64),
    ) -> Together<'a> {
        let to_acknowledgement = Course::to_acknowledgement(&settings.path, batch);
        let to_delivery = Course::to_delivery(batch, fetched, handed_out);
        Together {
            partition: partition as i32,
            batch,
            shared: [to_acknowledgement.shared(), to_delivery.shared()],
            is_regular: to_acknowledgement.ends_behind_closing() && to_delivery.ends_behind_closing(),
            to_acknowledgement,
            to_delivery,
            group: Group::with_capacity(records_max as usize),
        }
    }

    /// Takes a record. One whose stamps are out of order, or that did not come out, is counted at once.
    fn take(&mut self, ticket: &Ticket, offset: i64, is_delivered: bool, began: Nanos, part: &mut JoinedPart) {
        if self.is_regular
            && is_delivered
            && let Some(own) = self.batch.own(ticket.intended, ticket.called)
        {
            return self.group.push(Counted::new(offset, own));
        }
        let courses = [&self.to_acknowledgement, &self.to_delivery];
        let [to_acknowledgement, to_delivery] =
            courses.map(|course| course.steps(ticket.intended, ticket.called).parted());
        let (own, shared) = to_acknowledgement;
        part.record_acknowledged(
            &Group::of(Counted::new(offset, own)),
            &shared,
            (self.batch.acknowledged, began),
            self.partition,
        );
        if is_delivered {
            let (own, shared) = to_delivery;
            part.to_delivery.record_whole(&Group::of(Counted::new(offset, own)), &shared, self.partition);
        }
    }

    /// Counts what was taken.
    fn flush(&mut self, began: Nanos, part: &mut JoinedPart) {
        part.record(&self.group, self.shared.each_ref(), (self.batch.acknowledged, began), self.partition);
        self.group.clear();
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
        if !partition.has((end - partition.next) as usize) || !partition.is_stamped(&self.settings.path, end) {
            return false;
        }
        let Some(batch) = partition.batches.remove(&base) else { return false };
        self.settle(index, &batch, end);
        true
    }

    fn settle(&mut self, index: usize, batch: &ProducedBatch, end: i64) {
        let moments = self.partitions[index].moments(batch, Offset(end - 1));
        let mut counted_in = None;
        while self.partitions[index].next < end {
            let partition = &self.partitions[index];
            let (fetched, handed_out, until) = partition.handed_out_together(end);
            let records_max = until - partition.next;
            let together = Together::new(&self.settings, &moments, (fetched, handed_out), (index, records_max));
            let first_in = self.settle_together(index, together, until);
            counted_in = counted_in.or(first_in);
        }
        if let Some(part) = counted_in {
            self.joined.parts[part].panel.add(batch);
        }
        let partition = &mut self.partitions[index];
        partition.marks.forget_before(Offset(partition.next));
    }

    /// Settles the records before `until`; the part of the first that is measured.
    fn settle_together(&mut self, index: usize, mut together: Together<'_>, until: i64) -> Option<usize> {
        let partition = &mut self.partitions[index];
        let count = (until - partition.next) as usize;
        let (mut counted_in, mut at, mut began) = (None, 0, Nanos(0));
        let records = partition.tickets.range(..count).zip(partition.outcomes.range(..count));
        for (offset, (ticket, outcome)) in (partition.next..).zip(records) {
            // All were acknowledged, or the batch would not be settled.
            let Some(ticket) = ticket else { continue };
            let place = (together.partition, offset);
            self.settings.check(place, ticket, *outcome, &mut partition.numbers, &mut self.joined.violations);
            let Some(begin) = self.begin.filter(|begin| ticket.intended >= *begin) else { continue };
            let part = part_of(&self.cuts, ticket.intended);
            if part != at || counted_in.is_none() {
                together.flush(began, &mut self.joined.parts[at]);
                (at, began) = (part, part.checked_sub(1).map_or(begin, |cut| self.cuts[cut]));
                counted_in.get_or_insert(part);
            }
            let is_delivered = *outcome != Outcome::Lost;
            together.take(ticket, offset, is_delivered, began, &mut self.joined.parts[at]);
        }
        together.flush(began, &mut self.joined.parts[at]);
        partition.tickets.drain(..count);
        partition.outcomes.drain(..count);
        partition.next = until;
        counted_in
    }
}

impl JoinSettings {
    /// Content and order of the record at a partition's offset.
    pub(super) fn check(
        &self,
        (partition, offset): (i32, i64),
        ticket: &Ticket,
        outcome: Outcome,
        numbers: &mut [Option<u64>],
        violations: &mut Violations,
    ) {
        let producer = if self.producers == 1 { 0 } else { (ticket.number % u64::from(self.producers)) as usize };
        let last = &mut numbers[producer];
        if last.is_some_and(|last| last > ticket.number) {
            violations.reordered(partition, offset);
        }
        *last = Some(ticket.number);
        let sent = self.digest_sent(ticket);
        if let Outcome::Delivered(delivered) = outcome
            && delivered != sent
        {
            violations.altered(Altered { partition, offset, sent, delivered });
        }
    }
}
