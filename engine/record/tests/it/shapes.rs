//! The records of the golden batches, as `scripts/golden/Golden.java` makes them.

use bytes::Bytes;
use logdyno_record::{BatchBuilder, Codec, Compression, Header, Offset, Record};

/// The first record's time in the golden batches.
pub(crate) const TIME: i64 = 1_700_000_000_000;

/// One record for each shape that the format has.
pub(crate) fn shapes() -> Vec<Record> {
    let headers = vec![
        Header::new("h", "1"),
        Header::new("h", "2"),
        Header::null("null"),
        Header::new("", "no key"),
        Header::new("v", ""),
    ];
    let earlier: &[u8] = b"an earlier record without a key";
    let records = [
        (TIME, Some(b"key1".to_vec()), Some(b"value".to_vec()), headers),
        (TIME - 5, None, Some(earlier.to_vec()), vec![]),
        (TIME + 1, Some(b"some-key".to_vec()), None, vec![]),
        (TIME + 3_000_000_000, Some(vec![]), Some(vec![]), vec![]),
        (TIME + 2, Some("\u{c5f4}\u{c1e0}".into()), Some(pattern(1000)), vec![Header::new("\u{3bd}", "\u{3b7}")]),
    ];
    numbered(records)
}

/// Enough for several blocks of every codec.
pub(crate) fn long_records() -> Vec<Record> {
    let long = |i: usize| (TIME + i as i64, Some(format!("long-{i}").into_bytes()), Some(pattern(60_000 + i)), vec![]);
    numbered([long(0), long(1), long(2), (TIME + 3, Some(b"noise".to_vec()), Some(noise(3_000)), vec![])])
}

/// Blocks that no codec makes smaller.
pub(crate) fn noisy_records() -> Vec<Record> {
    numbered([(TIME, None, Some(noise(200_000)), vec![])])
}

type Parts = (i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<Header>);

fn numbered(records: impl IntoIterator<Item = Parts>) -> Vec<Record> {
    (0..)
        .zip(records)
        .map(|(offset, (timestamp, key, value, headers))| Record {
            offset: Offset(offset),
            timestamp,
            key: key.map(Bytes::from),
            value: value.map(Bytes::from),
            headers,
        })
        .collect()
}

/// Compressible, but not one byte over and over.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|i| b'a' + ((i % 23 + i / 97) % 26) as u8).collect()
}

/// Knuth's 64-bit linear congruential generator, upper byte.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..length).map(|_| next()).collect()
}

/// A builder that holds `records`.
pub(crate) fn filled(codec: Codec, records: &[Record]) -> BatchBuilder {
    let mut builder = BatchBuilder::new(codec, 1024);
    for record in records {
        builder.append(record.timestamp, record.key.as_deref(), record.value.as_deref(), &record.headers);
    }
    builder
}

/// A builder with the codec's default level.
pub(crate) fn filled_with(compression: Compression, records: &[Record]) -> BatchBuilder {
    filled(Codec::new(compression), records)
}
