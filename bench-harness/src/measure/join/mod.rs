//! Joins what was reported of a record: its receipt, its batch, the stamps that cover its offset, and what came out.
//!
//! A partition is settled in the order of its offsets, a batch at a time, once everything about the batch is known. What
//! is held in between are the records under way, so memory is bounded by the system's backlog.

mod joined;
mod partition;
mod settle;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use logdyno_engine::record::{Nanos, Offset, ProducedBatch};

use self::partition::{AHEAD_MAX, Outcome, PartitionJoin};
use super::digest::with_timestamp;
use super::recorder::{Inbox, Passed};
use crate::records::RecordSet;
use crate::target::{Path, Ticket};
use crate::topics::Topics;
use crate::workload::Plan;

pub(super) use self::joined::Counted;
pub use self::joined::{Joined, JoinedPart, PathJoined};

/// What a join knows from the start.
#[derive(Clone, Debug)]
pub struct JoinSettings {
    /// The topics, and with them which partitions there are.
    pub topics: Arc<Topics>,
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
    /// Those of a plan on a path, for a run that starts at `start`, when the wall clock says `start_ms`.
    #[must_use]
    pub fn of(
        plan: &Plan,
        records: &RecordSet,
        topics: Arc<Topics>,
        path: Path,
        start: Nanos,
        start_ms: i64,
        producers: u32,
    ) -> JoinSettings {
        JoinSettings {
            topics,
            producers,
            path,
            digests: records.digests(),
            start,
            start_ms,
            checks_timestamps: plan.topic.configs.get("message.timestamp.type") != Some("LogAppendTime"),
        }
    }

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

/// A join under way.
#[derive(Debug)]
pub struct Join {
    settings: JoinSettings,
    /// Records intended before this are warm-up.
    begin: Option<Nanos>,
    /// Where the measured part is cut.
    cuts: Vec<Nanos>,
    partitions: Vec<PartitionJoin>,
    joined: Joined,
}

impl Join {
    /// One that has seen nothing.
    #[must_use]
    pub fn new(settings: JoinSettings) -> Join {
        let producers = settings.producers as usize;
        let partition = |_| PartitionJoin { numbers: vec![None; producers], ..PartitionJoin::default() };
        let joined = Joined::starting_at(settings.start, &settings.path);
        Join {
            partitions: settings.topics.partitions().map(partition).collect(),
            settings,
            begin: None,
            cuts: Vec::new(),
            joined,
        }
    }

    /// One whose measured part is cut at these moments, which ascend, into parts that are measured on their own.
    #[must_use]
    pub fn cut_at(mut self, cuts: &[Nanos]) -> Join {
        self.cuts = cuts.to_vec();
        self.joined.parts = (0..=cuts.len()).map(|_| JoinedPart::new(&self.settings.path)).collect();
        self
    }

    /// Records intended from `begin` on are measured. Said before the first of them is sent.
    pub fn begin(&mut self, begin: Nanos) {
        self.begin = Some(begin);
    }

    /// Records that are acknowledged or delivered and not settled.
    #[must_use]
    pub fn held(&self) -> usize {
        self.partitions.iter().map(PartitionJoin::held).sum()
    }

    /// How many records were acknowledged, failed and delivered so far.
    #[must_use]
    pub fn progress(&self) -> (u64, u64, u64) {
        (self.joined.acknowledged_count, self.joined.failed.0, self.joined.delivered_count)
    }

    /// What was measured so far, by part.
    #[must_use]
    pub fn parts(&self) -> &[JoinedPart] {
        &self.joined.parts
    }

    /// Takes in what was reported, and leaves `inbox` empty.
    pub(crate) fn take_in(&mut self, inbox: &mut Inbox) {
        inbox.passed.drain(..).for_each(|passed| self.take_stamp(passed));
        inbox.produced.drain(..).for_each(|batch| self.take_batch(batch));
        inbox.failed.drain(..).for_each(|reason| self.take_failure(reason));
        inbox.receipts.drain(|partition, first, tickets| self.take_receipts(partition, first, tickets));
        inbox.deliveries.drain(|partition, first, digests| self.take_deliveries(partition, first, digests));
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
        let index = self.settings.topics.index_of(&batch.partition);
        let Some(partition) = index.and_then(|index| self.partitions.get_mut(index as usize)) else { return };
        self.joined.acknowledged.add(batch.acknowledged, u64::from(batch.records));
        let base = batch.base_offset.map_or(partition.next_batch, |base| base.0);
        partition.next_batch = base + i64::from(batch.records);
        partition.batches.insert(base, batch);
    }

    fn take_failure(&mut self, reason: Box<str>) {
        self.joined.failed.0 += 1;
        self.joined.failed.1.get_or_insert_with(|| reason.into());
    }

    fn take_receipts(&mut self, index: i32, first: Option<Offset>, tickets: &[Ticket]) {
        self.joined.acknowledged_count += tickets.len() as u64;
        let partition = usize::try_from(index).ok().and_then(|index| self.partitions.get_mut(index));
        let Some(partition) = partition else { return };
        let first = first.map_or(partition.next_receipt, |offset| offset.0);
        partition.next_receipt = first + tickets.len() as i64;
        partition.acknowledge(first, tickets, |offset| self.joined.violations.shared(index, offset));
    }

    fn take_deliveries(&mut self, index: i32, first: Option<Offset>, digests: &[u64]) {
        let partition = usize::try_from(index).ok().and_then(|index| self.partitions.get_mut(index));
        let (Some(partition), Some(first)) = (partition, first) else { return };
        let violations = &mut self.joined.violations;
        // All but the first stand where the one before them lets expect.
        let again = (partition.next_delivery - first.0).clamp(0, digests.len() as i64);
        (first.0..first.0 + again).for_each(|offset| violations.repeated(index, offset));
        let (first, digests) = (first.0 + again, &digests[again as usize..]);
        if digests.is_empty() {
            return;
        }
        if first > partition.next_delivery {
            violations.lost(index, partition.next_delivery, first);
            if first - partition.next_delivery > AHEAD_MAX {
                return;
            }
            partition.outcomes.extend((partition.next_delivery..first).map(|_| Outcome::Lost));
        }
        partition.outcomes.extend(digests.iter().copied().map(Outcome::Delivered));
        partition.next_delivery = first + digests.len() as i64;
        self.joined.delivered_count += digests.len() as u64;
    }

    /// Ends the join: what is still not settled never will be.
    #[must_use]
    pub fn finish(self) -> Joined {
        self.end(true)
    }

    /// Ends the join of a run that was broken off: what is missing may have been under way, so it is no violation.
    #[must_use]
    pub fn break_off(self) -> Joined {
        self.end(false)
    }

    fn end(mut self, is_whole: bool) -> Joined {
        for index in 0..self.partitions.len() {
            loop {
                while self.settle_batch(index) {}
                if !self.give_up_on_next(index, is_whole) {
                    break;
                }
            }
        }
        self.joined.parts.iter_mut().for_each(JoinedPart::finish);
        self.joined.ends = self.partitions.iter().map(|partition| partition.next_delivery.unsigned_abs()).collect();
        self.joined
    }

    /// Decides about a record that cannot be settled; false if there is none about which anything can be said.
    fn give_up_on_next(&mut self, index: usize, is_whole: bool) -> bool {
        let partition = &mut self.partitions[index];
        let offset = partition.next;
        if partition.held() == 0 {
            return false;
        }
        let violations = &mut self.joined.violations;
        match (partition.tickets.front().copied().flatten(), partition.outcomes.front().copied()) {
            (None, _) | (_, None) if !is_whole => return false,
            (Some(_), None) => {
                partition.outcomes.push_back(Outcome::Lost);
                violations.lost(index as i32, offset, offset + 1);
                return true;
            }
            (Some(ticket), Some(outcome)) => {
                self.settings.check((index as i32, offset), &ticket, outcome, &mut partition.numbers, violations);
                // Of a run that was broken off the rest of the batch may be on its way.
                self.joined.unmeasured += u64::from(is_whole);
            }
            (None, Some(Outcome::Delivered(_))) => violations.unknown(index as i32, offset),
            (None, _) => {}
        }
        partition.skip();
        true
    }
}
