//! Batches as clients send them, and as none should.

use bytes::Bytes;
use logdyno_record::batch::ProducerStamp;
use logdyno_record::{BatchBuilder, BatchOptions, Codec, Compression, Header};

use super::Maker;

const CODECS: &[Compression] = &[
    Compression::None,
    Compression::None,
    Compression::Gzip,
    Compression::Snappy,
    Compression::Lz4,
    Compression::Zstd,
];

/// The bytes of one batch; `None` for no records at all.
pub fn records(maker: &mut Maker) -> Option<Bytes> {
    // Rarely: Kafka fails inside and never answers.
    if maker.random.below(2_000) == 0 {
        return None;
    }
    let bytes = batch(maker);
    Some(match maker.random.below(100) {
        0..87 => bytes.into(),
        87 => damaged(bytes, maker, 5..8),
        88..90 => damaged(bytes, maker, 17..21),
        90 => magic(bytes, maker),
        91..93 => [&bytes[..], &bytes[..]].concat().into(),
        93..95 => bytes[..bytes.len() - 1 - maker.random.below(20)].to_vec().into(),
        95..97 => damaged(bytes, maker, 57..61),
        97 => Bytes::new(),
        98 => damaged(bytes, maker, 8..12),
        _ => damaged(bytes, maker, 61..62),
    })
}

fn batch(maker: &mut Maker) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Codec::new(maker.random.pick(CODECS)), 1024);
    let most = if maker.random.percent(90) { 4 } else { 60 };
    let count = 1 + maker.random.below(most);
    for _ in 0..count {
        let (key, value) = (word(maker), word(maker));
        let headers: Vec<Header> = if maker.random.percent(10) {
            vec![Header { key: super::text("h").to_string().into(), value: Some(Bytes::from_static(b"v")) }; 2]
        } else {
            Vec::new()
        };
        let late = maker.random.below(1000) as i64;
        let time = if maker.random.percent(98) {
            maker.now_ms - late
        } else {
            maker.random.pick(&[-1, 0, maker.now_ms + 7_200_000])
        };
        builder.append(time, key.as_deref(), value.as_deref(), &headers);
    }
    let options = BatchOptions { producer: stamp(maker), ..BatchOptions::default() };
    builder.build(&options).expect("a batch").bytes().to_vec()
}

/// A key or value: none, empty, short, or longer than most.
fn word(maker: &mut Maker) -> Option<Vec<u8>> {
    match maker.random.below(10) {
        0 => None,
        1 => Some(Vec::new()),
        2 => Some(vec![b'x'; 2_000]),
        _ => Some(format!("word {}", maker.random.below(50)).into_bytes()),
    }
}

/// Whose batch it is: nobody's, or a known producer's with a sequence that may be right.
fn stamp(maker: &mut Maker) -> ProducerStamp {
    let none = ProducerStamp { id: -1, epoch: -1, base_sequence: -1 };
    if maker.random.percent(60) || maker.side.producers.is_empty() {
        return none;
    }
    let known = &maker.side.producers;
    let (id, epoch) = known[known.len() - 1 - maker.random.below(known.len().min(4))];
    let epoch = epoch + maker.random.pick(&[0, 0, 0, 0, 0, 1, -1]);
    let base_sequence = maker.random.pick(&[0, 0, 1, 2, 3, 4, 5, 6, 8, 100, i32::MAX]);
    ProducerStamp { id, epoch: epoch.max(0), base_sequence }
}

/// One byte of the range is another.
fn damaged(mut bytes: Vec<u8>, maker: &mut Maker, range: std::ops::Range<usize>) -> Bytes {
    let at = range.start + maker.random.below(range.len());
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << maker.random.below(7);
    }
    bytes.into()
}

fn magic(mut bytes: Vec<u8>, maker: &mut Maker) -> Bytes {
    bytes[16] = maker.random.pick(&[0, 1, 3]);
    bytes.into()
}
