//! Damaged bytes: refused by name, and never a panic.

use bytes::Bytes;
use logdyno_record::{Batch, BatchError, BatchHeader, Compression, HEADER_LEN, batches, codec};
use proptest::prelude::*;

use crate::golden::{golden, names};

/// The batches that are small enough to damage them everywhere.
fn small() -> impl Iterator<Item = (String, Bytes)> {
    let all = names().into_iter().map(|name| (name.clone(), golden(&name)));
    all.filter(|(_, bytes)| bytes.len() < 2000)
}

/// Asks everything that can be asked of a batch; the verdict is that of [`Batch::validate`], the rest must not panic.
fn exercise(bytes: Bytes) -> Result<(), BatchError> {
    let batch = Batch::parse(bytes)?;
    if let Ok(records) = batch.records() {
        for record in records.iter().flatten() {
            assert_eq!(records.share(&record).headers.len(), record.headers.len());
        }
    }
    batch.validate()
}

/// The same bytes with the checksum made right, so that damage reaches what lies behind it.
fn with_true_crc(bytes: &mut [u8]) {
    let crc = crc_fast::crc32_iscsi(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
}

#[test]
fn a_batch_cut_at_any_byte_is_refused() {
    for (name, bytes) in small() {
        for cut in 0..bytes.len() {
            let error = exercise(bytes.slice(..cut)).expect_err("a cut batch");
            assert!(matches!(error, BatchError::Cut { .. }) && error.is_corrupt(), "{name} at {cut}: {error}");
            let mut walk = batches(bytes.slice(..cut));
            assert!(walk.next().is_none(), "{name} at {cut}: the end of a fetch may cut a batch");
            assert_eq!(walk.rest().len(), cut);
        }
    }
}

/// The four bytes that end an lz4 frame may be missing (its decoder takes the end of the input for them), a record may not.
#[test]
fn a_record_cut_inside_a_whole_batch_is_refused() {
    for (name, bytes) in small().filter(|(name, _)| name != "compacted") {
        let whole = Batch::parse(bytes.clone()).and_then(|batch| batch.records()).expect("Kafka's batch is whole");
        for cut in HEADER_LEN..bytes.len() {
            let header = BatchHeader { length: (cut - 12) as i32, ..BatchHeader::parse(&bytes).expect("a header") };
            let mut short = [&header.encode()[..], &bytes[HEADER_LEN..cut]].concat();
            with_true_crc(&mut short);
            let short = Batch::parse(short.into()).expect("the length was corrected");
            if short.validate().is_ok() {
                let records = short.records().expect("a valid batch");
                assert_eq!(records.payload(), whole.payload(), "{name} at {cut}");
                assert!(name == "lz4" && cut >= bytes.len() - 4, "{name} at {cut}");
            }
        }
    }
}

#[test]
fn any_flipped_bit_that_the_checksum_covers_is_found() {
    for (name, bytes) in small() {
        for bit in 17 * 8..bytes.len() * 8 {
            let mut damaged = bytes.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let error = exercise(damaged.into()).expect_err("a flipped bit");
            assert!(matches!(error, BatchError::Crc { .. }), "{name} bit {bit}: {error}");
        }
    }
}

/// Whoever wrote the checksum may have meant harm.
#[test]
fn a_flipped_bit_under_a_true_checksum_never_panics() {
    let mut refused = 0;
    for (_, bytes) in small() {
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            with_true_crc(&mut damaged);
            refused += usize::from(exercise(damaged.into()).is_err());
        }
    }
    assert!(refused > 1000, "only {refused} of all flips were refused");
}

#[test]
fn other_formats_and_impossible_lengths_are_named() {
    let bytes = golden("none");
    let header = BatchHeader::parse(&bytes).expect("a header");
    let with = |header: BatchHeader| Bytes::from([&header.encode()[..], &bytes[HEADER_LEN..]].concat());
    for magic in [0, 1, 3, -1] {
        let old = with(BatchHeader { magic, ..header });
        assert_eq!(Batch::parse(old.clone()), Err(BatchError::Magic { magic }));
        let walked: Vec<_> = batches(old).collect();
        assert_eq!(walked, [Err(BatchError::Magic { magic })], "the walk ends there");
    }
    for length in [-1, 0, 48, i32::MIN] {
        let wrong = with(BatchHeader { length, ..header });
        assert_eq!(batches(wrong).next(), Some(Err(BatchError::Length { length })));
    }
    let longer = Bytes::from([&bytes[..], &[0]].concat());
    assert_eq!(Batch::parse(longer), Err(BatchError::Trailing { extra: 1 }));
    // 5, 6 and 7 name no codec.
    let mut unknown = bytes.to_vec();
    unknown[22] |= 5;
    with_true_crc(&mut unknown);
    let error = exercise(unknown.into()).expect_err("no such codec");
    assert!(!error.is_corrupt() && error.to_string().contains("codec 5"), "{error}");
}

/// A codec that is told another codec's bytes.
#[test]
fn bytes_of_another_codec_are_refused() {
    for (written, read) in Compression::ALL.into_iter().flat_map(|a| Compression::ALL.map(|b| (a, b))) {
        let mut bytes = golden(written.name()).to_vec();
        bytes[22] = bytes[22] & !7 | read.id();
        with_true_crc(&mut bytes);
        assert_eq!(exercise(bytes.into()).is_ok(), written == read, "{written} read as {read}");
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let walk = batches(Bytes::from(bytes.clone()));
        prop_assert!(walk.count() <= bytes.len() / HEADER_LEN + 1);
        for compression in Compression::ALL {
            if let Ok(out) = codec::decompress(compression, &bytes, 1 << 16) {
                prop_assert!(out.len() <= 1 << 16);
            }
        }
    }

    #[test]
    fn random_records_behind_a_true_header_never_panic(payload in prop::collection::vec(any::<u8>(), 0..200), count in 0i32..5, attributes in 0i16..128) {
        let header = BatchHeader { length: (49 + payload.len()) as i32, count, last_offset_delta: count - 1, attributes,
            ..BatchHeader::parse(&golden("none")).expect("a header") };
        let mut bytes = [&header.encode()[..], &payload].concat();
        with_true_crc(&mut bytes);
        let batch = Batch::parse(bytes.into()).expect("one batch");
        prop_assert_eq!(batch.verify_crc(), Ok(()));
        if let Ok(records) = batch.records() {
            prop_assert!(records.iter().count() <= count as usize);
        }
    }
}
