//! What a leader checks of a batch before it appends it (Kafka's `ProduceRequest.validateRecords` and `LogValidator`), as a pure
//! function: nothing here knows a log or a topic.

use bytes::Bytes;
use thiserror::Error;

use crate::batch::{Batch, BatchError, BatchHeader, Batches, RecordView, Records, TimestampType, batches};
use crate::codec::{CodecError, Compression};

/// What the topic and the request demand. The default is a plain topic of Kafka 4.x without bounds on time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProduceRules {
    /// `message.timestamp.type`. With LogAppendTime the records' own times are not looked at.
    pub timestamp_type: TimestampType,
    /// The earliest time (ms) that a record may have: now minus `message.timestamp.before.max.ms`.
    pub timestamp_min: i64,
    /// The latest time (ms) that a record may have: now plus `message.timestamp.after.max.ms`.
    pub timestamp_max: i64,
    /// Whether each record needs a key, as `cleanup.policy=compact` demands.
    pub key_required: bool,
    /// Whether zstd may be used: from Produce v7 on (KIP-110).
    pub zstd_allowed: bool,
    /// The records may decompress to this many bytes.
    pub decompressed_bytes_max: usize,
}

impl Default for ProduceRules {
    fn default() -> ProduceRules {
        ProduceRules {
            timestamp_type: TimestampType::CreateTime,
            timestamp_min: i64::MIN,
            timestamp_max: i64::MAX,
            key_required: false,
            zstd_allowed: true,
            decompressed_bytes_max: crate::batch::DECOMPRESSED_BYTES_MAX,
        }
    }
}

/// Why a batch is not appended. [`Refusal::code`] is what the producer is told.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Damaged bytes.
    #[error("the batch was refused as damaged: {0}")]
    Corrupt(BatchError),
    /// Whole bytes that break a rule of the format.
    #[error("the batch was refused: {0}")]
    Invalid(BatchError),
    /// Not exactly one batch.
    #[error("a produce request carries exactly one batch per partition; this one has {found}")]
    NotOneBatch {
        /// What was there instead.
        found: &'static str,
    },
    /// A control batch from a client.
    #[error("clients may not write control batches")]
    Control,
    /// A producer id without a sequence number.
    #[error(
        "the batch of producer {producer_id} has the sequence number {base_sequence}; idempotent producers count from 0"
    )]
    Sequence {
        /// The producer.
        producer_id: i64,
        /// The number.
        base_sequence: i32,
    },
    /// A transactional batch without a producer id.
    #[error("the batch is transactional but names no producer id")]
    TransactionWithoutProducer,
    /// A codec that the request's version does not have.
    #[error("zstd needs Produce version 7 or later; choose another compression.type or a newer client")]
    ZstdTooNew,
    /// A record without a key in a compacted topic.
    #[error("record {index} has no key; topics with cleanup.policy=compact need one")]
    KeyMissing {
        /// Its place in the batch.
        index: u32,
    },
    /// The batch claims the leader's clock.
    #[error("the batch has timestamp type LogAppendTime, which only the leader sets")]
    TimestampType,
    /// A time outside the topic's bounds.
    #[error(
        "record {index} has timestamp {timestamp}, outside of {min} to {max} (message.timestamp.before.max.ms, message.timestamp.after.max.ms)"
    )]
    Timestamp {
        /// The record's place in the batch.
        index: u32,
        /// Its time.
        timestamp: i64,
        /// The earliest allowed.
        min: i64,
        /// The latest allowed.
        max: i64,
    },
}

impl Refusal {
    /// Kafka's error code: 2 CORRUPT_MESSAGE, 32 INVALID_TIMESTAMP, 76 UNSUPPORTED_COMPRESSION_TYPE or 87 INVALID_RECORD.
    #[must_use]
    pub fn code(&self) -> i16 {
        match self {
            Self::Corrupt(_) => 2,
            Self::TimestampType | Self::Timestamp { .. } => 32,
            Self::ZstdTooNew | Self::Invalid(BatchError::Codec(CodecError::UnknownCodec { .. })) => 76,
            _ => 87,
        }
    }

    /// The record to blame, for the response's record errors.
    #[must_use]
    pub fn record_index(&self) -> Option<u32> {
        match self {
            Self::KeyMissing { index }
            | Self::Timestamp { index, .. }
            | Self::Invalid(BatchError::Record { index, .. }) => Some(*index),
            _ => None,
        }
    }
}

impl From<BatchError> for Refusal {
    fn from(error: BatchError) -> Refusal {
        if error.is_corrupt() { Refusal::Corrupt(error) } else { Refusal::Invalid(error) }
    }
}

/// What the walk over a good batch found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validated {
    /// The greatest record timestamp.
    pub max_timestamp: i64,
    /// Whether the header says the same. If not, the leader corrects it ([`crate::patch::max_timestamp`]), as Kafka does.
    pub max_timestamp_true: bool,
}

/// Takes the records of one partition in a produce request, which must be exactly one whole batch.
pub fn only_batch(records: Bytes) -> Result<Batch, Refusal> {
    let mut all: Batches = batches(records);
    let first = all.next().transpose()?;
    match first {
        None if all.rest().is_empty() => Err(Refusal::NotOneBatch { found: "none" }),
        None => Err(Refusal::Corrupt(BatchError::Cut { needed: needed(all.rest()), available: all.rest().len() })),
        Some(batch) if all.rest().is_empty() => Ok(batch),
        Some(_) => Err(Refusal::NotOneBatch { found: "bytes after the first" }),
    }
}

fn needed(cut: &[u8]) -> usize {
    BatchHeader::parse(cut).map_or(crate::batch::HEADER_LEN, |header| header.size())
}

/// Checks a producer's batch against the format and `rules`: CRC, header, and every record, also inside compression.
pub fn validate_for_produce(batch: &Batch, rules: &ProduceRules) -> Result<Validated, Refusal> {
    batch.verify_crc()?;
    check_header(batch.header(), rules)?;
    let records = batch.records_within(rules.decompressed_bytes_max)?;
    let max_timestamp = check_records(&records, rules)?;
    Ok(Validated { max_timestamp, max_timestamp_true: batch.header().max_timestamp == max_timestamp })
}

fn check_header(header: &BatchHeader, rules: &ProduceRules) -> Result<(), Refusal> {
    if !header.is_dense() {
        return Err(BatchError::Count { count: header.count, last_offset_delta: header.last_offset_delta }.into());
    }
    if header.is_control() {
        return Err(Refusal::Control);
    }
    if header.has_producer_id() && header.base_sequence < 0 {
        return Err(Refusal::Sequence { producer_id: header.producer_id, base_sequence: header.base_sequence });
    }
    if header.is_transactional() && !header.has_producer_id() {
        return Err(Refusal::TransactionWithoutProducer);
    }
    if header.timestamp_type() == TimestampType::LogAppendTime {
        return Err(Refusal::TimestampType);
    }
    match header.compression().map_err(BatchError::from)? {
        Compression::Zstd if !rules.zstd_allowed => Err(Refusal::ZstdTooNew),
        _ => Ok(()),
    }
}

/// Walks over all records; returns the greatest timestamp.
fn check_records(records: &Records, rules: &ProduceRules) -> Result<i64, Refusal> {
    let mut max_timestamp = -1;
    let mut walk = records.dense();
    for (index, record) in (0..).zip(&mut walk) {
        let record = record?;
        check_record(index, &record, rules)?;
        max_timestamp = max_timestamp.max(record.timestamp);
    }
    walk.check_end()?;
    Ok(max_timestamp)
}

fn check_record(index: u32, record: &RecordView<'_>, rules: &ProduceRules) -> Result<(), Refusal> {
    if rules.key_required && record.key.is_none() {
        return Err(Refusal::KeyMissing { index });
    }
    let RecordView { timestamp, .. } = *record;
    let timely = rules.timestamp_min <= timestamp && timestamp <= rules.timestamp_max;
    // -1 is a record without a time.
    if rules.timestamp_type == TimestampType::LogAppendTime || timestamp == -1 || timely {
        return Ok(());
    }
    Err(Refusal::Timestamp { index, timestamp, min: rules.timestamp_min, max: rules.timestamp_max })
}
