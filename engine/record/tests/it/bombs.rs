//! Few bytes that claim, or are, a great many: refused before much memory is taken.

use std::io::Write;

use bytes::Bytes;
use flate2::write::GzEncoder;
use logdyno_record::{
    Batch, BatchBuilder, BatchError, BatchHeader, BatchOptions, Codec, CodecError, Compression, HEADER_LEN, codec,
};

use crate::allocations::counting;
use crate::shapes::TIME;

const ALLOWED_BYTES: usize = 1 << 20;
/// What refusing may allocate on the way: the output as it doubles up to the bound.
const ALLOCATED_BYTES_MAX: usize = 5 << 20;

fn refused(compression: Compression, bomb: &[u8]) -> CodecError {
    assert!(bomb.len() <= 12 << 10, "{compression}: a bomb of {} bytes is no surprise", bomb.len());
    let (result, allocations) = counting(|| codec::decompress(compression, bomb, ALLOWED_BYTES));
    assert!(allocations.bytes < ALLOCATED_BYTES_MAX, "{compression}: {allocations:?}");
    result.expect_err("a bomb")
}

fn too_large(compression: Compression) -> CodecError {
    CodecError::TooLarge { compression, bytes_max: ALLOWED_BYTES }
}

#[test]
fn ten_megabytes_of_zeros_in_gzip() {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![0; 10 << 20]).expect("a vector takes all");
    let bomb = encoder.finish().expect("a vector takes all");
    assert_eq!(refused(Compression::Gzip, &bomb), too_large(Compression::Gzip));
}

#[test]
fn two_megabytes_of_zeros_in_lz4() {
    let mut bomb = Vec::new();
    Codec::new(Compression::Lz4).compress(&vec![0; 2 << 20], &mut bomb).expect("lz4 works");
    assert_eq!(refused(Compression::Lz4, &bomb), too_large(Compression::Lz4));
}

/// A frame of run-length blocks: 128 KiB out of four bytes, 300 MB out of ten thousand.
#[test]
fn three_hundred_megabytes_of_zeros_in_zstd() {
    // Magic; no content size, no checksum; a window of 128 KiB.
    let mut bomb = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38];
    let run_of_128_kib = (128u32 << 10) << 3 | 1 << 1;
    for _ in 0..2500 {
        bomb.extend_from_slice(&run_of_128_kib.to_le_bytes()[..3]);
        bomb.push(0);
    }
    assert_eq!(refused(Compression::Zstd, &bomb), too_large(Compression::Zstd));
}

#[test]
fn a_zstd_frame_that_claims_ten_gigabytes() {
    // Magic; single segment with eight bytes of content size; one raw block of one byte.
    let mut bomb = vec![0x28, 0xb5, 0x2f, 0xfd, 0xe0];
    bomb.extend_from_slice(&10_000_000_000u64.to_le_bytes());
    bomb.extend_from_slice(&[0x09, 0, 0, 0]);
    assert!(matches!(refused(Compression::Zstd, &bomb), CodecError::Malformed { .. }));
}

#[test]
fn a_snappy_block_that_claims_four_gigabytes() {
    let raw = [0xff, 0xff, 0xff, 0xff, 0x0f, 0x00, 0x00];
    assert_eq!(refused(Compression::Snappy, &raw), too_large(Compression::Snappy));
    let mut framed = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01\0\0\0\x07".to_vec();
    framed.extend_from_slice(&raw);
    assert_eq!(refused(Compression::Snappy, &framed), too_large(Compression::Snappy));
}

#[test]
fn a_snappy_block_that_claims_more_than_so_few_bytes_can_say() {
    let claims_half_the_bound = [0x80, 0x80, 0x20, 0x00, 0x00];
    let error = refused(Compression::Snappy, &claims_half_the_bound);
    assert!(matches!(error, CodecError::Malformed { .. }), "{error}");
}

/// The bound is exact: one byte less and the same records pass.
#[test]
fn records_of_exactly_the_bound_pass() {
    let raw = vec![7; 100_000];
    for compression in Compression::ALL {
        let mut compressed = Vec::new();
        Codec::new(compression).compress(&raw, &mut compressed).expect("the codec works");
        assert_eq!(codec::decompress(compression, &compressed, raw.len()), Ok(raw.clone()), "{compression}");
        let refused = codec::decompress(compression, &compressed, raw.len() - 1);
        assert_eq!(refused, Err(CodecError::TooLarge { compression, bytes_max: raw.len() - 1 }));
    }
}

/// A header may count two thousand million records, and so may a record its headers; nobody believes it.
#[test]
fn counts_that_nothing_stands_behind_cost_nothing() {
    let mut builder = BatchBuilder::new(Codec::default(), 128);
    builder.append(TIME, None, None, &[]);
    let bytes = builder.build(&BatchOptions::default()).expect("no codec").into_bytes();
    let header = BatchHeader {
        count: i32::MAX,
        last_offset_delta: i32::MAX - 1,
        ..BatchHeader::parse(&bytes).expect("a header")
    };
    let claiming: Bytes = [&header.encode()[..], &bytes[HEADER_LEN..]].concat().into();
    let records = Batch::parse(claiming).expect("one batch").records().expect("no codec");
    assert!(records.iter().size_hint().1.is_some_and(|most| most <= 3), "{:?}", records.iter().size_hint());
    let walked: Vec<_> = records.iter().collect();
    assert!(matches!(walked[..], [Ok(_), Err(BatchError::Record { index: 1, .. })]), "{walked:?}");

    // A record of 7 bytes whose last varint says 2^30 headers.
    let body = [10 << 1, 0, 0, 0, 1, 1, 0x80, 0x80, 0x80, 0x80, 0x08];
    let header =
        BatchHeader { length: header.length - 7 + body.len() as i32, count: 1, last_offset_delta: 0, ..header };
    let claiming: Bytes = [&header.encode()[..], &body].concat().into();
    let records = Batch::parse(claiming).expect("one batch").records().expect("no codec");
    let (error, allocations) =
        counting(|| records.iter().next().expect("a record is counted").expect_err("it has no headers"));
    assert!(error.to_string().contains("header"), "{error}");
    assert_eq!(allocations.count, 0, "{allocations:?}");
}
