//! Who leads a partition, and who stays in its ISR, when brokers come and go.
//!
//! Leadership does not move to another broker yet: with one controller voter there is no quorum that could
//! vouch for the move. Until then a partition whose leader is fenced waits for it to come back, and the
//! Metadata answer shows it without a leader (LEADER_NOT_AVAILABLE). Every rule that a move will change is
//! in this file.

use logdyno_record::BrokerId;

use crate::image::MetadataImage;
use crate::record::{MetadataRecord, PartitionState};

/// A partition's next state after `fenced` went out of service; `None` if it stays as it is.
///
/// A follower leaves the ISR at once, so that acks=all need not wait for it. The leader stays leader and
/// ISR member, and while it is out its ISR stays whole: nothing is acknowledged meanwhile, and all members
/// hold everything, so each could be chosen.
pub fn after_fencing(
    state: &PartitionState,
    fenced: BrokerId,
    in_service: impl Fn(BrokerId) -> bool,
) -> Option<PartitionState> {
    let leader = state.leader?;
    if fenced == leader || !state.isr.contains(&fenced) || !in_service(leader) {
        return None;
    }
    let isr = state.isr.iter().copied().filter(|id| *id != fenced).collect();
    Some(PartitionState { isr, partition_epoch: state.partition_epoch + 1, ..state.clone() })
}

/// A partition's next state after `broker` registered as a new process; `None` if it stays as it is.
///
/// What it led it leads again, in a new epoch: the log may have lost its tail, and followers that hold
/// more than the leader now has must notice. They cut their logs to be like it, but not below what was committed.
pub fn after_registration(state: &PartitionState, broker: BrokerId) -> Option<PartitionState> {
    (state.leader == Some(broker)).then(|| PartitionState {
        leader_epoch: logdyno_record::LeaderEpoch(state.leader_epoch.0 + 1),
        partition_epoch: state.partition_epoch + 1,
        ..state.clone()
    })
}

/// Applies a rule to all partitions of a broker.
pub(super) fn changes(
    image: &MetadataImage,
    broker: BrokerId,
    rule: impl Fn(&PartitionState) -> Option<PartitionState>,
) -> Vec<MetadataRecord> {
    image
        .partitions_on(broker)
        .filter_map(|(topic, partition, state)| {
            let state = rule(state)?;
            Some(MetadataRecord::Partition { topic: topic.id, partition: partition.partition, state })
        })
        .collect()
}
