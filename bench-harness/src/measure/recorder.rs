//! Takes in what the path reports, from many threads, and leaves the thinking to another one.
//!
//! A report costs its caller a short lock and a push. What is known of a record under way (its ticket, the digest of
//! what was delivered) lives here and in the join, never in the record: records go over the path as they are.

use std::ops::Range;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use logdyno_engine::record::{Nanos, Offset, Probe, ProducedBatch, Stage, TopicPartition};

use super::consecutive::Consecutive;
use crate::target::{Receipts, Ticket};
use crate::topics::Topics;

/// The ear of a trial: [`Probe`] and [`Receipts`] in one. Topics other than the trial's are not heard.
#[derive(Debug)]
pub struct Recorder {
    topics: Arc<Topics>,
    produced: Lane<Vec<ProducedBatch>>,
    passed: Lane<Vec<Passed>>,
    receipts: Lane<Consecutive<Ticket>>,
    failed: Lane<Vec<Box<str>>>,
    deliveries: Lane<Consecutive<u64>>,
    requests: AtomicU64,
    request_bytes: AtomicU64,
    under_way: UnderWay,
}

/// Records that were sent and have no receipt yet: what closed loops wait for. In an open loop nobody waits, and a receipt neither
/// takes this lock nor calls the kernel.
#[derive(Debug, Default)]
struct UnderWay {
    /// Below zero if a target tells of a record twice.
    count: AtomicI64,
    waiting: AtomicU32,
    lock: Mutex<()>,
    fewer: Condvar,
}

impl UnderWay {
    fn one_fewer(&self) {
        self.fewer_by(1);
    }

    fn fewer_by(&self, count: usize) {
        // In one order with the count that a waiter sees after it has said that it waits: one of the two sees the other.
        self.count.fetch_sub(count as i64, Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) > 0 {
            drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
            self.fewer.notify_all();
        }
    }

    fn wait_for_fewer(&self, most: u64, patience: Duration) -> bool {
        let is_fewer = || self.count.load(Ordering::SeqCst) < most.cast_signed();
        if is_fewer() {
            return true;
        }
        let guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.waiting.fetch_add(1, Ordering::SeqCst);
        drop(self.fewer.wait_timeout_while(guard, patience, |()| !is_fewer()));
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        is_fewer()
    }
}

/// A stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Passed {
    pub(crate) stage: Stage,
    /// Its index over all topics.
    pub(crate) partition: i32,
    /// Everything before this offset has passed.
    pub(crate) end: Offset,
    pub(crate) at: Nanos,
}

/// Everything that came in since the last time.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    pub(crate) produced: Vec<ProducedBatch>,
    pub(crate) passed: Vec<Passed>,
    /// Of records that were acknowledged.
    pub(crate) receipts: Consecutive<Ticket>,
    /// Why records failed.
    pub(crate) failed: Vec<Box<str>>,
    /// Digests of key, value and timestamp of records that came out.
    pub(crate) deliveries: Consecutive<u64>,
}

impl Recorder {
    /// One that hears of `topics`.
    #[must_use]
    pub fn new(topics: Arc<Topics>) -> Recorder {
        Recorder {
            topics,
            produced: Lane::default(),
            passed: Lane::default(),
            receipts: Lane::default(),
            failed: Lane::default(),
            deliveries: Lane::default(),
            requests: AtomicU64::new(0),
            request_bytes: AtomicU64::new(0),
            under_way: UnderWay::default(),
        }
    }

    /// Produce requests so far, and their bytes.
    pub(crate) fn requests(&self) -> (u64, u64) {
        (self.requests.load(Ordering::Relaxed), self.request_bytes.load(Ordering::Relaxed))
    }

    /// Moves everything that came in to `inbox`, which is empty.
    pub(crate) fn empty_into(&self, inbox: &mut Inbox) {
        // Deliveries and receipts first: the stamps that belong to them were reported before.
        self.deliveries.swap(&mut inbox.deliveries);
        self.receipts.swap(&mut inbox.receipts);
        self.failed.swap(&mut inbox.failed);
        self.produced.swap(&mut inbox.produced);
        self.passed.swap(&mut inbox.passed);
    }

    /// Digests of a poll's records, in the order in which they came; leaves the list empty.
    pub(crate) fn delivered(&self, deliveries: &mut Consecutive<u64>) {
        self.deliveries.lock().append(deliveries);
    }

    /// Counts a record as under way.
    pub(crate) fn sent(&self) {
        self.under_way.count.fetch_add(1, Ordering::SeqCst);
    }

    /// Waits until fewer than `most` records are under way, at most `patience`; false if they are not.
    pub(crate) fn wait_for_fewer(&self, most: u64, patience: Duration) -> bool {
        self.under_way.wait_for_fewer(most, patience)
    }

    /// The index of a record's partition over all topics, or one that there is not.
    fn index_for(&self, ticket: &Ticket, partition: i32) -> i32 {
        self.topics.index_for(ticket.number, partition).unwrap_or(-1)
    }
}

impl Probe for Recorder {
    fn produced(&self, batch: &ProducedBatch) {
        if self.topics.index_of(&batch.partition).is_some() {
            self.produced.lock().push(batch.clone());
        }
    }

    fn requested(&self, _: u32, bytes: u64) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.request_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn passed(&self, stage: Stage, partition: &TopicPartition, offsets: Range<Offset>, at: Nanos) {
        if let Some(partition) = self.topics.index_of(partition) {
            self.passed.lock().push(Passed { stage, partition, end: offsets.end, at });
        }
    }
}

impl Receipts for Recorder {
    fn acknowledged(&self, ticket: Ticket, partition: i32, offset: Option<Offset>) {
        self.receipts.lock().push(self.index_for(&ticket, partition), offset, ticket);
        self.under_way.one_fewer();
    }

    fn acknowledged_together(&self, tickets: &[Ticket], partition: i32, base: Offset) {
        let Some(first) = tickets.first() else { return };
        self.receipts.lock().extend(self.index_for(first, partition), base, tickets);
        self.under_way.fewer_by(tickets.len());
    }

    fn failed(&self, _: Ticket, reason: &str) {
        self.failed.lock().push(reason.into());
        self.under_way.one_fewer();
    }
}

/// What some threads add to and one empties.
#[derive(Debug, Default)]
struct Lane<T>(Mutex<T>);

impl<T> Lane<T> {
    fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn swap(&self, other: &mut T) {
        std::mem::swap(&mut *self.lock(), other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four threads send as long as fewer than ten are under way, one receives: nobody waits for ever, and there are never more
    /// under way than ten and one more for each thread that looked at the same time.
    #[test]
    fn closed_loops_are_woken_by_receipts() {
        const EACH: usize = 5_000;
        let under_way = UnderWay::default();
        let most_seen = AtomicI64::new(0);
        let sent = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..EACH {
                        while !under_way.wait_for_fewer(10, Duration::from_secs(60)) {}
                        let count = under_way.count.fetch_add(1, Ordering::SeqCst) + 1;
                        most_seen.fetch_max(count, Ordering::Relaxed);
                        sent.fetch_add(1, Ordering::Release);
                    }
                });
            }
            let mut received = 0;
            while received < 4 * EACH as u64 {
                if received < sent.load(Ordering::Acquire) {
                    under_way.one_fewer();
                    received += 1;
                } else {
                    std::thread::yield_now();
                }
            }
        });
        assert_eq!(under_way.count.load(Ordering::Relaxed), 0);
        assert!(most_seen.load(Ordering::Relaxed) <= 13, "{most_seen:?}");
    }

    #[test]
    fn patience_ends() {
        let under_way = UnderWay::default();
        under_way.count.store(3, Ordering::Relaxed);
        assert!(!under_way.wait_for_fewer(3, Duration::from_millis(1)));
        assert!(under_way.wait_for_fewer(4, Duration::ZERO));
        assert_eq!(under_way.waiting.load(Ordering::Relaxed), 0);
    }
}
