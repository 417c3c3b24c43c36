//! DescribeProducers (61): which idempotent producers a partition's leader remembers (KIP-664).

use logdyno_segment_log::ActiveProducer;
use logdyno_wire::ErrorCode;
use logdyno_wire::messages::describe_producers_response::{PartitionResponse, ProducerState, TopicResponse};
use logdyno_wire::messages::{DescribeProducersRequest, DescribeProducersResponse, ProducerId};
use logdyno_wire::request::Request;

use super::resource::check_topic_name;
use super::{Answer, Desk, Unanswerable, code, encode};

pub(super) fn answer(desk: &Desk, request: &Request) -> Result<Answer, Unanswerable> {
    let asked: DescribeProducersRequest = request.decode()?;
    let topics = asked.topics.into_iter().map(|topic| {
        let partitions = topic.partition_indexes.iter().map(|index| partition(desk, &topic.name, *index)).collect();
        TopicResponse::default().with_name(topic.name).with_partitions(partitions)
    });
    encode(request, &DescribeProducersResponse::default().with_topics(topics.collect()))
}

fn partition(desk: &Desk, topic: &str, index: i32) -> PartitionResponse {
    let response = PartitionResponse::default().with_partition_index(index);
    if check_topic_name(topic).is_err() {
        return response.with_error_code(code(ErrorCode::InvalidTopicException));
    }
    let led = desk.partitions.leading(&desk.image(), topic, index);
    match led {
        Err(error) => response.with_error_code(error),
        Ok(hosted) if !hosted.replica.is_leader() => response.with_error_code(code(ErrorCode::NotLeaderOrFollower)),
        Ok(hosted) => {
            response.with_active_producers(hosted.replica.log().active_producers().iter().map(state).collect())
        }
    }
}

fn state(producer: &ActiveProducer) -> ProducerState {
    ProducerState::default()
        .with_producer_id(ProducerId(producer.id))
        .with_producer_epoch(i32::from(producer.epoch))
        .with_last_sequence(producer.last_sequence)
        .with_last_timestamp(producer.last_timestamp)
        .with_coordinator_epoch(producer.coordinator_epoch)
        .with_current_txn_start_offset(producer.transaction_start.map_or(-1, |start| start.0))
}
