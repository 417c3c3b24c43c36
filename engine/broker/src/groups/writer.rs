//! The line into a partition of `__consumer_offsets`: facts go in, in order; whoever wrote them hears, in order, that they
//! are safe on the in-sync replicas.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use logdyno_coordinator::GroupError;
use logdyno_record::{Batch, BatchBuilder, BatchOptions, Clock, Codec, Compression, LeaderEpoch};
use logdyno_replication::{Acks, AppendDone, ReplicaError};
use logdyno_segment_log::Appended;
use tokio::sync::{mpsc, oneshot};

use crate::partitions::{Hosted, room};

/// Facts that wait together leave in one batch up to about this size.
const BATCH_BYTES: usize = 64 << 10;

/// A record of `__consumer_offsets`: its key, and its value or none to take the fact back.
pub(super) type Fact = (Bytes, Option<Bytes>);

/// Called once with what became of the facts, on a task that may be held up for a lock but not for a disk.
pub(super) type Stored = Box<dyn FnOnce(Result<(), GroupError>) + Send>;

/// The line's upper end.
pub(super) struct Writer {
    queue: mpsc::UnboundedSender<Write>,
}

struct Write {
    facts: Vec<Fact>,
    stored: Stored,
}

/// An append on its way, and who hears of it.
struct Underway {
    told: oneshot::Receiver<Result<Appended, ReplicaError>>,
    stored: Vec<Stored>,
}

impl Writer {
    /// Starts the line; it ends when the writer is dropped and all has been told.
    pub(super) fn start(hosted: Hosted, epoch: LeaderEpoch, clock: Arc<dyn Clock>, patience: Duration) -> Writer {
        let (queue, facts) = mpsc::unbounded_channel();
        let (appended, underway) = mpsc::unbounded_channel();
        tokio::spawn(Appender { hosted, epoch, clock, patience }.run(facts, appended));
        tokio::spawn(tell(underway));
        Writer { queue }
    }

    /// Puts facts on the line.
    pub(super) fn write(&self, facts: Vec<Fact>, stored: Stored) {
        if let Err(refused) = self.queue.send(Write { facts, stored }) {
            // Not from here: who writes holds the group's lock.
            tokio::spawn(async move { (refused.0.stored)(Err(GroupError::NotCoordinator)) });
        }
    }
}

/// Tells the writers in the order of their appends.
async fn tell(mut underway: mpsc::UnboundedReceiver<Underway>) {
    while let Some(Underway { told, stored }) = underway.recv().await {
        let result = match told.await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(refusal(&error)),
            Err(_) => Err(GroupError::NotCoordinator),
        };
        stored.into_iter().for_each(|stored| stored(result));
    }
}

/// What a member is told of an append that failed.
fn refusal(error: &ReplicaError) -> GroupError {
    match error {
        ReplicaError::NotLeader { .. }
        | ReplicaError::FencedLeaderEpoch { .. }
        | ReplicaError::UnknownLeaderEpoch { .. } => GroupError::NotCoordinator,
        _ => {
            tracing::warn!("what a group said could not be written down: {error}");
            GroupError::NotStored
        }
    }
}

struct Appender {
    hosted: Hosted,
    epoch: LeaderEpoch,
    clock: Arc<dyn Clock>,
    patience: Duration,
}

impl Appender {
    async fn run(self, mut facts: mpsc::UnboundedReceiver<Write>, appended: mpsc::UnboundedSender<Underway>) {
        while let Some(first) = facts.recv().await {
            let mut builder = BatchBuilder::new(Codec::new(Compression::None), 1024);
            let (mut stored, mut bytes) = (Vec::new(), 0);
            let now_ms = self.clock.wall_ms();
            let mut next = Some(first);
            while let Some(write) = next {
                for (key, value) in &write.facts {
                    builder.append(now_ms, Some(key), value.as_deref(), &[]);
                    bytes += key.len() + value.as_ref().map_or(0, Bytes::len);
                }
                stored.push(write.stored);
                next = if bytes < BATCH_BYTES { facts.try_recv().ok() } else { None };
            }
            let told = match builder.build(&BatchOptions::default()) {
                Ok(batch) => self.append(&batch).await,
                Err(error) => {
                    tracing::error!("what a group said cannot be a batch: {error}");
                    oneshot::channel().1
                }
            };
            // Who tells is gone only when the broker stops.
            drop(appended.send(Underway { told, stored }));
        }
    }

    async fn append(&self, batch: &Batch) -> oneshot::Receiver<Result<Appended, ReplicaError>> {
        let (done, told) = oneshot::channel();
        let deadline = self.clock.now().after(self.patience);
        let mut unserved: Option<AppendDone> = Some(Box::new(move |result| done.send(result).unwrap_or_default()));
        while let Some(done) = unserved.take() {
            unserved = self.hosted.replica.append(batch, Acks::All, Some(self.epoch), deadline, done);
            if unserved.is_some() && !room(&self.hosted, deadline.since(self.clock.now())).await {
                break;
            }
        }
        told
    }
}
