//! A request of each kind that a broker serves, encoded in each of its versions: what damage is done to.
//!
//! They are about things that exist (topic `t`, group `g`), so that damage behind the first field is met by more than the first check, and
//! they change nothing that other requests need.

use bytes::{Bytes, BytesMut};
use logdyno_wire::StrBytes;
use logdyno_wire::api::{self, Api};
use logdyno_wire::kafka_protocol::protocol::Encodable;
use logdyno_wire::messages::alter_configs_request::{AlterConfigsResource, AlterableConfig};
use logdyno_wire::messages::create_partitions_request::CreatePartitionsTopic;
use logdyno_wire::messages::create_topics_request::{CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig};
use logdyno_wire::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use logdyno_wire::messages::delete_topics_request::DeleteTopicState;
use logdyno_wire::messages::describe_configs_request::DescribeConfigsResource;
use logdyno_wire::messages::describe_log_dirs_request::DescribableLogDirTopic;
use logdyno_wire::messages::describe_producers_request::TopicRequest as ProducersTopic;
use logdyno_wire::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use logdyno_wire::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use logdyno_wire::messages::incremental_alter_configs_request as incremental;
use logdyno_wire::messages::join_group_request::JoinGroupRequestProtocol;
use logdyno_wire::messages::leave_group_request::MemberIdentity;
use logdyno_wire::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use logdyno_wire::messages::metadata_request::MetadataRequestTopic;
use logdyno_wire::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use logdyno_wire::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use logdyno_wire::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use logdyno_wire::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use logdyno_wire::messages::produce_request::{PartitionProduceData, TopicProduceData};
use logdyno_wire::messages::sync_group_request::SyncGroupRequestAssignment;
use logdyno_wire::messages::{
    AlterConfigsRequest, ApiKey, ApiVersionsRequest, BrokerId, CreatePartitionsRequest, CreateTopicsRequest,
    DeleteGroupsRequest, DeleteRecordsRequest, DeleteTopicsRequest, DescribeClusterRequest, DescribeConfigsRequest,
    DescribeGroupsRequest, DescribeLogDirsRequest, DescribeProducersRequest, DescribeTopicPartitionsRequest,
    FetchRequest, FindCoordinatorRequest, GroupId, HeartbeatRequest, IncrementalAlterConfigsRequest,
    InitProducerIdRequest, JoinGroupRequest, LeaveGroupRequest, ListGroupsRequest, ListOffsetsRequest, MetadataRequest,
    OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, OffsetForLeaderEpochRequest, ProduceRequest,
    RequestHeader, RequestKind, SyncGroupRequest, TopicName,
};
use uuid::Uuid;

use crate::cluster::{batch, name};

/// How long those wait that may: not at all.
const AT_ONCE: i32 = 0;

/// The topic that requests are about.
#[derive(Clone, Copy)]
pub(super) struct About {
    pub(super) broker: i32,
    pub(super) topic: &'static str,
    pub(super) id: Uuid,
}

/// One request as bytes.
pub(super) struct Encoded {
    pub(super) api: ApiKey,
    pub(super) version: i16,
    /// Header and body, without the frame's length.
    pub(super) bytes: Vec<u8>,
}

/// All APIs that are served, in all versions.
pub(super) fn all(about: About) -> Vec<Encoded> {
    let of = |api: &Api| (api.served_min..=api.max).map(|version| encoded(api.key, version, about)).collect::<Vec<_>>();
    api::BROKER.iter().flat_map(of).collect()
}

/// The first of the ways to ask that this version knows.
fn encoded(api: ApiKey, version: i16, about: About) -> Encoded {
    let mut bytes = BytesMut::new();
    let header = RequestHeader::default().with_request_api_key(api as i16).with_request_api_version(version);
    let header = header.with_correlation_id(7).with_client_id(Some(text("peer")));
    header.encode(&mut bytes, api.request_header_version(version)).expect("a header");
    let body = ways(api, version, about).iter().find_map(|request| {
        let mut body = BytesMut::new();
        request.encode(&mut body, version).is_ok().then_some(body)
    });
    bytes.extend(body.unwrap_or_else(|| panic!("no request of {api:?} can be written in version {version}")));
    Encoded { api, version, bytes: bytes.to_vec() }
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn group() -> GroupId {
    GroupId(text("g"))
}

/// Requests of this kind, the fullest first: what a version has no field for cannot be written in it.
fn ways(api: ApiKey, version: i16, about: About) -> Vec<RequestKind> {
    match api {
        ApiKey::Produce
        | ApiKey::Fetch
        | ApiKey::ListOffsets
        | ApiKey::OffsetForLeaderEpoch
        | ApiKey::DeleteRecords => {
            vec![data(api, version, about)]
        }
        ApiKey::JoinGroup
        | ApiKey::SyncGroup
        | ApiKey::Heartbeat
        | ApiKey::LeaveGroup
        | ApiKey::DescribeGroups
        | ApiKey::ListGroups
        | ApiKey::DeleteGroups
        | ApiKey::FindCoordinator => membership(api),
        ApiKey::OffsetCommit | ApiKey::OffsetFetch | ApiKey::OffsetDelete => offsets(api, about),
        ApiKey::CreateTopics | ApiKey::DeleteTopics | ApiKey::CreatePartitions => topics(api, about),
        ApiKey::DescribeConfigs | ApiKey::AlterConfigs | ApiKey::IncrementalAlterConfigs => configs(api, about),
        _ => descriptions(api, about),
    }
}

fn data(api: ApiKey, version: i16, about: About) -> RequestKind {
    let topic = name(about.topic);
    match api {
        ApiKey::Produce => {
            let data = PartitionProduceData::default().with_records(Some(batch(&["one", "two"])));
            let topic = TopicProduceData::default().with_name(topic).with_partition_data(vec![data]);
            let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(AT_ONCE);
            RequestKind::Produce(request.with_topic_data(vec![topic]))
        }
        ApiKey::Fetch => {
            let partition = FetchPartition::default().with_partition_max_bytes(1000).with_current_leader_epoch(-1);
            let (name, id) = if version >= 13 { (TopicName::default(), about.id) } else { (topic, Uuid::nil()) };
            let wanted =
                FetchTopic::default().with_topic(name.clone()).with_topic_id(id).with_partitions(vec![partition]);
            let forgotten = ForgottenTopic::default().with_topic(name).with_topic_id(id).with_partitions(vec![1]);
            let request = FetchRequest::default().with_replica_id(BrokerId(-1)).with_max_wait_ms(AT_ONCE);
            let request = request.with_max_bytes(10_000).with_topics(vec![wanted]);
            let forgetting = if version >= 7 { vec![forgotten] } else { Vec::new() };
            RequestKind::Fetch(request.with_forgotten_topics_data(forgetting))
        }
        ApiKey::ListOffsets => {
            let partition = ListOffsetsPartition::default().with_timestamp(-1).with_current_leader_epoch(-1);
            let topic = ListOffsetsTopic::default().with_name(topic).with_partitions(vec![partition]);
            RequestKind::ListOffsets(
                ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic]),
            )
        }
        ApiKey::OffsetForLeaderEpoch => {
            let partition = OffsetForLeaderPartition::default().with_current_leader_epoch(-1);
            let topic = OffsetForLeaderTopic::default().with_topic(topic).with_partitions(vec![partition]);
            let request = OffsetForLeaderEpochRequest::default().with_replica_id(BrokerId(-2));
            RequestKind::OffsetForLeaderEpoch(request.with_topics(vec![topic]))
        }
        _ => {
            let topic = DeleteRecordsTopic::default().with_name(topic);
            let topic = topic.with_partitions(vec![DeleteRecordsPartition::default()]);
            RequestKind::DeleteRecords(
                DeleteRecordsRequest::default().with_topics(vec![topic]).with_timeout_ms(AT_ONCE),
            )
        }
    }
}

fn membership(api: ApiKey) -> Vec<RequestKind> {
    let (member, protocol) = (text("member"), text("range"));
    match api {
        ApiKey::JoinGroup => {
            let protocols =
                JoinGroupRequestProtocol::default().with_name(protocol).with_metadata(Bytes::from_static(b"x"));
            let request = JoinGroupRequest::default().with_group_id(group()).with_session_timeout_ms(6000);
            let request = request.with_protocol_type(text("consumer")).with_protocols(vec![protocols]);
            let request = request.with_member_id(member);
            let known = request.clone().with_rebalance_timeout_ms(6000).with_reason(Some(text("why")));
            vec![RequestKind::JoinGroup(known), RequestKind::JoinGroup(request)]
        }
        ApiKey::SyncGroup => {
            let assignment = SyncGroupRequestAssignment::default().with_member_id(member.clone());
            let request = SyncGroupRequest::default().with_group_id(group()).with_member_id(member);
            vec![RequestKind::SyncGroup(request.with_generation_id(1).with_assignments(vec![assignment]))]
        }
        ApiKey::Heartbeat => {
            vec![RequestKind::Heartbeat(HeartbeatRequest::default().with_group_id(group()).with_member_id(member))]
        }
        ApiKey::LeaveGroup => {
            let request = LeaveGroupRequest::default().with_group_id(group());
            let leaving = MemberIdentity::default().with_member_id(member.clone());
            vec![
                RequestKind::LeaveGroup(request.clone().with_members(vec![leaving])),
                RequestKind::LeaveGroup(request.with_member_id(member)),
            ]
        }
        ApiKey::DescribeGroups => {
            vec![RequestKind::DescribeGroups(DescribeGroupsRequest::default().with_groups(vec![group()]))]
        }
        ApiKey::ListGroups => {
            let request = ListGroupsRequest::default();
            let filtered = request.clone().with_states_filter(vec![text("Empty")]);
            vec![RequestKind::ListGroups(filtered), RequestKind::ListGroups(request)]
        }
        ApiKey::DeleteGroups => {
            let none = GroupId(text("no such group"));
            vec![RequestKind::DeleteGroups(DeleteGroupsRequest::default().with_groups_names(vec![none]))]
        }
        _ => {
            let request = FindCoordinatorRequest::default();
            let many = request.clone().with_coordinator_keys(vec![text("g"), text("h")]);
            vec![RequestKind::FindCoordinator(many), RequestKind::FindCoordinator(request.with_key(text("g")))]
        }
    }
}

fn offsets(api: ApiKey, about: About) -> Vec<RequestKind> {
    let topic = name(about.topic);
    match api {
        ApiKey::OffsetCommit => {
            let partition = OffsetCommitRequestPartition::default().with_committed_metadata(Some(text("note")));
            let topic = OffsetCommitRequestTopic::default().with_name(topic).with_partitions(vec![partition]);
            let request = OffsetCommitRequest::default().with_group_id(group()).with_topics(vec![topic]);
            vec![RequestKind::OffsetCommit(request.with_generation_id_or_member_epoch(-1))]
        }
        ApiKey::OffsetFetch => {
            let topics =
                OffsetFetchRequestTopics::default().with_name(topic.clone()).with_partition_indexes(vec![0, 1]);
            let of = OffsetFetchRequestGroup::default().with_group_id(group()).with_topics(Some(vec![topics]));
            let one = OffsetFetchRequestTopic::default().with_name(topic).with_partition_indexes(vec![0, 1]);
            let request = OffsetFetchRequest::default();
            vec![
                RequestKind::OffsetFetch(request.clone().with_groups(vec![of])),
                RequestKind::OffsetFetch(request.with_group_id(group()).with_topics(Some(vec![one]))),
            ]
        }
        _ => {
            let partition = OffsetDeleteRequestPartition::default();
            let topic = OffsetDeleteRequestTopic::default().with_name(topic).with_partitions(vec![partition]);
            let request = OffsetDeleteRequest::default().with_group_id(group());
            vec![RequestKind::OffsetDelete(request.with_topics(vec![topic]))]
        }
    }
}

fn topics(api: ApiKey, about: About) -> Vec<RequestKind> {
    match api {
        ApiKey::CreateTopics => {
            let replicas = CreatableReplicaAssignment::default().with_broker_ids(vec![BrokerId(about.broker)]);
            let setting =
                CreatableTopicConfig::default().with_name(text("retention.ms")).with_value(Some(text("1000")));
            let topic = CreatableTopic::default().with_name(name("new")).with_num_partitions(-1);
            let topic = topic.with_replication_factor(-1).with_assignments(vec![replicas]).with_configs(vec![setting]);
            let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(1000);
            vec![RequestKind::CreateTopics(request.with_validate_only(true))]
        }
        ApiKey::DeleteTopics => {
            let request = DeleteTopicsRequest::default().with_timeout_ms(1000);
            let state = DeleteTopicState::default().with_name(Some(name("no such topic")));
            vec![
                RequestKind::DeleteTopics(request.clone().with_topics(vec![state])),
                RequestKind::DeleteTopics(request.with_topic_names(vec![name("no such topic")])),
            ]
        }
        _ => {
            let topic =
                CreatePartitionsTopic::default().with_name(name(about.topic)).with_count(2).with_assignments(None);
            let request = CreatePartitionsRequest::default().with_topics(vec![topic]).with_timeout_ms(1000);
            vec![RequestKind::CreatePartitions(request.with_validate_only(true))]
        }
    }
}

fn configs(api: ApiKey, about: About) -> Vec<RequestKind> {
    const TOPIC: i8 = 2;
    let (name, value) = (text("retention.ms"), Some(text("100000")));
    vec![match api {
        ApiKey::DescribeConfigs => {
            let resource = DescribeConfigsResource::default().with_resource_type(TOPIC);
            let resource = resource.with_resource_name(text(about.topic)).with_configuration_keys(Some(vec![name]));
            RequestKind::DescribeConfigs(DescribeConfigsRequest::default().with_resources(vec![resource]))
        }
        ApiKey::AlterConfigs => {
            let config = AlterableConfig::default().with_name(name).with_value(value);
            let resource = AlterConfigsResource::default().with_resource_type(TOPIC);
            let resource = resource.with_resource_name(text(about.topic)).with_configs(vec![config]);
            let request = AlterConfigsRequest::default().with_resources(vec![resource]);
            RequestKind::AlterConfigs(request.with_validate_only(true))
        }
        _ => {
            let config = incremental::AlterableConfig::default().with_name(name).with_value(value);
            let resource = incremental::AlterConfigsResource::default().with_resource_type(TOPIC);
            let resource = resource.with_resource_name(text(about.topic)).with_configs(vec![config]);
            let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
            RequestKind::IncrementalAlterConfigs(request.with_validate_only(true))
        }
    }]
}

fn descriptions(api: ApiKey, about: About) -> Vec<RequestKind> {
    let topic = name(about.topic);
    match api {
        ApiKey::Metadata => {
            let topic = MetadataRequestTopic::default().with_name(Some(topic));
            let request = MetadataRequest::default().with_topics(Some(vec![topic]));
            vec![
                RequestKind::Metadata(request.clone().with_allow_auto_topic_creation(false)),
                RequestKind::Metadata(request),
            ]
        }
        ApiKey::ApiVersions => {
            let request = ApiVersionsRequest::default();
            let named = request.clone().with_client_software_name(text("peer")).with_client_software_version(text("1"));
            vec![RequestKind::ApiVersions(named), RequestKind::ApiVersions(request)]
        }
        ApiKey::InitProducerId => vec![RequestKind::InitProducerId(
            InitProducerIdRequest::default().with_transaction_timeout_ms(1000).with_transactional_id(None),
        )],
        ApiKey::DescribeCluster => vec![RequestKind::DescribeCluster(DescribeClusterRequest::default())],
        ApiKey::DescribeLogDirs => {
            let topic = DescribableLogDirTopic::default().with_topic(topic).with_partitions(vec![0]);
            vec![RequestKind::DescribeLogDirs(DescribeLogDirsRequest::default().with_topics(Some(vec![topic])))]
        }
        ApiKey::DescribeProducers => {
            let topic = ProducersTopic::default().with_name(topic).with_partition_indexes(vec![0]);
            vec![RequestKind::DescribeProducers(DescribeProducersRequest::default().with_topics(vec![topic]))]
        }
        ApiKey::DescribeTopicPartitions => {
            let cursor = Cursor::default().with_topic_name(topic.clone());
            let request = DescribeTopicPartitionsRequest::default().with_cursor(Some(cursor));
            vec![RequestKind::DescribeTopicPartitions(
                request.with_topics(vec![TopicRequest::default().with_name(topic)]),
            )]
        }
        other => panic!("{other:?} is served now: write a request of it here, so that damaged ones are tried"),
    }
}
