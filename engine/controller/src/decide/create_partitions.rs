//! CreatePartitions: Kafka's rules of `ReplicationControlManager.createPartitions`.

use logdyno_record::BrokerId;

use super::Refusal;
use super::create_topics::{PARTITIONS_MAX, check_replicas, live_and_fenced, new_partition};
use crate::assignment::place;
use crate::image::MetadataImage;
use crate::record::MetadataRecord;

/// More partitions for a topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MorePartitions {
    /// Which topic.
    pub topic: String,
    /// How many it is to have in all.
    pub count: i32,
    /// Replicas of the new ones, if the asker places them itself.
    pub assignment: Option<Vec<Vec<BrokerId>>>,
}

/// The records that add partitions; `seed` places them.
pub fn create_partitions(
    image: &MetadataImage,
    more: &MorePartitions,
    seed: u64,
) -> Result<Vec<MetadataRecord>, Refusal> {
    let unknown = || Refusal::UnknownTopic { name: more.topic.clone() };
    let topic = image.topic(&more.topic).ok_or_else(unknown)?;
    let present = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
    if more.count <= present || more.count - present > PARTITIONS_MAX {
        return Err(Refusal::NoMorePartitions { present, asked: more.count, more_max: PARTITIONS_MAX });
    }
    let additional = usize::try_from(more.count - present).unwrap_or(0);
    let factor = topic.partitions.first().map_or(0, |first| first.replicas.len());
    let assignment = match &more.assignment {
        Some(assignment) => assigned(image, assignment, present, additional, factor)?,
        None => placed(image, additional, factor, seed)?,
    };
    let records = (present..).zip(assignment).map(|(partition, replicas)| {
        let state = new_partition(image, replicas);
        MetadataRecord::Partition { topic: topic.id, partition, state }
    });
    Ok(records.collect())
}

fn assigned(
    image: &MetadataImage,
    assignment: &[Vec<BrokerId>],
    present: i32,
    additional: usize,
    factor: usize,
) -> Result<Vec<Vec<BrokerId>>, Refusal> {
    if assignment.len() != additional {
        let reason = format!("{additional} are to be added, and replicas are given for {}", assignment.len());
        return Err(Refusal::InvalidAssignment { partition: present, reason });
    }
    for (partition, replicas) in (present..).zip(assignment) {
        check_replicas(image, partition, replicas, factor)?;
    }
    Ok(assignment.to_vec())
}

fn placed(image: &MetadataImage, additional: usize, factor: usize, seed: u64) -> Result<Vec<Vec<BrokerId>>, Refusal> {
    let (live, fenced) = live_and_fenced(image);
    if live.is_empty() || live.len() + fenced.len() < factor {
        let (brokers, in_service) = (live.len() + fenced.len(), live.len());
        let replication_factor = i16::try_from(factor).unwrap_or(i16::MAX);
        return Err(Refusal::InvalidReplicationFactor { replication_factor, brokers, in_service });
    }
    Ok(place(&live, &fenced, additional, factor, seed))
}
