//! What compaction leaves of a batch (Kafka's `MemoryRecords.filterTo`): fewer records, the same offsets.
//!
//! Base offset, last offset, leader epoch, producer and sequence stay as they were, so that neither a consumer's
//! position, nor a follower's end, nor a producer's state notices what is gone.

use bytes::Bytes;

use super::builder::put_nullable;
use super::header::{at, bits, put};
use super::{Batch, BatchError, BatchHeader, HEADER_LEN, LOG_OVERHEAD, RecordView, TimestampType, crc32c};
use crate::codec::{Codec, Compression};
use crate::varint;

/// The batch with only the records `kept`, in their order; there is at least one.
///
/// With `delete_horizon_ms` the base timestamp becomes that moment, from which on tombstones may go (KIP-534), and
/// record timestamps count from there. One that the batch has already stays. The codec stays, at its default level.
pub fn thinned(
    original: &BatchHeader,
    kept: &[RecordView<'_>],
    delete_horizon_ms: Option<i64>,
) -> Result<Batch, BatchError> {
    let first = kept.first().ok_or(BatchError::Empty)?;
    let mut header = *original;
    if let Some(horizon) = delete_horizon_ms {
        header.attributes |= bits::DELETE_HORIZON;
        header.base_timestamp = horizon;
    } else if !original.has_delete_horizon() {
        header.base_timestamp = first.timestamp;
    }
    if original.timestamp_type() == TimestampType::CreateTime {
        header.max_timestamp = kept.iter().map(|record| record.timestamp).fold(i64::MIN, i64::max);
    }
    header.count = i32::try_from(kept.len()).map_err(|_| BatchError::TooLarge { bytes: kept.len() })?;
    sealed(header, payload(&header, kept)?)
}

/// The batch without any record: what stays where a producer's last sequence, or the end of a cleaned segment, must
/// not be forgotten. Kafka's `DefaultRecordBatch.writeEmptyHeader`.
pub fn emptied(original: &BatchHeader) -> Result<Batch, BatchError> {
    let mut header = *original;
    header.attributes &= !(bits::COMPRESSION | bits::DELETE_HORIZON);
    header.base_timestamp = -1;
    header.count = 0;
    sealed(header, vec![0; HEADER_LEN])
}

/// The records, compressed as the header says, behind room for the header.
fn payload(header: &BatchHeader, kept: &[RecordView<'_>]) -> Result<Vec<u8>, BatchError> {
    let mut plain = vec![0; HEADER_LEN];
    let mut body = Vec::new();
    for record in kept {
        body.clear();
        put_body(&mut body, header, record);
        varint::put(&mut plain, body.len() as i64);
        plain.extend_from_slice(&body);
    }
    let compression = header.compression()?;
    if compression == Compression::None {
        return Ok(plain);
    }
    let mut out = Vec::with_capacity(HEADER_LEN + plain.len() / 2);
    out.resize(HEADER_LEN, 0);
    Codec::new(compression).compress(&plain[HEADER_LEN..], &mut out)?;
    Ok(out)
}

fn put_body(out: &mut Vec<u8>, header: &BatchHeader, record: &RecordView<'_>) {
    out.push(0); // attributes: no bit has a meaning
    varint::put(out, record.timestamp.wrapping_sub(header.base_timestamp));
    varint::put(out, record.offset.0.wrapping_sub(header.base_offset.0));
    put_nullable(out, record.key);
    put_nullable(out, record.value);
    varint::put(out, record.headers.len() as i64);
    for entry in record.headers {
        put_nullable(out, Some(entry.key));
        put_nullable(out, entry.value);
    }
}

fn sealed(mut header: BatchHeader, mut bytes: Vec<u8>) -> Result<Batch, BatchError> {
    header.length =
        i32::try_from(bytes.len() - LOG_OVERHEAD).map_err(|_| BatchError::TooLarge { bytes: bytes.len() })?;
    bytes[..HEADER_LEN].copy_from_slice(&header.encode());
    header.crc = crc32c(&bytes[at::ATTRIBUTES..]);
    put(&mut bytes, at::CRC, header.crc.to_be_bytes());
    Ok(Batch::of_parts(header, Bytes::from(bytes)))
}
