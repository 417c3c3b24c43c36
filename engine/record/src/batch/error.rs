//! What can be wrong with the bytes of a batch.

use thiserror::Error;

use crate::codec::CodecError;

/// Why bytes are not the batch they claim to be.
///
/// The variants keep what a broker must tell apart: bytes damaged on the way ([`BatchError::is_corrupt`]) and
/// whole bytes which say something that must not be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BatchError {
    /// Fewer bytes than the batch needs.
    #[error("the batch is cut: it needs {needed} bytes and {available} are there")]
    Cut {
        /// Bytes needed.
        needed: usize,
        /// Bytes there.
        available: usize,
    },
    /// More bytes than the one batch that was expected.
    #[error("{extra} bytes follow the batch where exactly one batch was expected")]
    Trailing {
        /// Bytes after the batch.
        extra: usize,
    },
    /// The length field cannot be true.
    #[error("the batch length field says {length}; the smallest batch has {} bytes after that field", super::HEADER_LEN - super::LOG_OVERHEAD)]
    Length {
        /// The field's value.
        length: i32,
    },
    /// Another format than v2.
    #[error("the batch has magic {magic}; only format 2 (Kafka 0.11 and later) is understood")]
    Magic {
        /// The magic byte.
        magic: i8,
    },
    /// The checksum does not match.
    #[error(
        "the batch at offset {base_offset} is damaged: its CRC-32C is {computed:#010x}, its header says {stored:#010x}"
    )]
    Crc {
        /// Base offset in the header.
        base_offset: i64,
        /// The header's checksum.
        stored: u32,
        /// The checksum of the bytes.
        computed: u32,
    },
    /// Record count and offset range of the header contradict each other.
    #[error(
        "the header counts {count} records and ends at offset delta {last_offset_delta}; these must be n and n - 1"
    )]
    Count {
        /// Records counted.
        count: i32,
        /// Delta of the last offset.
        last_offset_delta: i32,
    },
    /// A record that cannot be read.
    #[error("record {index} of the batch is malformed: {reason}")]
    Record {
        /// The record's place in the batch, from 0.
        index: u32,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Bytes left over after the last record.
    #[error("{extra} bytes follow the batch's last record")]
    AfterLastRecord {
        /// How many.
        extra: usize,
    },
    /// A control record whose key or value is not understood.
    #[error("the control record is malformed: {reason}")]
    Control {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A batch that cannot be written, because nothing was appended to it.
    #[error("the batch has no record; append one before building it")]
    Empty,
    /// A batch that cannot be written, because its length does not fit the 32-bit field.
    #[error("the batch would have {bytes} bytes; the format ends at {}", i32::MAX)]
    TooLarge {
        /// Bytes it would have.
        bytes: usize,
    },
    /// The records could not be compressed or decompressed.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

impl BatchError {
    /// Whether the bytes were damaged or cut (Kafka's `CORRUPT_MESSAGE`), not merely against the rules.
    #[must_use]
    pub fn is_corrupt(&self) -> bool {
        match self {
            Self::Cut { .. } | Self::Length { .. } | Self::Crc { .. } => true,
            Self::Codec(error) => !matches!(error, CodecError::UnknownCodec { .. }),
            _ => false,
        }
    }
}
