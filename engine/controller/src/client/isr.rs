//! AlterPartition.

use std::collections::BTreeMap;

use logdyno_record::{BrokerId, LeaderEpoch, TopicId};
use logdyno_wire::ErrorCode;
use logdyno_wire::messages::alter_partition_request::{BrokerState, PartitionData, TopicData};
use logdyno_wire::messages::alter_partition_response::PartitionData as Answered;
use logdyno_wire::messages::{self, AlterPartitionRequest};

use super::registration::refuse;
use super::{Client, ClientError};
use crate::decide::alter_partition::IsrChange;

/// What became of a proposed ISR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IsrOutcome {
    /// It is the ISR now.
    Committed {
        /// The leadership that proposed it.
        leader_epoch: LeaderEpoch,
        /// The members.
        isr: Vec<BrokerId>,
        /// The state's number.
        partition_epoch: i32,
    },
    /// A member may not join: back to the committed ISR.
    Ineligible,
    /// The controller knows a newer state: the metadata will tell it.
    Stale,
    /// The controller could not decide: propose again.
    Unanswered,
}

impl Client {
    /// Asks for other ISRs; gives the outcomes in the order of `changes`. Not retried: whoever leads the
    /// partition knows whether it still wants the change.
    pub async fn alter_partitions(
        &self,
        broker: BrokerId,
        broker_epoch: i64,
        changes: &[IsrChange],
    ) -> Result<Vec<IsrOutcome>, ClientError> {
        let mut topics: BTreeMap<TopicId, Vec<PartitionData>> = BTreeMap::new();
        for change in changes {
            topics.entry(change.topic).or_default().push(partition(change));
        }
        let topics = topics
            .into_iter()
            .map(|(id, partitions)| TopicData::default().with_topic_id(id).with_partitions(partitions));
        let request = AlterPartitionRequest::default()
            .with_broker_id(messages::BrokerId(broker.0))
            .with_broker_epoch(broker_epoch)
            .with_topics(topics.collect());
        let response = self.call(&self.requests, request, 3).await?;
        refuse("another ISR", response.error_code)?;
        let answers: BTreeMap<(TopicId, i32), &Answered> = response
            .topics
            .iter()
            .flat_map(|topic| topic.partitions.iter().map(|answer| ((topic.topic_id, answer.partition_index), answer)))
            .collect();
        let outcome = |change: &IsrChange| {
            answers.get(&(change.topic, change.partition)).map_or(IsrOutcome::Unanswered, |answer| outcome(answer))
        };
        Ok(changes.iter().map(outcome).collect())
    }
}

fn partition(change: &IsrChange) -> PartitionData {
    let members = change.isr.iter().map(|(broker, epoch)| {
        BrokerState::default().with_broker_id(messages::BrokerId(broker.0)).with_broker_epoch(*epoch)
    });
    PartitionData::default()
        .with_partition_index(change.partition)
        .with_leader_epoch(change.leader_epoch)
        .with_partition_epoch(change.partition_epoch)
        .with_new_isr_with_epochs(members.collect())
}

fn outcome(answer: &Answered) -> IsrOutcome {
    if answer.error_code == 0 {
        return IsrOutcome::Committed {
            leader_epoch: LeaderEpoch(answer.leader_epoch),
            isr: answer.isr.iter().map(|id| BrokerId(id.0)).collect(),
            partition_epoch: answer.partition_epoch,
        };
    }
    match ErrorCode::try_from_code(answer.error_code) {
        Some(ErrorCode::IneligibleReplica | ErrorCode::OperationNotAttempted) => IsrOutcome::Ineligible,
        Some(ErrorCode::NotController | ErrorCode::UnknownServerError) | None => IsrOutcome::Unanswered,
        Some(_) => IsrOutcome::Stale,
    }
}
