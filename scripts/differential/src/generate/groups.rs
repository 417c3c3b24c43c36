//! The classic group protocol and its offsets.

use std::time::Duration;

use bytes::Bytes;
use logdyno_wire::messages::join_group_request::JoinGroupRequestProtocol;
use logdyno_wire::messages::leave_group_request::MemberIdentity;
use logdyno_wire::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use logdyno_wire::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use logdyno_wire::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use logdyno_wire::messages::sync_group_request::SyncGroupRequestAssignment;
use logdyno_wire::messages::{
    ApiKey, DeleteGroupsRequest, DescribeGroupsRequest, GroupId, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest,
    ListGroupsRequest, OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, RequestKind, SyncGroupRequest,
};

use logdyno_wire::StrBytes;

use super::{Maker, name, text};

/// Nobody's session ends while this runs.
const SESSION_MS: i32 = 1_800_000;
/// How long members that do not come back are waited for: much longer than a request takes, much shorter than our patience.
pub const REBALANCE: Duration = Duration::from_millis(400);

pub fn request(api: ApiKey, maker: &mut Maker) -> RequestKind {
    match api {
        ApiKey::JoinGroup => RequestKind::JoinGroup(join(maker)),
        ApiKey::SyncGroup => RequestKind::SyncGroup(sync(maker)),
        ApiKey::Heartbeat => {
            let request = HeartbeatRequest::default().with_group_id(maker.group()).with_member_id(maker.member());
            RequestKind::Heartbeat(request.with_generation_id(generation(maker)))
        }
        ApiKey::LeaveGroup => RequestKind::LeaveGroup(leave(maker)),
        ApiKey::DescribeGroups => {
            let groups = vec![maker.group()];
            RequestKind::DescribeGroups(DescribeGroupsRequest::default().with_groups(groups))
        }
        ApiKey::ListGroups => RequestKind::ListGroups(list(maker)),
        ApiKey::DeleteGroups => {
            RequestKind::DeleteGroups(DeleteGroupsRequest::default().with_groups_names(vec![maker.group()]))
        }
        ApiKey::OffsetCommit => RequestKind::OffsetCommit(commit(maker)),
        ApiKey::OffsetFetch => RequestKind::OffsetFetch(fetch(maker)),
        _ => RequestKind::OffsetDelete(delete_offsets(maker)),
    }
}

fn generation(maker: &mut Maker) -> i32 {
    maker.random.pick(&[1, 1, 1, 2, 2, 3, 4, 5, -1, 0, 99])
}

fn join(maker: &mut Maker) -> JoinGroupRequest {
    let protocols = match maker.random.below(20) {
        0 => vec![],
        1 => vec!["strange"],
        2..5 => vec!["roundrobin", "range"],
        _ => vec!["range"],
    };
    // Version 1, topics, no user data; the last one is cut.
    let subscriptions: [&[u8]; 4] = [
        b"\0\x01\0\0\0\x01\0\x05alpha\xff\xff\xff\xff\0\0\0\0",
        b"\0\x01\0\0\0\x02\0\x05gamma\0\x05alpha\xff\xff\xff\xff\0\0\0\0",
        b"\0\0\0\0\0\0\xff\xff\xff\xff",
        b"\0\x01\0\0\0\0",
    ];
    let subscription = subscriptions[if maker.random.percent(5) { 3 } else { maker.random.below(3) }];
    let protocol = |name| {
        JoinGroupRequestProtocol::default().with_name(text(name)).with_metadata(Bytes::from_static(subscription))
    };
    let kind =
        maker.random.pick(&["consumer", "consumer", "consumer", "consumer", "consumer", "consumer", "connect", ""]);
    let session = maker.random.pick(&[SESSION_MS, SESSION_MS, SESSION_MS, SESSION_MS, SESSION_MS, 0, i32::MAX]);
    let mut request = JoinGroupRequest::default().with_group_id(maker.group()).with_member_id(maker.member());
    if maker.version == 0 {
        // The session's time is the rebalance's here, so nobody may be waited for: a group of its own each time.
        let group = format!("alone-{}", maker.random.next());
        request = request.with_group_id(GroupId(text(&group)));
    }
    request = request.with_session_timeout_ms(session).with_protocol_type(text(kind));
    request = request.with_protocols(protocols.into_iter().map(protocol).collect());
    if maker.version >= 1 {
        request = request.with_rebalance_timeout_ms(REBALANCE.as_millis() as i32);
    }
    if maker.version >= 5 && maker.random.percent(15) {
        request = request.with_group_instance_id(Some(text(maker.random.pick(&["instance-1", "instance-2"]))));
        // Kafka fails inside where a dynamic member comes again as a static one.
        if request.member_id.starts_with("differential-") {
            request = request.with_member_id(text(""));
        }
    }
    request
}

/// What a member asks for that has just joined.
pub fn sync_after(group: &GroupId, member: &StrBytes, generation: i32) -> RequestKind {
    let assignment = SyncGroupRequestAssignment::default().with_member_id(member.clone());
    let assignment = assignment.with_assignment(Bytes::from_static(b"all of it"));
    let request = SyncGroupRequest::default().with_group_id(group.clone()).with_member_id(member.clone());
    RequestKind::SyncGroup(request.with_generation_id(generation).with_assignments(vec![assignment]))
}

fn sync(maker: &mut Maker) -> SyncGroupRequest {
    let member = maker.member();
    let assignment = SyncGroupRequestAssignment::default().with_member_id(member.clone());
    let assignment = assignment.with_assignment(Bytes::from_static(b"all of it"));
    let mut request = SyncGroupRequest::default().with_group_id(maker.group()).with_member_id(member);
    request = request.with_generation_id(generation(maker)).with_assignments(vec![assignment]);
    if maker.version >= 5 {
        let kind = maker.random.pick(&[Some("consumer"), Some("consumer"), Some("consumer"), Some("connect"), None]);
        let protocol = maker.random.pick(&[Some("range"), Some("range"), Some("range"), Some("other"), None]);
        request = request.with_protocol_type(kind.map(text)).with_protocol_name(protocol.map(text));
    }
    request
}

fn leave(maker: &mut Maker) -> LeaveGroupRequest {
    let request = LeaveGroupRequest::default().with_group_id(maker.group());
    if maker.version < 3 {
        return request.with_member_id(maker.member());
    }
    let mut leaving = vec![MemberIdentity::default().with_member_id(maker.member())];
    if maker.random.percent(20) {
        let instance = Some(text(maker.random.pick(&["instance-1", "instance-2", "instance-9"])));
        leaving.push(MemberIdentity::default().with_group_instance_id(instance));
    }
    request.with_members(leaving)
}

fn list(maker: &mut Maker) -> ListGroupsRequest {
    let mut request = ListGroupsRequest::default();
    if maker.version >= 4 && maker.random.percent(50) {
        request = request
            .with_states_filter(vec![text(maker.random.pick(&["Empty", "Stable", "empty", "Dead", "nonsense"]))]);
    }
    if maker.version >= 5 && maker.random.percent(30) {
        request =
            request.with_types_filter(vec![text(maker.random.pick(&["classic", "Classic", "consumer", "nonsense"]))]);
    }
    request
}

fn commit(maker: &mut Maker) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition::default().with_partition_index(maker.partition());
    let mut partition = partition.with_committed_offset(maker.random.pick(&[0, 5, 17, 1 << 40, -1]));
    let note = maker.random.pick(&[None, Some(""), Some("note"), Some("note")]);
    partition = partition.with_committed_metadata(note.map(text));
    let too_large = maker.random.percent(3);
    if too_large {
        partition = partition.with_committed_metadata(Some(text(&"n".repeat(5_000))));
    }
    if maker.version >= 6 {
        partition = partition.with_committed_leader_epoch(maker.random.pick(&[-1, 0, 3]));
    }
    let topic = OffsetCommitRequestTopic::default().with_name(name(maker.topic())).with_partitions(vec![partition]);
    let request = OffsetCommitRequest::default().with_group_id(maker.group()).with_topics(vec![topic]);
    if maker.random.percent(50) && !too_large {
        // As somebody who assigns partitions to itself.
        return request.with_generation_id_or_member_epoch(-1);
    }
    // Of a group that a refused commit makes, Kafka tells some and not others.
    let generation = generation(maker).max(if too_large { 0 } else { -1 });
    request.with_generation_id_or_member_epoch(generation).with_member_id(maker.member())
}

fn fetch(maker: &mut Maker) -> OffsetFetchRequest {
    let partitions = vec![maker.partition(), 0];
    let topic = name(maker.topic());
    let mut request = OffsetFetchRequest::default();
    if maker.version >= 7 {
        request = request.with_require_stable(maker.random.percent(30));
    }
    let all = maker.version >= 2 && maker.random.percent(40);
    if maker.version < 8 {
        let one = OffsetFetchRequestTopic::default().with_name(topic).with_partition_indexes(partitions);
        return request.with_group_id(maker.group()).with_topics(if all { None } else { Some(vec![one]) });
    }
    let one = OffsetFetchRequestTopics::default().with_name(topic).with_partition_indexes(partitions);
    let of = OffsetFetchRequestGroup::default().with_group_id(maker.group());
    request.with_groups(vec![of.with_topics(if all { None } else { Some(vec![one]) })])
}

fn delete_offsets(maker: &mut Maker) -> OffsetDeleteRequest {
    let partition = OffsetDeleteRequestPartition::default().with_partition_index(maker.partition());
    let topic = OffsetDeleteRequestTopic::default().with_name(name(maker.topic())).with_partitions(vec![partition]);
    OffsetDeleteRequest::default().with_group_id(maker.group()).with_topics(vec![topic])
}
