//! CreateTopics, DeleteTopics, CreatePartitions. The topics that stay are never deleted.

use logdyno_wire::messages::create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic};
use logdyno_wire::messages::create_topics_request::{CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig};
use logdyno_wire::messages::delete_topics_request::DeleteTopicState;
use logdyno_wire::messages::{ApiKey, CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, RequestKind};
use uuid::Uuid;

use super::configs::{setting, value};
use super::{IMPOSSIBLE, Maker, PASSING, STAYING, name, text};

pub fn request(api: ApiKey, maker: &mut Maker) -> RequestKind {
    match api {
        ApiKey::CreateTopics => RequestKind::CreateTopics(create(maker)),
        ApiKey::DeleteTopics => RequestKind::DeleteTopics(delete(maker)),
        _ => RequestKind::CreatePartitions(partitions(maker)),
    }
}

/// A topic that may come and go, or that cannot be.
fn passing(maker: &mut Maker) -> &'static str {
    match maker.random.below(10) {
        0 => maker.random.pick(&IMPOSSIBLE[..5]),
        1 => maker.random.pick(STAYING),
        _ => maker.random.pick(PASSING),
    }
}

fn create(maker: &mut Maker) -> CreateTopicsRequest {
    let topic = CreatableTopic::default().with_name(name(passing(maker)));
    let count = maker.random.pick(&[1, 1, 2, 3, 3, 0, -1, -2]);
    let replicas = maker.random.pick(&[1, 1, 1, 1, -1, 0, 2, -2]);
    let mut topic = topic.with_num_partitions(count).with_replication_factor(replicas);
    if maker.random.percent(15) {
        let by_hand = (0..2).map(|_| {
            let index = maker.random.pick(&[0, 0, 1, 1, 5]);
            CreatableReplicaAssignment::default().with_partition_index(index).with_broker_ids(vec![maker.broker()])
        });
        topic = topic.with_assignments(by_hand.collect());
        if maker.random.percent(80) {
            topic = topic.with_num_partitions(-1).with_replication_factor(-1);
        }
    }
    if maker.random.percent(30) {
        let name = setting(maker);
        let value = value(maker, name);
        topic = topic.with_configs(vec![CreatableTopicConfig::default().with_name(text(name)).with_value(value)]);
    }
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(maker.timeout());
    request.with_validate_only(maker.random.percent(30))
}

fn delete(maker: &mut Maker) -> DeleteTopicsRequest {
    let topic = match passing(maker) {
        topic if STAYING.contains(&topic) => "missing",
        topic => topic,
    };
    let request = DeleteTopicsRequest::default().with_timeout_ms(maker.timeout());
    if maker.version < 6 {
        return request.with_topic_names(vec![name(topic)]);
    }
    let state = DeleteTopicState::default();
    let state = match maker.side.topics.get(topic) {
        Some(id) if maker.random.percent(40) => state.with_name(None).with_topic_id(*id),
        _ if maker.random.percent(10) => state.with_name(None).with_topic_id(Uuid::from_u128(77)),
        _ => state.with_name(Some(name(topic))),
    };
    request.with_topics(vec![state])
}

fn partitions(maker: &mut Maker) -> CreatePartitionsRequest {
    let count = maker.random.pick(&[1, 2, 3, 4, 0, -1]);
    let mut topic =
        CreatePartitionsTopic::default().with_name(name(passing(maker))).with_count(count).with_assignments(None);
    if maker.random.percent(20) {
        let on = CreatePartitionsAssignment::default().with_broker_ids(vec![maker.broker()]);
        topic = topic.with_assignments(Some(vec![on]));
    }
    let request = CreatePartitionsRequest::default().with_topics(vec![topic]).with_timeout_ms(maker.timeout());
    // The topics that stay keep their three partitions.
    request.with_validate_only(maker.random.percent(30))
}
