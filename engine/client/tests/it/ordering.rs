//! §7 no. 19: retries with several requests in flight do not reorder, also without idempotence.

use logdyno_record::Offset;

use crate::cluster::{Cluster, Reaction};
use crate::producer::{BytesProducer, SOON, numbers, producer, record, wait_for_leader};

const PAIRS: [(&str, &str); 6] = [
    ("enable.idempotence", "false"),
    ("linger.ms", "0"),
    ("batch.size", "1"),
    ("retry.backoff.ms", "5"),
    ("reconnect.backoff.ms", "5"),
    ("max.in.flight.requests.per.connection", "5"),
];

/// Sends `count` records, one batch each, so that five requests are in flight before the broker looks at the first.
fn five_in_flight(cluster: &Cluster, producer: &BytesProducer, count: u32) -> Vec<logdyno_client::SendFuture> {
    producer.partitions_for("t").unwrap();
    cluster.hold();
    let futures = (0..count)
        .map(|number| {
            let future = producer.send(record(number.to_string()));
            cluster.wait_received((number as usize + 1).min(5));
            future
        })
        .collect();
    assert_eq!(cluster.received(), 5, "the sixth waits: max.in.flight.requests.per.connection");
    futures
}

#[test]
fn the_answer_of_the_first_of_five_is_lost() {
    let cluster = Cluster::start(1, &[1]);
    let producer = producer(&cluster, &PAIRS);
    let futures = five_in_flight(&cluster, &producer, 10);
    cluster.script([Reaction::Hang]);
    cluster.release();
    for (number, future) in futures.into_iter().enumerate() {
        assert_eq!(future.wait().unwrap().offset, Offset(number as i64));
    }
    assert_eq!(cluster.values(0), numbers(0..10));
    producer.close(SOON);
}

/// The broker had appended the first: it is there twice, and still nothing changes places.
#[test]
fn a_duplicate_does_not_change_places() {
    let cluster = Cluster::start(1, &[1]);
    let producer = producer(&cluster, &PAIRS);
    let futures = five_in_flight(&cluster, &producer, 6);
    cluster.script([Reaction::TakeAndHang]);
    cluster.release();
    futures.into_iter().for_each(|future| drop(future.wait().unwrap()));
    assert_eq!(cluster.values(0), ["0", "0", "1", "2", "3", "4", "5"]);
    producer.close(SOON);
}

/// The broker refuses all five, as one does that has lost its leadership or its replicas, and goes on refusing now and
/// then: were two retries in flight, the second would be taken while the first is refused.
#[test]
fn five_refused_batches_are_sent_again_in_order_and_one_at_a_time() {
    let cluster = Cluster::start(1, &[1]);
    let producer = producer(&cluster, &PAIRS);
    let futures = five_in_flight(&cluster, &producer, 10);
    cluster.script(vec![Reaction::Refuse(19); 6]);
    cluster.script([Reaction::Take, Reaction::Refuse(19), Reaction::Take, Reaction::Refuse(19)]);
    cluster.release();
    futures.into_iter().for_each(|future| drop(future.wait().unwrap()));
    assert_eq!(cluster.values(0), numbers(0..10));
    producer.close(SOON);
}

/// Errors of all kinds, at every place of a long run: each record once, in order, wherever nothing was lost after an append.
#[test]
fn order_holds_with_one_request_in_flight_under_any_error() {
    let cluster = Cluster::start(1, &[1]);
    let mut pairs = PAIRS.to_vec();
    pairs.push(("max.in.flight.requests.per.connection", "1"));
    pairs.push(("retry.backoff.max.ms", "5"));
    let producer = producer(&cluster, &pairs);
    let script = (0..60).map(|step| match step % 5 {
        0 => Reaction::Refuse(6),
        1 => Reaction::Hang,
        2 => Reaction::Refuse(19),
        _ => Reaction::Take,
    });
    cluster.script(script);
    let futures: Vec<_> = (0..100).map(|number| producer.send(record(number.to_string()))).collect();
    futures.into_iter().for_each(|future| drop(future.wait().unwrap()));
    assert_eq!(cluster.values(0), numbers(0..100));
    producer.close(SOON);
}

/// The leader is silent and another one takes over: what is sent from then on waits until it is known what became of the first.
#[test]
fn a_new_leader_gets_nothing_before_the_old_one_has_answered() {
    let cluster = Cluster::start(2, &[1]);
    let mut pairs = PAIRS.to_vec();
    pairs.extend([
        ("max.in.flight.requests.per.connection", "1"),
        ("request.timeout.ms", "500"),
        ("metadata.max.age.ms", "10"),
    ]);
    let producer = producer(&cluster, &pairs);
    producer.partitions_for("t").unwrap();
    cluster.script([Reaction::Ignore]);
    let first = producer.send(record("0"));
    cluster.wait_received(1);
    cluster.lead(0, 2);
    wait_for_leader(&producer, 2);
    let later: Vec<_> = (1..10).map(|number| producer.send(record(number.to_string()))).collect();
    std::iter::once(first).chain(later).for_each(|future| drop(future.wait().unwrap()));
    assert_eq!(cluster.values(0), numbers(0..10));
    producer.close(SOON);
}
