//! Peers that stall, vanish, announce what cannot be, or ask and never listen.

use std::time::Duration;

use bytes::BytesMut;
use logdyno_broker::Broker;
use logdyno_wire::StrBytes;
use logdyno_wire::kafka_protocol::protocol::Encodable;
use logdyno_wire::messages::{ApiKey, MetadataRequest, RequestHeader};

use super::peer::{Peer, framed};
use crate::cluster::{Fetch, batch, channel, create, metadata, produce, run, single};

/// A request as a frame.
fn frame(api: ApiKey, version: i16, correlation_id: i32, body: &impl Encodable) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    let header = RequestHeader::default().with_request_api_key(api as i16).with_request_api_version(version);
    let header = header.with_correlation_id(correlation_id).with_client_id(Some(StrBytes::from_static_str("rude")));
    header.encode(&mut bytes, api.request_header_version(version)).expect("a header");
    body.encode(&mut bytes, version).expect("a body");
    framed(&bytes)
}

/// Asks for all topics.
fn question(correlation_id: i32) -> Vec<u8> {
    frame(ApiKey::Metadata, 12, correlation_id, &MetadataRequest::default().with_topics(None))
}

async fn until_connections_are(broker: &Broker, count: usize) {
    while broker.figures().connections != count {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// The broker closes at once, before it takes memory for what was announced.
#[test]
fn frames_of_impossible_lengths_end_their_connection() {
    let single = single("");
    run(async {
        let bystander = channel(&single.broker).await;
        let lengths = [i32::MAX, i32::MAX - 4, (100 << 20) + 1, i32::MIN, -2, -1, 0, 1, 5, 7];
        let before = single.broker.counters().connections_failed;
        for length in lengths {
            let mut peer = Peer::connect(&single.broker).await;
            peer.send(&length.to_be_bytes()).await;
            if length > 0 && length < 8 {
                // Too few bytes for a header, but a frame: it is read first.
                peer.send(&vec![0; usize::try_from(length).expect("positive")]).await;
            }
            assert_eq!(peer.answer().await, None, "{length}");
        }
        assert_eq!(single.broker.counters().connections_failed - before, lengths.len() as u64);
        assert_eq!(metadata(&bystander, "t").await.brokers.len(), 1);
    });
}

/// Peers that have sent a part of a frame and wait: others are served, and the rest of the frame is welcome when it comes.
#[test]
fn peers_that_stall_in_a_frame_hold_up_nobody() {
    let single = single("");
    run(async {
        let bystander = channel(&single.broker).await;
        let question = question(9);
        let mut stalled = Vec::new();
        for cut in 1..question.len() {
            let mut peer = Peer::connect(&single.broker).await;
            peer.send(&question[..cut]).await;
            stalled.push((cut, peer));
        }
        until_connections_are(&single.broker, question.len()).await;
        assert_eq!(metadata(&bystander, "t").await.brokers.len(), 1);
        for (cut, mut peer) in stalled {
            peer.send(&question[cut..]).await;
            assert!(peer.answer().await.is_some_and(|answer| answer.starts_with(&9_i32.to_be_bytes())), "{cut}");
        }
        until_connections_are(&single.broker, 1).await;
    });
}

/// Half a request and then nothing: by a close, and by a reset.
#[test]
fn peers_that_vanish_leave_nothing_behind() {
    let single = single("");
    run(async {
        let bystander = channel(&single.broker).await;
        let question = question(9);
        for cut in 0..question.len() {
            for says_goodbye in [true, false] {
                let mut peer = Peer::connect(&single.broker).await;
                peer.send(&question[..cut]).await;
                if says_goodbye {
                    peer.end().await;
                    assert_eq!(peer.answer().await, None, "{cut}");
                }
            }
        }
        until_connections_are(&single.broker, 1).await;
        assert_eq!(single.broker.figures().request_bytes_in_flight, 0);
        assert_eq!(metadata(&bystander, "t").await.brokers.len(), 1);
    });
}

/// They ask for more than a socket holds, and go while the broker writes.
#[test]
fn peers_that_close_in_the_middle_of_an_answer_leave_nothing_behind() {
    let single = single("");
    run(async {
        let bystander = channel(&single.broker).await;
        assert_eq!(create(&bystander, "t", 1, 1).await, 0);
        let value = "x".repeat(500_000);
        for _ in 0..40 {
            assert_eq!(produce(&bystander, "t", batch(&[&value]), 1).await.error_code, 0);
        }
        let wanted = Fetch { partition_bytes_max: 50 << 20, ..Fetch::from(0) }.request("t");
        for part in [0, 4, 1000, 1_000_000] {
            let mut peer = Peer::connect(&single.broker).await;
            peer.send(&frame(ApiKey::Fetch, 12, 1, &wanted)).await;
            peer.take(part).await;
        }
        until_connections_are(&single.broker, 1).await;
        assert_eq!(single.broker.figures().request_bytes_in_flight, 0);
        assert_eq!(metadata(&bystander, "t").await.brokers.len(), 1);
    });
}

/// More requests than the broker takes at a time (64): the rest waits in the socket, and all are answered in order once the peer listens.
#[test]
fn a_thousand_requests_are_answered_in_order_to_who_reads_late() {
    let single = single("");
    run(async {
        let bystander = channel(&single.broker).await;
        // An answer is some 60 KB, so that a thousand fill any socket's buffers.
        for topic in 0..200 {
            assert_eq!(create(&bystander, &format!("{topic:0>249}"), 1, 1).await, 0);
        }
        let mut peer = Peer::connect(&single.broker).await;
        let questions: Vec<u8> = (0..1000).flat_map(question).collect();
        let (mut listening, mut asking) = peer.split();
        let asked = async {
            asking.send(&questions).await;
        };
        let mut answers = 0_i32;
        let heard = async {
            // Nothing is read until the broker has stopped taking requests, which it does long before the last.
            let mut taken = 0;
            while single.broker.counters().requests != taken {
                taken = single.broker.counters().requests;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            assert_eq!(metadata(&bystander, "t").await.brokers.len(), 1);
            while answers < 1000 {
                let answer = listening.answer().await.expect("an answer");
                assert!(answer.starts_with(&answers.to_be_bytes()), "answer {answers}");
                answers += 1;
            }
            taken
        };
        let (taken, ()) = tokio::join!(heard, asked);
        println!("{taken} requests were taken from a peer that does not read");
        assert!(taken < 1000, "a peer that reads nothing is not read from for ever: {taken}");
    });
}
