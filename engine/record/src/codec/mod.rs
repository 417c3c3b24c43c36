//! The codecs of record batches: what `compression.type` names, in the framings that Kafka's Java client writes and reads.
//!
//! What is compressed is one batch's records, in one piece. Contexts and tables are kept per thread, so that a batch costs no
//! set-up. Decompression takes a bound and stops there: what a batch claims about its size is never believed.

mod gzip;
mod level;
mod lz4;
mod snappy;
mod zstd;

use std::fmt;
use std::io::Read;
use std::str::FromStr;

use thiserror::Error;

/// A codec, by the number that stands in a batch's attributes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Compression {
    /// The records as they are.
    #[default]
    None,
    /// RFC 1952, one or more members.
    Gzip,
    /// Blocks in the framing of the snappy-java library ("Xerial"), or one raw block.
    Snappy,
    /// An LZ4 frame of independent blocks.
    Lz4,
    /// One or more Zstandard frames.
    Zstd,
}

impl Compression {
    /// All of them, by number.
    pub const ALL: [Compression; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The number in the attributes.
    #[must_use]
    pub fn id(self) -> u8 {
        self as u8
    }

    /// The codec of this number.
    pub fn from_id(id: u8) -> Result<Compression, CodecError> {
        Self::ALL.get(usize::from(id)).copied().ok_or(CodecError::UnknownCodec { id })
    }

    /// The name in `compression.type`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Compression {
    type Err = CodecError;

    fn from_str(name: &str) -> Result<Compression, CodecError> {
        let found = Self::ALL.into_iter().find(|compression| compression.name() == name);
        found.ok_or_else(|| CodecError::UnknownName { name: name.to_owned() })
    }
}

/// What compresses: a codec and how hard it tries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Codec {
    compression: Compression,
    level: Option<i32>,
}

impl Codec {
    /// The codec at its default level, which is Kafka's: gzip 6 (zlib's own), lz4 9 (its fast compressor), zstd 3.
    #[must_use]
    pub fn new(compression: Compression) -> Codec {
        Codec { compression, level: None }
    }

    /// The codec at `level` (`compression.<codec>.level`, KIP-390), if it has that.
    pub fn with_level(compression: Compression, level: i32) -> Result<Codec, CodecError> {
        level::check(compression, level)?;
        Ok(Codec { compression, level: Some(level) })
    }

    /// Which codec.
    #[must_use]
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// The level, unless it is the default.
    #[must_use]
    pub fn level(&self) -> Option<i32> {
        self.level
    }

    /// Appends `raw`, compressed, to `out`.
    pub fn compress(&self, raw: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
        match self.compression {
            Compression::None => out.extend_from_slice(raw),
            Compression::Gzip => gzip::compress(raw, self.level, out)?,
            Compression::Snappy => snappy::compress(raw, out)?,
            Compression::Lz4 => lz4::compress(raw, out)?,
            Compression::Zstd => zstd::compress(raw, self.level, out)?,
        }
        Ok(())
    }
}

/// Decompresses `compressed` to at most `bytes_max` bytes.
pub fn decompress(compression: Compression, compressed: &[u8], bytes_max: usize) -> Result<Vec<u8>, CodecError> {
    match compression {
        Compression::None if compressed.len() > bytes_max => Err(CodecError::TooLarge { compression, bytes_max }),
        Compression::None => Ok(compressed.to_vec()),
        Compression::Gzip => gzip::decompress(compressed, bytes_max),
        Compression::Snappy => snappy::decompress(compressed, bytes_max),
        Compression::Lz4 => lz4::decompress(compressed, bytes_max),
        Compression::Zstd => zstd::decompress(compressed, bytes_max),
    }
}

/// Why a codec refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CodecError {
    /// A number that names no codec.
    #[error("the batch names compression codec {id}; known are 0 none, 1 gzip, 2 snappy, 3 lz4 and 4 zstd")]
    UnknownCodec {
        /// The number.
        id: u8,
    },
    /// A name that names no codec.
    #[error("there is no compression type `{name}`; choose none, gzip, snappy, lz4 or zstd")]
    UnknownName {
        /// The name.
        name: String,
    },
    /// A level that the codec does not have.
    #[error("{compression} has no compression level {level}; {allowed}")]
    Level {
        /// The codec.
        compression: Compression,
        /// The level.
        level: i32,
        /// Which levels it has.
        allowed: String,
    },
    /// The records decompress to more than is allowed.
    #[error("the records decompress from {compression} to more than the {bytes_max} bytes allowed")]
    TooLarge {
        /// The codec.
        compression: Compression,
        /// The bound.
        bytes_max: usize,
    },
    /// Bytes that the codec did not write.
    #[error("the records cannot be decompressed from {compression}: {reason}")]
    Malformed {
        /// The codec.
        compression: Compression,
        /// In the codec's words.
        reason: String,
    },
    /// The codec failed at compressing.
    #[error("the records cannot be compressed with {compression}: {reason}")]
    Failed {
        /// The codec.
        compression: Compression,
        /// In the codec's words.
        reason: String,
    },
}

/// Makes a codec's error ours.
fn malformed(compression: Compression, reason: impl fmt::Display) -> CodecError {
    CodecError::Malformed { compression, reason: reason.to_string() }
}

fn failed(compression: Compression, reason: impl fmt::Display) -> CodecError {
    CodecError::Failed { compression, reason: reason.to_string() }
}

/// Makes room for more output: doubling, from a start of a few times the input, and never beyond one byte more than `bytes_max`,
/// where that byte tells that there is too much. What a frame claims does not enter.
fn grow(out: &mut Vec<u8>, compressed_len: usize, bytes_max: usize) {
    if out.len() < out.capacity() {
        return;
    }
    let first = compressed_len.saturating_mul(4).max(4096);
    let wanted = out.capacity().saturating_mul(2).max(first).min(bytes_max.saturating_add(1));
    out.reserve_exact(wanted.saturating_sub(out.len()));
}

/// Appends `stream` to `out` up to its end, and no further than to `bytes_max` bytes in all.
fn append_within(
    compression: Compression,
    stream: impl Read,
    out: &mut Vec<u8>,
    bytes_max: usize,
) -> Result<(), CodecError> {
    let left = u64::try_from(bytes_max.saturating_sub(out.len())).unwrap_or(u64::MAX);
    stream.take(left.saturating_add(1)).read_to_end(out).map_err(|error| malformed(compression, error))?;
    if out.len() > bytes_max { Err(CodecError::TooLarge { compression, bytes_max }) } else { Ok(()) }
}
