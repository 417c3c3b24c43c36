//! The groups that this broker coordinates: those whose partition of `__consumer_offsets` it leads.
//!
//! ```text
//! request ─▶ Groups ─▶ Shard (one partition, one leadership) ─▶ Cell (one group, one lock) ─▶ what the state machine decides
//!                         │                                                                    │ records
//!                         └── loading: the partition's records, once                           ▼
//!                                                       answer ◀── safe on the replicas ◀── Writer ─▶ the partition's log
//! ```
//! Groups share nothing but the line into their partition's log: one that is slow holds up no other.

mod cell;
mod loading;
mod offsets;
mod shard;
mod topic;
mod upkeep;
mod writer;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use logdyno_controller::image::MetadataImage;
use logdyno_coordinator::{GroupError, GroupLimits, OFFSETS_TOPIC, partition_of};
use logdyno_record::Clock;

use crate::config::{BrokerConfig, millis};
use crate::partitions::Partitions;
pub(crate) use offsets::Committer;
pub(crate) use shard::Shard;
pub(crate) use topic::create_offsets_topic;
pub(crate) use upkeep::keep;

/// What groups are made with.
#[derive(Clone)]
struct Surroundings {
    config: Arc<BrokerConfig>,
    partitions: Arc<Partitions>,
    clock: Arc<dyn Clock>,
}

/// All groups that this broker coordinates.
pub(crate) struct Groups {
    around: Surroundings,
    /// By partition of `__consumer_offsets`.
    shards: Mutex<HashMap<i32, Arc<Shard>>>,
}

impl Groups {
    pub(crate) fn new(config: Arc<BrokerConfig>, partitions: Arc<Partitions>, clock: Arc<dyn Clock>) -> Groups {
        Groups { around: Surroundings { config, partitions, clock }, shards: Mutex::default() }
    }

    /// The shard that a group lives in, if it is here and its groups are known. The empty name is no group's.
    pub(crate) fn of(&self, image: &MetadataImage, group: &str) -> Result<Arc<Shard>, GroupError> {
        if group.is_empty() { Err(GroupError::InvalidGroupId) } else { self.of_any(image, group) }
    }

    /// As [`Groups::of`]; for what Kafka also keeps for consumers without a group's name.
    pub(crate) fn of_any(&self, image: &MetadataImage, group: &str) -> Result<Arc<Shard>, GroupError> {
        let topic = image.topic(OFFSETS_TOPIC).ok_or(GroupError::NotCoordinator)?;
        let partitions = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
        let shard = self.led(partition_of(group, partitions)).ok_or(GroupError::NotCoordinator)?;
        if shard.is_loaded() { Ok(shard) } else { Err(GroupError::Loading) }
    }

    /// All shards here, also those that are still loading.
    pub(crate) fn all(&self) -> Vec<Arc<Shard>> {
        self.shards().values().cloned().collect()
    }

    /// The shard of a partition, if this broker leads it; begins to load it if it is new.
    fn led(&self, partition: i32) -> Option<Arc<Shard>> {
        let hosted = self.around.partitions.get(OFFSETS_TOPIC, partition).filter(|hosted| hosted.replica.is_leader());
        let led = hosted.and_then(|hosted| Some((hosted.replica.leader_epoch()?, hosted)));
        let mut shards = self.shards();
        let known = shards.get(&partition).cloned();
        match (known, led) {
            (Some(known), Some((epoch, _))) if known.epoch() == epoch => Some(known),
            (known, led) => {
                if let Some(over) = known {
                    shards.remove(&partition);
                    over.give_up();
                }
                let (epoch, hosted) = led?;
                let shard = Shard::start(&self.around, hosted, epoch);
                shards.insert(partition, Arc::clone(&shard));
                Some(shard)
            }
        }
    }

    fn shards(&self) -> MutexGuard<'_, HashMap<i32, Arc<Shard>>> {
        self.shards.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the broker's settings allow groups.
fn limits(config: &BrokerConfig) -> GroupLimits {
    GroupLimits {
        session_timeout_min: millis(config.group_min_session_timeout_ms),
        session_timeout_max: millis(config.group_max_session_timeout_ms),
        initial_delay: millis(config.group_initial_rebalance_delay_ms),
        members_max: usize::try_from(config.group_max_size).unwrap_or(usize::MAX),
    }
}
