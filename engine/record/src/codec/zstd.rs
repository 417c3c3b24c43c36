//! Zstandard: one frame is written, any number is read, with or without their content size.

use std::cell::RefCell;

use zstd::zstd_safe::zstd_sys::ZSTD_EndDirective::ZSTD_e_end;
use zstd::zstd_safe::{
    CCtx, CParameter, DCtx, DParameter, InBuffer, OutBuffer, ResetDirective, compress_bound, get_error_name,
    get_frame_content_size,
};

use super::{CodecError, Compression, failed, grow, malformed};

/// The largest window that is accepted: that of level 22, as in Zstandard's own tools.
const WINDOW_LOG_MAX: u32 = 27;
/// How many bytes a compressed one stands for at most in records that are not made to deceive.
const EXPANSION_LIKELY: usize = 64;
/// A context that a frame of a large window has made larger than this is not kept.
const CONTEXT_BYTES_KEPT: usize = 16 << 20;

thread_local! {
    static COMPRESSOR: RefCell<Option<CCtx<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<DCtx<'static>>> = const { RefCell::new(None) };
}

/// Appends `raw` to `out` as one frame.
pub(super) fn compress(raw: &[u8], level: Option<i32>, out: &mut Vec<u8>) -> Result<(), CodecError> {
    COMPRESSOR.with_borrow_mut(|slot| {
        let context = slot.get_or_insert_with(CCtx::create);
        let compressed = compress_with(context, raw, level.unwrap_or(zstd::DEFAULT_COMPRESSION_LEVEL), out);
        if compressed.is_err() {
            *slot = None;
        }
        compressed.map_err(|code| failed(Compression::Zstd, get_error_name(code)))
    })
}

fn compress_with(context: &mut CCtx<'static>, raw: &[u8], level: i32, out: &mut Vec<u8>) -> Result<(), usize> {
    context.reset(ResetDirective::SessionOnly)?;
    context.set_parameter(CParameter::CompressionLevel(level))?;
    // With room for the worst case the frame is written in one call, and no buffers are set up inside.
    out.reserve(compress_bound(raw.len()));
    let begin = out.len();
    let mut input = InBuffer::around(raw);
    let mut output = OutBuffer::around_pos(out, begin);
    while context.compress_stream2(&mut output, &mut input, ZSTD_e_end)? != 0 {}
    Ok(())
}

/// Decompresses all frames.
pub(super) fn decompress(compressed: &[u8], bytes_max: usize) -> Result<Vec<u8>, CodecError> {
    DECOMPRESSOR.with_borrow_mut(|slot| {
        let context = match slot {
            Some(context) => context,
            None => slot.insert(new_decompressor()?),
        };
        let result = decompress_with(context, compressed, bytes_max);
        if result.is_err() || context.sizeof() > CONTEXT_BYTES_KEPT {
            *slot = None;
        }
        result
    })
}

fn new_decompressor() -> Result<DCtx<'static>, CodecError> {
    let mut context = DCtx::create();
    context.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX)).map_err(broken)?;
    Ok(context)
}

fn decompress_with(context: &mut DCtx<'static>, compressed: &[u8], bytes_max: usize) -> Result<Vec<u8>, CodecError> {
    context.reset(ResetDirective::SessionOnly).map_err(broken)?;
    let mut out = Vec::with_capacity(room_for(compressed, bytes_max));
    let mut input = InBuffer::around(compressed);
    loop {
        grow(&mut out, compressed.len(), bytes_max);
        let begin = out.len();
        let mut output = OutBuffer::around_pos(&mut out, begin);
        let hint = context.decompress_stream(&mut output, &mut input).map_err(broken)?;
        if out.len() > bytes_max {
            return Err(CodecError::TooLarge { compression: Compression::Zstd, bytes_max });
        }
        let room_left = out.len() < out.capacity();
        match (input.pos() == compressed.len(), hint) {
            // The frame is finished and nothing follows; an empty input is no frame at all.
            (true, 0) if !compressed.is_empty() => return Ok(out),
            // All was read and nothing more comes out: the last frame is cut.
            (true, _) if room_left => return Err(malformed(Compression::Zstd, "the frame is cut")),
            _ => {}
        }
    }
}

/// Room to begin with. With room for a whole frame it is decompressed in one pass, without a window of its own; a claimed size
/// counts as far as the bytes at hand make it likely.
fn room_for(compressed: &[u8], bytes_max: usize) -> usize {
    let claimed = get_frame_content_size(compressed).ok().flatten().and_then(|size| usize::try_from(size).ok());
    claimed.unwrap_or(0).min(compressed.len().saturating_mul(EXPANSION_LIKELY)).min(bytes_max)
}

fn broken(code: usize) -> CodecError {
    malformed(Compression::Zstd, get_error_name(code))
}
