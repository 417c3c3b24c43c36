//! OffsetForLeaderEpoch (23): where an epoch ends (KIP-101, KIP-320).

use logdyno_record::LeaderEpoch;
use logdyno_wire::messages::offset_for_leader_epoch_request::OffsetForLeaderPartition;
use logdyno_wire::messages::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
use logdyno_wire::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};
use logdyno_wire::request::Request;

use super::{Answer, Desk, Unanswerable, encode, named_epoch};

pub(super) fn answer(desk: &Desk, request: &Request) -> Result<Answer, Unanswerable> {
    let asked: OffsetForLeaderEpochRequest = request.decode()?;
    let topics = asked.topics.iter().map(|topic| {
        let ends = topic.partitions.iter().map(|asked| end(desk, &topic.topic, asked));
        OffsetForLeaderTopicResult::default().with_topic(topic.topic.clone()).with_partitions(ends.collect())
    });
    encode(request, &OffsetForLeaderEpochResponse::default().with_topics(topics.collect()))
}

fn end(desk: &Desk, topic: &str, asked: &OffsetForLeaderPartition) -> EpochEndOffset {
    let result = EpochEndOffset::default().with_partition(asked.partition);
    let replica = match desk.partitions.leading(&desk.image(), topic, asked.partition) {
        Ok(hosted) => hosted.replica,
        Err(code) => return result.with_error_code(code),
    };
    match replica.end_offset_for_epoch(LeaderEpoch(asked.leader_epoch), named_epoch(asked.current_leader_epoch)) {
        Ok(Some(found)) => result.with_leader_epoch(found.epoch.0).with_end_offset(found.end.0),
        Ok(None) => result,
        Err(error) => result.with_error_code(error.code()),
    }
}
