//! How the path of a record is observed: producers, logs, replicas and consumers report to a [`Probe`].
//!
//! Nothing is stamped per record that can be stamped per batch. What runs before the leader has given
//! offsets is reported at once when the batch is acknowledged ([`ProducedBatch`]); what runs after is a
//! stamp for a range of offsets. Whoever listens joins the two by partition and offset and weighs a
//! batch by its records.

use std::ops::Range;

use crate::clock::Nanos;
use crate::ids::{BrokerId, Offset, TopicPartition};

/// Why a producer's batch stopped taking records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CloseReason {
    /// The next record did not fit into `batch.size`.
    Size,
    /// The first record had waited `linger.ms`.
    Linger,
    /// `flush()` or `close()` asked for it.
    Flush,
    /// `buffer.memory` was exhausted and senders were waiting.
    MemoryPressure,
    /// A batch of another partition was ready for the same broker, and its request took this one along.
    TakenAlong,
}

/// A point on the way of a batch after it has reached a broker.
///
/// "Up to" stages are watermarks: a stamp for a range says that everything before the range's end has
/// passed the stage at that moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// The leader's log took the batch: offsets are given.
    Appended,
    /// Up to: the leader's own log has reached the topic's ack level.
    Written,
    /// Up to: this follower has asked for what comes next, so it holds what came before.
    Replicated(BrokerId),
    /// Up to: the high watermark passed; consumers may see it.
    HighWatermark,
    /// A consumer received the batch.
    Fetched,
    /// `poll` handed the batch's records to the application.
    Delivered,
}

/// A producer's batch on its acknowledgement: where its time went before the leader had it.
///
/// Moments rise in the order of the fields. A retried batch reports its last attempt's `sent`.
#[derive(Clone, Debug)]
pub struct ProducedBatch {
    /// Where the batch went.
    pub partition: TopicPartition,
    /// The offset of the first record as the leader gave it; `None` with `acks=0`.
    pub base_offset: Option<Offset>,
    /// How many records the batch holds.
    pub records: u32,
    /// Bytes of the batch before compression, header included.
    pub bytes_uncompressed: u32,
    /// Bytes of the batch as sent, header included.
    pub bytes_sent: u32,
    /// Why it was closed.
    pub close_reason: CloseReason,
    /// How often it was sent again.
    pub retries: u32,
    /// When the first record entered the accumulator.
    pub created: Nanos,
    /// When it stopped taking records.
    pub closed: Nanos,
    /// When the sender took it up to compress it (it may have waited for a free request in flight).
    pub drained: Nanos,
    /// When it had been compressed and sealed.
    pub compressed: Nanos,
    /// When its request was handed to the socket.
    pub sent: Nanos,
    /// When the answer had been decoded.
    pub acknowledged: Nanos,
}

/// Listens to the path. Called from hot paths of many threads: implementations must not block.
pub trait Probe: Send + Sync + 'static {
    /// A producer's batch was acknowledged.
    fn produced(&self, batch: &ProducedBatch);

    /// A producer's request went out, carrying this many batches and bytes.
    fn requested(&self, batches: u32, bytes: u64);

    /// `offsets` of `partition` passed `stage` at `at`.
    fn passed(&self, stage: Stage, partition: &TopicPartition, offsets: Range<Offset>, at: Nanos);
}

/// Listens to nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProbe;

impl Probe for NoProbe {
    fn produced(&self, _: &ProducedBatch) {}

    fn requested(&self, _: u32, _: u64) {}

    fn passed(&self, _: Stage, _: &TopicPartition, _: Range<Offset>, _: Nanos) {}
}
