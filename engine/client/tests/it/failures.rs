//! Partitions that give an error: it is heard, and the others go on.

use std::time::Instant;

use bytes::Bytes;
use logdyno_client::{BytesFormat, ClientError, Consumer, NumberFormat};
use logdyno_record::{BatchBuilder, BatchOptions, Codec, Compression, Offset, TopicPartition};
use logdyno_wire::ErrorCode;

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

/// Kafka's FetchCollector: an UNKNOWN_SERVER_ERROR is logged, a refusal is thrown once; either way the broker is asked again.
#[test]
fn a_brokers_error_stops_nothing_for_good() {
    let cluster = Cluster::start(1, &[1, 1]);
    for value in 0..10 {
        cluster.append(number(value));
    }
    let mut consumer = consumer(&cluster, &[("max.poll.records", "1")]);
    consumer.assign([zero()]);
    cluster.fail_offsets([-1, 29]);
    assert!(is_unauthorized(&consumer.position(&zero()).unwrap_err()));
    assert_eq!(consumer.position(&zero()).unwrap(), Offset(0));
    cluster.fail_fetches([-1, -1, 29]);
    consumer.seek(&zero(), Offset(0)).unwrap();
    let errors: Vec<ClientError> = (0..11).filter_map(|_| consumer.poll(WAIT).err()).collect();
    assert!(errors.len() == 1 && is_unauthorized(&errors[0]), "{errors:?}");
    assert_eq!(consumer.position(&zero()).unwrap(), Offset(10));
}

/// What brokers say of the topic itself: poll, position and look-ups say it too, until the brokers no longer do.
#[test]
fn a_topic_that_is_refused_is_an_error_and_not_a_wait() {
    let cluster = Cluster::start(1, &[1, 1]);
    cluster.append(number(0));
    cluster.refuse_topic(Some(29));
    let mut consumer = consumer(&cluster, &[]);
    assert!(is_unauthorized(&consumer.poll(WAIT).unwrap_err()));
    assert!(is_unauthorized(&consumer.position(&zero()).unwrap_err()));
    assert!(is_unauthorized(&consumer.end_offsets(&[zero()]).unwrap_err()));
    consumer.seek(&zero(), Offset(0)).unwrap();
    assert!(is_unauthorized(&consumer.poll(WAIT).unwrap_err()), "also where the position is known");
    cluster.refuse_topic(None);
    let begun = Instant::now();
    while consumer.poll(WAIT).map_or(true, |records| records.is_empty()) {
        assert!(begun.elapsed() < WAIT, "it is allowed again");
    }
}

fn is_unauthorized(error: &ClientError) -> bool {
    let (ClientError::Refused { code, .. } | ClientError::Topic { code, .. }) = error else { return false };
    *code == ErrorCode::TopicAuthorizationFailed
}
