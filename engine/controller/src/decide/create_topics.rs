//! CreateTopics: Kafka's rules of `ReplicationControlManager.createTopic`.

use std::collections::BTreeMap;

use logdyno_record::{BrokerId, LeaderEpoch, TopicId};

use super::{Refusal, topic_config, topic_name};
use crate::assignment::place;
use crate::image::MetadataImage;
use crate::record::{MetadataRecord, PartitionState};

/// What a request leaves open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicDefaults {
    /// `num.partitions`.
    pub partitions: i32,
    /// `default.replication.factor`.
    pub replication_factor: i16,
}

/// A topic to be created.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// How many partitions; -1 for the default, and with an assignment.
    pub partitions: i32,
    /// How many replicas of each; -1 for the default, and with an assignment.
    pub replication_factor: i16,
    /// Replicas by partition, if the asker places them itself.
    pub assignment: Vec<(i32, Vec<BrokerId>)>,
    /// Settings.
    pub configs: Vec<(String, Option<String>)>,
}

/// A topic as it was created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedTopic {
    /// Its id.
    pub id: TopicId,
    /// How many partitions it got.
    pub partitions: i32,
    /// How many replicas each of them got.
    pub replication_factor: i16,
}

/// More partitions at once would not fit a batch of the metadata log.
pub(super) const PARTITIONS_MAX: i32 = 10_000;

/// The records that create `topic` under the id `id`; `seed` places its partitions.
pub fn create_topic(
    image: &MetadataImage,
    defaults: TopicDefaults,
    topic: &NewTopic,
    id: TopicId,
    seed: u64,
) -> Result<(CreatedTopic, Vec<MetadataRecord>), Refusal> {
    topic_name::check(&topic.name, image)?;
    let configs = topic_config::check_all(topic.configs.iter().map(|(name, value)| (name.as_str(), value.as_deref())))?;
    let assignment =
        if topic.assignment.is_empty() { placed(image, defaults, topic, seed)? } else { assigned(image, topic)? };
    let created = CreatedTopic {
        id,
        partitions: i32::try_from(assignment.len()).unwrap_or(i32::MAX),
        replication_factor: assignment.first().map_or(0, |replicas| i16::try_from(replicas.len()).unwrap_or(i16::MAX)),
    };
    Ok((created, records(image, topic, id, configs, assignment)))
}

fn records(
    image: &MetadataImage,
    topic: &NewTopic,
    id: TopicId,
    configs: BTreeMap<String, String>,
    assignment: Vec<Vec<BrokerId>>,
) -> Vec<MetadataRecord> {
    let mut records = vec![MetadataRecord::Topic { id, name: topic.name.clone() }];
    records.extend(configs.into_iter().map(|(name, value)| MetadataRecord::TopicConfig { topic: id, name, value }));
    records.extend((0..).zip(assignment).map(|(partition, replicas)| MetadataRecord::Partition {
        topic: id,
        partition,
        state: new_partition(image, replicas),
    }));
    records
}

fn placed(
    image: &MetadataImage,
    defaults: TopicDefaults,
    topic: &NewTopic,
    seed: u64,
) -> Result<Vec<Vec<BrokerId>>, Refusal> {
    let replication_factor =
        if topic.replication_factor == -1 { defaults.replication_factor } else { topic.replication_factor };
    let (live, fenced) = live_and_fenced(image);
    let brokers = live.len() + fenced.len();
    let unfit = || Refusal::InvalidReplicationFactor { replication_factor, brokers, in_service: live.len() };
    let factor = usize::try_from(replication_factor).ok().filter(|factor| *factor > 0).ok_or_else(unfit)?;
    let partitions = if topic.partitions == -1 { defaults.partitions } else { topic.partitions };
    if !(1..=PARTITIONS_MAX).contains(&partitions) {
        return Err(Refusal::InvalidPartitions { partitions });
    }
    if factor > brokers || live.is_empty() {
        return Err(unfit());
    }
    Ok(place(&live, &fenced, usize::try_from(partitions).unwrap_or(0), factor, seed))
}

fn assigned(image: &MetadataImage, topic: &NewTopic) -> Result<Vec<Vec<BrokerId>>, Refusal> {
    if topic.partitions != -1 || topic.replication_factor != -1 {
        let reason = format!(
            "topic '{}' gives an assignment and numbers of partitions or replicas: give one of both",
            topic.name
        );
        return Err(Refusal::InvalidRequest { reason });
    }
    let mut assignment = topic.assignment.clone();
    assignment.sort_by_key(|(partition, _)| *partition);
    let factor = assignment.first().map_or(0, |(_, replicas)| replicas.len());
    for (expected, (partition, replicas)) in (0..).zip(&assignment) {
        let invalid = |reason: String| Err(Refusal::InvalidAssignment { partition: *partition, reason });
        if *partition != expected {
            return invalid("partitions are numbered from 0, each once".to_owned());
        }
        check_replicas(image, *partition, replicas, factor)?;
    }
    Ok(assignment.into_iter().map(|(_, replicas)| replicas).collect())
}

/// Whether a partition can have these replicas, `factor` like its neighbours (error 39).
pub(super) fn check_replicas(
    image: &MetadataImage,
    partition: i32,
    replicas: &[BrokerId],
    factor: usize,
) -> Result<(), Refusal> {
    let invalid = |reason: String| Err(Refusal::InvalidAssignment { partition, reason });
    if replicas.is_empty() || replicas.len() != factor {
        return invalid("every partition has the same number of replicas, at least one".to_owned());
    }
    if let Some(unknown) = replicas.iter().find(|id| image.broker(**id).is_none()) {
        return invalid(format!("broker {unknown} is not registered"));
    }
    if let Some(twice) = replicas.iter().enumerate().find(|(i, id)| replicas[..*i].contains(id)) {
        return invalid(format!("broker {} is named twice", twice.1));
    }
    if replicas.iter().all(|id| image.live_epoch(*id).is_none()) {
        return invalid("none of its brokers is in service".to_owned());
    }
    Ok(())
}

/// A partition at its beginning: who is in service is in sync, and the first of them leads.
pub(super) fn new_partition(image: &MetadataImage, replicas: Vec<BrokerId>) -> PartitionState {
    let isr: Vec<_> = replicas.iter().copied().filter(|id| image.live_epoch(*id).is_some()).collect();
    let leader = isr.first().copied();
    PartitionState { replicas, isr, leader, leader_epoch: LeaderEpoch(0), partition_epoch: 0 }
}

/// Brokers in service, and those that are registered only.
pub(super) fn live_and_fenced(image: &MetadataImage) -> (Vec<BrokerId>, Vec<BrokerId>) {
    image.brokers().keys().partition(|id| image.live_epoch(**id).is_some())
}
