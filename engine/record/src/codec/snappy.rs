//! snappy in the framing of the snappy-java library, which Kafka's clients write: a 16-byte header, then blocks of at most 32 KiB,
//! each with its length in front. librdkafka sends one raw block instead; both are read.

use std::cell::RefCell;

use snap::raw::{Decoder, Encoder, decompress_len, max_compress_len};

use super::{CodecError, Compression, failed, malformed};

const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
/// Magic, version 1, lowest version that can read it 1.
const HEADER: [u8; 16] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1];
/// Uncompressed bytes of a block, as snappy-java cuts them.
const BLOCK_BYTES: usize = 32 << 10;
/// What one compressed byte can stand for at most: a copy of 64 bytes takes 3.
const EXPANSION_MAX: usize = 22;

thread_local! {
    /// The hash table of the compressor.
    static ENCODER: RefCell<Encoder> = RefCell::new(Encoder::new());
}

/// Appends `raw` to `out`, framed.
pub(super) fn compress(raw: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
    out.extend_from_slice(&HEADER);
    ENCODER.with_borrow_mut(|encoder| raw.chunks(BLOCK_BYTES).try_for_each(|block| append_block(encoder, block, out)))
}

fn append_block(encoder: &mut Encoder, block: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
    let length_at = out.len();
    let begin = length_at + 4;
    out.resize(begin + max_compress_len(block.len()), 0);
    let size = encoder.compress(block, &mut out[begin..]).map_err(|error| failed(Compression::Snappy, error))?;
    out.truncate(begin + size);
    // A block of 32 KiB never comes near what a length of 32 bits can say.
    out[length_at..begin].copy_from_slice(&(size as u32).to_be_bytes());
    Ok(())
}

/// Decompresses framed blocks, or one raw block.
pub(super) fn decompress(compressed: &[u8], bytes_max: usize) -> Result<Vec<u8>, CodecError> {
    let mut out = Vec::new();
    if !compressed.starts_with(&MAGIC) {
        take_block(compressed, &mut out, bytes_max)?;
        return Ok(out);
    }
    let mut rest =
        compressed.get(HEADER.len()..).ok_or_else(|| malformed(Compression::Snappy, "the framing header is cut"))?;
    while !rest.is_empty() {
        // A stream that was concatenated from several repeats the header; its first four bytes are no length.
        if let Some(next) = rest.strip_prefix(&HEADER) {
            rest = next;
            continue;
        }
        let (block, next) = split_block(rest).ok_or_else(|| malformed(Compression::Snappy, "a block is cut"))?;
        take_block(block, &mut out, bytes_max)?;
        rest = next;
    }
    Ok(out)
}

fn split_block(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = input.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_be_bytes(*length) as usize)
}

/// Appends what `block` decompresses to. Its claimed length is held against the bound and against what so few bytes can say
/// before anything is allocated.
fn take_block(block: &[u8], out: &mut Vec<u8>, bytes_max: usize) -> Result<(), CodecError> {
    let claimed = decompress_len(block).map_err(|error| malformed(Compression::Snappy, error))?;
    if claimed > bytes_max - out.len() {
        return Err(CodecError::TooLarge { compression: Compression::Snappy, bytes_max });
    }
    if claimed > block.len().saturating_mul(EXPANSION_MAX) {
        return Err(malformed(Compression::Snappy, "a block claims more bytes than it can hold"));
    }
    let begin = out.len();
    out.resize(begin + claimed, 0);
    let written =
        Decoder::new().decompress(block, &mut out[begin..]).map_err(|error| malformed(Compression::Snappy, error))?;
    out.truncate(begin + written);
    Ok(())
}
