//! Three brokers.

use std::net::SocketAddr;

use logdyno_broker::Broker;
use tempfile::TempDir;

use crate::cluster::{Fetch, batch, channel, create, metadata, produce, run, start, values};

struct Three {
    brokers: Vec<Broker>,
    dirs: Vec<TempDir>,
}

fn three(more: &str) -> Three {
    let dirs: Vec<TempDir> = (0..3).map(|_| TempDir::new().expect("a directory")).collect();
    let first = start(1, dirs[0].path(), None, more);
    let controller: Option<SocketAddr> = first.controller_address();
    let others = (2..).zip(&dirs[1..]).map(|(id, dir)| start(id, dir.path(), controller, more));
    let brokers = std::iter::once(first).chain(others.collect::<Vec<_>>()).collect();
    Three { brokers, dirs }
}

/// Row 6.
/// Rows 3, 8, 64; §7 no. 3.
#[test]
fn acks_all_waits_for_three_replicas_and_only_the_leader_serves() {
    let three = three("");
    run(async {
        let any = channel(&three.brokers[2]).await;
        assert_eq!(create(&any, "t", 1, 3).await, 0);
        let (leader, isr) = loop {
            let topic = metadata(&any, "t").await.topics[0].clone();
            if topic.error_code == 0 && topic.partitions[0].error_code == 0 {
                break (topic.partitions[0].leader_id.0, topic.partitions[0].isr_nodes.len());
            }
        };
        assert_eq!(isr, 3);
        let index = usize::try_from(leader - 1).expect("an id from 1");
        let to_leader = channel(&three.brokers[index]).await;
        for round in 0..50 {
            let mut answer = produce(&to_leader, "t", batch(&["x", "y"]), -1).await;
            while answer.error_code == 3 || answer.error_code == 6 {
                // The leader has not heard of its office yet.
                answer = produce(&to_leader, "t", batch(&["x", "y"]), -1).await;
            }
            assert_eq!((answer.error_code, answer.base_offset), (0, 2 * round));
        }
        let fetched = Fetch::from(0).call(&to_leader, "t").await;
        assert_eq!((fetched.high_watermark, values(fetched.records).len()), (100, 100));
        let follower = channel(&three.brokers[(index + 1) % 3]).await;
        let refused = produce(&follower, "t", batch(&["x"]), 1).await;
        assert_eq!((refused.error_code, refused.current_leader.leader_id.0), (6, leader));
        assert_eq!(Fetch::from(0).call(&follower, "t").await.error_code, 6);
    });
    let followed: u64 = three.brokers.iter().map(|broker| broker.counters().followed_bytes).sum();
    assert_eq!(followed, 2 * 50 * batch(&["x", "y"]).len() as u64, "two followers took every byte once");
    for broker in three.brokers.into_iter().rev() {
        broker.stop().expect("a clean stop");
    }
    drop(three.dirs);
}

/// A broker that says goodbye stays out of service while it sees its connections through. Nobody waits for it: not who wants acks=all, though
/// its lag time has only begun, and not its successor, though its session would still run.
#[test]
fn a_broker_that_stops_is_waited_for_by_nobody() {
    let more = "broker.session.timeout.ms=100000\nreplica.lag.time.max.ms=100000\n";
    let mut three = three(more);
    let (last, controller) = (three.brokers.pop().expect("three"), three.brokers[0].controller_address());
    run(async {
        let (any, to_last) = (channel(&three.brokers[0]).await, channel(&last).await);
        let mut led_by = 0;
        let mut topic = String::new();
        for number in 0.. {
            topic = format!("t{number}");
            assert_eq!(create(&any, &topic, 1, 3).await, 0);
            led_by = metadata(&any, &topic).await.topics[0].partitions[0].leader_id.0;
            if led_by != 3 {
                break;
            }
        }
        let leader = channel(&three.brokers[usize::try_from(led_by - 1).expect("1 or 2")]).await;
        while produce(&leader, &topic, batch(&["a"]), -1).await.error_code != 0 {}
        let parked = Fetch { wait_ms: 5_000, ..Fetch::from(1) }.request(&topic);
        let before = last.counters().requests;
        drop(to_last.send_with(parked, Some(12), true).await.expect("it is sent"));
        while last.counters().requests == before {
            tokio::task::yield_now().await;
        }
        tokio::task::spawn_blocking(|| last.stop()).await.expect("no panic").expect("a clean stop");
        assert_eq!(produce(&leader, &topic, batch(&["b"]), -1).await.error_code, 0);
    });
    three.brokers.push(start(3, three.dirs[2].path(), controller, more));
    for broker in three.brokers.into_iter().rev() {
        broker.stop().expect("a clean stop");
    }
}
