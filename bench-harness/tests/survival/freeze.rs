//! SIGSTOP of one or two of three brokers.

use std::time::{Duration, Instant};

use logdyno_engine::client::{ClientError, SendFuture};
use logdyno_engine::record::Offset;
use logdyno_engine::wire::ErrorCode;
use tempfile::TempDir;

use crate::clients::{
    consumer, create, describe, end, producer, producer_that_waits, read_to, record, sequence, wait_for_isr,
};
use crate::process::{Served, serve};
use crate::{backends, eventually};

/// Three brokers, and a partition that broker 1 leads: it is the controller too, and never frozen.
///
/// Sessions outlast the test, so that nothing but its lag takes a follower out of the ISR.
fn three(backend: &str, data: &TempDir, lag_max: Duration) -> (Served, i32) {
    let config = format!("replica.lag.time.max.ms={}\nbroker.session.timeout.ms=300000\n", lag_max.as_millis());
    let served = serve(backend, data.path(), 3, &config);
    create(&served.addresses[0], 3, 3, &[("min.insync.replicas", "2")]);
    let partitions = describe(&served.addresses[0]).expect("a topic");
    let led = partitions.iter().find(|partition| partition.leader == Some(1)).expect("leaders are spread");
    let partition = led.partition;
    (served, partition)
}

/// The record's offset or the broker's refusal. A client that hung up before the broker said that the time is over
/// (both wait `request.timeout.ms`) counts as told so.
fn outcome(mut sent: SendFuture) -> Result<Offset, ErrorCode> {
    let outcome = eventually("an answer", || sent.try_get());
    match outcome {
        Ok(metadata) => Ok(metadata.offset),
        Err(ClientError::Refused { code, .. }) => Err(code),
        Err(ClientError::Disconnected { .. }) => Err(ErrorCode::RequestTimedOut),
        Err(other) => panic!("{other}"),
    }
}

/// Row 10.
/// The record cannot be acknowledged while the frozen follower is in sync: it never fetches it. That lasts for the lag
/// time after its last fetch, which was at most a long poll (500 ms) and a busy machine's hiccup before the freeze.
#[test]
fn acks_all_waits_for_a_frozen_follower_until_it_leaves_the_isr() {
    backends::on_each(|backend| {
        let data = TempDir::new().expect("a directory");
        let (served, partition) = three(backend, &data, Duration::from_secs(4));
        let address = &served.addresses[0];
        let producer = producer(address, "all");
        for n in 0..20 {
            assert_eq!(outcome(producer.send(record(partition, n))), Ok(Offset(n.cast_signed())));
        }
        wait_for_isr(address, partition as usize, &[1, 2, 3]);
        served.broker(3).freeze();
        let frozen = Instant::now();
        let mut consumer = consumer(address, partition);
        read_to(&mut consumer, Offset(20), |_, _| {});

        let mut sent = producer.send(record(partition, 20));
        let mut seen_by_consumer = false;
        let acknowledged = eventually("an acknowledgement", || {
            seen_by_consumer |= !consumer.poll(Duration::from_millis(10)).expect("records").is_empty();
            let answer = sent.try_get();
            let early = frozen.elapsed() < Duration::from_secs(2);
            assert!(!early || !(seen_by_consumer || answer.is_some()), "{answer:?} while the follower is in sync");
            answer
        });
        assert_eq!(acknowledged.expect("acknowledged").offset, Offset(20));
        wait_for_isr(address, partition as usize, &[1, 2]);
        for n in 21..40 {
            assert_eq!(outcome(producer.send(record(partition, n))), Ok(Offset(n.cast_signed())));
        }
        served.broker(3).thaw();
        wait_for_isr(address, partition as usize, &[1, 2, 3]);
        assert_eq!(outcome(producer.send(record(partition, 40))), Ok(Offset(40)));
        drop(producer);
        end_with(served, &data, partition, &(0..41).collect::<Vec<_>>());
    });
}

/// The first record after the freeze is appended while the ISR is still whole. Then the ISR shrinks below
/// `min.insync.replicas` and the high watermark rests (KIP-966): the record stays invisible until a follower has it,
/// and its producer hears that the time is over (7). Error 20 needs a high watermark that passes the record while the
/// ISR shrinks. From then on records are refused at once by error 19, and never appended.
#[test]
fn two_frozen_followers_leave_nothing_acknowledged_and_nothing_visible() {
    backends::on_each(|backend| {
        let data = TempDir::new().expect("a directory");
        let (served, partition) = three(backend, &data, Duration::from_secs(2));
        let address = &served.addresses[0];
        let producer = producer(address, "all");
        for n in 0..20 {
            assert_eq!(outcome(producer.send(record(partition, n))), Ok(Offset(n.cast_signed())));
        }
        wait_for_isr(address, partition as usize, &[1, 2, 3]);
        served.broker(2).freeze();
        served.broker(3).freeze();
        let mut consumer = consumer(address, partition);
        read_to(&mut consumer, Offset(20), |_, _| {});

        let mut appended = vec![20];
        let hasty = producer_that_waits(address, "all", "6000");
        match outcome(hasty.send(record(partition, 20))) {
            Err(ErrorCode::RequestTimedOut | ErrorCode::NotEnoughReplicasAfterAppend) => {}
            // The followers were frozen for so long before the send that the ISR had shrunk already.
            Err(ErrorCode::NotEnoughReplicas) => appended.clear(),
            other => panic!("{other:?}"),
        }
        wait_for_isr(address, partition as usize, &[1]);
        for n in 21..25 {
            assert_eq!(outcome(producer.send(record(partition, n))), Err(ErrorCode::NotEnoughReplicas));
        }
        for _ in 0..10 {
            let records = consumer.poll(Duration::from_millis(100)).expect("records");
            let seen: Vec<u64> =
                records.iter().map(|record| sequence(record.value.as_deref().expect("a value"))).collect();
            assert!(seen.is_empty(), "records {seen:?} are on one replica only");
        }
        assert_eq!(end(address, partition), Offset(20), "the high watermark rests");

        served.broker(2).thaw();
        served.broker(3).thaw();
        wait_for_isr(address, partition as usize, &[1, 2, 3]);
        let next = 20 + appended.len() as i64;
        assert_eq!(outcome(producer.send(record(partition, 25))), Ok(Offset(next)));
        drop(producer);
        let kept: Vec<u64> = (0..20).chain(appended).chain([25]).collect();
        end_with(served, &data, partition, &kept);
    });
}

/// Exactly these records are in the log, and on all replicas.
fn end_with(served: Served, data: &TempDir, partition: i32, sequences: &[u64]) {
    let address = &served.addresses[0];
    let mut found = Vec::new();
    let end = end(address, partition);
    read_to(&mut consumer(address, partition), end, |_, sequence| found.push(sequence));
    assert_eq!(found, sequences);
    served.stop();
    let logs = [1, 2, 3].map(|id| {
        let data = data.path().join(format!("{id}/data"));
        crate::segments::assert_sound(&data, partition);
        std::fs::read(&crate::segments::files(&data, partition, "log")[0]).expect("a segment")
    });
    assert!(logs[0] == logs[1] && logs[0] == logs[2], "the replicas are equal");
}
