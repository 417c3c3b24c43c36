//! AlterPartition: a leader's change of the ISR as a compare-and-set (KIP-497, KIP-841, KIP-903).

use logdyno_record::{BrokerId, TopicId};

use super::Refusal;
use crate::image::MetadataImage;
use crate::record::{MetadataRecord, PartitionState};

/// A leader asks for another ISR of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IsrChange {
    /// The topic.
    pub topic: TopicId,
    /// The partition.
    pub partition: i32,
    /// The leadership that asks.
    pub leader_epoch: i32,
    /// The state it builds on.
    pub partition_epoch: i32,
    /// The new members, with the incarnation that the leader saw of each; -1 where it did not say.
    pub isr: Vec<(BrokerId, i64)>,
}

/// The partition's next state and its record, or why not. The asker's incarnation has been checked.
pub fn alter_partition(
    image: &MetadataImage,
    asker: BrokerId,
    change: &IsrChange,
) -> Result<(PartitionState, MetadataRecord), Refusal> {
    let topic = image.topic_by_id(change.topic).ok_or(Refusal::UnknownTopicId { id: change.topic })?;
    let index = usize::try_from(change.partition).ok();
    let state = index.and_then(|index| topic.partitions.get(index));
    let state = state.ok_or_else(|| Refusal::UnknownTopic { name: format!("{}-{}", topic.name, change.partition) })?;
    check_epochs(state, asker, change)?;
    check_members(image, state, asker, change)?;
    let next = PartitionState {
        isr: change.isr.iter().map(|(broker, _)| *broker).collect(),
        partition_epoch: state.partition_epoch + 1,
        ..state.clone()
    };
    let record = MetadataRecord::Partition { topic: change.topic, partition: change.partition, state: next.clone() };
    Ok((next, record))
}

/// The order of the checks is Kafka's: what an old leader hears first is that it is one.
fn check_epochs(state: &PartitionState, asker: BrokerId, change: &IsrChange) -> Result<(), Refusal> {
    let (theirs, ours) = (change.leader_epoch, state.leader_epoch.0);
    if theirs > ours {
        return Err(Refusal::ControllerBehind { theirs, ours });
    }
    if theirs < ours {
        return Err(Refusal::FencedLeaderEpoch { theirs, ours });
    }
    if state.leader != Some(asker) {
        let reason = format!("broker {asker} asks for another ISR of a partition that it does not lead");
        return Err(Refusal::InvalidRequest { reason });
    }
    let (theirs, ours) = (change.partition_epoch, state.partition_epoch);
    if theirs > ours {
        return Err(Refusal::ControllerBehind { theirs, ours });
    }
    if theirs < ours {
        return Err(Refusal::StalePartitionEpoch { theirs, ours });
    }
    Ok(())
}

fn check_members(
    image: &MetadataImage,
    state: &PartitionState,
    asker: BrokerId,
    change: &IsrChange,
) -> Result<(), Refusal> {
    let members = || change.isr.iter().map(|(broker, _)| *broker);
    let twice = members().enumerate().any(|(i, id)| members().take(i).any(|other| other == id));
    if !members().any(|id| id == asker) || twice || !members().all(|id| state.replicas.contains(&id)) {
        let reason = "an ISR holds the leader and other replicas of the partition, each once".to_owned();
        return Err(Refusal::InvalidRequest { reason });
    }
    for &(broker, seen) in &change.isr {
        let ineligible = |reason| Err(Refusal::IneligibleReplica { broker, reason });
        match image.broker(broker) {
            None => return ineligible("it is not registered"),
            Some(known) if known.fenced && broker != asker => return ineligible("it is fenced"),
            Some(known) if seen != -1 && seen != known.epoch => {
                return ineligible("another process of it has registered since the leader saw it");
            }
            Some(_) => {}
        }
    }
    Ok(())
}
