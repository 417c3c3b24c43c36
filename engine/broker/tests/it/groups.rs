//! Groups over the wire: members, offsets, restarts, and who may write where groups are kept.

use std::time::Duration;

use bytes::Bytes;
use logdyno_broker::Broker;
use logdyno_wire::messages::join_group_request::JoinGroupRequestProtocol;
use logdyno_wire::messages::leave_group_request::MemberIdentity;
use logdyno_wire::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use logdyno_wire::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use logdyno_wire::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use logdyno_wire::messages::sync_group_request::SyncGroupRequestAssignment;
use logdyno_wire::messages::{
    DeleteGroupsRequest, DescribeGroupsRequest, DescribeGroupsResponse, FindCoordinatorRequest, GroupId,
    HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, ListGroupsRequest, OffsetCommitRequest,
    OffsetDeleteRequest, OffsetFetchRequest, SyncGroupRequest, SyncGroupResponse,
};
use logdyno_wire::{Channel, StrBytes};
use tempfile::TempDir;

use crate::cluster::{Fetch, batch, channel, create, metadata, name, produce, run, single, start, values};

/// Rebalances at once, and gives a member that is gone a second.
pub(crate) const QUICK: &str = "group.initial.rebalance.delay.ms=0\ngroup.min.session.timeout.ms=100\n";

pub(crate) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub(crate) fn group(name: &str) -> GroupId {
    GroupId(text(name))
}

/// Asks who coordinates the group until somebody does.
pub(crate) async fn coordinator(channel: &Channel, name: &str) -> i32 {
    loop {
        let request = FindCoordinatorRequest::default().with_coordinator_keys(vec![text(name)]);
        let answer = channel.call(request, None).await.expect("an answer");
        let found = &answer.coordinators[0];
        match found.error_code {
            0 => return found.node_id.0,
            15 => tokio::time::sleep(Duration::from_millis(20)).await,
            other => panic!("error {other}"),
        }
    }
}

/// A connection to a broker that coordinates groups already.
pub(crate) async fn ready(broker: &Broker) -> Channel {
    let channel = channel(broker).await;
    coordinator(&channel, "g").await;
    channel
}

/// Waits until the group's partition has been read.
pub(crate) async fn loaded(channel: &Channel, of: &str) {
    let request = HeartbeatRequest::default().with_group_id(group(of));
    while channel.call(request.clone(), None).await.expect("an answer").error_code == 14 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) fn joining(name: &str, member: &str, instance: Option<&str>) -> JoinGroupRequest {
    let protocol =
        JoinGroupRequestProtocol::default().with_name(text("range")).with_metadata(Bytes::from_static(b"topics"));
    JoinGroupRequest::default()
        .with_group_id(group(name))
        .with_session_timeout_ms(1000)
        .with_rebalance_timeout_ms(10_000)
        .with_member_id(text(member))
        .with_group_instance_id(instance.map(text))
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol])
}

/// Joins as a client does: with the id that it is given.
pub(crate) async fn join(channel: &Channel, name: &str) -> JoinGroupResponse {
    loaded(channel, name).await;
    let first = channel.call(joining(name, "", None), None).await.expect("an answer");
    assert_eq!(first.error_code, 79, "it is to come again");
    channel.call(joining(name, &first.member_id, None), None).await.expect("an answer")
}

pub(crate) async fn sync(
    channel: &Channel,
    name: &str,
    joined: &JoinGroupResponse,
    parts: &[(&str, &str)],
) -> SyncGroupResponse {
    let part = |(member, part): &(&str, &str)| {
        let part = Bytes::copy_from_slice(part.as_bytes());
        SyncGroupRequestAssignment::default().with_member_id(text(member)).with_assignment(part)
    };
    let request = SyncGroupRequest::default()
        .with_group_id(group(name))
        .with_generation_id(joined.generation_id)
        .with_member_id(joined.member_id.clone())
        .with_protocol_type(Some(text("consumer")))
        .with_protocol_name(Some(text("range")))
        .with_assignments(parts.iter().map(part).collect());
    channel.call(request, None).await.expect("an answer")
}

pub(crate) async fn heartbeat(channel: &Channel, name: &str, joined: &JoinGroupResponse) -> i16 {
    let request = HeartbeatRequest::default()
        .with_group_id(group(name))
        .with_generation_id(joined.generation_id)
        .with_member_id(joined.member_id.clone());
    channel.call(request, None).await.expect("an answer").error_code
}

pub(crate) async fn commit(
    channel: &Channel,
    of: &str,
    member: &str,
    generation: i32,
    topic: &str,
    offset: i64,
) -> i16 {
    loaded(channel, of).await;
    let partition = OffsetCommitRequestPartition::default()
        .with_committed_offset(offset)
        .with_committed_leader_epoch(5)
        .with_committed_metadata(Some(text("note")));
    let topic = OffsetCommitRequestTopic::default().with_name(name(topic)).with_partitions(vec![partition]);
    let request = OffsetCommitRequest::default()
        .with_group_id(group(of))
        .with_generation_id_or_member_epoch(generation)
        .with_member_id(text(member))
        .with_topics(vec![topic]);
    channel.call(request, None).await.expect("an answer").topics[0].partitions[0].error_code
}

/// What was committed for partition 0: offset, leader epoch, metadata.
pub(crate) async fn committed(channel: &Channel, of: &str, topic: &str) -> (i64, i32, String) {
    loaded(channel, of).await;
    let topics = OffsetFetchRequestTopics::default().with_name(name(topic)).with_partition_indexes(vec![0]);
    let asked = OffsetFetchRequestGroup::default().with_group_id(group(of)).with_topics(Some(vec![topics]));
    let request = OffsetFetchRequest::default().with_groups(vec![asked]);
    let answer = channel.call(request, None).await.expect("an answer");
    assert_eq!(answer.groups[0].error_code, 0);
    let found = &answer.groups[0].topics[0].partitions[0];
    (found.committed_offset, found.committed_leader_epoch, found.metadata.as_deref().unwrap_or_default().to_owned())
}

pub(crate) async fn describe(channel: &Channel, name: &str) -> DescribeGroupsResponse {
    loaded(channel, name).await;
    channel.call(DescribeGroupsRequest::default().with_groups(vec![group(name)]), None).await.expect("an answer")
}

/// Rows 20, 21, 22, 89, 128: two members join, the leader assigns, each hears its part; who leaves makes the other join again.
#[test]
fn members_share_the_work() {
    let single = single(QUICK);
    run(async {
        let (first, second) = (ready(&single.broker).await, channel(&single.broker).await);
        let alone = join(&first, "g").await;
        assert_eq!((alone.error_code, alone.generation_id, alone.members.len()), (0, 1, 1));
        let part = sync(&first, "g", &alone, &[(&alone.member_id, "all")]).await;
        assert_eq!((part.error_code, &part.assignment[..]), (0, &b"all"[..]));
        assert_eq!(heartbeat(&first, "g", &alone).await, 0);

        let two = tokio::spawn(async move { (join(&second, "g").await, second) });
        while heartbeat(&first, "g", &alone).await != 27 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let again = first.call(joining("g", &alone.member_id, None), None).await.expect("an answer");
        let (other, second) = two.await.expect("joined");
        assert_eq!((again.generation_id, other.generation_id), (2, 2));
        let (leader, follower) = if again.members.len() == 2 { (&again, &other) } else { (&other, &again) };
        assert_eq!((&leader.leader, leader.members.len(), follower.members.len()), (&leader.member_id, 2, 0));
        let parts = [(again.member_id.as_str(), "left"), (other.member_id.as_str(), "right")];
        let (left, right) = tokio::join!(sync(&first, "g", &again, &parts), sync(&second, "g", &other, &parts));
        assert_eq!((&left.assignment[..], &right.assignment[..]), (&b"left"[..], &b"right"[..]));

        let described = describe(&first, "g").await.groups.remove(0);
        assert_eq!((described.group_state.as_str(), described.protocol_data.as_str()), ("Stable", "range"));
        assert!(described.members.iter().all(|member| member.client_host.as_str() == "/127.0.0.1"));
        let listed = first.call(ListGroupsRequest::default(), None).await.expect("an answer").groups;
        assert!(listed.iter().any(|listed| listed.group_id.as_str() == "g" && listed.group_state.as_str() == "Stable"));

        let leaving = MemberIdentity::default().with_member_id(other.member_id.clone());
        let request = LeaveGroupRequest::default().with_group_id(group("g")).with_members(vec![leaving]);
        assert_eq!(second.call(request, None).await.expect("an answer").members[0].error_code, 0);
        assert_eq!(heartbeat(&first, "g", &again).await, 27, "the work is shared anew");
    });
    single.broker.stop().expect("a clean stop");
}

/// Rows 107, 130, lower bound only: who sends no heartbeats is out once its session is over, and its group is empty.
#[test]
fn who_is_silent_is_out() {
    let single = single(QUICK);
    run(async {
        let channel = ready(&single.broker).await;
        let joined = join(&channel, "g").await;
        let begun = std::time::Instant::now();
        assert_eq!(sync(&channel, "g", &joined, &[]).await.error_code, 0);
        while describe(&channel, "g").await.groups[0].group_state.as_str() != "Empty" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(begun.elapsed() >= Duration::from_millis(1000), "{:?}", begun.elapsed());
        assert_eq!(heartbeat(&channel, "g", &joined).await, 25);
    });
}

/// Rows 17, 22, 78, 92, 93: commits come back with epoch and metadata, by consumers with and without a group, and after a restart; so does the group.
#[test]
fn what_is_committed_outlives_the_broker() {
    let dir = TempDir::new().expect("a directory");
    let more = &format!("{QUICK}broker.session.timeout.ms=2000\n");
    let broker = start(1, dir.path(), None, more);
    let joined = run(async {
        let channel = ready(&broker).await;
        assert_eq!(create(&channel, "t", 1, 1).await, 0);
        assert_eq!(committed(&channel, "alone", "t").await, (-1, -1, String::new()));
        assert_eq!(commit(&channel, "alone", "", -1, "t", 42).await, 0);
        assert_eq!(commit(&channel, "alone", "", -1, "missing", 42).await, 3);
        assert_eq!(commit(&channel, "alone", "stranger", 3, "t", 43).await, 25, "no such member");
        assert_eq!(commit(&channel, "nobodys", "stranger", 3, "t", 43).await, 69, "no such group");
        let joined = join(&channel, "g").await;
        assert_eq!(commit(&channel, "g", &joined.member_id, 1, "t", 7).await, 27, "it rebalances");
        assert_eq!(sync(&channel, "g", &joined, &[(&joined.member_id, "part")]).await.error_code, 0);
        assert_eq!(commit(&channel, "g", &joined.member_id, 1, "t", 7).await, 0);
        assert_eq!(commit(&channel, "g", &joined.member_id, 0, "t", 8).await, 22);
        assert_eq!(commit(&channel, "g", "stranger", 1, "t", 8).await, 25);
        // Row 129: who assigns itself does not commit for a group that has members.
        assert_eq!(commit(&channel, "g", "", -1, "t", 8).await, 25);
        joined
    });
    broker.stop().expect("a clean stop");

    let broker = start(1, dir.path(), None, more);
    run(async {
        let channel = ready(&broker).await;
        assert_eq!(committed(&channel, "alone", "t").await, (42, 5, "note".to_owned()));
        assert_eq!(committed(&channel, "g", "t").await, (7, 5, "note".to_owned()));
        assert_eq!(heartbeat(&channel, "g", &joined).await, 0, "its members need not join again");
        assert_eq!(sync(&channel, "g", &joined, &[]).await.assignment, "part");
    });
    broker.stop().expect("a clean stop");
}

/// Rows 14, 29, 31, 32, 76, 77, 94, 124, 125: groups go over the same data by themselves, each from the offset that it has committed, and
/// reading takes nothing away.
#[test]
fn groups_read_independently_and_from_their_offsets() {
    let single = single(QUICK);
    run(async {
        let channel = ready(&single.broker).await;
        assert_eq!(create(&channel, "t", 1, 1).await, 0);
        for value in ["0", "1", "2", "3", "4", "5", "6"] {
            assert_eq!(produce(&channel, "t", batch(&[value]), 1).await.error_code, 0);
        }
        for (group, offset) in [("one", 1), ("five", 5), ("six", 6)] {
            assert_eq!(commit(&channel, group, "", -1, "t", offset).await, 0);
        }
        for (group, first, left) in [("one", "1", 6), ("five", "5", 2), ("six", "6", 1), ("one", "1", 6)] {
            let from = committed(&channel, group, "t").await.0;
            let read = values(Fetch::from(from).call(&channel, "t").await.records);
            assert_eq!((read[0].as_str(), read.len()), (first, left), "{group}");
        }
        assert_eq!(Fetch::from(0).call(&channel, "t").await.log_start_offset, 0);
    });
    single.broker.stop().expect("a clean stop");
}

/// Groups with members stay; others go with their offsets, also for those who look after a restart.
#[test]
fn groups_are_deleted() {
    let dir = TempDir::new().expect("a directory");
    let broker = start(1, dir.path(), None, &format!("{QUICK}broker.session.timeout.ms=2000\n"));
    run(async {
        let channel = ready(&broker).await;
        assert_eq!(create(&channel, "t", 1, 1).await, 0);
        let joined = join(&channel, "busy").await;
        assert_eq!(sync(&channel, "busy", &joined, &[]).await.error_code, 0);
        assert_eq!(commit(&channel, "idle", "", -1, "t", 1).await, 0);
        let request =
            DeleteGroupsRequest::default().with_groups_names(vec![group("busy"), group("idle"), group("nobody")]);
        let results = channel.call(request, None).await.expect("an answer").results;
        assert_eq!(results.iter().map(|result| result.error_code).collect::<Vec<_>>(), [68, 0, 69]);
        assert_eq!(committed(&channel, "idle", "t").await.0, -1);
        assert_eq!(describe(&channel, "idle").await.groups[0].error_code, 69);

        assert_eq!(commit(&channel, "other", "", -1, "t", 1).await, 0);
        let partition = OffsetDeleteRequestPartition::default();
        let topic = OffsetDeleteRequestTopic::default().with_name(name("t")).with_partitions(vec![partition]);
        let request = OffsetDeleteRequest::default().with_group_id(group("other")).with_topics(vec![topic]);
        let answer = channel.call(request, None).await.expect("an answer");
        assert_eq!((answer.error_code, answer.topics[0].partitions[0].error_code), (0, 0));
        assert_eq!(committed(&channel, "other", "t").await.0, -1);
    });
    broker.stop().expect("a clean stop");
    let broker = start(1, dir.path(), None, &format!("{QUICK}broker.session.timeout.ms=2000\n"));
    run(async {
        let channel = ready(&broker).await;
        assert_eq!(committed(&channel, "idle", "t").await.0, -1);
        assert_eq!(describe(&channel, "idle").await.groups[0].error_code, 69);
    });
    broker.stop().expect("a clean stop");
}

/// The old versions' shapes of the same answers.
#[test]
fn every_version_is_answered() {
    let single = single(QUICK);
    run(async {
        let channel = ready(&single.broker).await;
        for version in 0..=6 {
            let request = match version {
                0..4 => FindCoordinatorRequest::default().with_key(text("g")),
                _ => FindCoordinatorRequest::default().with_coordinator_keys(vec![text("g")]),
            };
            channel.call(request, Some(version)).await.expect("an answer");
            channel
                .call(DescribeGroupsRequest::default().with_groups(vec![group("x")]), Some(version))
                .await
                .expect("an answer");
        }
        for version in 0..=9 {
            let instance = (version >= 5).then_some("static");
            let name = format!("join {version}");
            loaded(&channel, &name).await;
            let joined = channel.call(joining(&name, "", instance), Some(version)).await.expect("an answer");
            assert_eq!(joined.error_code, if version == 4 { 79 } else { 0 }, "version {version}");
        }
        loaded(&channel, "s").await;
        for version in 0..=5 {
            let request = SyncGroupRequest::default().with_group_id(group("s")).with_member_id(text("nobody"));
            let refused = channel.call(request, Some(version)).await.expect("an answer").error_code;
            assert_eq!(refused, if version == 5 { 23 } else { 25 });
            let request = LeaveGroupRequest::default().with_group_id(group("s"));
            // From version 3 on, each member is refused by itself, and this names none.
            let expected = if version < 3 { 25 } else { 0 };
            assert_eq!(channel.call(request, Some(version)).await.expect("an answer").error_code, expected);
            channel.call(ListGroupsRequest::default(), Some(version)).await.expect("an answer");
            channel
                .call(HeartbeatRequest::default().with_group_id(group("s")), Some(version.min(4)))
                .await
                .expect("an answer");
        }
        assert_eq!(create(&channel, "t", 1, 1).await, 0);
        assert_eq!(commit(&channel, "alone", "", -1, "t", 3).await, 0);
        for version in 1..=7 {
            let request = OffsetFetchRequest::default().with_group_id(group("alone"));
            let request = match version {
                1 => request.with_topics(Some(vec![
                    logdyno_wire::messages::offset_fetch_request::OffsetFetchRequestTopic::default()
                        .with_name(name("t"))
                        .with_partition_indexes(vec![0]),
                ])),
                _ => request.with_topics(None),
            };
            let found = channel.call(request, Some(version)).await.expect("an answer");
            assert_eq!(found.topics[0].partitions[0].committed_offset, 3, "version {version}");
        }
    });
    single.broker.stop().expect("a clean stop");
}

/// Row 24.
/// Kafka's `ReplicaManager`: internal topics are the brokers' own.
#[test]
fn clients_do_not_write_where_groups_are_kept() {
    let single = single(QUICK);
    run(async {
        let channel = ready(&single.broker).await;
        assert_eq!(produce(&channel, "__consumer_offsets", batch(&["a"]), 1).await.error_code, 17);
        let told = metadata(&channel, "__consumer_offsets").await.topics.remove(0);
        assert!(told.is_internal);
        assert_eq!(told.partitions.len(), 50);
        let settings = crate::configs::describe(&channel, 2, "__consumer_offsets", 4).await.configs;
        let policy = settings.iter().find(|setting| setting.name.as_str() == "cleanup.policy").expect("a policy");
        assert_eq!(policy.value.as_deref(), Some("compact"));
    });
}

/// Rows 19, 90, 91.
/// Row 17: a group's coordinator leads its partition; the others say so.
#[test]
fn only_the_coordinator_answers() {
    let dirs: Vec<TempDir> = (0..2).map(|_| TempDir::new().expect("a directory")).collect();
    let one = start(1, dirs[0].path(), None, QUICK);
    let two = start(2, dirs[1].path(), one.controller_address(), QUICK);
    run(async {
        let (to_one, to_two) = (channel(&one).await, channel(&two).await);
        assert_eq!(create(&to_one, "t", 1, 2).await, 0);
        let mut asked = [0, 0];
        for index in 0..10 {
            let name = format!("group-{index}");
            let (right, wrong) = match coordinator(&to_one, &name).await {
                1 => (&to_one, &to_two),
                _ => (&to_two, &to_one),
            };
            asked[usize::from(std::ptr::eq(right, &to_two))] += 1;
            let error = loop {
                match commit(right, &name, "", -1, "t", index).await {
                    // Two replicas have to hear of it first, and the coordinator that it is one.
                    14..=16 => tokio::time::sleep(Duration::from_millis(20)).await,
                    other => break other,
                }
            };
            assert_eq!((error, commit(wrong, &name, "", -1, "t", 9).await), (0, 16));
            assert_eq!(committed(right, &name, "t").await.0, index);
        }
        assert!(asked.iter().all(|asked| *asked > 0), "both coordinate: {asked:?}");
    });
    two.stop().expect("a clean stop");
    one.stop().expect("a clean stop");
}
