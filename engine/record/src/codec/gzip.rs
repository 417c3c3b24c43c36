//! gzip, over zlib-rs: one member is written, any number is read.

use std::io::Write;

use flate2::Compression as Level;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use super::{CodecError, Compression, append_within, failed, grow};

/// Appends `raw` to `out` as one member.
pub(super) fn compress(raw: &[u8], level: Option<i32>, out: &mut Vec<u8>) -> Result<(), CodecError> {
    let level = level.and_then(|level| u32::try_from(level).ok()).map_or(Level::default(), Level::new);
    let mut encoder = GzEncoder::new(out, level);
    encoder.write_all(raw).and_then(|()| encoder.try_finish()).map_err(|error| failed(Compression::Gzip, error))
}

/// Decompresses all members.
pub(super) fn decompress(compressed: &[u8], bytes_max: usize) -> Result<Vec<u8>, CodecError> {
    let mut out = Vec::new();
    grow(&mut out, compressed.len(), bytes_max);
    append_within(Compression::Gzip, MultiGzDecoder::new(compressed), &mut out, bytes_max)?;
    Ok(out)
}
