//! What is changed in a batch that is whole: by a leader that appends it, by a producer that sends it anew.

use super::header::{at, bits, put};
use super::{HEADER_LEN, ProducerStamp, crc32c};
use crate::ids::{LeaderEpoch, Offset};

/// Bytes at the front of a batch that [`assign`] touches; the checksum does not cover them.
pub const ASSIGNED_LEN: usize = at::MAGIC;

/// Gives the batch its base offset and the leader's epoch. `header` is the batch, or a copy of its first [`ASSIGNED_LEN`] bytes.
///
/// # Panics
/// If `header` is shorter than that.
pub fn assign(header: &mut [u8], base_offset: Offset, epoch: LeaderEpoch) {
    put(header, 0, base_offset.0.to_be_bytes());
    put(header, at::LEADER_EPOCH, epoch.0.to_be_bytes());
}

/// Makes `timestamp` (ms) the time of all records (`LogAppendTime`): attribute bit and max timestamp change, the checksum with
/// them; the records' own deltas stay.
///
/// # Panics
/// If `batch` is not a whole batch.
pub fn log_append_time(batch: &mut [u8], timestamp: i64) {
    set_timestamp(batch, timestamp, |attributes| attributes | bits::LOG_APPEND_TIME);
}

/// Corrects the max timestamp of a CreateTime batch, for a producer that wrote none; the checksum is computed again.
///
/// # Panics
/// If `batch` is not a whole batch.
pub fn max_timestamp(batch: &mut [u8], timestamp: i64) {
    set_timestamp(batch, timestamp, |attributes| attributes & !bits::LOG_APPEND_TIME);
}

/// Gives the batch another producer's stamp; the checksum is computed again.
///
/// # Panics
/// If `batch` is not a whole batch.
pub fn producer(batch: &mut [u8], stamp: ProducerStamp) {
    assert!(batch.len() >= HEADER_LEN, "a whole batch is patched, not {} bytes of one", batch.len());
    put(batch, at::PRODUCER_ID, stamp.id.to_be_bytes());
    put(batch, at::PRODUCER_EPOCH, stamp.epoch.to_be_bytes());
    put(batch, at::BASE_SEQUENCE, stamp.base_sequence.to_be_bytes());
    let crc = crc32c(&batch[at::ATTRIBUTES..]);
    put(batch, at::CRC, crc.to_be_bytes());
}

fn set_timestamp(batch: &mut [u8], timestamp: i64, change: impl Fn(i16) -> i16) {
    assert!(batch.len() >= HEADER_LEN, "a whole batch is patched, not {} bytes of one", batch.len());
    let attributes = i16::from_be_bytes([batch[at::ATTRIBUTES], batch[at::ATTRIBUTES + 1]]);
    put(batch, at::ATTRIBUTES, change(attributes).to_be_bytes());
    put(batch, at::MAX_TIMESTAMP, timestamp.to_be_bytes());
    let crc = crc32c(&batch[at::ATTRIBUTES..]);
    put(batch, at::CRC, crc.to_be_bytes());
}
