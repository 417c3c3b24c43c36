//! Producer, consumer and admin client with Kafka 4.x names and defaults.
//!
//! Each client is a blocking API over a background thread with a single-threaded runtime of its own; many threads can
//! share a [`Producer`]. Clients know brokers only through the wire: nothing of a broker in the same process is used.
//! Configuration is by Kafka's names ([`config`]); what Kafka has and this crate has not is refused by name.

mod admin;
mod backoff;
pub mod config;
pub mod consumer;
mod error;
mod network;
pub mod producer;
mod random;
pub mod serialization;

pub use admin::{Admin, ClusterDescription, ListedOffset, NewTopic, OffsetSpec, PerTopic, TopicDescription};
pub use config::{Acks, AdminConfig, ConfigError, ConsumerConfig, IsolationLevel, OffsetReset, ProducerConfig};
pub use consumer::{
    Consumer, ConsumerBuilder, ConsumerRecord, ConsumerRecords, FetchedBatch, FetchedBatches, WakeupHandle,
};
pub use error::ClientError;
pub use network::PartitionInfo;
pub use producer::{
    Interceptor, KeyHashPartitioner, Partitioner, Producer, ProducerBuilder, ProducerMetrics, ProducerRecord,
    RecordMetadata, RoundRobinPartitioner, SendFuture, TopicView,
};
pub use serialization::{BytesFormat, Deserializer, NumberFormat, Serializer, TextFormat};
