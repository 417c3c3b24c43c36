//! Metadata (3): brokers, topics, and who leads what.

use std::sync::Arc;

use logdyno_controller::decide::topic_name as name_rules;
use logdyno_controller::image::{Broker, MetadataImage, Topic};
use logdyno_controller::record::{Endpoint, PartitionState};
use logdyno_coordinator::OFFSETS_TOPIC;
use logdyno_record::BrokerId;
use logdyno_wire::messages::create_topics_request::CreatableTopic;
use logdyno_wire::messages::metadata_request::MetadataRequestTopic;
use logdyno_wire::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use logdyno_wire::messages::{self, CreateTopicsRequest, MetadataRequest, MetadataResponse, TopicName};
use logdyno_wire::request::Request;
use logdyno_wire::{ErrorCode, StrBytes};

use super::{Answer, Desk, Unanswerable, code, encode};
use crate::groups::create_offsets_topic;

/// Operations on a topic, as bits (KIP-430): without an authorizer everybody may do all of them. Read, write, create, delete,
/// alter, describe, describe configs, alter configs.
pub(super) const TOPIC_OPERATIONS: i32 = 0b1101_1111_1000;
/// Operations on the cluster: create, alter, describe, cluster action, describe configs, alter configs, idempotent write.
pub(super) const CLUSTER_OPERATIONS: i32 = 0b1_1111_1010_0000;

/// The first version in which topics can be asked for by id.
const BY_ID: i16 = 10;

pub(super) async fn answer(desk: &Desk, request: &Request) -> Result<Answer, Unanswerable> {
    let asked: MetadataRequest = request.decode()?;
    let image = desk.image();
    let topics = match &asked.topics {
        None => image.topics().map(|topic| describe(desk, &image, topic)).collect(),
        // Version 0 cannot say "none": its empty list means all.
        Some(topics) if topics.is_empty() && request.version == 0 => {
            image.topics().map(|topic| describe(desk, &image, topic)).collect()
        }
        Some(topics) => {
            let create =
                desk.config.auto_create_topics_enable && (request.version < 4 || asked.allow_auto_topic_creation);
            let mut described = Vec::with_capacity(topics.len());
            for topic in topics {
                described.push(one(desk, &image, topic, create, request.version).await);
            }
            described
        }
    };
    let response = MetadataResponse::default()
        .with_brokers(brokers(desk, &image))
        .with_cluster_id(image.cluster_id().map(text))
        .with_controller_id(messages::BrokerId(controller_id(desk, &image)))
        .with_topics(with_operations(topics, &asked));
    let tells_cluster = (8..=10).contains(&request.version) && asked.include_cluster_authorized_operations;
    let response =
        if tells_cluster { response.with_cluster_authorized_operations(CLUSTER_OPERATIONS) } else { response };
    encode(request, &response)
}

/// Says what may be done with each topic, if that is asked for (KIP-430).
fn with_operations(topics: Vec<MetadataResponseTopic>, asked: &MetadataRequest) -> Vec<MetadataResponseTopic> {
    if !asked.include_topic_authorized_operations {
        return topics;
    }
    // Kafka says that even of topics that there are not.
    let told = |topic: MetadataResponseTopic| match topic.name {
        Some(_) => topic.with_topic_authorized_operations(TOPIC_OPERATIONS),
        None => topic,
    };
    topics.into_iter().map(told).collect()
}

async fn one(
    desk: &Desk,
    image: &MetadataImage,
    asked: &MetadataRequestTopic,
    create: bool,
    version: i16,
) -> MetadataResponseTopic {
    if version >= BY_ID && !asked.topic_id.is_nil() {
        return match image.topic_by_id(asked.topic_id) {
            Some(topic) => describe(desk, image, topic),
            None => MetadataResponseTopic::default()
                .with_topic_id(asked.topic_id)
                // Only version 12 can leave the name out.
                .with_name((version < 12).then(TopicName::default))
                .with_error_code(code(ErrorCode::UnknownTopicId)),
        };
    }
    let name = asked.name.clone().unwrap_or_default();
    match image.topic(&name) {
        Some(topic) => describe(desk, image, topic),
        None => {
            let error = if let Err(refusal) = name_rules::check_form(&name) {
                refusal.code()
            } else if create {
                create_topic(desk, &name).await
            } else {
                code(ErrorCode::UnknownTopicOrPartition)
            };
            let is_internal = is_internal(&name);
            MetadataResponseTopic::default().with_name(Some(name)).with_error_code(error).with_is_internal(is_internal)
        }
    }
}

/// Has a topic created with the controller's defaults, or those of the groups' own topic. It has no leader that is known here yet: the client asks again.
async fn create_topic(desk: &Desk, name: &TopicName) -> i16 {
    if name.as_str() == OFFSETS_TOPIC {
        if let Err(error) = create_offsets_topic(&desk.controller, &desk.config, &desk.image()).await {
            tracing::warn!("the topic of the groups could not be made: {error}");
        }
        return code(ErrorCode::UnknownTopicOrPartition);
    }
    let topic = CreatableTopic::default().with_name(name.clone()).with_num_partitions(-1).with_replication_factor(-1);
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(30_000);
    let answer = match desk.controller.create_topics(request).await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::warn!(topic = name.as_str(), "a topic that was asked for could not be created: {error}");
            return code(ErrorCode::UnknownTopicOrPartition);
        }
    };
    let error = answer.topics.first().map_or(0, |topic| topic.error_code);
    match ErrorCode::try_from_code(error) {
        Some(ErrorCode::TopicAlreadyExists) => code(ErrorCode::LeaderNotAvailable),
        Some(refused @ (ErrorCode::InvalidTopicException | ErrorCode::InvalidReplicationFactor)) => code(refused),
        // Created: what Kafka says then, too.
        None | Some(_) => code(ErrorCode::UnknownTopicOrPartition),
    }
}

fn describe(desk: &Desk, image: &MetadataImage, topic: &Arc<Topic>) -> MetadataResponseTopic {
    let partitions = (0..).zip(&topic.partitions).map(|(index, state)| partition(desk, image, index, state));
    MetadataResponseTopic::default()
        .with_name(Some(topic_name(&topic.name)))
        .with_topic_id(topic.id)
        .with_is_internal(is_internal(&topic.name))
        .with_partitions(partitions.collect())
}

/// A leader out of service is none: clients look again. Its epoch is told all the same, so that they know what is news.
fn partition(desk: &Desk, image: &MetadataImage, index: i32, state: &PartitionState) -> MetadataResponsePartition {
    let leader = reachable_leader(image, state, desk.listener());
    let ids = |brokers: &[BrokerId]| brokers.iter().map(|id| messages::BrokerId(id.0)).collect();
    let offline = offline_replicas(image, state);
    MetadataResponsePartition::default()
        .with_error_code(if leader.is_some() { 0 } else { code(ErrorCode::LeaderNotAvailable) })
        .with_partition_index(index)
        .with_leader_id(messages::BrokerId(leader.map_or(-1, |id| id.0)))
        .with_leader_epoch(state.leader_epoch.0)
        .with_replica_nodes(ids(&state.replicas))
        .with_isr_nodes(ids(&state.isr))
        .with_offline_replicas(ids(&offline))
}

/// Replicas on brokers that are out of service.
pub(super) fn offline_replicas(image: &MetadataImage, state: &PartitionState) -> Vec<BrokerId> {
    state.replicas.iter().copied().filter(|replica| image.live_epoch(*replica).is_none()).collect()
}

/// The leader, if clients that came in by `listener` can reach it.
pub(super) fn reachable_leader(image: &MetadataImage, state: &PartitionState, listener: &str) -> Option<BrokerId> {
    let leader = state.leader?;
    image.live_epoch(leader)?;
    endpoint(image.broker(leader)?, listener).map(|_| leader)
}

fn brokers(desk: &Desk, image: &MetadataImage) -> Vec<MetadataResponseBroker> {
    let broker = |(id, broker): (BrokerId, &Broker)| {
        let endpoint = endpoint(broker, desk.listener())?;
        let described = MetadataResponseBroker::default()
            .with_node_id(messages::BrokerId(id.0))
            .with_host(text(&endpoint.host))
            .with_port(i32::from(endpoint.port))
            .with_rack(broker.rack.as_deref().map(text));
        Some(described)
    };
    image.live_brokers().filter_map(broker).collect()
}

/// The broker that runs the controller, if it is in service; else any: each passes on what only the controller can do.
pub(super) fn controller_id(desk: &Desk, image: &MetadataImage) -> i32 {
    let configured = desk.config.controller_quorum_voters.0.first().map(|(id, _)| *id);
    let own = desk.config.process_roles.controller.then(|| desk.config.id());
    let in_service = |id: &BrokerId| image.live_epoch(*id).is_some();
    let any = || image.live_brokers().next().map(|(id, _)| id);
    own.or(configured).filter(in_service).or_else(any).map_or(-1, |id| id.0)
}

/// Where a broker is reached by those who came in by `listener`.
pub(crate) fn endpoint<'a>(broker: &'a Broker, listener: &str) -> Option<&'a Endpoint> {
    broker.endpoints.iter().find(|endpoint| endpoint.listener == listener).or_else(|| broker.endpoints.first())
}

/// Topics that the brokers write for themselves (Kafka's `Topic.isInternal`).
pub(super) fn is_internal(topic: &str) -> bool {
    matches!(topic, "__consumer_offsets" | "__transaction_state")
}

pub(super) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub(super) fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}
