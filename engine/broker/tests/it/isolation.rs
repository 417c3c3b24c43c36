//! Groups do not hold each other up. What is asserted is the order of things: one group is still stalled when the other has done its work.

use std::time::Duration;

use logdyno_broker::Broker;
use logdyno_wire::messages::create_topics_request::{CreatableReplicaAssignment, CreatableTopic};
use logdyno_wire::messages::{BrokerId, CreateTopicsRequest};
use logdyno_wire::{Channel, ChannelConfig};
use tempfile::TempDir;

use crate::cluster::{Fetch, batch, channel, create, name, produce, run, single, start, values};
use crate::groups::{QUICK, commit, committed, coordinator, describe, heartbeat, join, joining, loaded, ready, sync};

/// Rounds of producing, reading and committing.
const ROUNDS: i64 = 50;

/// What a group does all day: a member joins and gets its part; it reads and commits what is produced, record by record; a second
/// member makes it join again; it reads on.
async fn work_all_day(broker: &Broker, group: &str) {
    let (member, other) = (channel(broker).await, channel(broker).await);
    let joined = join(&member, group).await;
    assert_eq!(sync(&member, group, &joined, &[(&joined.member_id, "all")]).await.error_code, 0);
    for round in 0..ROUNDS {
        let value = format!("{group} {round}");
        assert_eq!(produce(&member, "t", batch(&[&value]), -1).await.error_code, 0);
        let read = values(Fetch::from(round).call(&member, "t").await.records);
        assert_eq!(read, [value]);
        assert_eq!(commit(&member, group, &joined.member_id, joined.generation_id, "t", round + 1).await, 0);
        assert_eq!(committed(&member, group, "t").await.0, round + 1);
        assert_eq!(heartbeat(&member, group, &joined).await, 0);
    }
    let (of_group, leaving) = (group.to_owned(), joined.clone());
    let two = tokio::spawn(async move { join(&other, &of_group).await });
    while heartbeat(&member, group, &leaving).await != 27 {
        tokio::task::yield_now().await;
    }
    let again = member.call(joining(group, &joined.member_id, None), None).await.expect("an answer");
    assert_eq!((again.generation_id, two.await.expect("joined").generation_id), (2, 2));
    assert_eq!(committed(&member, group, "t").await.0, ROUNDS);
}

/// Row 86: a group whose one member never joins again although it lives, so that its rebalance does not end, is stalled; another one in the
/// same partition of `__consumer_offsets` is not. The stalled one goes on when the member comes.
#[test]
fn a_rebalance_without_end_holds_up_no_other_group() {
    let single = single(&format!("{QUICK}offsets.topic.num.partitions=1\n"));
    run(async {
        let patient = ChannelConfig { request_timeout: Duration::from_secs(600), ..ChannelConfig::default() };
        let address = single.broker.address().to_string();
        let newcomer = Channel::connect(&address, "newcomer", patient).await.expect("a connection");
        let dawdler = ready(&single.broker).await;
        assert_eq!(create(&dawdler, "t", 1, 1).await, 0);
        let patient = |member: &str| {
            joining("a", member, None).with_session_timeout_ms(600_000).with_rebalance_timeout_ms(600_000)
        };
        loaded(&dawdler, "a").await;
        let first = dawdler.call(patient(""), None).await.expect("an answer");
        let alone = dawdler.call(patient(&first.member_id), None).await.expect("an answer");
        assert_eq!(sync(&dawdler, "a", &alone, &[]).await.error_code, 0);
        let second = newcomer.call(patient(""), None).await.expect("an answer");
        let request = patient(&second.member_id);
        let parked = tokio::spawn(async move { newcomer.call(request, None).await.expect("an answer") });
        while heartbeat(&dawdler, "a", &alone).await != 27 {
            tokio::task::yield_now().await;
        }

        work_all_day(&single.broker, "b").await;

        assert_eq!(heartbeat(&dawdler, "a", &alone).await, 27);
        assert_eq!(describe(&dawdler, "a").await.groups[0].group_state.as_str(), "PreparingRebalance");
        assert!(!parked.is_finished(), "group a is stalled all the while");
        let again = dawdler.call(patient(&first.member_id), None).await.expect("an answer");
        assert_eq!((again.generation_id, parked.await.expect("joined").generation_id), (2, 2));
    });
    single.broker.stop().expect("a clean stop");
}

/// A topic whose partitions lie where they are told to.
async fn create_on(channel: &Channel, topic: &str, partitions: &[&[i32]]) {
    let replicas = |(partition, brokers): (i32, &&[i32])| {
        let brokers = brokers.iter().map(|id| BrokerId(*id)).collect();
        CreatableReplicaAssignment::default().with_partition_index(partition).with_broker_ids(brokers)
    };
    let assignments = (0..).zip(partitions).map(replicas).collect();
    let topic = CreatableTopic::default().with_name(name(topic)).with_num_partitions(-1).with_replication_factor(-1);
    let request = CreateTopicsRequest::default().with_topics(vec![topic.with_assignments(assignments)]);
    let answer = channel.call(request.with_timeout_ms(30_000), None).await.expect("an answer");
    assert_eq!(answer.topics[0].error_code, 0);
}

/// Row 86: the follower of one group's partition is dead and still counted as in sync, so that the group's commits wait for it; a group in
/// another partition of the same coordinator is not held up.
#[test]
fn a_stalled_partition_of_one_group_holds_up_no_other_group() {
    const STALLED: &str =
        "broker.session.timeout.ms=600000\nreplica.lag.time.max.ms=600000\noffsets.commit.timeout.ms=600000\n";
    let more = &format!("{QUICK}{STALLED}");
    let dirs: Vec<TempDir> = (0..3).map(|_| TempDir::new().expect("a directory")).collect();
    let one = start(1, dirs[0].path(), None, more);
    let two = start(2, dirs[1].path(), one.controller_address(), more);
    let three = start(3, dirs[2].path(), one.controller_address(), more);
    run(async {
        let stalled = channel(&one).await;
        // By Java's hash: group b is in partition 0, group a in partition 1.
        create_on(&stalled, "__consumer_offsets", &[&[1, 3], &[1, 2]]).await;
        create_on(&stalled, "t", &[&[1]]).await;
        for group in ["a", "b"] {
            assert_eq!(coordinator(&stalled, group).await, 1);
            while commit(&stalled, group, "", -1, "t", 0).await != 0 {
                tokio::task::yield_now().await;
            }
        }
        drop(two);
        // The client does not give up either.
        let patient = ChannelConfig { request_timeout: Duration::from_secs(600), ..ChannelConfig::default() };
        let stalled = Channel::connect(&one.address().to_string(), "stalled", patient).await.expect("a connection");
        let parked = tokio::spawn(async move { commit(&stalled, "a", "", -1, "t", 1).await });
        work_all_day(&one, "b").await;
        assert!(!parked.is_finished(), "group a is stalled all the while");
        parked.abort();
    });
    three.stop().expect("a clean stop");
    one.stop().expect("a clean stop");
}
