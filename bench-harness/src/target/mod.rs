//! The system under test, behind one trait: what the harness drives, and what it must be told.
//!
//! A target is started for one trial with empty topics, is written to by [`Sink`]s and read by one [`Source`], and
//! reports on the way: to the [`Probe`] where each batch is, to [`Receipts`] which offset each record got. The harness
//! joins the two; a target measures nothing itself.

mod embedded;
#[cfg(feature = "kafka")]
mod kafka;
mod log;
mod null;
pub(crate) mod settings;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use logdyno_engine::record::{Clock, Nanos, Offset, Probe};
use logdyno_engine::storage::Kind;
use logdyno_engine::storage::counters::Counts;
use logdyno_engine::storage::seam::Disk;

pub use embedded::EmbeddedTarget;
pub use log::LogTarget;
pub use null::{Fault, NullTarget};

use crate::proof::Evidence;
use crate::topics::Topics;
use crate::workload::Plan;

/// The targets that a workload can name.
#[must_use]
pub fn targets() -> Vec<Box<dyn Target>> {
    vec![Box::new(EmbeddedTarget), Box::new(LogTarget), Box::new(NullTarget::default())]
}

/// How the address of a Kafka cluster begins.
pub const KAFKA_SCHEME: &str = "kafka://";

/// The cluster at an address that begins with [`KAFKA_SCHEME`]; else a sentence that says why there is none.
#[cfg(feature = "kafka")]
pub fn kafka(address: &str) -> Result<Box<dyn Target>, String> {
    kafka::KafkaTarget::at(address).map(|target| Box::new(target) as Box<dyn Target>)
}

/// The sentence that says how to build the program with it.
#[cfg(not(feature = "kafka"))]
pub fn kafka(address: &str) -> Result<Box<dyn Target>, String> {
    Err(format!(
        "{address} is reached through librdkafka, and this logdyno was built without it: build it with \
         `cargo build --release --features kafka` (it wants a C++ compiler, make and OpenSSL's headers; on Debian: apt \
         install g++ make libssl-dev pkg-config)"
    ))
}

/// A system that records can be sent through.
pub trait Target: Send + Sync {
    /// The name that users give it: `embedded`, `log`, `null`, `kafka://host:port`.
    fn name(&self) -> &str;

    /// Whether it keeps records on a storage backend. If not, a workload's backends make no difference and it is run once.
    fn has_storage(&self) -> bool;

    /// Says what of the plan it cannot do, before anything starts.
    fn check(&self, plan: &Plan) -> Result<(), Objection>;

    /// What a replica has done with a record when it is acknowledged: `visible`, `written` or `durable`; `None` if nothing is
    /// kept.
    fn ack_level(&self, plan: &Plan) -> Option<String>;

    /// Starts it with the plan's topics, empty unless the setup says otherwise.
    fn start(&self, setup: Setup) -> Result<Box<dyn Running>, TargetError>;
}

/// A setting of the plan that a target does not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objection {
    /// The setting with its table, such as `broker.log.segment.bytes`: the harness finds its line.
    pub setting: String,
    /// What is wrong with it, as a sentence.
    pub reason: String,
}

/// What a target is started with.
#[derive(Clone)]
pub struct Setup {
    /// What to run.
    pub plan: Arc<Plan>,
    /// The plan's topics, and which record goes to which.
    pub topics: Arc<Topics>,
    /// The storage backend; `None` for a target without storage.
    pub backend: Option<Kind>,
    /// A directory of this trial's own, empty unless `finds_topic`. What is left in it is looked at by the proof of effect after
    /// [`Running::stop`], then removed.
    pub dir: PathBuf,
    /// Whether `dir` is not empty, but holds what a run of the same plan has left, its topics included: then that is what it starts with.
    pub finds_topic: bool,
    /// Where files are, if there is storage: the real disk, or one that a crash test plays.
    pub disk: Arc<dyn Disk>,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where batches are reported.
    pub probe: Arc<dyn Probe>,
    /// Where records are reported.
    pub receipts: Arc<dyn Receipts>,
}

/// A target that runs.
pub trait Running: Send + Sync {
    /// Which stages it stamps, and what an acknowledgement waits for.
    fn path(&self) -> Path;

    /// A producer; `index` counts them from 0.
    fn sink(&self, index: u32) -> Result<Box<dyn Sink>, TargetError>;

    /// The consumer of all partitions, from their start.
    fn source(&self) -> Result<Box<dyn Source>, TargetError>;

    /// Its counters at this moment.
    fn observe(&self) -> Observation;

    /// What it can show of what it was asked for, once everything has come out; empty where the harness looks for itself.
    fn evidence(&self) -> Vec<Evidence>;

    /// Ends it cleanly. Sinks and source are gone by then.
    fn stop(self: Box<Self>) -> Result<(), TargetError>;
}

/// Which stages of the path a target stamps. A stage that is not stamped is not shown, and its time is the next one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// What the producer does with a batch: its closing, the codec, the request, its bytes. If not, [`ProducedBatch`](logdyno_engine::record::ProducedBatch) tells
    /// only which records were acknowledged together, when the first of them was accepted, and when the answer had come.
    pub batching: bool,
    /// `Stage::Appended`.
    pub appended: bool,
    /// `Stage::Written`.
    pub written: bool,
    /// `Stage::Replicated`, by at least one follower. A follower that is not in sync need not stamp.
    pub replicated: bool,
    /// `Stage::HighWatermark`.
    pub high_watermark: bool,
    /// `Stage::Fetched`. `Stage::Delivered` is stamped by every target.
    pub fetched: bool,
    /// Whether there are as many replicas as the plan says, stamped or not.
    pub keeps_replicas: bool,
    /// Whether records go over connections: to the leader, from it to followers and to the consumer.
    pub has_network: bool,
    /// What an acknowledgement waits for.
    pub acknowledged_after: AckPoint,
}

impl Path {
    /// How many copies of each record are kept in the end, whatever an acknowledgement waits for.
    #[must_use]
    pub fn copies(&self, plan: &Plan) -> u32 {
        if self.keeps_replicas { plan.topic.replication_factor.unsigned_abs().into() } else { 1 }
    }
}

/// What an acknowledgement waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckPoint {
    /// Only for the socket (`acks=0`).
    Sent,
    /// For the leader's own log to reach the ack level (`acks=1`).
    Written,
    /// For the high watermark (`acks=all`).
    HighWatermark,
}

/// Counters of a target at one moment; they only grow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observation {
    /// The storage backends' counters, summed over brokers; `None` without storage.
    pub storage: Option<Counts>,
    /// What else it counts, by name: for reports.
    pub counters: Vec<(&'static str, u64)>,
}

/// One producer of a target; used by one thread.
pub trait Sink: Send {
    /// Sends a record to the topic that [`Topics::of_record`] says. May wait (for metadata, for memory): that wait is part of the record's latency.
    ///
    /// [`Receipts`] hears of it exactly once: what became of it, on any thread, also before this returns.
    fn send(&mut self, record: Outgoing);

    /// Waits until every record sent before has had its receipt.
    fn flush(&mut self);

    /// What the producer has counted, by name: for reports.
    fn counters(&self) -> Vec<(&'static str, u64)>;
}

/// A record on its way in. Cloning shares its bytes.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// What the harness wants back with the receipt.
    pub ticket: Ticket,
    /// The key, or null.
    pub key: Option<Bytes>,
    /// The value.
    pub value: Bytes,
    /// Milliseconds since 1970.
    pub timestamp: i64,
}

impl Outgoing {
    /// Of its key and value.
    pub(crate) fn bytes(&self) -> u64 {
        (self.key.as_ref().map_or(0, Bytes::len) + self.value.len()) as u64
    }
}

/// What the harness remembers of a record while it is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Counts the trial's records in the order of their intended times, from 0.
    pub number: u64,
    /// When it was to be sent: latency counts from here.
    pub intended: Nanos,
    /// When the generator called [`Sink::send`].
    pub called: Nanos,
}

/// Hears what became of each record. Must not block. A partition is one of the topic that the record was sent to.
pub trait Receipts: Send + Sync + 'static {
    /// It was acknowledged; `offset` is `None` if nobody tells (`acks=0`). In the order of a partition's records.
    fn acknowledged(&self, ticket: Ticket, partition: i32, offset: Option<Offset>);

    /// As [`Receipts::acknowledged`], for records that stand one after the other from `base` on.
    fn acknowledged_together(&self, tickets: &[Ticket], partition: i32, base: Offset) {
        for (ticket, offset) in tickets.iter().zip(base.0..) {
            self.acknowledged(*ticket, partition, Some(Offset(offset)));
        }
    }

    /// It failed for good.
    fn failed(&self, ticket: Ticket, reason: &str);
}

/// The consumer of a target; used by one thread.
pub trait Source: Send {
    /// Waits up to `timeout` for records and hands them to `take`, in order within each partition.
    ///
    /// Checks what travels with the bytes (CRC): a violation is an error that names partition and offset.
    fn poll(&mut self, timeout: Duration, take: &mut dyn FnMut(Delivered<'_>)) -> Result<(), TargetError>;
}

/// A record as it came out.
#[derive(Clone, Copy, Debug)]
pub struct Delivered<'a> {
    /// The partition's index over all topics: [`Topics::index`].
    pub partition: i32,
    /// The offset.
    pub offset: Offset,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// The key, or null.
    pub key: Option<&'a [u8]>,
    /// The value, or null.
    pub value: Option<&'a [u8]>,
}

/// Why a target could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The storage backend cannot run on this machine.
    #[error(transparent)]
    Refused(#[from] logdyno_engine::storage::Refused),
    /// What came out is not sound: the run is invalid.
    #[error("{0}")]
    Corrupt(String),
    /// Anything else, as a sentence.
    #[error("{0}")]
    Failed(String),
}
