//! Why a request is refused, as a sentence and as Kafka's error code.

use logdyno_record::BrokerId;

/// The controller's no.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not a name that a topic can have.
    #[error("'{name}' cannot be a topic's name: {reason}")]
    InvalidTopicName {
        /// As asked.
        name: String,
        /// The rule it breaks.
        reason: String,
    },
    /// The name is taken.
    #[error("topic '{name}' already exists")]
    TopicExists {
        /// As asked.
        name: String,
    },
    /// No topic of that name or partition.
    #[error("there is no topic or partition '{name}'")]
    UnknownTopic {
        /// As asked.
        name: String,
    },
    /// No topic of that id.
    #[error("there is no topic with the id {id}: it may have been deleted")]
    UnknownTopicId {
        /// As asked.
        id: uuid::Uuid,
    },
    /// Zero or fewer partitions.
    #[error("a topic cannot have {partitions} partitions: ask for 1 or more, or -1 for num.partitions")]
    InvalidPartitions {
        /// As asked.
        partitions: i32,
    },
    /// Not more partitions than there are, or too many more.
    #[error(
        "the topic has {present} partitions: it can get more, at most {more_max} at a time, but not {asked} in all"
    )]
    NoMorePartitions {
        /// How many there are.
        present: i32,
        /// As asked.
        asked: i32,
        /// The most that are added at once.
        more_max: i32,
    },
    /// 2^63 producers have been.
    #[error("all producer ids have been handed out")]
    NoProducerIds,
    /// More replicas than brokers, or none.
    #[error(
        "replication factor {replication_factor} is not possible: {brokers} brokers are registered, {in_service} of them in service"
    )]
    InvalidReplicationFactor {
        /// As asked.
        replication_factor: i16,
        /// All that are registered.
        brokers: usize,
        /// Those that are not fenced.
        in_service: usize,
    },
    /// A manual assignment that cannot be.
    #[error("the replica assignment of partition {partition} is not possible: {reason}")]
    InvalidAssignment {
        /// Which partition.
        partition: i32,
        /// The rule it breaks.
        reason: String,
    },
    /// An unknown setting, or a value that it cannot have.
    #[error("{reason}")]
    InvalidConfig {
        /// Which setting, and what is wrong.
        reason: String,
    },
    /// A request that contradicts itself.
    #[error("{reason}")]
    InvalidRequest {
        /// What is wrong.
        reason: String,
    },
    /// The broker belongs to another cluster.
    #[error(
        "broker {broker} has cluster.id {theirs}, this cluster is {ours}: its data directory belongs to another cluster; it was not touched"
    )]
    InconsistentClusterId {
        /// Who asks.
        broker: BrokerId,
        /// Of its `meta.properties`.
        theirs: String,
        /// Ours.
        ours: String,
    },
    /// Another process with the same `node.id` is alive.
    #[error(
        "a broker with node.id {broker} is registered and alive: stop it, or wait for broker.session.timeout.ms if it has died"
    )]
    DuplicateBroker {
        /// Who asks.
        broker: BrokerId,
    },
    /// A broker that has never registered.
    #[error("broker {broker} is not registered: it registers when it starts")]
    NotRegistered {
        /// Who asks.
        broker: BrokerId,
    },
    /// A broker process that another one has replaced.
    #[error(
        "broker {broker} asks as incarnation {theirs}, but {ours} has registered since: this process has been replaced"
    )]
    StaleBrokerEpoch {
        /// Who asks.
        broker: BrokerId,
        /// As asked.
        theirs: i64,
        /// As registered.
        ours: i64,
    },
    /// A leader that another leadership has replaced.
    #[error("leader epoch {theirs} has been replaced by {ours}")]
    FencedLeaderEpoch {
        /// As asked.
        theirs: i32,
        /// The partition's.
        ours: i32,
    },
    /// The asker knows more than this controller.
    #[error("the request builds on epoch {theirs}, this controller has {ours} only: it is behind")]
    ControllerBehind {
        /// As asked.
        theirs: i32,
        /// The partition's.
        ours: i32,
    },
    /// The partition has changed since.
    #[error(
        "the request builds on partition epoch {theirs}, the partition is at {ours}: follow the metadata and try again"
    )]
    StalePartitionEpoch {
        /// As asked.
        theirs: i32,
        /// The partition's.
        ours: i32,
    },
    /// A replica that may not be in the ISR.
    #[error("broker {broker} cannot be in the ISR: {reason}")]
    IneligibleReplica {
        /// Which.
        broker: BrokerId,
        /// Fenced, not registered, another incarnation.
        reason: &'static str,
    },
}

impl Refusal {
    /// The error code that a Kafka client understands.
    pub fn code(&self) -> i16 {
        match self {
            Refusal::NoProducerIds => -1,
            Refusal::UnknownTopic { .. } => 3,
            Refusal::InvalidTopicName { .. } => 17,
            Refusal::TopicExists { .. } => 36,
            Refusal::InvalidPartitions { .. } | Refusal::NoMorePartitions { .. } => 37,
            Refusal::InvalidReplicationFactor { .. } => 38,
            Refusal::InvalidAssignment { .. } => 39,
            Refusal::InvalidConfig { .. } => 40,
            Refusal::ControllerBehind { .. } => 41,
            Refusal::InvalidRequest { .. } => 42,
            Refusal::FencedLeaderEpoch { .. } => 74,
            Refusal::StaleBrokerEpoch { .. } => 77,
            Refusal::StalePartitionEpoch { .. } => 95,
            Refusal::UnknownTopicId { .. } => 100,
            Refusal::DuplicateBroker { .. } => 101,
            Refusal::NotRegistered { .. } => 102,
            Refusal::InconsistentClusterId { .. } => 104,
            Refusal::IneligibleReplica { .. } => 107,
        }
    }
}
