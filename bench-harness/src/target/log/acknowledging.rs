//! Receipts, in the order of each partition's records.
//!
//! A log may tell of two batches on two threads, in any order, and its callbacks must not do work: they send a message
//! here. What has reached a level is always the front of a log, so a later batch's news is an earlier batch's, too.

use std::collections::VecDeque;
use std::sync::mpsc::Receiver;

use logdyno_engine::record::{Offset, ProducedBatch};
use logdyno_engine::segment_log::LogError;

use super::sink::Shared;
use crate::target::Ticket;

/// A batch that was appended and is not acknowledged.
pub(super) struct Pending {
    /// All but the moment of acknowledgement.
    pub(super) report: ProducedBatch,
    /// Its records'.
    pub(super) tickets: Vec<Ticket>,
    /// What it takes of `buffer.memory`.
    pub(super) charged_bytes: usize,
    /// The offset after its last record.
    pub(super) end: Offset,
}

/// What the acknowledging thread is told.
pub(super) enum Message {
    /// A batch stands in the log. Comes before anything about its end.
    Appended { partition: usize, pending: Pending },
    /// The log has reached the ack level up to `end`, or never will.
    Reached { partition: usize, end: Offset, result: Result<(), LogError> },
}

/// Gives receipts until nobody is left to tell of batches.
pub(super) fn acknowledge_all(shared: &Shared, partitions: usize, messages: &Receiver<Message>) {
    let mut waiting: Vec<VecDeque<Pending>> = (0..partitions).map(|_| VecDeque::new()).collect();
    for message in messages {
        match message {
            Message::Appended { partition, pending } => waiting[partition].push_back(pending),
            Message::Reached { partition, end, result: Ok(()) } => {
                while let Some(pending) = waiting[partition].pop_front_if(|pending| pending.end <= end) {
                    acknowledge(shared, pending);
                }
            }
            Message::Reached { partition, end, result: Err(error) } => {
                let at = waiting[partition].iter().position(|pending| pending.end == end);
                if let Some(pending) = at.and_then(|at| waiting[partition].remove(at)) {
                    shared.fail(&pending.tickets, pending.charged_bytes, &error.to_string());
                }
            }
        }
    }
}

fn acknowledge(shared: &Shared, pending: Pending) {
    let Pending { mut report, tickets, charged_bytes, .. } = pending;
    report.acknowledged = shared.clock.now();
    shared.probe.produced(&report);
    let (partition, first) = (report.partition.partition, report.base_offset.unwrap_or_default());
    for (index, ticket) in (0..).zip(&tickets) {
        shared.receipts.acknowledged(*ticket, partition, Some(first + index));
    }
    shared.release(tickets.len(), charged_bytes);
}
