//! DescribeTopicPartitions (75, KIP-966): topics in the order of their names, a page of partitions at a time.

use std::collections::BTreeSet;
use std::sync::Arc;

use logdyno_controller::decide::topic_name;
use logdyno_controller::image::{MetadataImage, Topic};
use logdyno_controller::record::PartitionState;
use logdyno_record::BrokerId;
use logdyno_wire::ErrorCode;
use logdyno_wire::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use logdyno_wire::messages::{self, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse};
use logdyno_wire::request::Request;

use super::metadata::{TOPIC_OPERATIONS, is_internal, offline_replicas, reachable_leader, topic_name as wire_name};
use super::{Answer, Desk, Unanswerable, code, encode};

pub(super) fn answer(desk: &Desk, request: &Request) -> Result<Answer, Unanswerable> {
    let asked: DescribeTopicPartitionsRequest = request.decode()?;
    let image = desk.image();
    let limit = asked.response_partition_limit.min(desk.config.max_request_partition_size_limit).max(1);
    let limit = usize::try_from(limit).unwrap_or(1);
    let response = match start(&image, &asked) {
        Ok(start) => Page { desk, image: &image, left: limit }.fill(start),
        Err(error) => {
            let refused = asked.topics.iter().map(|topic| failed(&topic.name, error));
            DescribeTopicPartitionsResponse::default().with_topics(refused.collect())
        }
    };
    encode(request, &response)
}

/// What is to be described, from where.
struct Start {
    topics: BTreeSet<String>,
    /// Of the first of them.
    partition: usize,
    /// Topics that were not named are left out where they have gone.
    named: bool,
}

/// Those that were asked for, or all, from the cursor on.
fn start(image: &MetadataImage, asked: &DescribeTopicPartitionsRequest) -> Result<Start, ErrorCode> {
    let named = !asked.topics.is_empty();
    let mut topics: BTreeSet<String> = if named {
        asked.topics.iter().map(|topic| topic.name.to_string()).collect()
    } else {
        image.topics().map(|topic| topic.name.to_string()).collect()
    };
    let Some(cursor) = &asked.cursor else { return Ok(Start { topics, partition: 0, named }) };
    let from = cursor.topic_name.to_string();
    topics = topics.split_off(&from);
    let partition = usize::try_from(cursor.partition_index).map_err(|_| ErrorCode::InvalidRequest)?;
    if topics.contains(&from) {
        return Ok(Start { topics, partition, named });
    }
    // It may have been deleted since; one that was never asked for cannot be gone on with.
    if named { Err(ErrorCode::InvalidRequest) } else { Ok(Start { topics, partition: 0, named }) }
}

struct Page<'a> {
    desk: &'a Desk,
    image: &'a MetadataImage,
    left: usize,
}

impl Page<'_> {
    fn fill(mut self, start: Start) -> DescribeTopicPartitionsResponse {
        let mut response = DescribeTopicPartitionsResponse::default();
        let mut from = start.partition;
        for name in &start.topics {
            if self.left == 0 {
                return response.with_next_cursor(Some(cursor(name, 0)));
            }
            let first = std::mem::take(&mut from);
            match self.image.topic(name) {
                Some(topic) => {
                    let (described, next) = self.topic(topic, first);
                    response.topics.push(described);
                    if let Some(next) = next {
                        return response.with_next_cursor(Some(cursor(name, next)));
                    }
                }
                None if start.named => {
                    let error = match topic_name::check_form(name) {
                        Ok(()) => ErrorCode::UnknownTopicOrPartition,
                        Err(_) => ErrorCode::InvalidTopicException,
                    };
                    let failed = failed(&wire_name(name), error);
                    response.topics.push(failed.with_topic_authorized_operations(TOPIC_OPERATIONS));
                }
                None => {}
            }
        }
        response
    }

    /// A topic from a partition on, and the partition to go on with if not all have found room.
    fn topic(&mut self, topic: &Arc<Topic>, first: usize) -> (DescribeTopicPartitionsResponseTopic, Option<usize>) {
        let end = topic.partitions.len().min(first.saturating_add(self.left));
        let states = topic.partitions.get(first..end).unwrap_or_default();
        self.left -= states.len();
        let partitions = (first..).zip(states).map(|(index, state)| self.partition(index, state));
        let described = DescribeTopicPartitionsResponseTopic::default()
            .with_name(Some(wire_name(&topic.name)))
            .with_topic_id(topic.id)
            .with_is_internal(is_internal(&topic.name))
            .with_partitions(partitions.collect())
            .with_topic_authorized_operations(TOPIC_OPERATIONS);
        (described, (end < topic.partitions.len()).then_some(end))
    }

    /// Eligible leader replicas are not kept yet: none are told. Null would say so, but Java's admin client does not take it.
    fn partition(&self, index: usize, state: &PartitionState) -> DescribeTopicPartitionsResponsePartition {
        let leader = reachable_leader(self.image, state, self.desk.listener());
        let ids = |brokers: &[BrokerId]| brokers.iter().map(|id| messages::BrokerId(id.0)).collect();
        DescribeTopicPartitionsResponsePartition::default()
            .with_error_code(if leader.is_some() { 0 } else { code(ErrorCode::LeaderNotAvailable) })
            .with_partition_index(i32::try_from(index).unwrap_or(i32::MAX))
            .with_leader_id(messages::BrokerId(leader.map_or(-1, |id| id.0)))
            .with_leader_epoch(state.leader_epoch.0)
            .with_replica_nodes(ids(&state.replicas))
            .with_isr_nodes(ids(&state.isr))
            .with_eligible_leader_replicas(Some(Vec::new()))
            .with_last_known_elr(Some(Vec::new()))
            .with_offline_replicas(ids(&offline_replicas(self.image, state)))
    }
}

fn cursor(topic: &str, partition: usize) -> Cursor {
    let partition = i32::try_from(partition).unwrap_or(i32::MAX);
    Cursor::default().with_topic_name(wire_name(topic)).with_partition_index(partition)
}

fn failed(name: &messages::TopicName, error: ErrorCode) -> DescribeTopicPartitionsResponseTopic {
    DescribeTopicPartitionsResponseTopic::default().with_name(Some(name.clone())).with_error_code(code(error))
}
