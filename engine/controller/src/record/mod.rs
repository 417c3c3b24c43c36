//! What the metadata log is made of. Each record is a fact; together, in order, they are the cluster's metadata.
//!
//! The kinds follow KRaft's, the encoding is our own ([`mod@format`]).

pub mod format;

use logdyno_record::{BrokerId, LeaderEpoch, TopicId};
use uuid::Uuid;

/// An address at which a broker is reached, under a name that clients and brokers agree on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The listener's name, such as `PLAINTEXT`.
    pub listener: String,
    /// As advertised.
    pub host: String,
    /// As advertised.
    pub port: u16,
}

/// The state of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionState {
    /// Assigned brokers, preferred leader first.
    pub replicas: Vec<BrokerId>,
    /// The committed in-sync replicas; never empty.
    pub isr: Vec<BrokerId>,
    /// Who takes appends; none if no member of the ISR is alive and none may be chosen from outside it.
    pub leader: Option<BrokerId>,
    /// Counts leaderships.
    pub leader_epoch: LeaderEpoch,
    /// Counts changes of this state.
    pub partition_epoch: i32,
}

/// One fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetadataRecord {
    /// The first record of every log: whose metadata this is.
    Cluster {
        /// `cluster.id`.
        id: String,
    },
    /// A broker process has introduced itself. It is fenced until it has caught up. The record's own
    /// offset is the broker epoch: every incarnation has another one, and later ones are larger.
    BrokerRegistered {
        /// `node.id`.
        broker: BrokerId,
        /// Drawn anew by every process.
        incarnation: Uuid,
        /// Where it listens.
        endpoints: Vec<Endpoint>,
        /// `broker.rack`.
        rack: Option<String>,
    },
    /// A broker was fenced (silent, or by its own wish) or let in.
    BrokerFenced {
        /// `node.id`.
        broker: BrokerId,
        /// The incarnation that is meant.
        broker_epoch: i64,
        /// Whether it is out.
        fenced: bool,
    },
    /// A topic; its settings and partitions follow in the same batch.
    Topic {
        /// Never used again.
        id: TopicId,
        /// Used again only after [`MetadataRecord::TopicRemoved`].
        name: String,
    },
    /// A topic setting.
    TopicConfig {
        /// Of which topic.
        topic: TopicId,
        /// Kafka's name.
        name: String,
        /// As given.
        value: String,
    },
    /// A topic setting has its default again.
    TopicConfigRemoved {
        /// Of which topic.
        topic: TopicId,
        /// Kafka's name.
        name: String,
    },
    /// A partition's state: a new partition, or its next state.
    Partition {
        /// Of which topic.
        topic: TopicId,
        /// From 0, without gaps.
        partition: i32,
        /// All of it.
        state: PartitionState,
    },
    /// Producer ids below `next` have been handed out, to brokers in blocks; never again (KRaft's ProducerIdsRecord).
    ProducerIds {
        /// The first that is free.
        next: i64,
    },
    /// A topic is gone, with its settings and partitions.
    TopicRemoved {
        /// Which.
        id: TopicId,
    },
}
