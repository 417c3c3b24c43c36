//! One whole batch, and several in a row.

use bytes::Bytes;

use super::header::{at, check_length};
use super::{BatchError, BatchHeader, DECOMPRESSED_BYTES_MAX, HEADER_LEN, LOG_OVERHEAD, Records, crc32c};
use crate::codec::{self, Compression};

/// One whole batch: its bytes, and its header read once. Cloning shares the bytes.
///
/// That it exists says the length is right and the magic is 2; that it is undamaged is what [`Batch::verify_crc`] finds out.
#[derive(Clone, Debug)]
pub struct Batch {
    header: BatchHeader,
    bytes: Bytes,
}

impl Batch {
    /// Takes `bytes` as exactly one batch.
    pub fn parse(bytes: Bytes) -> Result<Batch, BatchError> {
        let header = BatchHeader::parse(&bytes)?;
        match bytes.len().checked_sub(header.size()) {
            None => Err(BatchError::Cut { needed: header.size(), available: bytes.len() }),
            Some(0) => Ok(Batch { header, bytes }),
            Some(extra) => Err(BatchError::Trailing { extra }),
        }
    }

    /// For the builder, which has just written both.
    pub(super) fn of_parts(header: BatchHeader, bytes: Bytes) -> Batch {
        debug_assert_eq!(header.size(), bytes.len());
        Batch { header, bytes }
    }

    /// The header as it stands in the bytes.
    #[must_use]
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// All bytes, header first.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The bytes, handed over.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// Bytes of the batch.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Checks the bytes against the header's CRC-32C.
    pub fn verify_crc(&self) -> Result<(), BatchError> {
        let computed = crc32c(&self.bytes[at::ATTRIBUTES..]);
        if computed == self.header.crc {
            return Ok(());
        }
        Err(BatchError::Crc { base_offset: self.header.base_offset.0, stored: self.header.crc, computed })
    }

    /// The records. Uncompressed ones are read from the batch itself; others are decompressed, to at most [`DECOMPRESSED_BYTES_MAX`].
    pub fn records(&self) -> Result<Records, BatchError> {
        self.records_within(DECOMPRESSED_BYTES_MAX)
    }

    /// The records, refused if they decompress to more than `bytes_max`.
    pub fn records_within(&self, bytes_max: usize) -> Result<Records, BatchError> {
        let payload = self.bytes.slice(HEADER_LEN..);
        let payload = match self.header.compression()? {
            Compression::None => payload,
            compression => codec::decompress(compression, &payload, bytes_max)?.into(),
        };
        Ok(Records::new(self.header, payload))
    }

    /// Checks everything that the bytes alone can tell: CRC, count against offsets, and every record, also inside compression.
    ///
    /// This is for batches as producers write them. A log may hold batches that compaction has thinned out, which are not dense and
    /// would be refused: recovery checks with [`Batch::verify_crc`] alone, as Kafka's does.
    pub fn validate(&self) -> Result<(), BatchError> {
        self.verify_crc()?;
        let BatchHeader { count, last_offset_delta, .. } = self.header;
        if !self.header.is_dense() {
            return Err(BatchError::Count { count, last_offset_delta });
        }
        self.records()?.check_dense()
    }
}

impl PartialEq for Batch {
    fn eq(&self, other: &Batch) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Batch {}

/// Walks over the batches that `bytes` begins with. A batch that is cut by the end of `bytes` ends the walk without error, as
/// Kafka's readers do with the tail of a fetch; [`Batches::rest`] holds it.
#[must_use]
pub fn batches(bytes: Bytes) -> Batches {
    Batches { rest: bytes, failed: false }
}

/// The iterator of [`batches`]. After an error it ends: there is no telling where the next batch begins.
#[derive(Clone, Debug)]
pub struct Batches {
    rest: Bytes,
    failed: bool,
}

impl Batches {
    /// What has not been walked over: after the end, the cut batch or what could not be read.
    #[must_use]
    pub fn rest(&self) -> &Bytes {
        &self.rest
    }

    fn next_size(&self) -> Result<Option<usize>, BatchError> {
        let Some(length) = self.rest.get(at::LENGTH..LOG_OVERHEAD).and_then(|field| field.first_chunk::<4>()) else {
            return Ok(None);
        };
        let length = i32::from_be_bytes(*length);
        check_length(length)?;
        let size = LOG_OVERHEAD + length as usize;
        Ok((size <= self.rest.len()).then_some(size))
    }
}

impl Iterator for Batches {
    type Item = Result<Batch, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let batch = match self.next_size() {
            Ok(None) => return None,
            Ok(Some(size)) => Batch::parse(self.rest.slice(..size)),
            Err(error) => Err(error),
        };
        match &batch {
            Ok(batch) => self.rest = self.rest.slice(batch.size()..),
            Err(_) => self.failed = true,
        }
        Some(batch)
    }
}
