//! Row 71, §4.2: a producer is idempotent by default: nothing is there twice, nothing changes places, whatever goes wrong.

use std::time::Duration;

use logdyno_client::ClientError;
use logdyno_record::Offset;
use logdyno_wire::ErrorCode;

use crate::cluster::{Cluster, Reaction};
use crate::producer::{SOON, numbers, producer, record, wait_for_leader};

/// A batch for each record.
const PAIRS: [(&str, &str); 5] = [
    ("linger.ms", "0"),
    ("batch.size", "1"),
    ("retry.backoff.ms", "2"),
    ("retry.backoff.max.ms", "5"),
    ("reconnect.backoff.ms", "2"),
];

/// The answer is lost after the append: the broker tells the second attempt where the first one is.
#[test]
fn a_lost_answer_makes_no_duplicate() {
    let cluster = Cluster::start(1, &[1]);
    let producer = producer(&cluster, &PAIRS);
    cluster.script([Reaction::TakeAndHang, Reaction::TakeAndHang]);
    assert_eq!(producer.send(record("once")).wait().unwrap().offset, Offset(0));
    assert_eq!(producer.send(record("after")).wait().unwrap().offset, Offset(1));
    assert_eq!(cluster.values(0), ["once", "after"]);
    assert_eq!(cluster.ids_given(), 1);
    producer.close(SOON);
}

/// Errors of all kinds at random places with five requests in flight: each record once, in order, at the offset that it was told.
#[test]
fn everything_once_and_in_order_under_any_error() {
    for seed in 1..=12_u64 {
        let cluster = Cluster::start(2, &[1]);
        let producer = producer(&cluster, &PAIRS);
        let mut random = seed;
        let mut next = move || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            random >> 33
        };
        cluster.script((0..150).map(|_| match next() % 10 {
            0 => Reaction::TakeAndHang,
            1 => Reaction::Hang,
            2 => Reaction::Refuse(19),
            3 => Reaction::Refuse(6),
            _ => Reaction::Take,
        }));
        let futures: Vec<_> = (0..200).map(|number| producer.send(record(number.to_string()))).collect();
        cluster.lead(0, 2);
        for (number, future) in futures.into_iter().enumerate() {
            assert_eq!(future.wait().unwrap().offset, Offset(number as i64), "seed {seed}");
        }
        assert_eq!(cluster.values(0), numbers(0..200), "seed {seed}");
        producer.close(SOON);
    }
}

/// The old leader has appended and is silent; more batches than a broker remembers are there for the new one.
#[test]
fn a_change_of_leader_while_a_request_is_out_makes_no_duplicate() {
    let cluster = Cluster::start(2, &[1]);
    let pairs = [("request.timeout.ms", "500"), ("metadata.max.age.ms", "10")];
    let producer = producer(&cluster, &[&PAIRS[..], &pairs].concat());
    producer.send(record("0")).wait().unwrap();
    cluster.script([Reaction::TakeAndIgnore]);
    let silent = producer.send(record("1"));
    while cluster.values(0).len() < 2 {
        std::thread::yield_now();
    }
    cluster.lead(0, 2);
    wait_for_leader(&producer, 2);
    let later: Vec<_> = (2..50).map(|number| producer.send(record(number.to_string()))).collect();
    for (offset, future) in (1..).zip(std::iter::once(silent).chain(later)) {
        assert_eq!(future.wait().unwrap().offset, Offset(offset));
    }
    assert_eq!(cluster.values(0), numbers(0..50));
    producer.close(SOON);
}

/// A batch that fails for good leaves a gap that the broker would wait for: what is behind it starts over in the next epoch.
#[test]
fn what_follows_a_failure_starts_over() {
    let cluster = Cluster::start(1, &[1]);
    let producer = producer(&cluster, &PAIRS);
    producer.send(record("known")).wait().unwrap();
    cluster.hold();
    let futures: Vec<_> = (0..10)
        .map(|number| {
            let future = producer.send(record(number.to_string()));
            cluster.wait_received((number as usize + 2).min(6));
            future
        })
        .collect();
    cluster.script([Reaction::Take, Reaction::Refuse(29)]);
    cluster.release();
    for (number, future) in futures.into_iter().enumerate() {
        match future.wait() {
            Ok(_) => assert_ne!(number, 1),
            Err(error) => {
                let refused = matches!(&error, ClientError::Refused { code: ErrorCode::TopicAuthorizationFailed, .. });
                assert!(number == 1 && refused, "{number}: {error}");
            }
        }
    }
    assert_eq!(cluster.values(0), ["known", "0", "2", "3", "4", "5", "6", "7", "8", "9"]);
    let epochs = cluster.epochs();
    assert!(epochs[..2] == [0, 0] && epochs[2..].iter().all(|epoch| *epoch == 1), "{epochs:?}");
    assert_eq!(cluster.ids_given(), 1, "the epoch is the producer's own to raise");
    producer.close(SOON);
}

/// The fate of a batch that has expired is not known: what is behind it is neither lost nor doubled.
#[test]
fn what_follows_an_expired_batch() {
    for appended in [false, true] {
        let cluster = Cluster::start(1, &[1]);
        let pairs = [("delivery.timeout.ms", "400"), ("request.timeout.ms", "400")];
        let producer = producer(&cluster, &[&PAIRS[..], &pairs].concat());
        producer.send(record("0")).wait().unwrap();
        let lost = if appended { Reaction::TakeAndHang } else { Reaction::Hang };
        cluster.script(std::iter::once(lost).chain(vec![Reaction::Refuse(19); 1000]));
        producer.send(record("1")).wait().unwrap_err();
        cluster.forget_script();
        producer.send(record("2")).wait().unwrap();
        producer.send(record("3")).wait().unwrap();
        let expected: &[&str] = if appended { &["0", "1", "2", "3"] } else { &["0", "2", "3"] };
        assert_eq!(cluster.values(0), expected, "appended: {appended}");
        producer.close(SOON);
    }
}

/// Too large for the broker: the parts take the whole's sequences, also when answers are lost.
#[test]
fn parts_of_a_split_batch_arrive_once() {
    let cluster = Cluster::start(1, &[1]);
    cluster.limit_batches(1000);
    let pairs = [("batch.size", "8000"), ("linger.ms", "600000"), ("delivery.timeout.ms", "700000")];
    let producer = producer(&cluster, &[&PAIRS[2..], &pairs].concat());
    cluster.script([Reaction::Take, Reaction::TakeAndHang, Reaction::Take, Reaction::TakeAndHang]);
    let futures: Vec<_> = (0..40).map(|number| producer.send(record(format!("{number:0100}")))).collect();
    producer.flush();
    for (offset, future) in futures.into_iter().enumerate() {
        assert_eq!(future.wait().unwrap().offset, Offset(offset as i64));
    }
    let values: Vec<String> = (0..40).map(|number| format!("{number:0100}")).collect();
    assert_eq!(cluster.values(0), values);
    producer.close(SOON);
}

/// A broker takes any sequence of a producer that it does not know. So the first batch goes alone: were it too large, the
/// one behind it would be taken, and its parts would come to stand behind that.
#[test]
fn the_first_batch_goes_alone_until_the_broker_knows_the_producer() {
    let cluster = Cluster::start(1, &[1]);
    cluster.limit_batches(1000);
    let pairs = [("batch.size", "8000"), ("linger.ms", "600000"), ("delivery.timeout.ms", "700000")];
    let producer = producer(&cluster, &[&PAIRS[2..], &pairs].concat());
    producer.partitions_for("t").unwrap();
    cluster.hold();
    let values: Vec<String> = (0..80).map(|number| format!("{number:0100}")).collect();
    let futures: Vec<_> = values.iter().map(|value| producer.send(record(value))).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| producer.flush());
        cluster.wait_received(1);
        assert!(!cluster.receives(2, Duration::from_millis(200)), "the second is out before the first is answered");
        cluster.release();
    });
    for (offset, future) in futures.into_iter().enumerate() {
        assert_eq!(future.wait().unwrap().offset, Offset(offset as i64));
    }
    assert_eq!(cluster.values(0), values);
    producer.close(SOON);
}

/// The broker has forgotten the producer and takes what is behind a batch that is too large: the batch fails rather than
/// come to stand behind it.
#[test]
fn a_batch_that_was_overtaken_is_not_put_behind() {
    let cluster = Cluster::start(1, &[1]);
    cluster.limit_batches(4000);
    let pairs =
        [("batch.size", "8000"), ("linger.ms", "100"), ("delivery.timeout.ms", "1000"), ("request.timeout.ms", "900")];
    let producer = producer(&cluster, &[&PAIRS[2..], &pairs].concat());
    producer.send(record("known")).wait().unwrap();
    cluster.forget_producers();
    cluster.hold();
    let values: Vec<String> = (0..80).map(|number| format!("{number:0100}")).collect();
    let futures: Vec<_> = values.iter().map(|value| producer.send(record(value))).collect();
    cluster.wait_received(3);
    cluster.release();
    let fates: Vec<bool> = futures.into_iter().map(|future| future.wait().is_ok()).collect();
    let first = fates.iter().position(|ok| *ok).expect("what was behind was taken");
    assert!(first > 0 && fates[first..].iter().all(|ok| *ok), "{fates:?}");
    assert_eq!(cluster.values(0), [&["known".to_owned()], &values[first..]].concat());
    producer.close(SOON);
}

#[test]
fn a_broker_without_producer_ids_is_an_error_that_says_what_to_do() {
    let cluster = Cluster::start(1, &[1]);
    cluster.know_no_producers();
    let first = producer(&cluster, &PAIRS);
    let error = first.send(record("x")).wait().unwrap_err().to_string();
    assert!(error.contains("enable.idempotence=false"), "{error}");
    first.close(SOON);
    let without = producer(&cluster, &[&PAIRS[..], &[("enable.idempotence", "false")]].concat());
    without.send(record("x")).wait().unwrap();
    without.close(SOON);
}
