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

use logdyno_engine::record::{Nanos, ProducedBatch};

use self::partition::{AHEAD_MAX, Outcome, PartitionJoin};
use super::digest::with_timestamp;
use super::recorder::{Delivery, Inbox, Passed, Receipt};
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
        self.partitions.iter().map(|partition| partition.slots.len()).sum()
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
        let index = self.settings.topics.index_of(&batch.partition);
        let Some(partition) = index.and_then(|index| self.partitions.get_mut(index as usize)) else { return };
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
        let Some(index) = self.settings.topics.index_for(ticket.number, index) else { return };
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
        self.joined.ends = self.partitions.iter().map(|partition| partition.next_delivery.unsigned_abs()).collect();
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
