//! OffsetFetch (9): what groups have committed.

use logdyno_coordinator::{Committed, GroupError, Offsets};
use logdyno_wire::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use logdyno_wire::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};
use logdyno_wire::messages::{OffsetFetchRequest, OffsetFetchResponse};
use logdyno_wire::request::Request;

use super::metadata::{text, topic_name};
use super::{Answer, Desk, Unanswerable, encode};

/// The first version with an error for the whole group.
const GROUP_ERROR: i16 = 2;
/// The first version that asks for several groups (KIP-709).
const SEVERAL: i16 = 8;

pub(super) fn answer(desk: &Desk, request: &Request) -> Result<Answer, Unanswerable> {
    let asked: OffsetFetchRequest = request.decode()?;
    if request.version >= SEVERAL {
        let groups = asked.groups.iter().map(|group| of_group(desk, group)).collect();
        return encode(request, &OffsetFetchResponse::default().with_groups(groups));
    }
    let topics = asked.topics.map(|topics| {
        let topic = |topic: logdyno_wire::messages::offset_fetch_request::OffsetFetchRequestTopic| {
            OffsetFetchRequestTopics::default().with_name(topic.name).with_partition_indexes(topic.partition_indexes)
        };
        topics.into_iter().map(topic).collect()
    });
    let only = OffsetFetchRequestGroup::default().with_group_id(asked.group_id).with_topics(topics);
    encode(request, &alone(request.version, &only, of_group(desk, &only)))
}

/// The answer of the versions that ask for one group.
fn alone(version: i16, asked: &OffsetFetchRequestGroup, found: OffsetFetchResponseGroup) -> OffsetFetchResponse {
    if found.error_code != 0 && version < GROUP_ERROR {
        return OffsetFetchResponse::default().with_topics(refused_each(asked, found.error_code));
    }
    let topics = found.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter().map(|partition| {
            OffsetFetchResponsePartition::default()
                .with_partition_index(partition.partition_index)
                .with_committed_offset(partition.committed_offset)
                .with_committed_leader_epoch(partition.committed_leader_epoch)
                .with_metadata(partition.metadata)
        });
        OffsetFetchResponseTopic::default().with_name(topic.name).with_partitions(partitions.collect())
    });
    OffsetFetchResponse::default().with_topics(topics.collect()).with_error_code(found.error_code)
}

fn refused_each(asked: &OffsetFetchRequestGroup, error: i16) -> Vec<OffsetFetchResponseTopic> {
    let topics = asked.topics.iter().flatten().map(|topic| {
        let partitions = topic.partition_indexes.iter().map(|index| {
            OffsetFetchResponsePartition::default()
                .with_partition_index(*index)
                .with_committed_offset(-1)
                .with_committed_leader_epoch(-1)
                .with_metadata(Some(text("")))
                .with_error_code(error)
        });
        OffsetFetchResponseTopic::default().with_name(topic.name.clone()).with_partitions(partitions.collect())
    });
    topics.collect()
}

fn of_group(desk: &Desk, asked: &OffsetFetchRequestGroup) -> OffsetFetchResponseGroup {
    let response = OffsetFetchResponseGroup::default().with_group_id(asked.group_id.clone());
    match desk.groups.of_any(&desk.image(), &asked.group_id) {
        Err(error) => response.with_error_code(GroupError::code(error)),
        Ok(shard) => {
            let offsets = shard.offsets(&asked.group_id);
            let topics = match &asked.topics {
                Some(topics) => topics.iter().map(|topic| of_topic(&offsets, topic)).collect(),
                None => all(&offsets),
            };
            response.with_topics(topics)
        }
    }
}

fn of_topic(offsets: &Offsets, asked: &OffsetFetchRequestTopics) -> OffsetFetchResponseTopics {
    let partitions = asked.partition_indexes.iter().map(|index| partition(*index, offsets.get(&asked.name, *index)));
    OffsetFetchResponseTopics::default().with_name(asked.name.clone()).with_partitions(partitions.collect())
}

fn all(offsets: &Offsets) -> Vec<OffsetFetchResponseTopics> {
    let mut topics: Vec<OffsetFetchResponseTopics> = Vec::new();
    for (topic, index, committed) in offsets.iter() {
        if topics.last().is_none_or(|last| last.name.as_str() != topic) {
            topics.push(OffsetFetchResponseTopics::default().with_name(topic_name(topic)));
        }
        if let Some(last) = topics.last_mut() {
            last.partitions.push(partition(index, Some(committed)));
        }
    }
    topics
}

/// An offset that was not committed is -1, and no error.
fn partition(index: i32, committed: Option<&Committed>) -> OffsetFetchResponsePartitions {
    let found = OffsetFetchResponsePartitions::default().with_partition_index(index);
    match committed {
        None => found.with_committed_offset(-1).with_committed_leader_epoch(-1).with_metadata(Some(text(""))),
        Some(committed) => found
            .with_committed_offset(committed.offset)
            .with_committed_leader_epoch(committed.leader_epoch)
            .with_metadata(Some(text(&committed.metadata))),
    }
}
