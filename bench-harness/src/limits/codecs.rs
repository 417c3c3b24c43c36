//! What one thread does with bytes in memory: copies, checksums, codecs.

use logdyno_engine::record::batch::crc32c as checksum;
use logdyno_engine::record::codec::decompress;
use logdyno_engine::record::{Codec, Compression};
use serde::{Deserialize, Serialize};

use super::best_rate;
use crate::records::RecordSet;

/// As much is compressed at a time: a large batch.
const SAMPLE: usize = 256 << 10;
/// Beyond any cache of the processor.
const COPIED: usize = 64 << 20;
const ALL: [(&str, Compression); 4] = [
    ("gzip", Compression::Gzip),
    ("snappy", Compression::Snappy),
    ("lz4", Compression::Lz4),
    ("zstd", Compression::Zstd),
];

/// A codec at its default level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CodecRate {
    /// Its name in `compression.type`.
    pub codec: String,
    /// Compressed bytes for each byte.
    pub ratio: f64,
    /// Bytes that go in in a second.
    pub compress_bytes_per_second: f64,
    /// Bytes that come out in a second.
    pub decompress_bytes_per_second: f64,
}

/// Values of the records, one behind the other.
pub(super) fn sample(records: &RecordSet) -> Vec<u8> {
    let mut sample = Vec::with_capacity(SAMPLE);
    let mut number = 0;
    while sample.len() < SAMPLE {
        let value = &records.at(number).value;
        sample.extend_from_slice(if value.is_empty() { b"." } else { value });
        number += 1;
    }
    sample.truncate(SAMPLE);
    sample
}

pub(super) fn memcpy() -> f64 {
    let (from, mut to) = (vec![1_u8; COPIED], vec![0_u8; COPIED]);
    let copied = best_rate(|| {
        to.copy_from_slice(std::hint::black_box(&from));
        std::hint::black_box(&to);
        Ok(COPIED as u64)
    });
    copied.unwrap_or(0.0)
}

pub(super) fn crc32c(sample: &[u8]) -> f64 {
    let computed = best_rate(|| {
        std::hint::black_box(checksum(std::hint::black_box(sample)));
        Ok(sample.len() as u64)
    });
    computed.unwrap_or(0.0)
}

pub(super) fn rates(sample: &[u8]) -> anyhow::Result<Vec<CodecRate>> {
    let rate = |(name, compression): (&str, Compression)| {
        let codec = Codec::new(compression);
        let mut compressed = Vec::new();
        let compress_bytes_per_second = best_rate(|| {
            compressed.clear();
            codec.compress(std::hint::black_box(sample), &mut compressed)?;
            Ok(sample.len() as u64)
        })?;
        let decompress_bytes_per_second = best_rate(|| {
            std::hint::black_box(decompress(compression, std::hint::black_box(&compressed), sample.len())?);
            Ok(sample.len() as u64)
        })?;
        let ratio = compressed.len() as f64 / sample.len() as f64;
        Ok(CodecRate { codec: name.to_owned(), ratio, compress_bytes_per_second, decompress_bytes_per_second })
    };
    ALL.into_iter().map(rate).collect()
}
