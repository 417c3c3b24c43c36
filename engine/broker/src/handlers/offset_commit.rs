//! OffsetCommit (8): answered when the offsets are safe on the in-sync replicas.

use logdyno_coordinator::{Committed, GroupError};
use logdyno_wire::ErrorCode;
use logdyno_wire::messages::offset_commit_request::OffsetCommitRequestPartition;
use logdyno_wire::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use logdyno_wire::messages::{OffsetCommitRequest, OffsetCommitResponse};
use logdyno_wire::request::Request;

use super::{Answer, Desk, Unanswerable, code, encode};
use crate::groups::Committer;
use crate::partitions::state;

/// From this version on, a group that does not exist is an error of its own.
const UNKNOWN_GROUP: i16 = 9;

pub(super) async fn answer(desk: &Desk, request: &Request) -> Result<Answer, Unanswerable> {
    let asked: OffsetCommitRequest = request.decode()?;
    let image = desk.image();
    let exists = |topic: &str, partition: i32| state(&image, topic, partition).is_some();
    let metadata_max = usize::try_from(desk.config.offset_metadata_max_bytes).unwrap_or(0);
    let (mut asks_group, mut commits) = (false, Vec::new());
    for topic in &asked.topics {
        for partition in topic.partitions.iter().filter(|partition| exists(&topic.name, partition.partition_index)) {
            asks_group = true;
            if !is_too_large(partition, metadata_max) {
                commits.push((topic.name.to_string(), partition.partition_index, committed(desk, partition)));
            }
        }
    }
    let by = Committer {
        member: &asked.member_id,
        instance: asked.group_instance_id.as_deref(),
        generation: asked.generation_id_or_member_epoch,
    };
    let done = match desk.groups.of_any(&image, &asked.group_id) {
        // No partition of these exists: the group is not asked.
        _ if !asks_group => Ok(()),
        Ok(shard) => shard.commit(&asked.group_id, by, commits).await,
        Err(error) => Err(error),
    };
    let of_all = match done {
        Ok(()) => 0,
        // Older versions have no word for a group that does not exist.
        Err(GroupError::GroupNotFound) if request.version < UNKNOWN_GROUP => GroupError::IllegalGeneration.code(),
        Err(error) => error.code(),
    };
    let topics = asked.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let error = if !exists(&topic.name, partition.partition_index) {
                code(ErrorCode::UnknownTopicOrPartition)
            } else if of_all == 0 && is_too_large(partition, metadata_max) {
                GroupError::MetadataTooLarge.code()
            } else {
                of_all
            };
            OffsetCommitResponsePartition::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(error)
        });
        OffsetCommitResponseTopic::default().with_name(topic.name.clone()).with_partitions(partitions.collect())
    });
    encode(request, &OffsetCommitResponse::default().with_topics(topics.collect()))
}

fn is_too_large(partition: &OffsetCommitRequestPartition, max: usize) -> bool {
    partition.committed_metadata.as_ref().is_some_and(|metadata| metadata.len() > max)
}

fn committed(desk: &Desk, partition: &OffsetCommitRequestPartition) -> Committed {
    Committed {
        offset: partition.committed_offset,
        leader_epoch: partition.committed_leader_epoch,
        metadata: partition.committed_metadata.as_deref().unwrap_or_default().to_owned(),
        committed_ms: desk.clock.wall_ms(),
    }
}
