//! What a leader refuses to append, with the error code that the producer is told (Kafka's `LogValidatorTest`).

use bytes::Bytes;
use logdyno_record::validate::{Validated, only_batch};
use logdyno_record::{
    Batch, BatchBuilder, BatchOptions, Codec, Compression, Offset, ProduceRules, Refusal, TimestampType, patch,
    validate_for_produce,
};

use crate::golden::golden;
use crate::shapes::{TIME, filled_with, shapes};

/// What becomes of a batch as its producer sent it: without the offset that a leader gave it.
fn verdict(bytes: impl Into<Bytes>, rules: &ProduceRules) -> Result<Validated, Refusal> {
    let mut bytes = bytes.into().to_vec();
    bytes.iter_mut().take(8).for_each(|byte| *byte = 0);
    validate_for_produce(&only_batch(bytes.into(), true)?, rules)
}

fn code(bytes: impl Into<Bytes>, rules: &ProduceRules) -> i16 {
    verdict(bytes, rules).expect_err("against the rules").code()
}

fn built(options: &BatchOptions) -> Bytes {
    filled_with(Compression::None, &shapes()).build(options).expect("no codec").into_bytes()
}

const OPEN: fn() -> ProduceRules = ProduceRules::default;

#[test]
fn what_kafkas_producer_sends_is_taken() {
    for name in ["none", "gzip", "snappy", "lz4", "zstd", "idempotent", "transactional"] {
        let expected = Validated { max_timestamp: TIME + 3_000_000_000, max_timestamp_true: true };
        assert_eq!(verdict(golden(name), &OPEN()), Ok(expected), "{name}");
    }
}

#[test]
fn a_request_carries_exactly_one_whole_batch() {
    let batch = golden("none");
    assert_eq!(code(Bytes::new(), &OPEN()), 87);
    assert_eq!(code([&batch[..], &batch].concat(), &OPEN()), 87);
    assert_eq!(code(batch.slice(..batch.len() - 1), &OPEN()), 87);
    assert_eq!(code(batch.slice(..5), &OPEN()), 87);
    assert!(verdict([&batch[..], &[0]].concat(), &OPEN()).is_ok(), "the beginning of another is dropped");
}

#[test]
fn damage_is_told_from_rules() {
    let mut damaged = golden("none").to_vec();
    damaged[100] ^= 1;
    assert_eq!(code(damaged, &OPEN()), 2);
    let mut old = golden("none").to_vec();
    old[16] = 1;
    assert_eq!(code(old, &OPEN()), 87);
    let tight = ProduceRules { decompressed_bytes_max: 100, ..OPEN() };
    assert_eq!(code(golden("zstd"), &tight), 2);
    assert_eq!(code(golden("compacted"), &OPEN()), 87);
}

/// Offsets inside the batch count, not only those of the header.
#[test]
fn offsets_must_be_dense_inside_too() {
    for compression in Compression::ALL {
        let mut builder = BatchBuilder::new(Codec::default(), 128);
        builder.append(TIME, None, Some(b"v"), &[]);
        builder.append(TIME, None, Some(b"v"), &[]);
        let plain = builder.build(&BatchOptions::default()).expect("no codec");
        let mut payload = plain.bytes()[61..].to_vec();
        assert_eq!(payload[11], 1 << 1, "the second record's offset delta");
        payload[11] = 2 << 1;
        let mut bytes = vec![0; 61];
        Codec::new(compression).compress(&payload, &mut bytes).expect("the codec works");
        let mut header = *plain.header();
        header.length = bytes.len() as i32 - 12;
        header.attributes = i16::from(compression.id());
        bytes[..61].copy_from_slice(&header.encode());
        patch::max_timestamp(&mut bytes, TIME);
        let refusal = verdict(bytes, &OPEN()).expect_err("a hole");
        assert_eq!((refusal.code(), blamed(&refusal)), (87, vec![1]), "{compression}: {refusal}");
    }
}

#[test]
fn clients_write_no_control_batches() {
    assert_eq!(verdict(golden("commit-marker"), &OPEN()), Err(Refusal::Control));
    assert_eq!(Refusal::Control.code(), 87);
}

#[test]
fn producers_with_an_id_count() {
    let options = BatchOptions::default().with_producer(7, 0, -1);
    assert_eq!(verdict(built(&options), &OPEN()), Err(Refusal::Sequence { producer_id: 7, base_sequence: -1 }));
    let nameless = BatchOptions { transactional: true, ..BatchOptions::default() };
    assert_eq!(verdict(built(&nameless), &OPEN()), Err(Refusal::TransactionWithoutProducer));
}

fn blamed(refusal: &Refusal) -> Vec<u32> {
    refusal.blamed().into_iter().map(|(index, _)| index).collect()
}

/// Where a batch stands is for the leader to say.
#[test]
fn producers_say_no_offset() {
    let mut batch = golden("none").to_vec();
    batch[7] = 5;
    let batch = only_batch(batch.into(), true).expect("only the offset is another");
    let refusal = validate_for_produce(&batch, &OPEN()).expect_err("5");
    assert_eq!((refusal.code(), refusal), (87, Refusal::BaseOffset { base_offset: Offset(5) }));
}

/// KIP-110.
#[test]
fn zstd_needs_a_version_that_has_it() {
    assert_eq!(only_batch(golden("zstd"), false), Err(Refusal::ZstdTooNew));
    assert_eq!(Refusal::ZstdTooNew.code(), 76);
    assert!(only_batch(golden("lz4"), false).is_ok());
}

#[test]
fn compacted_topics_need_keys() {
    let rules = ProduceRules { key_required: true, ..OPEN() };
    for codec in ["none", "snappy"] {
        let refusal = verdict(golden(codec), &rules).expect_err("records without keys");
        assert_eq!((refusal.code(), blamed(&refusal)[0]), (87, 1), "{refusal}");
    }
}

/// Row 34: the topic's bounds hold for CreateTime; LogAppendTime overwrites whatever the producer said.
#[test]
fn times_outside_the_topics_bounds_are_refused() {
    let rules = ProduceRules { timestamp_min: TIME - 5, timestamp_max: TIME + 2, ..OPEN() };
    let refusal = verdict(golden("none"), &rules).expect_err("a record of a month later");
    assert_eq!((refusal.code(), blamed(&refusal)), (32, vec![3]));
    let early = ProduceRules { timestamp_min: TIME - 4, ..OPEN() };
    assert_eq!(blamed(&verdict(golden("none"), &early).expect_err("5 ms early")), [1]);
    let ours = ProduceRules { timestamp_type: TimestampType::LogAppendTime, ..rules };
    assert!(verdict(golden("none"), &ours).is_ok());
    assert_eq!(code(golden("log-append-time"), &OPEN()), 32);

    let mut timeless = BatchBuilder::new(Codec::default(), 128);
    timeless.append(-1, None, None, &[]);
    let batch = timeless.build(&BatchOptions::default()).expect("no codec");
    assert!(validate_for_produce(&batch, &rules).is_ok(), "-1 is a record without a time");
}

/// Kafka corrects a max timestamp that does not fit the records; so can the leader.
#[test]
fn an_untrue_max_timestamp_is_noticed() {
    let mut bytes = built(&BatchOptions::default()).to_vec();
    patch::max_timestamp(&mut bytes, -1);
    let batch = Batch::parse(bytes.into()).expect("one batch");
    let expected = Validated { max_timestamp: TIME + 3_000_000_000, max_timestamp_true: false };
    assert_eq!(validate_for_produce(&batch, &OPEN()), Ok(expected));
}
