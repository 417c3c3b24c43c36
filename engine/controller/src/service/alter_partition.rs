//! AlterPartition (56).

use logdyno_record::BrokerId;
use logdyno_wire::messages::alter_partition_request::PartitionData as Asked;
use logdyno_wire::messages::alter_partition_response::{PartitionData, TopicData};
use logdyno_wire::messages::{self, AlterPartitionRequest, AlterPartitionResponse};
use uuid::Uuid;

use super::FAILED;
use crate::active::Active;
use crate::decide::Refusal;
use crate::decide::alter_partition::IsrChange;
use crate::record::PartitionState;

pub(super) fn answer(active: &Active, request: &AlterPartitionRequest, version: i16) -> AlterPartitionResponse {
    let asked = || request.topics.iter().flat_map(|topic| topic.partitions.iter().map(|asked| (topic.topic_id, asked)));
    let changes: Vec<IsrChange> = asked().map(|(topic, asked)| change(topic, asked, version)).collect();
    let response = AlterPartitionResponse::default();
    let answers = match active.alter_partitions(BrokerId(request.broker_id.0), request.broker_epoch, &changes) {
        Ok(Ok(answers)) => answers,
        Ok(Err(refusal)) => return response.with_error_code(refusal.code()),
        Err(error) => {
            tracing::error!("{error}");
            return response.with_error_code(FAILED);
        }
    };
    let mut answers = answers.into_iter();
    let topics = request.topics.iter().map(|topic| {
        let of_topic = topic.partitions.iter().zip(answers.by_ref());
        let partitions = of_topic.map(|(asked, answer)| partition(asked.partition_index, answer)).collect();
        TopicData::default().with_topic_id(topic.topic_id).with_partitions(partitions)
    });
    response.with_topics(topics.collect())
}

/// Version 2 names members without their incarnations.
fn change(topic: Uuid, asked: &Asked, version: i16) -> IsrChange {
    let isr = if version >= 3 {
        asked.new_isr_with_epochs.iter().map(|member| (BrokerId(member.broker_id.0), member.broker_epoch)).collect()
    } else {
        asked.new_isr.iter().map(|member| (BrokerId(member.0), -1)).collect()
    };
    IsrChange {
        topic,
        partition: asked.partition_index,
        leader_epoch: asked.leader_epoch,
        partition_epoch: asked.partition_epoch,
        isr,
    }
}

fn partition(index: i32, answer: Result<PartitionState, Refusal>) -> PartitionData {
    let partition = PartitionData::default().with_partition_index(index);
    match answer {
        Ok(state) => partition
            .with_leader_id(messages::BrokerId(state.leader.map_or(-1, |leader| leader.0)))
            .with_leader_epoch(state.leader_epoch.0)
            .with_isr(state.isr.iter().map(|id| messages::BrokerId(id.0)).collect())
            .with_partition_epoch(state.partition_epoch),
        Err(refusal) => {
            tracing::info!(partition = index, "another ISR is refused: {refusal}");
            partition.with_error_code(refusal.code())
        }
    }
}
