//! What peers may do to a broker: nothing.

use std::time::Duration;

use logdyno_wire::messages::create_topics_request::CreatableTopic;
use logdyno_wire::messages::{CreateTopicsRequest, MetadataRequest};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::cluster::{Fetch, batch, channel, create, metadata, name, produce, run, single};

/// What a peer does after its bytes.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    /// It waits. Only so is it certain that the broker closes for what was sent.
    Waits,
    /// It says that nothing more will come, whereupon the broker closes in any case.
    Ends,
}

/// Sends bytes and waits until the broker closes; `false` if it answers instead.
async fn is_closed_after(broker: &logdyno_broker::Broker, bytes: &[u8], then: Then) -> bool {
    let mut stream = TcpStream::connect(broker.address()).await.expect("connected");
    // The broker may close before everything is written.
    drop(stream.write_all(bytes).await);
    if then == Then::Ends {
        drop(stream.shutdown().await);
    }
    let mut answer = Vec::new();
    // A reset is an end too.
    drop(stream.read_to_end(&mut answer).await);
    answer.is_empty()
}

fn framed(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("small");
    [&length.to_be_bytes(), body].concat()
}

#[test]
fn garbage_closes_the_connection_and_harms_nobody() {
    let single = single("socket.request.max.bytes=100000\n");
    run(async {
        let bystander = channel(&single.broker).await;
        let metadata_header = [0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff];
        let cases: [(&str, Vec<u8>); 8] = [
            ("a negative length", (-1_i32).to_be_bytes().to_vec()),
            ("length 0", vec![0; 4]),
            ("too large", 100_001_u32.to_be_bytes().to_vec()),
            ("too short for a header", framed(&[0, 3])),
            ("an API that is not served", framed(&[0, 11, 0, 0, 0, 0, 0, 1, 0xff, 0xff])),
            ("a version that is not served", framed(&[0, 0, 0, 2, 0, 0, 0, 1, 0xff, 0xff])),
            ("a list of two billion", framed(&[&metadata_header[..], &[0x7f, 0xff, 0xff, 0xff]].concat())),
            ("a frame cut short", framed(&metadata_header)[..9].to_vec()),
        ];
        let before = single.broker.counters().connections_failed;
        let count = cases.len() as u64;
        for (what, bytes) in cases {
            let then = if what == "a frame cut short" { Then::Ends } else { Then::Waits };
            assert!(is_closed_after(&single.broker, &bytes, then).await, "{what}");
        }
        assert_eq!(single.broker.counters().connections_failed - before, count);
        assert_eq!(metadata(&bystander, "t").await.brokers.len(), 1);
    });
}

#[test]
fn random_and_mutilated_requests_never_harm_the_broker() {
    let single = single("");
    let api = prop_oneof![
        Just(0_i16),
        Just(1),
        Just(2),
        Just(3),
        Just(18),
        Just(19),
        Just(20),
        Just(23),
        Just(21),
        Just(32),
        Just(33),
        Just(35),
        Just(37),
        Just(44),
        Just(60),
        Just(75),
        any::<i16>()
    ];
    let request = (api, 0_i16..18, proptest::collection::vec(any::<u8>(), 0..200));
    let mut runner = TestRunner::new(Config { cases: 400, failure_persistence: None, ..Config::default() });
    runner
        .run(&request, |(api, version, noise)| {
            let mut body = [api.to_be_bytes(), version.to_be_bytes()].concat();
            body.extend([0, 0, 0, 1, 0xff, 0xff]);
            body.extend(noise);
            run(is_closed_after(&single.broker, &framed(&body), Then::Ends));
            Ok(())
        })
        .expect("no panic");
    run(async {
        let channel = channel(&single.broker).await;
        assert_eq!(metadata(&channel, "t").await.brokers.len(), 1, "the broker lives");
    });
}

#[test]
fn connections_are_bounded_in_number_and_in_silence() {
    let single = single("max.connections=1\nconnections.max.idle.ms=300\n");
    run(async {
        let mut idle = TcpStream::connect(single.broker.address()).await.expect("connected");
        // Once the first has been taken, there is no place for another.
        while single.broker.counters().connections == 0 {
            tokio::task::yield_now().await;
        }
        assert!(is_closed_after(&single.broker, &[], Then::Ends).await);
        assert_eq!(single.broker.counters().connections_refused, 1);
        idle.write_all(&[0, 0]).await.expect("written");
        assert_eq!(idle.read(&mut [0; 8]).await.expect("an end"), 0, "silent in the middle of a frame for too long");
    });
}

#[test]
fn connections_are_bounded_by_address() {
    let single = single("max.connections.per.ip=1\n");
    run(async {
        let first = channel(&single.broker).await;
        assert!(is_closed_after(&single.broker, &[], Then::Ends).await);
        assert_eq!((single.broker.counters().connections_refused, single.broker.figures().connections), (1, 1));
        first.close();
        while single.broker.figures().connections > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(metadata(&channel(&single.broker).await, "t").await.brokers.len(), 1);
    });
}

/// While a request that is still coming holds all the room, nobody's is read; one that was carried out and waits holds none, because what
/// it waits for may be a request: an append's replicas fetch.
#[test]
fn requests_in_flight_are_bounded_over_all_connections() {
    let single = single("queued.max.request.bytes=1024\n");
    run(async {
        let (reader, other) = (channel(&single.broker).await, channel(&single.broker).await);
        assert_eq!(create(&reader, "t", 1, 1).await, 0);
        let parked = tokio::spawn(async move { Fetch { wait_ms: 60_000, ..Fetch::from(0) }.call(&reader, "t").await });
        assert_eq!(metadata(&other, "t").await.brokers.len(), 1);
        assert_eq!(produce(&other, "t", batch(&["a"]), -1).await.error_code, 0);
        assert_eq!(parked.await.expect("no panic").error_code, 0);
        while single.broker.figures().request_bytes_in_flight > 0 {
            tokio::task::yield_now().await;
        }
        let mut slow = TcpStream::connect(single.broker.address()).await.expect("connected");
        slow.write_all(&[0, 0, 4, 0, 0]).await.expect("written");
        while single.broker.figures().request_bytes_in_flight == 0 {
            tokio::task::yield_now().await;
        }
        let waiting = tokio::time::timeout(Duration::from_millis(300), metadata(&other, "t")).await;
        assert!(waiting.is_err(), "it was read although there was no room");
        drop(slow);
        assert_eq!(metadata(&channel(&single.broker).await, "t").await.brokers.len(), 1);
    });
}

/// Whoever says something and goes has said it: a member that leaves, a commit, as Kafka takes them.
#[test]
fn what_was_said_before_the_connection_closed_is_done() {
    let single = single("");
    run(async {
        let stays = channel(&single.broker).await;
        for number in 0..20 {
            let topic = CreatableTopic::default()
                .with_name(name(&format!("t{number}")))
                .with_num_partitions(1)
                .with_replication_factor(1);
            let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(30_000);
            let goes = channel(&single.broker).await;
            drop(goes.send_with(request, None, true).await.expect("it is sent"));
            goes.close();
        }
        while stays.call(MetadataRequest::default().with_topics(None), None).await.expect("an answer").topics.len() < 20
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
}

/// A client that got no answer sends again what was done.
#[test]
fn what_was_taken_is_answered_before_a_stop() {
    let single = single("");
    run(async {
        let client = channel(&single.broker).await;
        assert_eq!(create(&client, "t", 1, 1).await, 0);
        metadata(&client, "t").await;
        let before = single.broker.counters().requests;
        let waiting = Fetch { wait_ms: 500, ..Fetch::from(0) }.request("t");
        let sent = client.send_with(waiting, Some(12), true).await.expect("it is sent");
        while single.broker.counters().requests == before {
            tokio::task::yield_now().await;
        }
        let stopped = tokio::task::spawn_blocking(|| single.broker.stop());
        let answer = sent.answer().await.expect("an answer before the end");
        assert_eq!(answer.responses[0].partitions[0].error_code, 0);
        stopped.await.expect("no panic").expect("a clean stop");
        assert!(client.call(Fetch::from(0).request("t"), Some(12)).await.is_err(), "nothing is taken any more");
    });
}
