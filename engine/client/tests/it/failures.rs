//! Partitions that give an error: it is heard, and the others go on.

use bytes::Bytes;
use logdyno_client::{BytesFormat, ClientError, Consumer, NumberFormat};
use logdyno_record::{BatchBuilder, BatchOptions, Codec, Compression, Offset, TopicPartition};

use crate::cluster::Cluster;
use crate::consumer::{WAIT, config, zero};

type NumberConsumer = Consumer<Bytes, u64>;

fn one() -> TopicPartition {
    TopicPartition::new("t", 1)
}

fn number(value: u64) -> Bytes {
    batch(&value.to_be_bytes())
}

fn batch(value: &[u8]) -> Bytes {
    let mut builder = BatchBuilder::new(Codec::new(Compression::None), 256);
    builder.append(1, None, Some(value), &[]);
    builder.build(&BatchOptions::default()).unwrap().into_bytes()
}

fn consumer(cluster: &Cluster, pairs: &[(&str, &str)]) -> NumberConsumer {
    let mut consumer = Consumer::new(config(cluster, pairs), BytesFormat, NumberFormat).unwrap();
    consumer.assign([zero(), one()]);
    consumer
}

/// Polls while `busy` has a record for every poll: the numbers that came, and how many polls were errors.
fn poll_busy(cluster: &Cluster, consumer: &mut NumberConsumer, busy: i32) -> (Vec<u64>, usize) {
    let (mut seen, mut errors) = (Vec::new(), 0);
    for value in 0..40 {
        cluster.append_to(busy, number(value));
        // What is before the offset that is asked for is buffered.
        while !cluster.has_been_asked(busy, value as i64 + 1) {
            std::thread::yield_now();
        }
        match consumer.poll(WAIT) {
            Ok(records) => seen.extend(records.into_iter().map(|record| record.value.unwrap())),
            Err(ClientError::Deserialization { offset: Offset(0), .. } | ClientError::NoOffset { .. }) => errors += 1,
            Err(error) => panic!("{error}"),
        }
    }
    (seen, errors)
}

/// Kafka's collectFetch: an error that is kept back since there are records is the next poll's. The others are not held up by it.
#[test]
fn a_record_that_cannot_be_deserialized_neither_hides_nor_holds_up_others() {
    for busy in [0, 1] {
        let cluster = Cluster::start(1, &[1, 1]);
        cluster.append_to(1 - busy, batch(b"bad"));
        let mut consumer = consumer(&cluster, &[]);
        let (seen, errors) = poll_busy(&cluster, &mut consumer, busy);
        assert!(seen.iter().copied().eq(0..seen.len() as u64), "{seen:?}");
        assert!(seen.len() >= 38 && errors >= 15, "{busy} is busy: {} records, {errors} errors", seen.len());
    }
}

/// As with a record: a partition without a position is heard of though another one always has records.
#[test]
fn a_partition_that_has_failed_neither_hides_nor_holds_up_others() {
    let cluster = Cluster::start(1, &[1, 1]);
    let mut consumer = consumer(&cluster, &[("auto.offset.reset", "none")]);
    consumer.seek(&zero(), Offset(0)).unwrap();
    let (seen, errors) = poll_busy(&cluster, &mut consumer, 0);
    assert!(seen.iter().copied().eq(0..seen.len() as u64), "{seen:?}");
    assert!(seen.len() >= 38 && errors >= 15, "{} records, {errors} errors", seen.len());
}
