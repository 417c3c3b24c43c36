//! Every request that is served is walked to its end; what claims more than it holds is refused.

use bytes::{BufMut, Bytes, BytesMut};
use logdyno_wire::kafka_protocol::protocol::Request;
use logdyno_wire::messages::create_topics_request::{CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig};
use logdyno_wire::messages::delete_topics_request::DeleteTopicState;
use logdyno_wire::messages::fetch_request::{FetchPartition, FetchTopic};
use logdyno_wire::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use logdyno_wire::messages::metadata_request::MetadataRequestTopic;
use logdyno_wire::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use logdyno_wire::messages::produce_request::{PartitionProduceData, TopicProduceData};
use logdyno_wire::messages::*;
use logdyno_wire::shape::check;
use logdyno_wire::{StrBytes, api};

fn encoded<R: Request>(version: i16, request: &R) -> Bytes {
    let mut bytes = BytesMut::new();
    request.encode(&mut bytes, version).unwrap_or_else(|error| panic!("{} v{version}: {error}", R::KEY));
    bytes.freeze()
}

/// A request with something in every list.
fn example(key: ApiKey, version: i16) -> Bytes {
    let name = TopicName(StrBytes::from_static_str("topic"));
    let text = StrBytes::from_static_str("text");
    match key {
        ApiKey::Produce => {
            let data = PartitionProduceData::default().with_records(Some(Bytes::from_static(b"bytes")));
            let topic = TopicProduceData::default().with_name(name).with_partition_data(vec![data]);
            encoded(version, &ProduceRequest::default().with_topic_data(vec![topic]))
        }
        ApiKey::Fetch => {
            let partitions = vec![FetchPartition::default(); 2];
            let topic = FetchTopic::default().with_topic(name).with_partitions(partitions);
            encoded(version, &FetchRequest::default().with_topics(vec![topic]))
        }
        ApiKey::ListOffsets => {
            let partitions = vec![ListOffsetsPartition::default(); 2];
            let topic = ListOffsetsTopic::default().with_name(name).with_partitions(partitions);
            encoded(version, &ListOffsetsRequest::default().with_topics(vec![topic]))
        }
        ApiKey::Metadata => {
            let topic = MetadataRequestTopic::default().with_name(Some(name));
            encoded(version, &MetadataRequest::default().with_topics(Some(vec![topic])))
        }
        ApiKey::ApiVersions if version >= 3 => {
            encoded(version, &ApiVersionsRequest::default().with_client_software_name(text))
        }
        ApiKey::ApiVersions => encoded(version, &ApiVersionsRequest::default()),
        ApiKey::CreateTopics => {
            let placed = CreatableReplicaAssignment::default().with_broker_ids(vec![1.into(), 2.into()]);
            let setting = CreatableTopicConfig::default().with_name(text).with_value(None);
            let topic =
                CreatableTopic::default().with_name(name).with_assignments(vec![placed]).with_configs(vec![setting]);
            encoded(version, &CreateTopicsRequest::default().with_topics(vec![topic]))
        }
        ApiKey::DeleteTopics if version >= 6 => {
            let topic = DeleteTopicState::default().with_name(Some(name));
            encoded(version, &DeleteTopicsRequest::default().with_topics(vec![topic]))
        }
        ApiKey::DeleteTopics => encoded(version, &DeleteTopicsRequest::default().with_topic_names(vec![name])),
        ApiKey::OffsetForLeaderEpoch => {
            let partitions = vec![OffsetForLeaderPartition::default(); 2];
            let topic = OffsetForLeaderTopic::default().with_topic(name).with_partitions(partitions);
            encoded(version, &OffsetForLeaderEpochRequest::default().with_topics(vec![topic]))
        }
        ApiKey::FindCoordinator => encoded(version, &FindCoordinatorRequest::default().with_key(text)),
        ApiKey::DescribeCluster => encoded(version, &DescribeClusterRequest::default()),
        other => panic!("no example of {other:?}"),
    }
}

#[test]
fn a_request_is_walked_to_its_very_end() {
    for api in api::BROKER {
        for version in api.served_min..=api.max {
            let body = example(api.key, version);
            assert_eq!(check(api.key, version, &body), Ok(()), "{:?} v{version}", api.key);
            for cut in 0..body.len() {
                assert!(check(api.key, version, &body[..cut]).is_err(), "{:?} v{version} cut at {cut}", api.key);
            }
        }
    }
}

#[test]
fn a_list_longer_than_its_bytes_is_refused() {
    let mut classic = BytesMut::new();
    classic.put_i32(i32::MAX);
    assert!(check(ApiKey::Metadata, 1, &classic).is_err());
    assert!(check(ApiKey::Metadata, 13, &[0xff, 0xff, 0xff, 0xff, 0x0f]).is_err());
}
