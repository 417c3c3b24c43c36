//! What can go wrong with a log, as a sentence for an operator and as Kafka's error code.

use std::path::PathBuf;
use std::sync::Arc;

use logdyno_record::batch::BatchError;
use logdyno_record::{Offset, TopicId, TopicPartition};
use logdyno_storage::StorageError;

/// An error of a log or of a data directory.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LogError {
    /// Storage failed or is full.
    #[error("{partition}: {source}")]
    Storage {
        /// The log.
        partition: TopicPartition,
        /// What happened.
        source: StorageError,
    },
    /// The device does not keep up; nothing was appended.
    #[error("{partition}: the device cannot keep up with the appends; try again later")]
    Full {
        /// The log.
        partition: TopicPartition,
    },
    /// A batch is larger than `max.message.bytes`.
    #[error("a batch of {size} bytes for {partition} is over max.message.bytes={max}")]
    TooLarge {
        /// The log.
        partition: TopicPartition,
        /// The batch's bytes.
        size: usize,
        /// The limit.
        max: usize,
    },
    /// A batch does not fit into a segment.
    #[error("a batch of {size} bytes for {partition} is over segment.bytes={max}")]
    OverSegment {
        /// The log.
        partition: TopicPartition,
        /// The batch's bytes.
        size: usize,
        /// The limit.
        max: u64,
    },
    /// Bytes that were to be appended are no sound batches.
    #[error("{partition}: what was to be appended is not sound: {source}")]
    Batch {
        /// The log.
        partition: TopicPartition,
        /// What is wrong.
        source: BatchError,
    },
    /// A follower was handed batches that do not continue its log.
    #[error("{partition} ends at offset {end}, the batch to append starts at {base}")]
    NotContinuous {
        /// The log.
        partition: TopicPartition,
        /// The log end offset.
        end: Offset,
        /// The batch's base offset.
        base: Offset,
    },
    /// A batch of an idempotent producer does not follow the one before it.
    #[error(
        "{partition}: producer {producer} (epoch {epoch}) sent sequence {found}, and {expected} is next: a batch between is missing"
    )]
    OutOfOrderSequence {
        /// The log.
        partition: TopicPartition,
        /// Its id.
        producer: i64,
        /// Its epoch.
        epoch: i16,
        /// The sequence that comes next.
        expected: i32,
        /// The batch's.
        found: i32,
    },
    /// A batch of an idempotent producer that has a successor.
    #[error("{partition}: producer {producer} sent a batch of epoch {epoch}, and epoch {current} has begun")]
    ProducerFenced {
        /// The log.
        partition: TopicPartition,
        /// Its id.
        producer: i64,
        /// The batch's epoch.
        epoch: i16,
        /// The latest.
        current: i16,
    },
    /// A marker of a transaction coordinator that has a successor.
    #[error(
        "{partition}: the transaction of producer {producer} was to be ended by a coordinator of epoch {epoch}, and one of epoch {current} has begun"
    )]
    CoordinatorFenced {
        /// The log.
        partition: TopicPartition,
        /// The producer's id.
        producer: i64,
        /// The marker's.
        epoch: i32,
        /// The latest.
        current: i32,
    },
    /// A batch outside its producer's open transaction.
    #[error(
        "{partition}: producer {producer} sent a batch outside its transaction, which began at offset {first} and is open: it must end first"
    )]
    InvalidTransactionState {
        /// The log.
        partition: TopicPartition,
        /// The producer's id.
        producer: i64,
        /// Where its transaction begins.
        first: Offset,
    },
    /// An offset outside the log.
    #[error("offset {offset} of {partition} is out of range: the log holds {start} up to {end}")]
    OutOfRange {
        /// The log.
        partition: TopicPartition,
        /// What was asked for.
        offset: Offset,
        /// The first offset.
        start: Offset,
        /// The log end offset.
        end: Offset,
    },
    /// A batch that had been durable is damaged.
    #[error(
        "{partition}: {file} is damaged at position {position} ({why}), before the recovery point {recovery_point}: take the partition from another replica, or move the file away and accept the loss"
    )]
    Corrupt {
        /// The log.
        partition: TopicPartition,
        /// The segment file.
        file: String,
        /// Where the bad batch starts.
        position: u64,
        /// What is wrong with it.
        why: String,
        /// Everything before it had been durable.
        recovery_point: Offset,
    },
    /// What was waited for has been truncated away, or the log was closed.
    #[error("{partition}: offset {offset} was waited for and is gone: the log was truncated or closed")]
    Gone {
        /// The log.
        partition: TopicPartition,
        /// What was waited for.
        offset: Offset,
    },
    /// The folder belongs to another topic of the same name.
    #[error(
        "the folder of {partition} belongs to topic id {found}, not {wanted}: it is left of a deleted topic; move it away"
    )]
    OtherTopic {
        /// The partition.
        partition: TopicPartition,
        /// In `partition.metadata`.
        found: TopicId,
        /// In the metadata.
        wanted: TopicId,
    },
    /// Another process uses the data directory.
    #[error("{path} is in use by another process (its .lock is held): stop that one, or give this one another directory", path = path.display())]
    Locked {
        /// The data directory.
        path: PathBuf,
    },
    /// A file of the data directory cannot be used.
    #[error("{path}: {source}", path = path.display())]
    Directory {
        /// The file or directory.
        path: PathBuf,
        /// The system's answer.
        source: Arc<std::io::Error>,
    },
    /// A checkpoint or metadata file is not in its format.
    #[error("{path}, line {line}: {why}", path = path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
}

impl LogError {
    /// The error code that a Kafka client understands.
    pub fn code(&self) -> i16 {
        match self {
            LogError::TooLarge { .. } => 10,
            LogError::OverSegment { .. } => 18,
            LogError::Batch { source, .. } if source.is_corrupt() => 2,
            LogError::Batch { .. } | LogError::NotContinuous { .. } => 87,
            LogError::OutOfRange { .. } => 1,
            LogError::OutOfOrderSequence { .. } => 45,
            LogError::ProducerFenced { .. } => 47,
            LogError::InvalidTransactionState { .. } => 48,
            LogError::CoordinatorFenced { .. } => 52,
            LogError::Gone { .. } => 6,
            LogError::Full { .. } => 7,
            _ => 56,
        }
    }
}
