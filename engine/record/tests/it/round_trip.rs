//! Whatever is appended comes back.

use bytes::Bytes;
use logdyno_record::{
    Batch, BatchBuilder, BatchOptions, Codec, CodecError, Compression, Header, LeaderEpoch, Offset, Record, batches,
    codec,
};
use proptest::prelude::*;

use crate::shapes::{TIME, filled, filled_with, noise, noisy_records};

fn part() -> impl Strategy<Value = Option<Bytes>> {
    prop::option::of(prop::collection::vec(any::<u8>(), 0..80).prop_map(Bytes::from))
}

fn headers() -> impl Strategy<Value = Vec<Header>> {
    let header = ("[a-c]{0,2}", part()).prop_map(|(key, value)| Header { key: key.into(), value });
    prop::collection::vec(header, 0..4)
}

fn records() -> impl Strategy<Value = Vec<Record>> {
    let timestamp = prop_oneof![Just(-1), TIME - 100..TIME + 100, any::<i64>()];
    let record = (timestamp, part(), part(), headers()).prop_map(|(timestamp, key, value, headers)| Record {
        offset: Offset(0),
        timestamp,
        key,
        value,
        headers,
    });
    prop::collection::vec(record, 1..40).prop_map(|mut records| {
        for (offset, record) in (0..).zip(&mut records) {
            record.offset = Offset(offset);
        }
        records
    })
}

fn codecs() -> impl Strategy<Value = Codec> {
    prop::sample::select(&Compression::ALL[..]).prop_map(Codec::new)
}

fn read(batch: &Batch) -> Vec<Record> {
    let records = batch.records().expect("our own batch");
    let mut walk = records.iter();
    let read = walk.by_ref().map(|record| records.share(&record.expect("our own record"))).collect();
    assert_eq!(walk.check_end(), Ok(()));
    read
}

proptest! {
    /// Row 33.
    #[test]
    fn records_come_back_in_every_codec(records in records(), codec in codecs()) {
        let mut builder = filled(codec, &records);
        prop_assert_eq!(builder.count() as usize, records.len());
        let batch = builder.build(&BatchOptions::default()).expect("the codec works");
        prop_assert!(builder.is_empty());
        prop_assert_eq!(batch.validate(), Ok(()));
        prop_assert_eq!(batch.header().max_timestamp, records.iter().map(|record| record.timestamp).max().expect("not empty"));
        let parsed = Batch::parse(batch.bytes().clone()).expect("one batch");
        prop_assert_eq!(parsed.header(), batch.header());
        prop_assert_eq!(read(&parsed), records);
    }

    /// The accumulator closes batches by these numbers.
    #[test]
    fn sizes_are_foretold(records in records()) {
        let [mut builder, mut unasked] = [(); 2].map(|()| BatchBuilder::new(Codec::default(), 0));
        for Record { timestamp, key, value, headers, .. } in &records {
            let (key, value) = (key.as_deref(), value.as_deref());
            let foretold = builder.append_if(*timestamp, key, value, headers, Err::<(), usize>).expect_err("refused");
            prop_assert!(foretold - builder.size() <= BatchBuilder::upper_bound(key, value, headers) - 61);
            builder.append(*timestamp, key, value, headers);
            prop_assert_eq!(builder.size(), foretold);
            unasked.append(*timestamp, key, value, headers);
        }
        let (size, options) = (builder.size(), BatchOptions::default());
        let batch = builder.build(&options).expect("no codec");
        prop_assert_eq!(batch.size(), size);
        let unasked = unasked.build(&options).expect("no codec");
        prop_assert_eq!(batch.bytes(), unasked.bytes(), "what is refused leaves nothing");
    }

    #[test]
    fn bytes_come_back_in_every_codec(raw in prop::collection::vec(any::<u8>(), 0..5000), repeat in 1usize..50, codec in codecs()) {
        let raw = raw.repeat(repeat);
        let mut compressed = b"in front".to_vec();
        codec.compress(&raw, &mut compressed).expect("the codec works");
        let compressed = compressed.strip_prefix(b"in front").expect("compressing appends");
        prop_assert_eq!(codec::decompress(codec.compression(), compressed, raw.len()), Ok(raw));
    }

    #[test]
    fn concatenated_batches_are_walked_over(first in records(), second in records(), codec in codecs(), cut in 1usize..61) {
        let options = BatchOptions { base_offset: Offset(first.len() as i64), leader_epoch: LeaderEpoch(4), ..BatchOptions::default() };
        let one = filled(codec, &first).build(&BatchOptions::default()).expect("the codec works");
        let two = filled(codec, &second).build(&options).expect("the codec works");
        let bytes = Bytes::from([one.bytes(), two.bytes(), &two.bytes()[..cut]].concat());
        let mut walk = batches(bytes);
        prop_assert_eq!(walk.next(), Some(Ok(one)));
        prop_assert_eq!(walk.next(), Some(Ok(two)));
        prop_assert_eq!(walk.next(), None);
        prop_assert_eq!(walk.rest().len(), cut);
    }
}

/// Row 33: a value of 1 MiB.
#[test]
fn a_megabyte_comes_back() {
    let mut records = noisy_records();
    records[0].value = Some(noise(1 << 20).into());
    for compression in Compression::ALL {
        let batch = filled_with(compression, &records).build(&BatchOptions::default()).expect("the codec works");
        assert_eq!(read(&batch), records, "{compression}");
    }
}

#[test]
fn a_batch_without_records_is_not_built() {
    let mut builder = BatchBuilder::new(Codec::default(), 100);
    let error = builder.build(&BatchOptions::default()).expect_err("nothing was appended");
    assert!(error.to_string().contains("no record"), "{error}");
}

/// A builder serves the next batch as if it were new.
#[test]
fn a_builder_is_used_again() {
    for compression in Compression::ALL {
        let mut builder = BatchBuilder::new(Codec::new(compression), 100);
        let mut build = |timestamp| {
            builder.append(timestamp, None, Some(b"value"), &[]);
            builder.build(&BatchOptions::default()).expect("the codec works")
        };
        let first = build(TIME);
        build(TIME + 1000);
        assert_eq!(build(TIME), first, "{compression}");
    }
}

/// librdkafka sends snappy without framing (G12).
#[test]
fn raw_snappy_is_read() {
    let raw = noise(5000);
    let compressed = snap::raw::Encoder::new().compress_vec(&raw).expect("snappy works");
    assert_eq!(codec::decompress(Compression::Snappy, &compressed, 5000), Ok(raw));
}

/// G12: gzip may have several members, zstd several frames, without content size and with a checksum, lz4 linked blocks and checksums.
#[test]
fn what_other_writers_make_of_the_codecs_is_read() {
    use std::io::Write;
    let (half, raw) = (noise(70_000), noise(70_000).repeat(2));
    let mut gzip = Vec::new();
    for _ in 0..2 {
        Codec::new(Compression::Gzip).compress(&half, &mut gzip).expect("gzip works");
    }
    assert!(codec::decompress(Compression::Gzip, &gzip, 200_000).is_ok_and(|out| out == raw));

    let mut frames = Vec::new();
    for _ in 0..2 {
        let mut zstd = zstd::Encoder::new(&mut frames, 19).expect("zstd works");
        zstd.include_contentsize(false).and_then(|()| zstd.include_checksum(true)).expect("zstd has these");
        zstd.write_all(&half).expect("a vector takes all");
        zstd.finish().expect("a vector takes all");
    }
    assert!(codec::decompress(Compression::Zstd, &frames, 200_000).is_ok_and(|out| out == raw));
    let cut = codec::decompress(Compression::Zstd, &frames[..frames.len() - 1], 200_000);
    assert!(matches!(cut, Err(CodecError::Malformed { .. })), "{cut:?}");

    let mut info = lz4_flex::frame::FrameInfo::new();
    info = info.block_mode(lz4_flex::frame::BlockMode::Linked).content_checksum(true).block_checksums(true);
    let mut lz4 = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
    lz4.write_all(&raw).expect("a vector takes all");
    let frame = lz4.finish().expect("a vector takes all");
    assert!(codec::decompress(Compression::Lz4, &frame, 200_000).is_ok_and(|out| out == raw));
    // Two frames in a row.
    let mut frames = Vec::new();
    for _ in 0..2 {
        Codec::new(Compression::Lz4).compress(&half, &mut frames).expect("lz4 works");
    }
    assert!(codec::decompress(Compression::Lz4, &frames, 200_000).is_ok_and(|out| out == raw));
}

/// Row 56: levels are obeyed where a codec has them, and refused where it does not.
#[test]
fn levels_are_checked_and_obeyed() {
    let raw: Vec<u8> =
        (0..50_000u32).flat_map(|i| (i.wrapping_mul(2_654_435_761) >> 20).to_string().into_bytes()).collect();
    let size = |compression, level| {
        let mut out = Vec::new();
        Codec::with_level(compression, level)
            .expect("the codec has it")
            .compress(&raw, &mut out)
            .expect("the codec works");
        out.len()
    };
    assert!(size(Compression::Gzip, 9) < size(Compression::Gzip, 1));
    assert!(size(Compression::Zstd, 19) < size(Compression::Zstd, -5));
    assert_eq!(size(Compression::Gzip, -1), size(Compression::Gzip, 6));
    for (compression, level) in [
        (Compression::None, 1),
        (Compression::Snappy, 1),
        (Compression::Gzip, 0),
        (Compression::Gzip, 10),
        (Compression::Lz4, 1),
        (Compression::Zstd, 23),
    ] {
        let error = Codec::with_level(compression, level).expect_err("no such level");
        assert!(error.to_string().starts_with(&format!("{compression} has no compression level {level}; ")), "{error}");
    }
    assert!(Codec::with_level(Compression::Lz4, 9).is_ok());
}

#[test]
fn codecs_are_known_by_number_and_name() {
    for compression in Compression::ALL {
        assert_eq!(Compression::from_id(compression.id()), Ok(compression));
        assert_eq!(compression.name().parse(), Ok(compression));
    }
    assert_eq!(Compression::from_id(5), Err(CodecError::UnknownCodec { id: 5 }));
    let error = "brotli".parse::<Compression>().expect_err("no such codec");
    assert!(error.to_string().contains("`brotli`") && error.to_string().contains("zstd"), "{error}");
}
