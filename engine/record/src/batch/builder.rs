//! Builds a batch: what the producer's accumulator fills.

use std::convert::Infallible;

use bytes::Bytes;

use super::header::{MAGIC, at, bits, put};
use super::{Batch, BatchError, BatchHeader, HEADER_LEN, Header, LOG_OVERHEAD, crc32c};
use crate::codec::{Codec, Compression};
use crate::ids::{LeaderEpoch, Offset};
use crate::varint::{self, VARINT_BYTES_MAX, VARLONG_BYTES_MAX};

/// The most that a record takes beyond its key, value and headers: length, attributes, timestamp and offset delta
/// (`DefaultRecord.MAX_RECORD_OVERHEAD`).
const RECORD_OVERHEAD_MAX: usize = VARINT_BYTES_MAX + 1 + VARLONG_BYTES_MAX + VARINT_BYTES_MAX;

/// Who wrote a batch, for idempotence and transactions. The default is nobody: -1, -1, -1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerStamp {
    /// The producer's id.
    pub id: i64,
    /// Its epoch.
    pub epoch: i16,
    /// The sequence number of the batch's first record.
    pub base_sequence: i32,
}

impl Default for ProducerStamp {
    fn default() -> ProducerStamp {
        ProducerStamp { id: -1, epoch: -1, base_sequence: -1 }
    }
}

/// What the header of a batch says beyond its records. The default is what a plain producer sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchOptions {
    /// The first record's offset; a producer sends 0.
    pub base_offset: Offset,
    /// The leader's epoch; a producer sends -1.
    pub leader_epoch: LeaderEpoch,
    /// The idempotent producer.
    pub producer: ProducerStamp,
    /// Part of a transaction.
    pub transactional: bool,
    /// A control batch.
    pub control: bool,
    /// The leader's clock (ms), if the timestamp type is LogAppendTime.
    pub log_append_time: Option<i64>,
}

impl Default for BatchOptions {
    fn default() -> BatchOptions {
        BatchOptions {
            base_offset: Offset::ZERO,
            leader_epoch: LeaderEpoch::NONE,
            producer: ProducerStamp::default(),
            transactional: false,
            control: false,
            log_append_time: None,
        }
    }
}

impl BatchOptions {
    /// These options with an idempotent producer.
    #[must_use]
    pub fn with_producer(self, id: i64, epoch: i16, base_sequence: i32) -> BatchOptions {
        BatchOptions { producer: ProducerStamp { id, epoch, base_sequence }, ..self }
    }

    fn attributes(&self, compression: Compression) -> i16 {
        let mut attributes = i16::from(compression.id());
        for (set, bit) in [
            (self.log_append_time.is_some(), bits::LOG_APPEND_TIME),
            (self.transactional, bits::TRANSACTIONAL),
            (self.control, bits::CONTROL),
        ] {
            attributes |= if set { bit } else { 0 };
        }
        attributes
    }
}

/// Takes records one after the other, encoded straight into one growing buffer behind room for the header.
///
/// Building without compression moves that buffer out as the batch. With compression the output is written once, behind
/// room for its header, and the buffer stays for the next batch.
#[derive(Debug)]
pub struct BatchBuilder {
    codec: Codec,
    capacity: usize,
    /// 61 bytes for the header, then the records; empty as long as there is none.
    buffer: Vec<u8>,
    count: u32,
    base_timestamp: i64,
    max_timestamp: i64,
}

impl BatchBuilder {
    /// An empty batch. Its buffer begins with room for `capacity` bytes, header included, once the first record comes.
    #[must_use]
    pub fn new(codec: Codec, capacity: usize) -> BatchBuilder {
        BatchBuilder { codec, capacity, buffer: Vec::new(), count: 0, base_timestamp: -1, max_timestamp: -1 }
    }

    /// Appends a record and returns its place in the batch.
    pub fn append(&mut self, timestamp: i64, key: Option<&[u8]>, value: Option<&[u8]>, headers: &[Header]) -> u32 {
        self.append_if(timestamp, key, value, headers, |_| Ok::<(), Infallible>(()))
            .unwrap_or_else(|never| match never {})
    }

    /// As [`append`](Self::append), unless `check` refuses what [`size`](Self::size) would be with the record, exactly: then nothing
    /// has changed.
    pub fn append_if<E>(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header],
        check: impl FnOnce(usize) -> Result<(), E>,
    ) -> Result<u32, E> {
        let index = self.count;
        let base_timestamp = if index == 0 { timestamp } else { self.base_timestamp };
        // Timestamps are what applications say: also the span from one end of the range to the other comes back exactly.
        let timestamp_delta = timestamp.wrapping_sub(base_timestamp);
        let body = body_size(timestamp_delta, index, key, value, headers);
        check(self.size() + varint::len(body as i64) + body)?;
        if index == 0 {
            self.begin(timestamp);
        }
        self.buffer.reserve(body + VARINT_BYTES_MAX);
        varint::put(&mut self.buffer, body as i64);
        self.buffer.push(0); // attributes: no bit has a meaning
        varint::put(&mut self.buffer, timestamp_delta);
        varint::put(&mut self.buffer, i64::from(index));
        put_nullable(&mut self.buffer, key);
        put_nullable(&mut self.buffer, value);
        varint::put(&mut self.buffer, headers.len() as i64);
        for header in headers {
            put_nullable(&mut self.buffer, Some(&header.key));
            put_nullable(&mut self.buffer, header.value.as_deref());
        }
        self.max_timestamp = self.max_timestamp.max(timestamp);
        self.count += 1;
        Ok(index)
    }

    fn begin(&mut self, timestamp: i64) {
        self.buffer.reserve(self.capacity.max(HEADER_LEN));
        self.buffer.resize(HEADER_LEN, 0);
        self.base_timestamp = timestamp;
        self.max_timestamp = timestamp;
    }

    /// Bytes of the batch so far, header included, before compression.
    #[must_use]
    pub fn size(&self) -> usize {
        self.buffer.len().max(HEADER_LEN)
    }

    /// The most that a batch of only this record takes (`AbstractRecords.estimateSizeInBytesUpperBound`).
    #[must_use]
    pub fn upper_bound(key: Option<&[u8]>, value: Option<&[u8]>, headers: &[Header]) -> usize {
        HEADER_LEN + RECORD_OVERHEAD_MAX + content_size(key, value, headers)
    }

    /// How many records there are.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The codec it will be compressed with.
    #[must_use]
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// Compresses and seals the batch, and leaves the builder empty. On an error the records are lost.
    ///
    /// A batch without records is refused: compaction leaves such in logs, but nobody may append one.
    pub fn build(&mut self, options: &BatchOptions) -> Result<Batch, BatchError> {
        if self.count == 0 {
            return Err(BatchError::Empty);
        }
        let mut header = self.header(options);
        self.count = 0;
        let mut bytes = self.take_payload()?;
        header.length =
            i32::try_from(bytes.len() - LOG_OVERHEAD).map_err(|_| BatchError::TooLarge { bytes: bytes.len() })?;
        bytes[..HEADER_LEN].copy_from_slice(&header.encode());
        header.crc = crc32c(&bytes[at::ATTRIBUTES..]);
        put(&mut bytes, at::CRC, header.crc.to_be_bytes());
        Ok(Batch::of_parts(header, Bytes::from(bytes)))
    }

    /// The header but for what depends on the compressed bytes: length and checksum.
    fn header(&self, options: &BatchOptions) -> BatchHeader {
        BatchHeader {
            base_offset: options.base_offset,
            length: 0,
            leader_epoch: options.leader_epoch,
            magic: MAGIC,
            crc: 0,
            attributes: options.attributes(self.codec.compression()),
            last_offset_delta: self.count as i32 - 1,
            base_timestamp: self.base_timestamp,
            max_timestamp: options.log_append_time.unwrap_or(self.max_timestamp),
            producer_id: options.producer.id,
            producer_epoch: options.producer.epoch,
            base_sequence: options.producer.base_sequence,
            count: self.count as i32,
        }
    }

    /// The records as they will be sent, behind 61 bytes for the header.
    fn take_payload(&mut self) -> Result<Vec<u8>, BatchError> {
        if self.codec.compression() == Compression::None {
            return Ok(std::mem::take(&mut self.buffer));
        }
        let mut out = Vec::with_capacity(HEADER_LEN + self.buffer.len() / 2);
        out.resize(HEADER_LEN, 0);
        let compressed = self.codec.compress(&self.buffer[HEADER_LEN..], &mut out);
        self.buffer.clear();
        compressed?;
        Ok(out)
    }
}

fn body_size(timestamp_delta: i64, index: u32, key: Option<&[u8]>, value: Option<&[u8]>, headers: &[Header]) -> usize {
    1 + varint::len(timestamp_delta) + varint::len(i64::from(index)) + content_size(key, value, headers)
}

fn content_size(key: Option<&[u8]>, value: Option<&[u8]>, headers: &[Header]) -> usize {
    let header_size = |header: &Header| nullable_size(Some(&header.key)) + nullable_size(header.value.as_deref());
    let headers_size = varint::len(headers.len() as i64) + headers.iter().map(header_size).sum::<usize>();
    nullable_size(key) + nullable_size(value) + headers_size
}

#[inline]
fn nullable_size(part: Option<&[u8]>) -> usize {
    part.map_or(1, |part| varint::len(part.len() as i64) + part.len())
}

#[inline]
pub(super) fn put_nullable(out: &mut Vec<u8>, part: Option<&[u8]>) {
    match part {
        None => varint::put(out, -1),
        Some(part) => {
            varint::put(out, part.len() as i64);
            out.extend_from_slice(part);
        }
    }
}
