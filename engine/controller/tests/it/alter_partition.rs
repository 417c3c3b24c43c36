//! AlterPartition as a compare-and-set: Kafka's order of checks, and its codes.

use logdyno_controller::decide::alter_partition::{IsrChange, alter_partition};
use logdyno_controller::decide::registration::fence;
use logdyno_record::BrokerId;

use crate::cluster::{Cluster, ids, topic};

/// Three brokers, a topic with one partition, and the change that its leader may ask for.
fn scene() -> (Cluster, BrokerId, IsrChange) {
    let mut cluster = Cluster::of(3);
    let id = cluster.create(&topic("t", 1, 3));
    let leader = cluster.state("t", 0).leader.expect("a leader");
    let change = IsrChange { topic: id, partition: 0, leader_epoch: 0, partition_epoch: 0, isr: vec![(leader, -1)] };
    (cluster, leader, change)
}

#[test]
fn a_leader_shrinks_and_grows_its_isr() {
    let (mut cluster, leader, shrink) = scene();
    let (state, record) = alter_partition(&cluster.image, leader, &shrink).expect("committed");
    assert_eq!((state.isr.as_slice(), state.partition_epoch, state.leader_epoch.0), ([leader].as_slice(), 1, 0));
    cluster.apply(vec![record]);
    assert_eq!(alter_partition(&cluster.image, leader, &shrink).expect_err("built on the old state").code(), 95);
    let all = ids(&[0, 1, 2]).into_iter().map(|id| (id, cluster.epoch(id.0))).collect();
    let grow = IsrChange { partition_epoch: 1, isr: all, ..shrink };
    let (state, _) = alter_partition(&cluster.image, leader, &grow).expect("committed");
    assert_eq!((state.isr.len(), state.partition_epoch), (3, 2));
}

#[test]
fn what_does_not_build_on_the_present_state_is_refused() {
    let (cluster, leader, change) = scene();
    let other = cluster.state("t", 0).replicas[1];
    let nowhere = uuid::Uuid::from_u128(77);
    for (asker, change, code) in [
        (leader, IsrChange { topic: nowhere, ..change.clone() }, 100),
        (leader, IsrChange { partition: 1, ..change.clone() }, 3),
        (leader, IsrChange { partition: -1, ..change.clone() }, 3),
        (leader, IsrChange { leader_epoch: 1, ..change.clone() }, 41),
        (leader, IsrChange { leader_epoch: -1, ..change.clone() }, 74),
        (other, IsrChange { leader_epoch: -1, ..change.clone() }, 74),
        (other, change.clone(), 42),
        (leader, IsrChange { partition_epoch: 1, ..change.clone() }, 41),
        (leader, IsrChange { partition_epoch: -1, ..change.clone() }, 95),
        (leader, IsrChange { isr: vec![], ..change.clone() }, 42),
        (leader, IsrChange { isr: vec![(other, -1)], ..change.clone() }, 42),
        (leader, IsrChange { isr: vec![(leader, -1), (BrokerId(9), -1)], ..change.clone() }, 42),
        (leader, IsrChange { isr: vec![(leader, -1), (leader, -1)], ..change.clone() }, 42),
    ] {
        let refusal = alter_partition(&cluster.image, asker, &change).expect_err("a refusal");
        assert_eq!(refusal.code(), code, "{refusal}: {change:?}");
    }
}

/// KIP-903: another incarnation than the leader saw may have lost its disk.
#[test]
fn members_are_in_service_and_the_process_that_was_seen() {
    let (mut cluster, leader, change) = scene();
    let other = cluster.state("t", 0).replicas[1];
    let seen = cluster.epoch(other.0);
    let with_other = IsrChange { isr: vec![(leader, -1), (other, seen)], ..change };
    assert!(alter_partition(&cluster.image, leader, &with_other).is_ok());
    cluster.register(other.0, 2);
    let next = IsrChange { partition_epoch: cluster.state("t", 0).partition_epoch, ..with_other };
    assert_eq!(alter_partition(&cluster.image, leader, &next).expect_err("fenced").code(), 107);
    cluster.let_in(other.0);
    assert_eq!(alter_partition(&cluster.image, leader, &next).expect_err("another process").code(), 107);
    let now = IsrChange { isr: vec![(leader, -1), (other, cluster.epoch(other.0))], ..next.clone() };
    assert!(alter_partition(&cluster.image, leader, &now).is_ok());
    cluster.apply(fence(&cluster.image, other));
    let next = IsrChange { partition_epoch: cluster.state("t", 0).partition_epoch, ..now };
    assert_eq!(alter_partition(&cluster.image, leader, &next).expect_err("fenced").code(), 107);
}
