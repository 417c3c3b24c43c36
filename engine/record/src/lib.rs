//! Kafka v2 record batches as bytes, codecs, ids, time and the probe that observes the path.
//!
//! The lowest crate of the engine: it knows no file, no socket and no thread.

pub mod clock;
pub mod ids;
pub mod probe;

pub use clock::{Clock, Nanos, SystemClock};
pub use ids::{BrokerId, LeaderEpoch, Offset, TopicId, TopicPartition};
pub use probe::{CloseReason, NoProbe, Probe, ProducedBatch, Stage};
