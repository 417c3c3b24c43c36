//! Errors, lost answers, timeouts: what is tried again, and what is given up.

use std::time::Duration;

use logdyno_client::ClientError;
use logdyno_record::Offset;
use logdyno_wire::ErrorCode;

use crate::cluster::{Cluster, Reaction};
use crate::producer::{SOON, numbers, producer, record};

const FAST: (&str, &str) = ("retry.backoff.ms", "5");
const FASTER: (&str, &str) = ("retry.backoff.max.ms", "10");

/// Row 66: a retriable error fifty times, and the record is in the log once.
#[test]
fn a_retriable_error_is_retried_until_it_is_gone() {
    let cluster = Cluster::start(1, &[1]);
    let producer = producer(&cluster, &[FAST, FASTER]);
    cluster.script(vec![Reaction::Refuse(19); 50]);
    assert_eq!(producer.send(record("stubborn")).wait().unwrap().offset, Offset(0));
    assert_eq!(cluster.values(0), ["stubborn"]);
    assert_eq!((cluster.received(), producer.metrics().retries), (51, 50));
    producer.close(SOON);
}

/// Row 66: retries bounds how often a batch is sent again.
#[test]
fn retries_are_counted() {
    let cluster = Cluster::start(1, &[1]);
    let producer = producer(&cluster, &[FAST, FASTER, ("retries", "2")]);
    cluster.script(vec![Reaction::Refuse(19); 10]);
    let error = producer.send(record("x")).wait().unwrap_err();
    assert!(matches!(error, ClientError::Refused { code: ErrorCode::NotEnoughReplicas, .. }), "{error}");
    assert_eq!(cluster.received(), 3);
    producer.close(SOON);
}

#[test]
fn an_error_that_stays_is_not_retried() {
    let cluster = Cluster::start(1, &[1]);
    let producer = producer(&cluster, &[]);
    cluster.script([Reaction::Refuse(29)]);
    let error = producer.send(record("x")).wait().unwrap_err();
    assert!(matches!(error, ClientError::Refused { code: ErrorCode::TopicAuthorizationFailed, .. }), "{error}");
    assert_eq!(cluster.received(), 1);
    producer.close(SOON);
}

/// Row 66: after delivery.timeout.ms the record has failed, whatever the broker says later.
#[test]
fn delivery_timeout_fails_what_was_refused_all_along() {
    let cluster = Cluster::start(1, &[1]);
    let pairs = [FAST, FASTER, ("delivery.timeout.ms", "300"), ("request.timeout.ms", "200"), ("linger.ms", "0")];
    let producer = producer(&cluster, &pairs);
    cluster.script(vec![Reaction::Refuse(19); 1000]);
    let error = producer.send(record("x")).wait().unwrap_err();
    assert!(matches!(&error, ClientError::DeliveryTimeout { records: 1, attempts: 2.., .. }), "{error}");
    producer.close(SOON);
    assert!(cluster.values(0).is_empty());
}

/// Row 66: a batch in flight expires while its request is still out, and the late answer changes nothing.
#[test]
fn delivery_timeout_fails_what_is_in_flight() {
    let cluster = Cluster::start(1, &[1]);
    let pairs = [("delivery.timeout.ms", "300"), ("request.timeout.ms", "300"), ("linger.ms", "0")];
    let producer = producer(&cluster, &pairs);
    producer.partitions_for("t").unwrap();
    cluster.hold();
    let error = producer.send(record("x")).wait().unwrap_err();
    assert!(matches!(&error, ClientError::DeliveryTimeout { .. }), "{error}");
    cluster.release();
    assert_eq!(producer.metrics().records_failed, 1);
    producer.close(SOON);
}

/// Row 66: a batch expires in the queue of a broker that cannot be reached.
#[test]
fn delivery_timeout_fails_what_never_left() {
    let cluster = Cluster::start(1, &[-1]);
    let pairs = [("delivery.timeout.ms", "200"), ("request.timeout.ms", "100"), ("linger.ms", "0")];
    let producer = producer(&cluster, &pairs);
    let error = producer.send(record("x")).wait().unwrap_err();
    assert!(matches!(&error, ClientError::DeliveryTimeout { attempts: 0, .. }), "{error}");
    producer.close(SOON);
}

/// request.timeout.ms: no answer means a new connection and another attempt.
#[test]
fn a_request_without_answer_is_sent_again() {
    let cluster = Cluster::start(1, &[1]);
    let producer = producer(&cluster, &[FAST, ("request.timeout.ms", "200")]);
    cluster.script([Reaction::Ignore]);
    assert_eq!(producer.send(record("x")).wait().unwrap().offset, Offset(0));
    assert_eq!(cluster.received(), 2);
    producer.close(SOON);
}

/// Without idempotence an answer that is lost after the append makes a duplicate: at least once.
#[test]
fn a_lost_answer_means_a_second_copy() {
    let cluster = Cluster::start(1, &[1]);
    let producer = producer(&cluster, &[FAST, ("enable.idempotence", "false")]);
    cluster.script([Reaction::TakeAndHang]);
    assert_eq!(producer.send(record("twice")).wait().unwrap().offset, Offset(1));
    assert_eq!(cluster.values(0), ["twice", "twice"]);
    producer.close(SOON);
}

/// Row 43: produce goes to the leader only, and follows it when it moves, without loss or duplicate.
#[test]
fn batches_follow_the_leader() {
    let cluster = Cluster::start(2, &[1]);
    let producer = producer(&cluster, &[FAST, ("linger.ms", "0")]);
    producer.send(record("0")).wait().unwrap();
    cluster.lead(0, 2);
    producer.send(record("1")).wait().unwrap();
    assert_eq!(cluster.values(0), ["0", "1"]);
    let nodes: Vec<i32> = cluster.produced().iter().map(|request| request.node).collect();
    assert_eq!((nodes[0], *nodes.last().unwrap()), (1, 2));
    producer.close(SOON);
}

/// §4.1: MESSAGE_TOO_LARGE splits, also when the broker's limit is below batch.size.
#[test]
fn a_batch_too_large_for_the_broker_arrives_in_parts() {
    let cluster = Cluster::start(1, &[1]);
    cluster.limit_batches(1000);
    let producer =
        producer(&cluster, &[("batch.size", "8000"), ("linger.ms", "600000"), ("delivery.timeout.ms", "700000")]);
    let futures: Vec<_> = (0..40).map(|number| producer.send(record(format!("{number:0100}")))).collect();
    producer.flush();
    for (offset, future) in futures.into_iter().enumerate() {
        assert_eq!(future.wait().unwrap().offset, Offset(offset as i64));
    }
    let values: Vec<String> = (0..40).map(|number| format!("{number:0100}")).collect();
    assert_eq!(cluster.values(0), values);
    assert!(producer.metrics().splits > 1);
    producer.close(SOON);
}

/// A single record that is too large for the broker fails, and nothing else does.
#[test]
fn a_record_too_large_for_the_broker_fails_alone() {
    let cluster = Cluster::start(1, &[1]);
    cluster.limit_batches(1000);
    let producer = producer(&cluster, &[("batch.size", "8000"), ("linger.ms", "50")]);
    let before = producer.send(record("before"));
    let large = producer.send(record("x".repeat(2000)));
    let after = producer.send(record("after"));
    assert!(matches!(large.wait(), Err(ClientError::Refused { code: ErrorCode::MessageTooLarge, .. })));
    before.wait().unwrap();
    after.wait().unwrap();
    assert_eq!(cluster.values(0), ["before", "after"]);
    producer.close(SOON);
}

#[test]
fn a_broker_that_comes_back_gets_what_waited_for_it() {
    let cluster = Cluster::start(1, &[1]);
    let producer = producer(&cluster, &[FAST, ("reconnect.backoff.ms", "5"), ("linger.ms", "0")]);
    producer.send(record("0")).wait().unwrap();
    cluster.cut_connections();
    let futures: Vec<_> = (1..20).map(|number| producer.send(record(number.to_string()))).collect();
    futures.into_iter().for_each(|future| drop(future.wait().unwrap()));
    assert_eq!(cluster.values(0), numbers(0..20));
    producer.close(Duration::from_secs(5));
}
