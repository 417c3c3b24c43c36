//! CreateTopics and DeleteTopics.

use logdyno_controller::decide::Refusal;
use logdyno_controller::decide::create_partitions::{MorePartitions, create_partitions};
use logdyno_controller::decide::create_topics::{NewTopic, create_topic};
use logdyno_controller::decide::delete_topics::{TopicRef, delete_topic};
use logdyno_controller::decide::registration::fence;
use logdyno_record::{BrokerId, LeaderEpoch};
use uuid::Uuid;

use crate::cluster::{Cluster, DEFAULTS, ids, topic};

fn refused(cluster: &Cluster, topic: &NewTopic) -> Refusal {
    create_topic(&cluster.image, DEFAULTS, topic, Uuid::from_u128(9), 7).expect_err("a refusal")
}

/// Row 26.
#[test]
fn names() {
    let mut cluster = Cluster::of(1);
    cluster.create(&topic("taken", 1, 1));
    cluster.create(&topic("with.dot", 1, 1));
    let long = "x".repeat(250);
    for (name, code) in [
        ("", 17),
        (".", 17),
        ("..", 17),
        ("with space", 17),
        ("with/slash", 17),
        ("ümlaut", 17),
        (long.as_str(), 17),
        ("with_dot", 17),
        ("taken", 36),
    ] {
        assert_eq!(refused(&cluster, &topic(name, 1, 1)).code(), code, "{name:?}");
    }
    cluster.create(&topic(&"x".repeat(249), 1, 1));
    cluster.create(&topic("Aa0._-", 1, 1));
}

/// Row 7.
#[test]
fn replication_factors() {
    let mut cluster = Cluster::of(3);
    for (factor, name) in [(4, "a"), (0, "b"), (-2, "c")] {
        assert_eq!(refused(&cluster, &topic(name, 1, factor)).code(), 38, "{factor}");
    }
    cluster.create(&topic("default", 1, -1));
    assert_eq!(cluster.state("default", 0).replicas.len(), 1);
    cluster.create(&topic("three", 1, 3));
    assert_eq!(cluster.state("three", 0).isr.len(), 3);
    let too_many = refused(&cluster, &topic("four", 1, 4));
    assert_eq!(
        too_many.to_string(),
        "replication factor 4 is not possible: 3 brokers are registered, 3 of them in service"
    );
}

#[test]
fn numbers_of_partitions() {
    let mut cluster = Cluster::of(1);
    for partitions in [0, -2, i32::MAX] {
        assert_eq!(refused(&cluster, &topic("t", partitions, 1)).code(), 37, "{partitions}");
    }
    cluster.create(&topic("default", -1, 1));
    assert_eq!(cluster.image.topic("default").expect("a topic").partitions.len(), 1);
}

#[test]
fn without_a_broker_in_service_there_is_no_leader_to_be() {
    let mut cluster = Cluster::of(0);
    assert_eq!(refused(&cluster, &topic("t", 1, 1)).code(), 38);
    cluster.register(0, 1);
    assert_eq!(refused(&cluster, &topic("t", 1, 1)).code(), 38, "registered, but fenced");
}

#[test]
fn a_fenced_broker_gets_replicas_but_is_in_no_isr() {
    let mut cluster = Cluster::of(3);
    cluster.apply(fence(&cluster.image, BrokerId(1)));
    cluster.create(&topic("t", 6, 3));
    for partition in 0..6 {
        let state = cluster.state("t", partition);
        assert_eq!(state.replicas.last(), Some(&BrokerId(1)));
        assert_eq!(state.isr, state.replicas[..2]);
        assert_eq!(state.leader, state.isr.first().copied());
        assert_eq!((state.leader_epoch, state.partition_epoch), (LeaderEpoch(0), 0));
    }
}

#[test]
fn settings_are_known_and_sound_or_refused() {
    let mut cluster = Cluster::of(1);
    for (name, value, accepted) in [
        ("segment.bytes", Some("1048576"), true),
        ("segment.bytes", Some("1048575"), false),
        ("segment.bytes", Some("1 MiB"), false),
        ("segment.bytes", None, false),
        ("message.timestamp.type", Some("LogAppendTime"), true),
        ("message.timestamp.type", Some("logappendtime"), false),
        ("min.insync.replicas", Some("2"), true),
        ("min.insync.replicas", Some("0"), false),
        ("logdyno.ack.level", Some("durable"), true),
        ("logdyno.ack.level", Some("sure"), false),
        ("retention.ms", Some("604800000"), true),
        ("retention.ms", Some("-1"), true),
        ("retention.ms", Some("-2"), false),
        ("retention.bytes", Some("1000"), true),
        ("file.delete.delay.ms", Some("0"), true),
        ("cleanup.policy", Some("compact"), true),
        ("cleanup.policy", Some("compact, delete"), true),
        ("cleanup.policy", Some("compress"), false),
        ("min.cleanable.dirty.ratio", Some("1.01"), false),
        ("unclean.leader.election.enable", Some("true"), false),
        ("segment.byte", Some("1048576"), false),
    ] {
        let configs = vec![(name.to_owned(), value.map(str::to_owned))];
        let topic = NewTopic { configs, ..topic("t", 1, 1) };
        let made = create_topic(&cluster.image, DEFAULTS, &topic, Uuid::from_u128(9), 7);
        assert_eq!(made.as_ref().map_err(Refusal::code).err(), (!accepted).then_some(40), "{name}={value:?}");
    }
    let configs = vec![("segment.ms".to_owned(), Some("5".to_owned()))];
    cluster.create(&NewTopic { configs, ..topic("kept", 1, 1) });
    assert_eq!(cluster.image.topic("kept").expect("a topic").configs["segment.ms"], "5");
}

#[test]
fn manual_assignments() {
    let mut cluster = Cluster::of(3);
    let manual = |assignment: &[(i32, &[i32])]| NewTopic {
        assignment: assignment.iter().map(|(partition, brokers)| (*partition, ids(brokers))).collect(),
        ..topic("manual", -1, -1)
    };
    for wrong in [
        manual(&[(1, &[0])]),
        manual(&[(0, &[0]), (0, &[1])]),
        manual(&[(0, &[0, 1]), (1, &[1])]),
        manual(&[(0, &[])]),
        manual(&[(0, &[0, 0])]),
        manual(&[(0, &[7])]),
    ] {
        assert_eq!(refused(&cluster, &wrong).code(), 39, "{:?}", wrong.assignment);
    }
    assert_eq!(refused(&cluster, &NewTopic { partitions: 1, ..manual(&[(0, &[0])]) }).code(), 42);
    cluster.create(&manual(&[(1, &[2, 0]), (0, &[1, 2])]));
    assert_eq!(cluster.state("manual", 0).replicas, ids(&[1, 2]));
    assert_eq!(cluster.state("manual", 1).leader, Some(BrokerId(2)));
}

/// Row 26: a topic that is created again is another topic.
#[test]
fn a_deleted_topic_is_gone_by_name_and_id() {
    let mut cluster = Cluster::of(1);
    let first = cluster.create(&topic("t", 2, 1));
    let (_, record) = delete_topic(&cluster.image, &TopicRef::Id(first)).expect("it is there");
    cluster.apply(vec![record]);
    let by_name = delete_topic(&cluster.image, &TopicRef::Name("t".to_owned())).expect_err("gone");
    let by_id = delete_topic(&cluster.image, &TopicRef::Id(first)).expect_err("gone");
    assert_eq!((by_name.code(), by_id.code()), (3, 100));
    let second = cluster.create(&topic("t", 1, 1));
    assert_ne!(first, second);
    assert!(cluster.image.topic_by_id(first).is_none());
}

/// Codes as Kafka 4.1 gave them to the same requests.
#[test]
fn more_partitions() {
    let mut cluster = Cluster::of(3);
    cluster.create(&topic("t", 2, 2));
    let before: Vec<_> = (0..2).map(|index| cluster.state("t", index).clone()).collect();
    let more = |count: i32, assignment: Option<&[&[i32]]>| MorePartitions {
        topic: "t".to_owned(),
        count,
        assignment: assignment.map(|partitions| partitions.iter().map(|replicas| ids(replicas)).collect()),
    };
    for (count, assignment, code) in [
        (2, None, 37),
        (1, None, 37),
        (0, None, 37),
        (-1, None, 37),
        (i32::MAX, None, 37),
        (4, Some(&[&[0, 1][..]][..]), 39),
        (3, Some(&[&[0, 9][..]][..]), 39),
        (3, Some(&[&[0, 0][..]][..]), 39),
        (3, Some(&[&[0][..]][..]), 39),
        (3, Some(&[][..]), 39),
    ] {
        let refusal = create_partitions(&cluster.image, &more(count, assignment), 7).expect_err("a refusal");
        assert_eq!(refusal.code(), code, "{count} {assignment:?}: {refusal}");
    }
    let unknown = MorePartitions { topic: "nope".to_owned(), count: 3, assignment: None };
    assert_eq!(create_partitions(&cluster.image, &unknown, 7).expect_err("a refusal").code(), 3);
    let placed = create_partitions(&cluster.image, &more(4, None), 7).expect("more");
    cluster.apply(placed);
    assert!((2..4).all(|index| cluster.state("t", index).replicas.len() == 2));
    let placed = create_partitions(&cluster.image, &more(5, Some(&[&[2, 0]])), 7).expect("more");
    cluster.apply(placed);
    assert_eq!(
        (cluster.state("t", 4).replicas.clone(), cluster.state("t", 4).leader),
        (ids(&[2, 0]), Some(BrokerId(2)))
    );
    assert!((0..2).all(|index| *cluster.state("t", index) == before[index]), "the old ones stay as they are");
    cluster.apply(fence(&cluster.image, BrokerId(0)));
    cluster.apply(fence(&cluster.image, BrokerId(1)));
    cluster.apply(fence(&cluster.image, BrokerId(2)));
    assert_eq!(create_partitions(&cluster.image, &more(9, None), 7).expect_err("a refusal").code(), 38);
}
