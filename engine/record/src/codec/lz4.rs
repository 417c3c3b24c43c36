//! lz4 as a frame of independent blocks of 64 KiB without checksums, as Kafka's `Lz4BlockOutputStream` writes it and the only kind
//! that its reader takes. Any frame is read.

use std::cell::RefCell;

use lz4_flex::block::{CompressTable, compress_into_with_table, get_maximum_output_size};
use lz4_flex::frame::FrameDecoder;

use super::{CodecError, Compression, failed};

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
    super::read_within(Compression::Lz4, FrameDecoder::new(compressed), compressed.len(), bytes_max)
}
