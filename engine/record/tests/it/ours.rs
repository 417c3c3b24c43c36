//! Batches that we write, for Kafka to read: `scripts/golden/check` sets `LOGDYNO_GOLDEN_OUT` to a folder, in which each batch and
//! the text of what it says are left for `Golden.java read`.

use std::env;
use std::fs;
use std::path::PathBuf;

use bytes::Bytes;
use logdyno_record::batch::control::{ControlType, EndTransactionMarker};
use logdyno_record::{Batch, BatchBuilder, BatchOptions, Codec, Compression, LeaderEpoch, Offset, Record, patch};

use crate::described::described;
use crate::shapes::{TIME, filled, long_records, noisy_records, shapes};

fn built(codec: Codec, records: &[Record], options: &BatchOptions) -> Bytes {
    filled(codec, records).build(options).expect("the codec works").into_bytes()
}

fn level(compression: Compression, level: i32) -> Codec {
    Codec::with_level(compression, level).expect("the codec has the level")
}

fn of_every_codec() -> Vec<(String, Bytes)> {
    let plain = BatchOptions::default();
    let mut out = Vec::new();
    for compression in Compression::ALL {
        let codec = Codec::new(compression);
        for (kind, records) in [("shapes", shapes()), ("long", long_records()), ("noise", noisy_records())] {
            out.push((format!("{compression}-{kind}"), built(codec, &records, &plain)));
        }
    }
    for codec in [
        level(Compression::Gzip, 1),
        level(Compression::Gzip, 9),
        level(Compression::Zstd, -7),
        level(Compression::Zstd, 22),
    ] {
        let level = codec.level().unwrap_or_default();
        out.push((format!("{}-level{level}", codec.compression()), built(codec, &long_records(), &plain)));
    }
    out
}

fn of_every_kind() -> Vec<(String, Bytes)> {
    let idempotent = BatchOptions { base_offset: Offset(77), leader_epoch: LeaderEpoch(3), ..BatchOptions::default() }
        .with_producer(1, 2, 3);
    let transactional = BatchOptions { transactional: true, ..idempotent };
    let lz4 = Codec::new(Compression::Lz4);
    let mut patched = built(lz4, &shapes(), &BatchOptions::default()).to_vec();
    patch::assign(&mut patched, Offset(123_456_789_012), LeaderEpoch(17));
    patch::log_append_time(&mut patched, TIME + 9);
    let two = [
        built(lz4, &shapes(), &idempotent),
        built(Codec::default(), &shapes(), &BatchOptions { base_offset: Offset(82), ..transactional }),
    ];
    vec![
        ("idempotent".to_owned(), built(lz4, &shapes(), &idempotent)),
        ("transactional".to_owned(), built(lz4, &shapes(), &transactional)),
        ("marker".to_owned(), marker(&transactional)),
        ("patched".to_owned(), patched.into()),
        ("two-batches".to_owned(), two.concat().into()),
    ]
}

fn marker(options: &BatchOptions) -> Bytes {
    let marker = EndTransactionMarker { control_type: ControlType::Commit, coordinator_epoch: 4 };
    let mut builder = BatchBuilder::new(Codec::default(), 128);
    builder.append(TIME, Some(&marker.control_type.key()), Some(&marker.value()), &[]);
    builder.build(&BatchOptions { control: true, ..*options }).expect("no codec").into_bytes()
}

/// Rows 33, 34, 56.
#[test]
fn what_we_wrote_is_read_and_can_be_handed_to_kafka() {
    let out = env::var_os("LOGDYNO_GOLDEN_OUT").map(PathBuf::from);
    for (name, bytes) in of_every_codec().into_iter().chain(of_every_kind()) {
        let text = described(bytes.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(text.lines().count() >= 2, "{name}: a batch and a record at least: {text}");
        if let Some(folder) = &out {
            fs::write(folder.join(&name).with_extension("bin"), &bytes).expect("the folder can be written");
            fs::write(folder.join(&name).with_extension("txt"), text).expect("the folder can be written");
        }
    }
}

/// Row 56: the attribute bits tell the codec that was asked for, and the bytes are smaller: no silent non-compression.
#[test]
fn the_codec_bits_are_those_asked_for_and_the_records_shrink() {
    let plain = built(Codec::default(), &long_records(), &BatchOptions::default()).len();
    for compression in &Compression::ALL[1..] {
        let batch = Batch::parse(built(Codec::new(*compression), &long_records(), &BatchOptions::default()))
            .expect("one batch");
        assert_eq!(batch.header().compression(), Ok(*compression));
        assert_eq!(batch.header().attributes, i16::from(compression.id()));
        assert!(batch.size() < plain / 4, "{compression}: {} of {plain} bytes", batch.size());
    }
}
