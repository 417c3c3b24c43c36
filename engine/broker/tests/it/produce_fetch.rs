//! Produce and Fetch on one broker.

use std::time::{Duration, Instant};

use logdyno_record::{BatchBuilder, BatchOptions, Codec, Compression};

use crate::cluster::{Fetch, batch, channel, create, produce, produce_request, run, single, values};

/// Rows 40, 62, 63, 64.
#[test]
fn what_is_produced_is_fetched_with_dense_offsets() {
    let single = single("");
    run(async {
        let channel = channel(&single.broker).await;
        assert_eq!(create(&channel, "t", 1, 1).await, 0);
        for (acks, base) in [(1, 0), (-1, 2)] {
            let answer = produce(&channel, "t", batch(&["a", "b"]), acks).await;
            assert_eq!((answer.error_code, answer.base_offset), (0, base));
        }
        let sent = channel.send_with(produce_request("t", batch(&["c"]), 0), None, false).await;
        drop(sent.expect("handed to the socket"));
        let fetched = Fetch { wait_ms: 30_000, bytes_min: 1, ..Fetch::from(4) }.call(&channel, "t").await;
        assert_eq!(values(fetched.records), ["c"]);
        let fetched = Fetch::from(0).call(&channel, "t").await;
        assert_eq!(values(fetched.records), ["a", "b", "a", "b", "c"]);
        assert_eq!((fetched.high_watermark, fetched.last_stable_offset), (5, 5));
    });
    single.broker.stop().expect("a clean stop");
}

/// Row 63: an error of acks=0 can only be told by closing.
#[test]
fn a_refused_batch_without_acks_closes_the_connection() {
    let single = single("");
    run(async {
        let channel = channel(&single.broker).await;
        let sent = channel.send_with(produce_request("missing", batch(&["a"]), 0), None, false).await;
        drop(sent.expect("handed to the socket"));
        assert!(Fetch::from(0).request("missing").topics.len() == 1);
        let next = channel.call(Fetch::from(0).request("missing"), Some(12)).await;
        assert!(next.is_err(), "the connection is closed");
    });
}

/// G11, G15: what a leader refuses, and with which error; nothing is appended.
#[test]
fn bad_batches_are_refused_by_kafkas_codes() {
    let single = single("message.max.bytes=2000\n");
    run(async {
        let channel = channel(&single.broker).await;
        assert_eq!(create(&channel, "t", 1, 1).await, 0);
        let good = batch(&["a"]);
        let mut flipped = good.to_vec();
        *flipped.last_mut().expect("a byte") ^= 1;
        let two = [good.clone(), good.clone()].concat();
        let mut builder = BatchBuilder::new(Codec::new(Compression::None), 64);
        builder.append(1, None, Some(b"x"), &[]);
        let without_sequence =
            builder.build(&BatchOptions::default().with_producer(7, 0, -1)).expect("a batch").bytes().clone();
        let large = "x".repeat(3000);
        let cases = [
            ("a flipped bit", flipped.into(), 1, 2),
            ("two batches", two.into(), 1, 87),
            ("a producer id and no sequence", without_sequence, 1, 87),
            ("too large", batch(&[&large]), 1, 10),
            ("acks=2", good.clone(), 2, 21),
        ];
        for (what, records, acks, error) in cases {
            assert_eq!(produce(&channel, "t", records, acks).await.error_code, error, "{what}");
        }
        assert_eq!(Fetch::from(0).call(&channel, "t").await.high_watermark, 0);
        assert_eq!(produce(&channel, "missing", good, 1).await.error_code, 3);
    });
}

/// G4: a fetch waits for records, but no longer than it says, and without looking again and again.
#[test]
fn a_fetch_waits_for_records() {
    let single = single("");
    run(async {
        let (waiting, producing) = (channel(&single.broker).await, channel(&single.broker).await);
        assert_eq!(create(&producing, "t", 1, 1).await, 0);
        let fetch = Fetch { wait_ms: 60_000, ..Fetch::from(0) };
        let parked = waiting.send(fetch.request("t"), Some(12)).await.expect("handed to the socket");
        assert_eq!(produce(&producing, "t", batch(&["a"]), 1).await.error_code, 0);
        let answer = parked.answer().await.expect("an answer");
        assert_eq!(values(answer.responses[0].partitions[0].records.clone()), ["a"]);
        let before = (Instant::now(), single.broker.counters().fetch_wakeups);
        let nothing = Fetch { wait_ms: 300, ..Fetch::from(1) }.call(&waiting, "t").await;
        assert!(values(nothing.records).is_empty());
        assert!(before.0.elapsed() >= Duration::from_millis(300));
        assert_eq!(
            single.broker.counters().fetch_wakeups,
            before.1,
            "nothing happened, so nothing was looked at again"
        );
    });
}

/// G4: the first batch comes whole, however small the limits are; a second one only if it fits.
#[test]
fn limits_of_a_fetch_spare_the_first_batch() {
    let single = single("");
    run(async {
        let channel = channel(&single.broker).await;
        assert_eq!(create(&channel, "t", 1, 1).await, 0);
        for value in ["a", "b", "c"] {
            assert_eq!(produce(&channel, "t", batch(&[value]), 1).await.error_code, 0);
        }
        for (partition_bytes_max, bytes_max) in [(1, 50 << 20), (1 << 20, 1)] {
            let fetch = Fetch { partition_bytes_max, bytes_max, ..Fetch::from(1) };
            assert_eq!(values(fetch.call(&channel, "t").await.records), ["b"]);
        }
        let two = 2 * i32::try_from(batch(&["a"]).len()).expect("small");
        let fetch = Fetch { partition_bytes_max: two, ..Fetch::from(0) };
        assert_eq!(values(fetch.call(&channel, "t").await.records), ["a", "b"]);
        assert_eq!(Fetch::from(4).call(&channel, "t").await.error_code, 1, "out of range");
    });
}

/// §2.1: answers leave in the order of requests, although the parked fetch could be overtaken.
#[test]
fn answers_keep_the_order_of_requests() {
    let single = single("");
    run(async {
        let channel = channel(&single.broker).await;
        assert_eq!(create(&channel, "t", 1, 1).await, 0);
        let mut sent = Vec::new();
        for round in 0..20 {
            // The channel itself refuses an answer out of order.
            let fetch = Fetch { wait_ms: 50, ..Fetch::from(round) };
            let parked = channel.send(fetch.request("t"), Some(12)).await.expect("sent");
            let produced = channel.send(produce_request("t", batch(&["x"]), -1), None).await.expect("sent");
            sent.push((round, parked, produced));
        }
        for (round, parked, produced) in sent {
            assert_eq!(parked.answer().await.expect("an answer").responses[0].partitions[0].error_code, 0);
            let produced = produced.answer().await.expect("an answer");
            assert_eq!(produced.responses[0].partition_responses[0].base_offset, round);
        }
    });
}
