//! lz4 as a frame of independent blocks of 64 KiB without checksums, as Kafka's `Lz4BlockOutputStream` writes it and the only kind
//! that its reader takes. Any frame is read.

use std::cell::RefCell;

use lz4_flex::block::{CompressTable, compress_into_with_table, decompress_into, get_maximum_output_size};
use lz4_flex::frame::FrameDecoder;

use super::{CodecError, Compression, append_within, failed, malformed};

/// Magic; version 1, independent blocks; 64 KiB at most; the checksum of these two bytes (second byte of their xxHash32).
const FRAME_HEADER: [u8; 7] = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82];
const BLOCK_BYTES: usize = 64 << 10;
/// Set in a block's length if the block is stored uncompressed.
const STORED: u32 = 1 << 31;
const END_MARK: [u8; 4] = [0; 4];

thread_local! {
    /// The hash table of the compressor, for blocks of any size.
    static TABLE: RefCell<CompressTable> = RefCell::new(CompressTable::large());
}

/// Appends `raw` to `out` as one frame.
pub(super) fn compress(raw: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
    out.extend_from_slice(&FRAME_HEADER);
    TABLE.with_borrow_mut(|table| raw.chunks(BLOCK_BYTES).try_for_each(|block| append_block(table, block, out)))?;
    out.extend_from_slice(&END_MARK);
    Ok(())
}

fn append_block(table: &mut CompressTable, block: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
    let length_at = out.len();
    let begin = length_at + 4;
    out.resize(begin + get_maximum_output_size(block.len()), 0);
    let size =
        compress_into_with_table(block, &mut out[begin..], table).map_err(|error| failed(Compression::Lz4, error))?;
    let length = if size < block.len() {
        out.truncate(begin + size);
        size as u32
    } else {
        out.truncate(begin);
        out.extend_from_slice(block);
        block.len() as u32 | STORED
    };
    out[length_at..begin].copy_from_slice(&length.to_le_bytes());
    Ok(())
}

/// Decompresses all frames.
pub(super) fn decompress(compressed: &[u8], bytes_max: usize) -> Result<Vec<u8>, CodecError> {
    match compressed.strip_prefix(&FRAME_HEADER) {
        Some(blocks) if is_one_frame(blocks) => decompress_blocks(blocks, bytes_max),
        _ => decompress_frames(compressed, bytes_max),
    }
}

/// Frames of any kind. The decoder stops at the end of each.
fn decompress_frames(mut compressed: &[u8], bytes_max: usize) -> Result<Vec<u8>, CodecError> {
    let mut out = Vec::new();
    while !compressed.is_empty() {
        append_within(Compression::Lz4, FrameDecoder::new(&mut compressed), &mut out, bytes_max)?;
    }
    Ok(out)
}

/// Whether `blocks`, behind the header that we and Kafka write, end with the end mark and only there. Then each block is
/// decompressed in its place, without the buffers that a decoder for any frame needs.
fn is_one_frame(mut blocks: &[u8]) -> bool {
    while let Some((length, rest)) = blocks.split_first_chunk::<4>() {
        if *length == END_MARK {
            return rest.is_empty();
        }
        let size = (u32::from_le_bytes(*length) & !STORED) as usize;
        blocks = rest.get(size..).unwrap_or_default();
    }
    false
}

fn decompress_blocks(mut blocks: &[u8], bytes_max: usize) -> Result<Vec<u8>, CodecError> {
    let mut out = Vec::new();
    while let Some((length, rest)) = blocks.split_first_chunk::<4>().filter(|(length, _)| **length != END_MARK) {
        let length = u32::from_le_bytes(*length);
        let (block, rest) = rest.split_at((length & !STORED) as usize);
        take_block(block, length & STORED != 0, &mut out)?;
        if out.len() > bytes_max {
            return Err(CodecError::TooLarge { compression: Compression::Lz4, bytes_max });
        }
        blocks = rest;
    }
    Ok(out)
}

/// Appends what `block` holds: at most 64 KiB, whatever it claims.
fn take_block(block: &[u8], stored: bool, out: &mut Vec<u8>) -> Result<(), CodecError> {
    let begin = out.len();
    if stored && block.len() <= BLOCK_BYTES {
        out.extend_from_slice(block);
        return Ok(());
    }
    if stored {
        return Err(malformed(Compression::Lz4, "a stored block is larger than the frame's blocks may be"));
    }
    out.resize(begin + BLOCK_BYTES, 0);
    let size = decompress_into(block, &mut out[begin..]).map_err(|error| malformed(Compression::Lz4, error))?;
    out.truncate(begin + size);
    Ok(())
}
