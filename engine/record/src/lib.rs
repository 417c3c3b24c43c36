//! Kafka v2 record batches as bytes, codecs, ids, time and the probe that observes the path.
//!
//! The lowest crate of the engine: it knows no file, no socket and no thread.

pub mod batch;
pub mod clock;
pub mod codec;
pub mod ids;
pub mod murmur2;
pub mod probe;
pub mod validate;
pub mod varint;

pub use batch::{
    Batch, BatchBuilder, BatchError, BatchHeader, BatchOptions, Batches, HEADER_LEN, Header, HeaderView, Headers,
    LOG_OVERHEAD, ProducerStamp, Record, RecordView, Records, TimestampType, batches, patch,
};
pub use clock::{Clock, Nanos, SystemClock};
pub use codec::{Codec, CodecError, Compression};
pub use ids::{BrokerId, LeaderEpoch, Offset, TopicId, TopicPartition};
pub use murmur2::{murmur2, partition_for_key};
pub use probe::{CloseReason, NoProbe, Probe, ProducedBatch, Stage};
pub use validate::{ProduceRules, RecordFault, Refusal, validate_for_produce};
