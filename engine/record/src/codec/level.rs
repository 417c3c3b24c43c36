//! Which compression levels a codec has (KIP-390).

use std::ops::RangeInclusive;

use super::{CodecError, Compression};

/// Kafka's `compression.lz4.level` default: the only level whose compressor is not the high-compression one (`Lz4BlockOutputStream`).
const LZ4_FAST: i32 = 9;

/// Whether `compression` has `level`.
pub(super) fn check(compression: Compression, level: i32) -> Result<(), CodecError> {
    let (has, allowed) = match compression {
        Compression::None | Compression::Snappy => (false, "it has none to choose".to_owned()),
        // -1 is zlib's own choice, as in Kafka.
        Compression::Gzip => in_range(level, 1..=9, level == -1, ", or -1 for its default"),
        Compression::Lz4 => (
            level == LZ4_FAST,
            format!("only {LZ4_FAST}, the fast compressor, is built; the high-compression levels are not"),
        ),
        Compression::Zstd => in_range(level, zstd::compression_level_range(), false, ""),
    };
    if has { Ok(()) } else { Err(CodecError::Level { compression, level, allowed }) }
}

fn in_range(level: i32, range: RangeInclusive<i32>, special: bool, also: &str) -> (bool, String) {
    (special || range.contains(&level), format!("choose from {} to {}{also}", range.start(), range.end()))
}
