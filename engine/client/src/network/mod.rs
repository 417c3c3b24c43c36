//! What producer, consumer and admin share: a background thread, connections to brokers, and what is known of the cluster.

mod background;
mod cluster;
mod connections;
mod metadata;
mod offsets;
mod refresh;

pub(crate) use background::Background;
pub use cluster::PartitionInfo;
pub(crate) use cluster::{ByTopic, Cluster, Leader, Leaders, TopicMetadata};
pub(crate) use connections::{Connections, Purpose, Readiness};
pub(crate) use metadata::Metadata;
pub(crate) use offsets::{Answers, FoundOffset, by_leader, is_told, list_offsets};
pub(crate) use refresh::keep_fresh;

use std::sync::Arc;

use logdyno_record::Clock;
use logdyno_wire::ErrorCode;

use crate::config::ConnectionConfig;
use crate::random::Random;

/// Wakes a client's background thread.
pub(crate) type Wake = Arc<tokio::sync::Notify>;

/// A client's way to its cluster.
pub(crate) struct Network {
    pub(crate) metadata: Arc<Metadata>,
    pub(crate) connections: Arc<Connections>,
    pub(crate) random: Random,
}

impl Network {
    /// Nothing connected, nothing known. `wake` is told of new connections and new metadata.
    pub(crate) fn new(config: ConnectionConfig, wake: Wake, clock: Arc<dyn Clock>, random: Random) -> Network {
        Network {
            metadata: Arc::new(Metadata::new(Arc::clone(&clock), Arc::clone(&wake))),
            connections: Arc::new(Connections::new(config, wake, clock, Arc::clone(&random))),
            random,
        }
    }
}

/// Errors after which the picture of the cluster is asked for again (Kafka's InvalidMetadataException).
pub(crate) fn is_stale_metadata(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::NotLeaderOrFollower
            | ErrorCode::UnknownTopicOrPartition
            | ErrorCode::LeaderNotAvailable
            | ErrorCode::ReplicaNotAvailable
            | ErrorCode::KafkaStorageError
            | ErrorCode::FencedLeaderEpoch
            | ErrorCode::UnknownLeaderEpoch
            | ErrorCode::UnknownTopicId
            | ErrorCode::InconsistentTopicId
            | ErrorCode::OffsetNotAvailable
            | ErrorCode::NetworkException
    )
}
