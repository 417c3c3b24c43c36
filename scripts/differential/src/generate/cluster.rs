//! Everything that asks what there is.

use logdyno_wire::messages::describe_log_dirs_request::DescribableLogDirTopic;
use logdyno_wire::messages::describe_producers_request::TopicRequest as ProducersTopic;
use logdyno_wire::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use logdyno_wire::messages::metadata_request::MetadataRequestTopic;
use logdyno_wire::messages::{
    ApiKey, ApiVersionsRequest, DescribeClusterRequest, DescribeLogDirsRequest, DescribeProducersRequest,
    DescribeTopicPartitionsRequest, FindCoordinatorRequest, InitProducerIdRequest, MetadataRequest, RequestKind,
};

use uuid::Uuid;

use super::{Maker, STAYING, name, text};

pub fn request(api: ApiKey, maker: &mut Maker) -> RequestKind {
    match api {
        ApiKey::Metadata => RequestKind::Metadata(metadata(maker)),
        ApiKey::ApiVersions => RequestKind::ApiVersions(api_versions(maker)),
        ApiKey::FindCoordinator => RequestKind::FindCoordinator(find_coordinator(maker)),
        ApiKey::InitProducerId => {
            let request = InitProducerIdRequest::default().with_transactional_id(None);
            RequestKind::InitProducerId(request.with_transaction_timeout_ms(maker.random.pick(&[1_000, 60_000])))
        }
        ApiKey::DescribeCluster => RequestKind::DescribeCluster(
            DescribeClusterRequest::default().with_include_cluster_authorized_operations(maker.random.percent(30)),
        ),
        ApiKey::DescribeLogDirs => {
            let topic = DescribableLogDirTopic::default().with_topic(name(maker.topic()));
            let topic = topic.with_partitions(vec![maker.partition(), maker.partition()]);
            RequestKind::DescribeLogDirs(DescribeLogDirsRequest::default().with_topics(Some(vec![topic])))
        }
        ApiKey::DescribeProducers => {
            let topic = ProducersTopic::default().with_name(name(maker.topic()));
            let topic = topic.with_partition_indexes(vec![maker.partition()]);
            RequestKind::DescribeProducers(DescribeProducersRequest::default().with_topics(vec![topic]))
        }
        ApiKey::DescribeTopicPartitions => RequestKind::DescribeTopicPartitions(topic_partitions(maker)),
        other => unreachable!("{other:?} has no request here yet: write one"),
    }
}

fn metadata(maker: &mut Maker) -> MetadataRequest {
    let mut request = MetadataRequest::default();
    if maker.version >= 4 {
        request = request.with_allow_auto_topic_creation(false);
    }
    if maker.version >= 8 {
        request = request.with_include_topic_authorized_operations(maker.random.percent(30));
    }
    if maker.random.percent(30) && maker.version >= 1 {
        return request.with_topics(None);
    }
    // Older versions create what they ask for.
    let topic = if maker.version < 4 { maker.random.pick(STAYING) } else { maker.topic() };
    let by_id = maker.version >= 12 && maker.random.percent(40);
    let topic = if by_id {
        // Kafka fails inside at the id of nothing.
        let id = maker.topic_id();
        let id = if id.is_nil() { Uuid::from_u128(0x1234_5678) } else { id };
        MetadataRequestTopic::default().with_name(None).with_topic_id(id)
    } else {
        MetadataRequestTopic::default().with_name(Some(name(topic)))
    };
    request.with_topics(Some(vec![topic]))
}

fn api_versions(maker: &mut Maker) -> ApiVersionsRequest {
    let request = ApiVersionsRequest::default();
    if maker.version < 3 {
        return request;
    }
    let software = maker.random.pick(&["client", "client", "a b", ""]);
    request.with_client_software_name(text(software)).with_client_software_version(text("1.0"))
}

fn find_coordinator(maker: &mut Maker) -> FindCoordinatorRequest {
    let request = FindCoordinatorRequest::default();
    // Groups only: there are no transactions here yet, nor share groups.
    if maker.version >= 4 {
        return request.with_coordinator_keys(vec![maker.group().0, maker.group().0]);
    }
    request.with_key(maker.group().0)
}

fn topic_partitions(maker: &mut Maker) -> DescribeTopicPartitionsRequest {
    let topics = (0..1 + maker.random.below(2)).map(|_| match maker.topic() {
        // Kafka fails inside at an empty name.
        "" => STAYING[0],
        topic => topic,
    });
    let topics = topics.map(|topic| TopicRequest::default().with_name(name(topic))).collect();
    let request = DescribeTopicPartitionsRequest::default().with_topics(topics);
    let request = request.with_response_partition_limit(maker.random.pick(&[1, 2, 100, 2000]));
    if maker.random.percent(80) {
        return request;
    }
    let cursor =
        Cursor::default().with_topic_name(name(maker.topic())).with_partition_index(maker.random.pick(&[0, 1, 2]));
    request.with_cursor(Some(cursor))
}
