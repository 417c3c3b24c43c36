//! The Fetch request. Sessions are not used: every request is full (KIP-227's session 0, epoch −1).

use logdyno_wire::kafka_protocol::protocol::StrBytes;
use logdyno_wire::messages::fetch_request::{FetchPartition, FetchTopic};
use logdyno_wire::messages::{BrokerId, FetchRequest, TopicName};

use super::assignment::Wanted;
use crate::config::ConsumerConfig;
use crate::network::{Cluster, Leader};

/// The newest version understood here.
const FETCH_VERSION_MAX: i16 = 16;
/// The newest version that names topics by name.
const FETCH_VERSION_BY_NAME: i16 = 12;

/// The newest version that can carry these topics: from 13 on every one needs an id.
pub(super) fn versions(cluster: &Cluster, wanted: &[(Wanted, Leader)]) -> i16 {
    let has_id = |wanted: &Wanted| cluster.topics.get(&wanted.partition.topic).is_some_and(|topic| !topic.id.is_nil());
    if wanted.iter().all(|(wanted, _)| has_id(wanted)) { FETCH_VERSION_MAX } else { FETCH_VERSION_BY_NAME }
}

/// The request for these partitions, in this order, for at most `room` bytes.
pub(super) fn fetch_request(
    config: &ConsumerConfig,
    cluster: &Cluster,
    wanted: &[(Wanted, Leader)],
    room: usize,
) -> FetchRequest {
    let mut topics: Vec<FetchTopic> = Vec::new();
    for (wanted, leader) in wanted {
        let partition = FetchPartition::default()
            .with_partition(wanted.partition.partition)
            .with_current_leader_epoch(leader.epoch)
            .with_fetch_offset(wanted.offset.0)
            .with_last_fetched_epoch(-1)
            .with_log_start_offset(-1)
            .with_partition_max_bytes(config.max_partition_fetch_bytes);
        match topics.last_mut().filter(|topic| *topic.topic.0 == *wanted.partition.topic) {
            Some(topic) => topic.partitions.push(partition),
            None => {
                let id = cluster.topics.get(&wanted.partition.topic).map(|topic| topic.id).unwrap_or_default();
                let name = TopicName(StrBytes::from_string(wanted.partition.topic.to_string()));
                topics.push(FetchTopic::default().with_topic(name).with_topic_id(id).with_partitions(vec![partition]));
            }
        }
    }
    FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(i32::try_from(config.fetch_max_wait.as_millis()).unwrap_or(i32::MAX))
        .with_min_bytes(config.fetch_min_bytes)
        .with_max_bytes(i32::try_from(room).unwrap_or(i32::MAX))
        .with_isolation_level(config.isolation_level.code())
        .with_session_id(0)
        .with_session_epoch(-1)
        .with_topics(topics)
}
