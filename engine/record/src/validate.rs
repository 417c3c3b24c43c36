//! What a leader checks of a batch before it appends it (Kafka's `ProduceRequest.validateRecords` and `LogValidator`), as a pure
//! function: nothing here knows a log or a topic.

use bytes::{Buf, Bytes};
use thiserror::Error;

use crate::Offset;
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
    /// A batch that says where it stands, which is for the leader to say.
    #[error("the batch has the base offset {base_offset}; a producer sends 0, and the leader says where it stands")]
    BaseOffset {
        /// What it says.
        base_offset: Offset,
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
    /// The batch claims the leader's clock.
    #[error("the batch has timestamp type LogAppendTime, which only the leader sets")]
    TimestampType,
    /// Records that the topic does not take.
    #[error("{}{}", faults[0], more(faults.len() - 1))]
    Records {
        /// At least one, in the order of the records.
        faults: Vec<RecordFault>,
    },
}

fn more(others: usize) -> String {
    if others == 0 { String::new() } else { format!(" (and {others} more of this batch's records are refused)") }
}

/// Why one record is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RecordFault {
    /// A record without a key in a compacted topic.
    #[error("record {index} has no key; topics with cleanup.policy=compact need one")]
    KeyMissing {
        /// Its place in the batch.
        index: u32,
    },
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

impl RecordFault {
    /// The record's place in the batch.
    #[must_use]
    pub fn index(&self) -> u32 {
        match self {
            Self::KeyMissing { index } | Self::Timestamp { index, .. } => *index,
        }
    }
}

impl Refusal {
    /// Kafka's error code: 2 CORRUPT_MESSAGE, 32 INVALID_TIMESTAMP, 76 UNSUPPORTED_COMPRESSION_TYPE or 87 INVALID_RECORD.
    #[must_use]
    pub fn code(&self) -> i16 {
        match self {
            Self::Corrupt(_) => 2,
            // Older formats break a rule; of what never was a format, nothing can be said.
            Self::Invalid(BatchError::Magic { magic }) if !(0..=2).contains(magic) => 2,
            Self::TimestampType => 32,
            // Kafka's word for the batch if any of its times is wrong.
            Self::Records { faults } if faults.iter().any(|fault| matches!(fault, RecordFault::Timestamp { .. })) => 32,
            Self::ZstdTooNew | Self::Invalid(BatchError::Codec(CodecError::UnknownCodec { .. })) => 76,
            _ => 87,
        }
    }

    /// The records to blame and why, for the response's record errors.
    #[must_use]
    pub fn blamed(&self) -> Vec<(u32, String)> {
        match self {
            Self::Records { faults } => faults.iter().map(|fault| (fault.index(), fault.to_string())).collect(),
            Self::Invalid(BatchError::Record { index, .. }) => vec![(*index, self.to_string())],
            _ => Vec::new(),
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

/// Whether bytes begin as a batch of some format may. Kafka looks at that before anything else, and refuses the whole
/// request if any partition's do not (`ByteBufferLogInputStream.nextBatchSize`).
pub fn check_beginning(records: &[u8]) -> Result<(), Refusal> {
    /// Of the oldest format.
    const LENGTH_MIN: i32 = 14;
    let Some((_offset, mut rest)) = records.split_at_checked(8) else { return Ok(()) };
    let Ok(length) = rest.try_get_i32() else { return Ok(()) };
    if length < LENGTH_MIN {
        return Err(Refusal::Corrupt(BatchError::Length { length }));
    }
    match rest.get(4) {
        Some(magic) if !(0..=2).contains(magic) => {
            Err(Refusal::Invalid(BatchError::Magic { magic: i8::from_be_bytes([*magic]) }))
        }
        _ => Ok(()),
    }
}

/// Takes the records of one partition in a produce request, which must be exactly one whole batch; zstd is allowed from Produce v7
/// on (KIP-110).
pub fn only_batch(records: Bytes, zstd_allowed: bool) -> Result<Batch, Refusal> {
    let mut all: Batches = batches(records);
    let Some(first) = all.next().transpose()? else {
        return Err(Refusal::NotOneBatch { found: if all.rest().is_empty() { "none" } else { "one that is cut" } });
    };
    if !zstd_allowed && first.header().compression() == Ok(Compression::Zstd) {
        return Err(Refusal::ZstdTooNew);
    }
    match all.next().transpose()? {
        None => Ok(first),
        Some(_) => Err(Refusal::NotOneBatch { found: "more than one" }),
    }
}

/// Checks a producer's batch against the format and `rules`: CRC, header, and every record, also inside compression.
pub fn validate_for_produce(batch: &Batch, rules: &ProduceRules) -> Result<Validated, Refusal> {
    if batch.header().base_offset != Offset(0) {
        return Err(Refusal::BaseOffset { base_offset: batch.header().base_offset });
    }
    batch.verify_crc()?;
    check_header(batch.header())?;
    let records = batch.records_within(rules.decompressed_bytes_max)?;
    let max_timestamp = check_records(&records, rules)?;
    Ok(Validated { max_timestamp, max_timestamp_true: batch.header().max_timestamp == max_timestamp })
}

fn check_header(header: &BatchHeader) -> Result<(), Refusal> {
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
    header.compression().map_err(BatchError::from)?;
    Ok(())
}

/// Walks over all records; returns the greatest timestamp.
fn check_records(records: &Records, rules: &ProduceRules) -> Result<i64, Refusal> {
    let (mut max_timestamp, mut faults) = (-1, Vec::new());
    let mut walk = records.dense();
    for (index, record) in (0..).zip(&mut walk) {
        let record = record?;
        faults.extend(fault(index, &record, rules));
        max_timestamp = max_timestamp.max(record.timestamp);
    }
    walk.check_end()?;
    if faults.is_empty() { Ok(max_timestamp) } else { Err(Refusal::Records { faults }) }
}

fn fault(index: u32, record: &RecordView<'_>, rules: &ProduceRules) -> Option<RecordFault> {
    if rules.key_required && record.key.is_none() {
        return Some(RecordFault::KeyMissing { index });
    }
    let (timestamp, min, max) = (record.timestamp, rules.timestamp_min, rules.timestamp_max);
    // -1 is a record without a time.
    let timely = timestamp == -1 || (min..=max).contains(&timestamp);
    let looked_at = rules.timestamp_type == TimestampType::CreateTime;
    (looked_at && !timely).then_some(RecordFault::Timestamp { index, timestamp, min, max })
}
