//! Which requests a broker serves, and in which versions.

use kafka_protocol::messages::ApiKey;

/// The versions of one API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Api {
    /// Which.
    pub key: ApiKey,
    /// The lowest version that ApiVersions names.
    pub advertised_min: i16,
    /// The lowest version that is answered.
    pub served_min: i16,
    /// The highest version, named and answered.
    pub max: i16,
}

const fn api(key: ApiKey, min: i16, max: i16) -> Api {
    Api { key, advertised_min: min, served_min: min, max }
}

/// What clients, and brokers that follow, may ask of a broker.
///
/// Produce names version 0 and refuses it, as Kafka 4 does: librdkafka before 2.11.1 sends everything uncompressed to a broker that does
/// not name it (KAFKA-18659); and it takes lz4 to be known only where FindCoordinator 0 is named.
pub const BROKER: &[Api] = &[
    Api { key: ApiKey::Produce, advertised_min: 0, served_min: 3, max: 12 },
    api(ApiKey::Fetch, 4, 16),
    api(ApiKey::ListOffsets, 1, 9),
    api(ApiKey::Metadata, 0, 13),
    api(ApiKey::OffsetCommit, 2, 9),
    api(ApiKey::OffsetFetch, 1, 9),
    api(ApiKey::FindCoordinator, 0, 6),
    api(ApiKey::JoinGroup, 0, 9),
    api(ApiKey::Heartbeat, 0, 4),
    api(ApiKey::LeaveGroup, 0, 5),
    api(ApiKey::SyncGroup, 0, 5),
    api(ApiKey::DescribeGroups, 0, 6),
    api(ApiKey::ListGroups, 0, 5),
    api(ApiKey::ApiVersions, 0, 4),
    api(ApiKey::CreateTopics, 2, 7),
    api(ApiKey::DeleteTopics, 1, 6),
    api(ApiKey::InitProducerId, 0, 5),
    api(ApiKey::OffsetForLeaderEpoch, 2, 4),
    api(ApiKey::DeleteRecords, 0, 2),
    api(ApiKey::DescribeConfigs, 1, 4),
    api(ApiKey::AlterConfigs, 0, 2),
    api(ApiKey::IncrementalAlterConfigs, 0, 1),
    api(ApiKey::DescribeCluster, 0, 1),
    api(ApiKey::DescribeLogDirs, 1, 4),
    api(ApiKey::CreatePartitions, 0, 3),
    api(ApiKey::DeleteGroups, 0, 2),
    api(ApiKey::OffsetDelete, 0, 0),
    api(ApiKey::DescribeProducers, 0, 0),
    api(ApiKey::DescribeTopicPartitions, 0, 0),
];

/// The entry of `key` in `table`.
pub fn find(table: &[Api], key: ApiKey) -> Option<&Api> {
    table.iter().find(|api| api.key == key)
}

/// Whether `table` says that this version is answered.
pub fn is_served(table: &[Api], key: ApiKey, version: i16) -> bool {
    find(table, key).is_some_and(|api| (api.served_min..=api.max).contains(&version))
}
