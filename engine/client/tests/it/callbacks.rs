//! What callbacks may do, and what they cannot break.

use std::sync::{Arc, mpsc};

use logdyno_client::ClientError;
use logdyno_record::Offset;

use crate::cluster::Cluster;
use crate::producer::{SOON, producer, record};

/// Row 75: callbacks of a partition run in order, each once, all on one thread that is not the caller's.
#[test]
fn callbacks_run_in_order_on_the_senders_thread() {
    let cluster = Cluster::start(1, &[1]);
    let producer = producer(&cluster, &[("batch.size", "500"), ("linger.ms", "0")]);
    let (seen, order) = mpsc::channel();
    for number in 0..10_000 {
        let seen = seen.clone();
        drop(producer.send_with(record(number.to_string()), move |result| {
            seen.send((result.unwrap().offset.0, std::thread::current().id())).unwrap();
        }));
    }
    drop(seen);
    producer.close(SOON);
    let order: Vec<_> = order.iter().collect();
    assert!(order.iter().map(|(offset, _)| *offset).eq(0..10_000));
    assert!(order.iter().all(|(_, thread)| *thread == order[0].1 && *thread != std::thread::current().id()));
}

/// Row 75: a callback that panics does not take the sender with it.
#[test]
fn a_panicking_callback_harms_nobody_else() {
    let cluster = Cluster::start(1, &[1]);
    let producer = producer(&cluster, &[]);
    drop(producer.send_with(record("a"), |_| panic!("planted")));
    producer.flush();
    assert_eq!(producer.send(record("b")).wait().unwrap().offset, Offset(1));
    producer.close(SOON);
}

/// Kafka 4.1 refuses a flush in a callback, too: it would wait for its own batch.
#[test]
fn a_flush_in_a_callback_returns() {
    let cluster = Cluster::start(1, &[1]);
    let producer = Arc::new(producer(&cluster, &[]));
    let (called, flushed) = mpsc::channel();
    let shared = Arc::clone(&producer);
    let sent = producer.send_with(record("a"), move |_| {
        shared.flush();
        called.send(()).unwrap();
    });
    flushed.recv_timeout(SOON).expect("the callback has returned");
    assert_eq!(sent.wait().unwrap().offset, Offset(0));
    assert_eq!(producer.send(record("b")).wait().unwrap().offset, Offset(1));
}

/// Whoever drops the last handle in a callback does it on the thread that the drop would wait for.
#[test]
fn a_producer_that_ends_in_a_callback_ends() {
    let cluster = Cluster::start(1, &[1]);
    let producer = Arc::new(producer(&cluster, &[]));
    cluster.hold();
    let shared = Arc::clone(&producer);
    let first = producer.send_with(record("a"), move |_| drop(shared));
    cluster.wait_received(1);
    let second = producer.send(record("b"));
    drop(producer);
    cluster.release();
    let (ended, ends) = mpsc::channel();
    std::thread::spawn(move || ended.send((first.wait(), second.wait())).unwrap());
    let (first, second) = ends.recv_timeout(SOON).expect("both records are done");
    assert_eq!(first.unwrap().offset, Offset(0));
    assert!(matches!(second, Err(ClientError::Closed { .. })));
}
