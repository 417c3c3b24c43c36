//! The 61 bytes in front of every batch; the layout, with a worked example, is in `engine/record/FORMAT.md`.

use super::{BatchError, HEADER_LEN, LOG_OVERHEAD};
use crate::codec::{CodecError, Compression};
use crate::ids::{LeaderEpoch, Offset};

/// The only format version that is read and written.
pub const MAGIC: i8 = 2;

/// Where fields begin, for what is patched or checked in place.
pub(super) mod at {
    pub(in crate::batch) const LENGTH: usize = 8;
    pub(in crate::batch) const LEADER_EPOCH: usize = 12;
    pub(in crate::batch) const MAGIC: usize = 16;
    pub(in crate::batch) const CRC: usize = 17;
    /// The checksum covers everything from here.
    pub(in crate::batch) const ATTRIBUTES: usize = 21;
    pub(in crate::batch) const LAST_OFFSET_DELTA: usize = 23;
    pub(in crate::batch) const BASE_TIMESTAMP: usize = 27;
    pub(in crate::batch) const MAX_TIMESTAMP: usize = 35;
    pub(in crate::batch) const PRODUCER_ID: usize = 43;
    pub(in crate::batch) const PRODUCER_EPOCH: usize = 51;
    pub(in crate::batch) const BASE_SEQUENCE: usize = 53;
    pub(in crate::batch) const COUNT: usize = 57;
}

/// Bits of the attributes field.
pub(super) mod bits {
    pub(in crate::batch) const COMPRESSION: i16 = 0b111;
    pub(in crate::batch) const LOG_APPEND_TIME: i16 = 1 << 3;
    pub(in crate::batch) const TRANSACTIONAL: i16 = 1 << 4;
    pub(in crate::batch) const CONTROL: i16 = 1 << 5;
    pub(in crate::batch) const DELETE_HORIZON: i16 = 1 << 6;
}

/// Whose clock the timestamps are (`message.timestamp.type`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TimestampType {
    /// The producer's: each record has its own.
    #[default]
    CreateTime,
    /// The leader's: all records of a batch have the batch's max timestamp.
    LogAppendTime,
}

/// A batch's header, every field as it stands in the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the first record. What a producer writes here does not count; the leader assigns it.
    pub base_offset: Offset,
    /// Bytes after this field (`batchLength`): the whole batch has 12 more.
    pub length: i32,
    /// The epoch of the leader that appended the batch; -1 until then.
    pub leader_epoch: LeaderEpoch,
    /// The format version, 2.
    pub magic: i8,
    /// CRC-32C of everything from the attributes to the end.
    pub crc: u32,
    /// Codec, timestamp type and the transaction bits.
    pub attributes: i16,
    /// Offset of the last record minus the base offset. Compaction keeps it though records vanish.
    pub last_offset_delta: i32,
    /// What record timestamps are relative to: the first record's, or the delete horizon.
    pub base_timestamp: i64,
    /// The greatest timestamp in the batch, or the leader's clock (LogAppendTime).
    pub max_timestamp: i64,
    /// The idempotent producer's id, or -1.
    pub producer_id: i64,
    /// Its epoch, or -1.
    pub producer_epoch: i16,
    /// The sequence number of the first record, or -1.
    pub base_sequence: i32,
    /// How many records follow.
    pub count: i32,
}

impl BatchHeader {
    /// Reads the header at the front of `bytes`. Checks the length field's lower bound and the magic, nothing that lies beyond the header.
    pub fn parse(bytes: &[u8]) -> Result<BatchHeader, BatchError> {
        let Some(fixed) = bytes.first_chunk::<HEADER_LEN>() else {
            return Err(BatchError::Cut { needed: HEADER_LEN, available: bytes.len() });
        };
        let header = Self::fields(fixed);
        check_length(header.length)?;
        if header.magic != MAGIC {
            return Err(BatchError::Magic { magic: header.magic });
        }
        Ok(header)
    }

    fn fields(bytes: &[u8; HEADER_LEN]) -> BatchHeader {
        BatchHeader {
            base_offset: Offset(i64::from_be_bytes(field(bytes, 0))),
            length: i32::from_be_bytes(field(bytes, at::LENGTH)),
            leader_epoch: LeaderEpoch(i32::from_be_bytes(field(bytes, at::LEADER_EPOCH))),
            magic: i8::from_be_bytes(field(bytes, at::MAGIC)),
            crc: u32::from_be_bytes(field(bytes, at::CRC)),
            attributes: i16::from_be_bytes(field(bytes, at::ATTRIBUTES)),
            last_offset_delta: i32::from_be_bytes(field(bytes, at::LAST_OFFSET_DELTA)),
            base_timestamp: i64::from_be_bytes(field(bytes, at::BASE_TIMESTAMP)),
            max_timestamp: i64::from_be_bytes(field(bytes, at::MAX_TIMESTAMP)),
            producer_id: i64::from_be_bytes(field(bytes, at::PRODUCER_ID)),
            producer_epoch: i16::from_be_bytes(field(bytes, at::PRODUCER_EPOCH)),
            base_sequence: i32::from_be_bytes(field(bytes, at::BASE_SEQUENCE)),
            count: i32::from_be_bytes(field(bytes, at::COUNT)),
        }
    }

    /// The header's bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let mut out = [0; HEADER_LEN];
        put(&mut out, 0, self.base_offset.0.to_be_bytes());
        put(&mut out, at::LENGTH, self.length.to_be_bytes());
        put(&mut out, at::LEADER_EPOCH, self.leader_epoch.0.to_be_bytes());
        put(&mut out, at::MAGIC, self.magic.to_be_bytes());
        put(&mut out, at::CRC, self.crc.to_be_bytes());
        put(&mut out, at::ATTRIBUTES, self.attributes.to_be_bytes());
        put(&mut out, at::LAST_OFFSET_DELTA, self.last_offset_delta.to_be_bytes());
        put(&mut out, at::BASE_TIMESTAMP, self.base_timestamp.to_be_bytes());
        put(&mut out, at::MAX_TIMESTAMP, self.max_timestamp.to_be_bytes());
        put(&mut out, at::PRODUCER_ID, self.producer_id.to_be_bytes());
        put(&mut out, at::PRODUCER_EPOCH, self.producer_epoch.to_be_bytes());
        put(&mut out, at::BASE_SEQUENCE, self.base_sequence.to_be_bytes());
        put(&mut out, at::COUNT, self.count.to_be_bytes());
        out
    }

    /// Bytes of the whole batch, this header included.
    #[must_use]
    pub fn size(&self) -> usize {
        LOG_OVERHEAD + usize::try_from(self.length).unwrap_or(0)
    }

    /// The offset of the last record.
    #[must_use]
    pub fn last_offset(&self) -> Offset {
        Offset(self.base_offset.0.wrapping_add(i64::from(self.last_offset_delta)))
    }

    /// The offset after the batch.
    #[must_use]
    pub fn next_offset(&self) -> Offset {
        Offset(self.last_offset().0.wrapping_add(1))
    }

    /// The codec of the records.
    pub fn compression(&self) -> Result<Compression, CodecError> {
        Compression::from_id((self.attributes & bits::COMPRESSION) as u8)
    }

    /// Whose clock the timestamps are.
    #[must_use]
    pub fn timestamp_type(&self) -> TimestampType {
        if self.attributes & bits::LOG_APPEND_TIME == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        }
    }

    /// Whether the batch belongs to a transaction.
    #[must_use]
    pub fn is_transactional(&self) -> bool {
        self.attributes & bits::TRANSACTIONAL != 0
    }

    /// Whether the batch holds a control record (a transaction marker), which no application sees.
    #[must_use]
    pub fn is_control(&self) -> bool {
        self.attributes & bits::CONTROL != 0
    }

    /// Whether the base timestamp is the moment (ms) from which compaction may drop the batch's tombstones (KIP-534).
    #[must_use]
    pub fn has_delete_horizon(&self) -> bool {
        self.attributes & bits::DELETE_HORIZON != 0
    }

    /// Whether an idempotent producer wrote the batch.
    #[must_use]
    pub fn has_producer_id(&self) -> bool {
        self.producer_id >= 0
    }

    /// Whether count and offset range agree, as they must in what a producer sends: n records at deltas 0 to n - 1.
    #[must_use]
    pub fn is_dense(&self) -> bool {
        self.count > 0 && self.last_offset_delta == self.count - 1
    }
}

/// A length field that is large enough for a header.
pub(super) fn check_length(length: i32) -> Result<(), BatchError> {
    if length < (HEADER_LEN - LOG_OVERHEAD) as i32 { Err(BatchError::Length { length }) } else { Ok(()) }
}

/// `N` bytes of the header from `at`, which lies inside by construction.
fn field<const N: usize>(bytes: &[u8; HEADER_LEN], at: usize) -> [u8; N] {
    std::array::from_fn(|index| bytes[at + index])
}

pub(super) fn put<const N: usize>(out: &mut [u8], at: usize, value: [u8; N]) {
    out[at..at + N].copy_from_slice(&value);
}
