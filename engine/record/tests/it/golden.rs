//! Batches written by Apache Kafka 4.1 (`tests/golden`, made by `scripts/golden/Golden.java`).

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use logdyno_record::batch::control::{ControlType, EndTransactionMarker};
use logdyno_record::{
    Batch, BatchBuilder, BatchError, BatchOptions, Codec, Compression, Header, LeaderEpoch, Offset, Record,
};

use crate::described::described;
use crate::shapes::{TIME, filled_with, long_records, shapes};

/// The bytes of a golden batch.
pub(crate) fn golden(name: &str) -> Bytes {
    let path = folder().join(name).with_extension("bin");
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).into()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// The names of all golden batches.
pub(crate) fn names() -> Vec<String> {
    let files = fs::read_dir(folder()).expect("the golden files are part of the sources");
    let paths = files.map(|file| file.expect("the folder can be listed").path());
    let mut names: Vec<String> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "bin"))
        .map(|path| path.file_stem().expect("a file has a name").to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn records_of(batch: &Batch) -> Vec<Record> {
    let records = batch.records().expect("Kafka's batch decompresses");
    records.iter().map(|record| records.share(&record.expect("Kafka's record is read"))).collect()
}

/// Rows 33, 34, 56: every codec and shape, read as Kafka itself reads it.
#[test]
fn what_kafka_wrote_is_read_as_kafka_reads_it() {
    let names = names();
    assert_eq!(names.len(), 19, "a golden file is missing or new: {names:?}");
    for name in names {
        let expected = fs::read_to_string(folder().join(&name).with_extension("txt")).expect("each batch has its text");
        assert_eq!(described(golden(&name)).as_ref(), Ok(&expected), "{name}");
    }
}

/// Row 33: record for record, so that the text is not the only witness.
#[test]
fn kafkas_records_are_those_that_it_was_given() {
    for codec in Compression::ALL {
        let batch = Batch::parse(golden(codec.name())).expect("one batch");
        assert_eq!(batch.header().compression(), Ok(codec));
        assert_eq!(batch.validate(), Ok(()));
        assert_eq!(records_of(&batch), shapes(), "{codec}");
    }
    for name in ["gzip-long", "snappy-long", "lz4-long", "lz4-level-17", "zstd-long", "zstd-level-22"] {
        assert_eq!(records_of(&Batch::parse(golden(name)).expect("one batch")), long_records(), "{name}");
    }
}

fn rebuilt(records: &[Record], options: &BatchOptions) -> Bytes {
    filled_with(Compression::None, records).build(options).expect("nothing to fail without a codec").into_bytes()
}

/// Our encoder against Kafka's: the same records make the same bytes.
#[test]
fn uncompressed_batches_are_kafkas_byte_for_byte() {
    let plain = BatchOptions::default();
    let idempotent = BatchOptions { base_offset: Offset(1_000_000_007), leader_epoch: LeaderEpoch(9), ..plain }
        .with_producer(4711, 3, 42);
    for (name, options) in [
        ("none", plain),
        ("log-append-time", BatchOptions { log_append_time: Some(TIME + 77), ..plain }),
        ("idempotent", idempotent),
        ("transactional", BatchOptions { transactional: true, ..idempotent }),
    ] {
        assert_eq!(rebuilt(&shapes(), &options), golden(name), "{name}");
    }
}

/// Transaction markers, read and written.
#[test]
fn control_batches_say_commit_or_abort() {
    for (name, control_type) in [("commit-marker", ControlType::Commit), ("abort-marker", ControlType::Abort)] {
        let batch = Batch::parse(golden(name)).expect("one batch");
        assert!(batch.header().is_control() && batch.header().is_transactional(), "{name}");
        let records = batch.records().expect("control batches are not compressed");
        let record = records.iter().next().expect("one record").expect("well formed");
        let marker = EndTransactionMarker { control_type, coordinator_epoch: 21 };
        assert_eq!(EndTransactionMarker::parse(&record), Ok(marker), "{name}");

        let mut builder = BatchBuilder::new(Codec::default(), 128);
        builder.append(TIME, Some(&control_type.key()), Some(&marker.value()), &[]);
        let options = BatchOptions {
            base_offset: Offset(7),
            leader_epoch: LeaderEpoch(5),
            transactional: true,
            control: true,
            ..BatchOptions::default().with_producer(4711, 3, -1)
        };
        assert_eq!(builder.build(&options).expect("no codec").bytes(), &golden(name), "{name}");
    }
}

/// Compaction keeps offsets: gaps and a last offset without a record are read, and no producer may send such.
#[test]
fn a_compacted_batch_keeps_its_offsets() {
    let batch = Batch::parse(golden("compacted")).expect("one batch");
    let offsets: Vec<i64> = records_of(&batch).iter().map(|record| record.offset.0).collect();
    assert_eq!(offsets, [10, 13, 17]);
    assert_eq!(batch.header().next_offset(), Offset(21));
    assert_eq!(batch.validate(), Err(BatchError::Count { count: 3, last_offset_delta: 10 }));
}

/// The bytes in `FORMAT.md` are Kafka's, and ours.
#[test]
fn the_worked_example_of_the_format_is_true() {
    let format =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("FORMAT.md")).expect("the format is described");
    let (_, example) = format.split_once("```hex\n").expect("there is an example");
    let (example, _) = example.split_once("```").expect("it ends");
    let bytes: Vec<u8> = example
        .lines()
        .flat_map(|line| line.split("  ").next().unwrap_or_default().split(' '))
        .map(|digits| u8::from_str_radix(digits, 16).unwrap_or_else(|_| panic!("`{digits}` is no byte")))
        .collect();
    assert_eq!(bytes, golden("example"));

    let mut builder = BatchBuilder::new(Codec::default(), 128);
    builder.append(TIME, Some(b"key1"), Some(b"value"), &[Header::new("h", "1")]);
    builder.append(TIME + 100, None, Some(b"v2"), &[Header::null("n")]);
    assert_eq!(builder.build(&BatchOptions::default()).expect("no codec").bytes(), &bytes);
}
