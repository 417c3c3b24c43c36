//! OffsetDelete (47): a group's offsets of topics that it does not consume any more (KIP-496).

use logdyno_coordinator::GroupError;
use logdyno_wire::ErrorCode;
use logdyno_wire::messages::offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
use logdyno_wire::messages::{OffsetDeleteRequest, OffsetDeleteResponse};
use logdyno_wire::request::Request;

use super::{Answer, Desk, Unanswerable, code, encode};
use crate::partitions::state;

pub(super) async fn answer(desk: &Desk, request: &Request) -> Result<Answer, Unanswerable> {
    let asked: OffsetDeleteRequest = request.decode()?;
    let image = desk.image();
    let named = asked.topics.iter().flat_map(|topic| topic.partitions.iter().map(move |part| (topic, part)));
    let exists = |topic: &str, partition: i32| state(&image, topic, partition).is_some();
    let known = named.filter(|(topic, part)| exists(&topic.name, part.partition_index));
    let known: Vec<_> = known.map(|(topic, part)| (topic.name.to_string(), part.partition_index)).collect();
    let deleted = match desk.groups.of(&image, &asked.group_id) {
        Ok(shard) => shard.delete_offsets(&asked.group_id, &known).await,
        Err(error) => Err(error),
    };
    let mut deleted = match deleted {
        Ok(deleted) => deleted.into_iter(),
        Err(error) => return encode(request, &OffsetDeleteResponse::default().with_error_code(error.code())),
    };
    let topics = asked.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let error = match exists(&topic.name, partition.partition_index) {
                true => deleted.next().unwrap_or(Ok(())).map_or_else(GroupError::code, |()| 0),
                false => code(ErrorCode::UnknownTopicOrPartition),
            };
            OffsetDeleteResponsePartition::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(error)
        });
        OffsetDeleteResponseTopic::default().with_name(topic.name.clone()).with_partitions(partitions.collect())
    });
    encode(request, &OffsetDeleteResponse::default().with_topics(topics.collect()))
}
