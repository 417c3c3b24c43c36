//! What can go wrong between a client and its cluster, as a sentence for an operator.

use std::time::Duration;

use logdyno_record::{Offset, TopicPartition};
use logdyno_wire::ErrorCode;

use crate::config::ConfigError;

/// An error of a producer, consumer or admin call.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ClientError {
    /// The configuration was refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A background thread could not be started.
    #[error("the client's background thread cannot be started: {reason}")]
    Start {
        /// The system's answer.
        reason: String,
    },
    /// The topic or partition did not show up in the metadata in time.
    #[error("{what} is not in the metadata after {} ms: does the topic exist, and is a broker of {servers} alive? {reason}", waited.as_millis())]
    NoMetadata {
        /// The topic or partition.
        what: String,
        /// The bootstrap servers.
        servers: String,
        /// How long was waited.
        waited: Duration,
        /// The last thing that went wrong meanwhile; may be empty.
        reason: String,
    },
    /// The broker says that a topic cannot be used.
    #[error("topic {topic}: {code}")]
    Topic {
        /// The topic.
        topic: String,
        /// The broker's answer.
        code: ErrorCode,
    },
    /// A record names a partition that its topic does not have, or a partitioner chose one.
    #[error("partition {partition} of {topic} does not exist: it has {partitions} partitions, counted from 0")]
    NoSuchPartition {
        /// The topic.
        topic: String,
        /// The partition asked for.
        partition: i32,
        /// How many the topic has.
        partitions: i32,
    },
    /// `buffer.memory` was used up for `max.block.ms`.
    #[error("no {wanted} bytes of buffer.memory ({total} bytes) became free within {} ms of max.block.ms: brokers take batches more slowly than they come", waited.as_millis())]
    BufferExhausted {
        /// What the record needs.
        wanted: usize,
        /// All of it.
        total: usize,
        /// How long was waited.
        waited: Duration,
    },
    /// A record larger than a setting allows.
    #[error("a record of {topic} takes {size} bytes, more than {setting} ({limit} bytes)")]
    RecordTooLarge {
        /// The topic.
        topic: String,
        /// Its size, batch header included.
        size: usize,
        /// The setting.
        setting: &'static str,
        /// Its value.
        limit: usize,
    },
    /// A record's time is before 1970.
    #[error("a record's timestamp is {0}: it counts milliseconds since 1970 and cannot be negative")]
    NegativeTimestamp(i64),
    /// A serializer refused a key or value.
    #[error("the {part} of a record for {topic} cannot be serialized: {reason}")]
    Serialization {
        /// The topic.
        topic: String,
        /// "key" or "value".
        part: &'static str,
        /// The serializer's words.
        reason: String,
    },
    /// A deserializer refused a key or value. The position stays at the record: seek past it to go on.
    #[error(
        "the {part} of the record at offset {offset} of {partition} cannot be deserialized: {reason}; seek past it to go on"
    )]
    Deserialization {
        /// The partition.
        partition: TopicPartition,
        /// The record's offset.
        offset: Offset,
        /// "key" or "value".
        part: &'static str,
        /// The deserializer's words.
        reason: String,
    },
    /// A batch that is not what its checksum or its fields say. The position stays at it: seek past it to go on.
    #[error("the batch at offset {offset} of {partition} is corrupt: {reason}; seek past it to go on")]
    Corrupt {
        /// The partition.
        partition: TopicPartition,
        /// The batch's first offset.
        offset: Offset,
        /// What is wrong.
        reason: String,
    },
    /// A batch could not be compressed.
    #[error("a batch of {partition} cannot be compressed: {reason}")]
    Compression {
        /// The partition.
        partition: TopicPartition,
        /// The codec's words.
        reason: String,
    },
    /// `delivery.timeout.ms` passed before the batch was acknowledged; it may or may not be in the log.
    #[error("{records} records for {partition} were not acknowledged within {} ms (delivery.timeout.ms) after {attempts} attempts; {reason}", waited.as_millis())]
    DeliveryTimeout {
        /// The partition.
        partition: TopicPartition,
        /// How many records expired with it.
        records: u32,
        /// How long was waited.
        waited: Duration,
        /// How often it was sent.
        attempts: u32,
        /// The last thing that went wrong; "it never left this client" if it was not sent.
        reason: String,
    },
    /// A broker refused.
    #[error("{doing}: the broker answered {code}{}", message.as_ref().map(|text| format!(" ({text})")).unwrap_or_default())]
    Refused {
        /// What was tried.
        doing: String,
        /// The broker's answer.
        code: ErrorCode,
        /// Its words, if it gave any.
        message: Option<String>,
    },
    /// No connection, or it was lost before the answer.
    #[error("{doing}: {reason}")]
    Disconnected {
        /// What was tried.
        doing: String,
        /// What happened.
        reason: String,
    },
    /// A call took longer than it may.
    #[error("{doing} took longer than {} ms; {reason}", waited.as_millis())]
    Timeout {
        /// What was tried.
        doing: String,
        /// How long was waited.
        waited: Duration,
        /// The last thing that went wrong; may be empty.
        reason: String,
    },
    /// The partition has no position, and `auto.offset.reset` is `none`.
    #[error("{partition} has no position and auto.offset.reset is none: seek to where it shall start")]
    NoOffset {
        /// The partition.
        partition: TopicPartition,
    },
    /// The position is outside the log, and `auto.offset.reset` is `none`.
    #[error(
        "offset {offset} of {partition} is out of range and auto.offset.reset is none: seek to where it shall go on"
    )]
    OffsetOutOfRange {
        /// The partition.
        partition: TopicPartition,
        /// The position.
        offset: Offset,
    },
    /// A call about a partition that was not assigned.
    #[error("{partition} is not assigned to this consumer")]
    NotAssigned {
        /// The partition.
        partition: TopicPartition,
    },
    /// `wakeup()` was called.
    #[error("the consumer was woken up")]
    Wakeup,
    /// The client was closed.
    #[error("the {client} is closed")]
    Closed {
        /// "producer", "consumer" or "admin client".
        client: &'static str,
    },
}

impl ClientError {
    /// True for what may succeed when it is simply tried again.
    pub fn is_retriable(&self) -> bool {
        match self {
            ClientError::Refused { code, .. } | ClientError::Topic { code, .. } => code.is_retriable(),
            ClientError::Disconnected { .. }
            | ClientError::Timeout { .. }
            | ClientError::NoMetadata { .. }
            | ClientError::BufferExhausted { .. } => true,
            _ => false,
        }
    }
}
