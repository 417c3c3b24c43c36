//! Brokers come, fall silent, go and come back.

use std::time::Duration;

use logdyno_controller::decide::registration::{Heartbeat, current, fence, heartbeat, register};
use logdyno_controller::decide::sessions::Sessions;
use logdyno_record::{BrokerId, Nanos};

use crate::cluster::{Cluster, ids, registration, topic};

/// Row 25.
#[test]
fn a_broker_of_another_cluster_is_refused() {
    let cluster = Cluster::of(1);
    let mut stranger = registration(5, 1);
    stranger.cluster_id = "elsewhere".to_owned();
    let refusal = register(&cluster.image, &stranger, false).expect_err("a refusal");
    assert_eq!(refusal.code(), 104);
    stranger.cluster_id = String::new();
    assert!(register(&cluster.image, &stranger, false).is_ok(), "a new data directory has no cluster yet");
}

#[test]
fn a_repeated_registration_is_the_same_one() {
    let cluster = Cluster::of(1);
    let again = register(&cluster.image, &registration(0, 1), true).expect("no refusal");
    assert_eq!(again, []);
}

#[test]
fn two_live_processes_cannot_share_an_id() {
    let mut cluster = Cluster::of(1);
    let second = register(&cluster.image, &registration(0, 2), true).expect_err("a refusal");
    assert_eq!(second.code(), 101);
    cluster.apply(fence(&cluster.image, BrokerId(0)));
    assert!(register(&cluster.image, &registration(0, 2), true).is_ok(), "the first has said that it stops");
}

#[test]
fn a_broker_is_let_in_once_it_knows_its_own_registration() {
    let mut cluster = Cluster::of(0);
    cluster.register(0, 1);
    let beat = |applied| Heartbeat {
        broker: BrokerId(0),
        broker_epoch: cluster.epoch(0),
        applied,
        want_fence: false,
        want_shut_down: false,
    };
    let (early, records) = heartbeat(&cluster.image, &beat(cluster.epoch(0) - 1)).expect("an answer");
    assert!(early.is_fenced && !early.is_caught_up && records.is_empty());
    let (ready, records) = heartbeat(&cluster.image, &beat(cluster.epoch(0))).expect("an answer");
    assert!(!ready.is_fenced && ready.is_caught_up && records.len() == 1);
    let (waiting, records) = heartbeat(&cluster.image, &Heartbeat { want_fence: true, ..beat(99) }).expect("an answer");
    assert!(waiting.is_fenced && records.is_empty());
}

#[test]
fn heartbeats_of_replaced_processes_are_refused() {
    let mut cluster = Cluster::of(1);
    let old = cluster.epoch(0);
    cluster.register(0, 2);
    assert!(cluster.epoch(0) > old, "epochs rise");
    assert_eq!(current(&cluster.image, BrokerId(0), old).expect_err("replaced").code(), 77);
    assert_eq!(current(&cluster.image, BrokerId(8), old).expect_err("unknown").code(), 102);
}

/// A leader that restarts leads again only in a new epoch, which is in the log before it hears of it.
#[test]
fn a_restarted_leader_gets_a_new_epoch() {
    let mut cluster = Cluster::of(3);
    cluster.create(&topic("t", 6, 3));
    let before: Vec<_> = (0..6).map(|partition| cluster.state("t", partition).clone()).collect();
    cluster.register(1, 2);
    for (partition, before) in before.iter().enumerate() {
        let after = cluster.state("t", partition);
        let led = before.leader == Some(BrokerId(1));
        assert_eq!(after.leader, before.leader, "leadership does not move yet");
        assert_eq!(after.leader_epoch.0 - before.leader_epoch.0, i32::from(led));
        // In service until this moment, it left the ISR of what others lead.
        assert_eq!(after.partition_epoch - before.partition_epoch, 1);
        assert_eq!(after.isr.contains(&BrokerId(1)), led);
    }
}

#[test]
fn a_fenced_follower_leaves_the_isr_at_once_and_a_fenced_leader_stays() {
    let mut cluster = Cluster::of(3);
    cluster.create(&topic("t", 3, 3));
    let led = (0..3).find(|p| cluster.state("t", *p).leader == Some(BrokerId(2))).expect("leaders are even");
    cluster.apply(fence(&cluster.image, BrokerId(2)));
    for partition in 0..3 {
        let state = cluster.state("t", partition);
        assert_eq!(state.isr.contains(&BrokerId(2)), partition == led);
        assert_eq!(state.isr.len(), if partition == led { 3 } else { 2 });
    }
    assert_eq!(cluster.state("t", led).leader, Some(BrokerId(2)));
    assert_eq!(fence(&cluster.image, BrokerId(2)), [], "it is out already");
}

/// While a leader is out nothing is acknowledged: every member stays a possible leader.
#[test]
fn the_isr_stays_whole_while_its_leader_is_out() {
    let mut cluster = Cluster::of(3);
    cluster.create(&topic("t", 1, 3));
    let leader = cluster.state("t", 0).leader.expect("a leader");
    let follower = cluster.state("t", 0).replicas[1];
    cluster.apply(fence(&cluster.image, leader));
    cluster.apply(fence(&cluster.image, follower));
    assert_eq!(cluster.state("t", 0).isr.len(), 3);
}

#[test]
fn sessions_run_out_in_silence() {
    let session = Duration::from_secs(9);
    let mut sessions = Sessions::new(session, ids(&[0, 1]), Nanos(0));
    sessions.touch(BrokerId(1), Nanos(1));
    assert_eq!(sessions.silent(Nanos(0).after(session)), ids(&[0]));
    assert!(sessions.is_alive(BrokerId(1), Nanos(0).after(session)));
    sessions.end(BrokerId(0));
    assert_eq!(sessions.silent(Nanos(1).after(session)), ids(&[1]));
}
