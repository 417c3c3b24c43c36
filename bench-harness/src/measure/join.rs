//! Joins what was reported of a record: its receipt, its batch, the stamps that cover its offset, and what came out.
//!
//! A partition is settled in the order of its offsets, a batch at a time, once everything about the batch is known. What
//! is held in between are the records under way, so memory is bounded by the system's backlog.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use logdyno_engine::record::{Nanos, Offset, ProducedBatch};

use super::digest::with_timestamp;
use super::distribution::Distribution;
use super::marks::Marks;
use super::panel::BatchPanel;
use super::path::{BatchMoments, RecordMoments, Step, StepTimes, to_acknowledgement, to_delivery};
use super::recorder::{Delivery, Inbox, Passed, Receipt};
use super::series::Series;
use super::slowest::{Slow, Slowest};
use super::verify::{Altered, Violations};
use crate::target::{Path, Ticket};

/// Offsets further ahead than this of what is settled are no offsets of this run.
const AHEAD_MAX: i64 = 1 << 26;

/// What a join knows from the start.
#[derive(Clone, Debug)]
pub struct JoinSettings {
    /// How many partitions the topic has.
    pub partitions: i32,
    /// How many producers take the records in turn.
    pub producers: u32,
    /// Which stages are stamped.
    pub path: Path,
    /// The digest of each record of the source.
    pub digests: Arc<[u64]>,
    /// When the run started.
    pub start: Nanos,
    /// What the wall clock said then, in milliseconds since 1970: a record's timestamp is this plus its intended time.
    pub start_ms: i64,
    /// Whether timestamps are the producer's: else the broker's, which nobody can foretell.
    pub checks_timestamps: bool,
}

impl JoinSettings {
    /// The timestamp of a record that is to be sent at `intended`.
    #[must_use]
    pub fn timestamp(&self, intended: Nanos) -> i64 {
        self.start_ms + (intended.0.saturating_sub(self.start.0) / 1_000_000) as i64
    }

    /// The digest of a record that comes out.
    #[must_use]
    pub fn digest_delivered(&self, content: u64, timestamp: i64) -> u64 {
        if self.checks_timestamps { with_timestamp(content, timestamp) } else { content }
    }

    fn digest_sent(&self, ticket: &Ticket) -> u64 {
        let content = self.digests[(ticket.number % self.digests.len() as u64) as usize];
        self.digest_delivered(content, self.timestamp(ticket.intended))
    }
}

/// The measurements of a run.
#[derive(Clone, Debug)]
pub struct Joined {
    /// To the acknowledgement.
    pub to_acknowledgement: PathJoined,
    /// To the delivery.
    pub to_delivery: PathJoined,
    /// From the call of `send` to the acknowledgement: what a generator that waits would have seen.
    pub service: Distribution,
    /// The producers' batches.
    pub panel: BatchPanel,
    /// All records that were acknowledged, over time.
    pub acknowledged: Series,
    /// How many records were acknowledged in all.
    pub acknowledged_count: u64,
    /// How many were delivered in all, each once.
    pub delivered_count: u64,
    /// How many failed, and the first reason.
    pub failed: (u64, Option<String>),
    /// What was wrong.
    pub violations: Violations,
    /// Records that came out although a stamp of theirs is missing: they are not in the distributions.
    pub unmeasured: u64,
}

/// One of the two paths.
#[derive(Clone, Debug)]
pub struct PathJoined {
    /// Whole durations.
    pub total: Distribution,
    /// By step, in the order of [`Step::ALL`].
    pub steps: Vec<Distribution>,
    /// The slowest records.
    pub slowest: Slowest,
}

impl PathJoined {
    fn new() -> PathJoined {
        let steps = Step::ALL.iter().map(|_| Distribution::new()).collect();
        PathJoined { total: Distribution::new(), steps, slowest: Slowest::default() }
    }

    fn record(&mut self, times: &StepTimes, partition: i32, offset: i64) {
        let total = times.total();
        self.total.record(total);
        self.slowest.offer(total, || Slow { partition, offset, times: *times });
        // The first steps differ from record to record of a batch, the others mostly do not: see `Shared`.
        for step in OWN_STEPS {
            self.steps[step as usize].record(times.get(step));
        }
    }
}

/// Steps that each record of a batch has for itself.
const OWN_STEPS: [Step; 3] = [Step::Schedule, Step::Admit, Step::Batch];

/// Counts how many records in a row had the same times in the steps that a batch shares, to record them at once.
#[derive(Debug, Default)]
struct Shared {
    times: Option<StepTimes>,
    count: u64,
}

impl Shared {
    fn add(&mut self, times: &StepTimes, path: &mut PathJoined) {
        let same = self.times.is_some_and(|known| shared_steps().all(|step| known.get(step) == times.get(step)));
        if !same {
            self.flush(path);
            self.times = Some(*times);
        }
        self.count += 1;
    }

    fn flush(&mut self, path: &mut PathJoined) {
        if let Some(times) = self.times.take() {
            for step in shared_steps() {
                path.steps[step as usize].record_n(times.get(step), self.count);
            }
        }
        self.count = 0;
    }
}

fn shared_steps() -> impl Iterator<Item = Step> {
    Step::ALL.into_iter().filter(|step| !OWN_STEPS.contains(step))
}

/// A join under way.
#[derive(Debug)]
pub struct Join {
    settings: JoinSettings,
    /// Records intended before this are warm-up.
    begin: Option<Nanos>,
    partitions: Vec<PartitionJoin>,
    joined: Joined,
}

#[derive(Debug, Default)]
struct PartitionJoin {
    /// The offset of the first slot.
    next: i64,
    slots: VecDeque<Slot>,
    /// Where the next delivery is expected.
    next_delivery: i64,
    /// Where the next record is if nobody tells (`acks=0`).
    next_receipt: i64,
    next_batch: i64,
    batches: BTreeMap<i64, ProducedBatch>,
    marks: Marks,
    /// The last number of each producer.
    numbers: Vec<Option<u64>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    ticket: Option<Ticket>,
    outcome: Outcome,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Outcome {
    #[default]
    Pending,
    Delivered(u64),
    Lost,
}

impl Join {
    /// One that has seen nothing.
    #[must_use]
    pub fn new(settings: JoinSettings) -> Join {
        let producers = settings.producers as usize;
        let partition = |_| PartitionJoin { numbers: vec![None; producers], ..PartitionJoin::default() };
        let joined = Joined {
            to_acknowledgement: PathJoined::new(),
            to_delivery: PathJoined::new(),
            service: Distribution::new(),
            panel: BatchPanel::default(),
            acknowledged: Series::starting_at(settings.start),
            acknowledged_count: 0,
            delivered_count: 0,
            failed: (0, None),
            violations: Violations::default(),
            unmeasured: 0,
        };
        Join { partitions: (0..settings.partitions).map(partition).collect(), settings, begin: None, joined }
    }

    /// Records intended from `begin` on are measured. Said before the first of them is sent.
    pub fn begin(&mut self, begin: Nanos) {
        self.begin = Some(begin);
    }

    /// Records that are acknowledged or delivered and not settled.
    #[must_use]
    pub fn held(&self) -> usize {
        self.partitions.iter().map(|partition| partition.slots.len()).sum()
    }

    /// How many records were acknowledged, failed and delivered so far.
    #[must_use]
    pub fn progress(&self) -> (u64, u64, u64) {
        (self.joined.acknowledged_count, self.joined.failed.0, self.joined.delivered_count)
    }

    /// Takes in what was reported, and leaves `inbox` empty.
    pub(crate) fn take_in(&mut self, inbox: &mut Inbox) {
        inbox.passed.drain(..).for_each(|passed| self.take_stamp(passed));
        inbox.produced.drain(..).for_each(|batch| self.take_batch(batch));
        inbox.receipts.drain(..).for_each(|receipt| self.take_receipt(receipt));
        inbox.deliveries.drain(..).for_each(|delivery| self.take_delivery(delivery));
        for partition in 0..self.partitions.len() {
            while self.settle_batch(partition) {}
        }
    }

    fn take_stamp(&mut self, passed: Passed) {
        if let Some(partition) = self.partitions.get_mut(passed.partition as usize) {
            partition.marks.push(passed.stage, passed.end, passed.at);
        }
    }

    fn take_batch(&mut self, batch: ProducedBatch) {
        let Some(partition) = self.partitions.get_mut(batch.partition.partition as usize) else { return };
        self.joined.acknowledged.add(batch.acknowledged, u64::from(batch.records));
        let base = batch.base_offset.map_or(partition.next_batch, |base| base.0);
        partition.next_batch = base + i64::from(batch.records);
        partition.batches.insert(base, batch);
    }

    fn take_receipt(&mut self, receipt: Receipt) {
        let (ticket, index, offset) = match receipt {
            Receipt::Acknowledged { ticket, partition, offset } => (ticket, partition, offset),
            Receipt::Failed { reason, .. } => {
                self.joined.failed.0 += 1;
                self.joined.failed.1.get_or_insert_with(|| reason.into());
                return;
            }
        };
        self.joined.acknowledged_count += 1;
        let Some(partition) = self.partitions.get_mut(index as usize) else { return };
        let offset = offset.map_or(partition.next_receipt, |offset| offset.0);
        partition.next_receipt = offset + 1;
        match partition.slot(offset) {
            Some(slot) if slot.ticket.is_none() => slot.ticket = Some(ticket),
            _ => self.joined.violations.shared(index, offset),
        }
    }

    fn take_delivery(&mut self, delivery: Delivery) {
        let (index, offset) = (delivery.partition, delivery.offset.0);
        let Some(partition) = self.partitions.get_mut(index as usize) else { return };
        if offset < partition.next_delivery {
            self.joined.violations.repeated(index, offset);
            return;
        }
        for missed in partition.next_delivery..offset.min(partition.next_delivery + AHEAD_MAX) {
            if let Some(slot) = partition.slot(missed) {
                slot.outcome = Outcome::Lost;
            }
        }
        if offset > partition.next_delivery {
            self.joined.violations.lost(index, partition.next_delivery, offset);
        }
        partition.next_delivery = offset + 1;
        self.joined.delivered_count += 1;
        if let Some(slot) = partition.slot(offset) {
            slot.outcome = Outcome::Delivered(delivery.digest);
        }
    }

    /// Settles the next batch of a partition, or what is left of it, if all is known about it.
    fn settle_batch(&mut self, index: usize) -> bool {
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
        self.settle(index, &batch, count);
        true
    }

    fn settle(&mut self, index: usize, batch: &ProducedBatch, count: usize) {
        let partition = &mut self.partitions[index];
        let moments = partition.moments(batch, Offset(partition.next + count as i64 - 1));
        let (mut acknowledged, mut delivered) = (Shared::default(), Shared::default());
        let mut is_measured = false;
        for _ in 0..count {
            let partition = &mut self.partitions[index];
            let offset = partition.next;
            let Some(Slot { ticket: Some(ticket), outcome }) = partition.slots.pop_front() else { break };
            partition.next += 1;
            let record = RecordMoments {
                intended: ticket.intended,
                called: ticket.called,
                fetched: partition.marks.fetched.covering(Offset(offset)),
                delivered: partition.marks.delivered.covering(Offset(offset)).unwrap_or_default(),
            };
            self.check(index, offset, &ticket, outcome);
            if self.begin.is_none_or(|begin| ticket.intended < begin) {
                continue;
            }
            is_measured = true;
            let joined = &mut self.joined;
            let times = to_acknowledgement(&self.settings.path, &moments, &record);
            joined.to_acknowledgement.record(&times, index as i32, offset);
            acknowledged.add(&times, &mut joined.to_acknowledgement);
            joined.service.record(batch.acknowledged.0.saturating_sub(ticket.called.0));
            if matches!(outcome, Outcome::Delivered(_)) {
                let times = to_delivery(&moments, &record);
                joined.to_delivery.record(&times, index as i32, offset);
                delivered.add(&times, &mut joined.to_delivery);
            }
        }
        acknowledged.flush(&mut self.joined.to_acknowledgement);
        delivered.flush(&mut self.joined.to_delivery);
        if is_measured {
            self.joined.panel.add(batch);
        }
        let partition = &mut self.partitions[index];
        partition.marks.forget_before(Offset(partition.next));
    }

    /// Content and order of a record.
    fn check(&mut self, index: usize, offset: i64, ticket: &Ticket, outcome: Outcome) {
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

    /// Ends the join: what is still not settled never will be.
    #[must_use]
    pub fn finish(mut self) -> Joined {
        for index in 0..self.partitions.len() {
            loop {
                while self.settle_batch(index) {}
                if !self.give_up_on_next(index) {
                    break;
                }
            }
        }
        self.joined
    }

    /// Decides about a record that cannot be settled; false if there is none.
    fn give_up_on_next(&mut self, index: usize) -> bool {
        let partition = &mut self.partitions[index];
        let offset = partition.next;
        let Some(slot) = partition.slots.front_mut() else { return false };
        match (slot.ticket, slot.outcome) {
            (Some(_), Outcome::Pending) => {
                slot.outcome = Outcome::Lost;
                self.joined.violations.lost(index as i32, offset, offset + 1);
            }
            (Some(ticket), outcome) => {
                self.check(index, offset, &ticket, outcome);
                self.joined.unmeasured += 1;
                self.skip(index);
            }
            (None, Outcome::Delivered(_)) => {
                self.joined.violations.unknown(index as i32, offset);
                self.skip(index);
            }
            (None, _) => self.skip(index),
        }
        true
    }

    fn skip(&mut self, index: usize) {
        let partition = &mut self.partitions[index];
        partition.slots.pop_front();
        partition.next += 1;
    }
}

impl PartitionJoin {
    /// The slot of an offset; `None` if it is settled or far ahead.
    fn slot(&mut self, offset: i64) -> Option<&mut Slot> {
        let index = usize::try_from(offset - self.next).ok().filter(|index| *index < AHEAD_MAX as usize)?;
        if self.slots.len() <= index {
            self.slots.resize(index + 1, Slot::default());
        }
        self.slots.get_mut(index)
    }

    /// First offset and offset after the last.
    fn range_of(&self, batch: &ProducedBatch) -> (i64, i64) {
        let known = batch.base_offset.map(|base| base.0);
        // With acks=0 the batch stands where it was put.
        let base =
            known.or_else(|| self.batches.range(..=self.next).next_back().map(|(base, _)| *base)).unwrap_or(self.next);
        (base, base + i64::from(batch.records))
    }

    /// Whether every stage that the target stamps has been stamped for all offsets before `end`.
    fn is_stamped(&self, path: &Path, end: i64) -> bool {
        let last = Offset(end - 1);
        let marks = &self.marks;
        let is_delivered = self.slots.iter().take((end - self.next) as usize).any(|slot| slot.outcome != Outcome::Lost);
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

    fn moments(&self, batch: &ProducedBatch, last: Offset) -> BatchMoments {
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
