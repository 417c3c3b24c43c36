//! What is known of the cluster at one moment: an immutable picture, replaced as a whole.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use logdyno_record::{TopicId, TopicPartition};
use logdyno_wire::ErrorCode;
use logdyno_wire::messages::MetadataResponse;

use crate::error::ClientError;

/// By topic. A producer looks its topic up for each record, and names are the application's own: no protection against chosen ones is
/// needed, nor paid for.
pub(crate) type ByTopic<T> = HashMap<Arc<str>, T, foldhash::fast::RandomState>;

/// The leader of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leader {
    /// Its `node.id`.
    pub(crate) node: i32,
    /// The number of its leadership, −1 if unknown.
    pub(crate) epoch: i32,
}

/// What a sender needs to know of the cluster.
pub(crate) trait Leaders {
    /// Who leads the partition, if anybody does.
    fn leader(&self, partition: &TopicPartition) -> Option<Leader>;
    /// How many partitions the topic has; 0 if it is unknown.
    fn partitions(&self, topic: &str) -> usize;
}

/// A broker and where it listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) id: i32,
    pub(crate) address: String,
}

/// A topic: its partitions by index.
#[derive(Clone, Debug)]
pub(crate) struct TopicMetadata {
    pub(crate) id: TopicId,
    pub(crate) error: Option<ErrorCode>,
    pub(crate) is_internal: bool,
    pub(crate) partitions: Vec<PartitionMetadata>,
    /// Partitions with a leader, ascending.
    pub(crate) available: Vec<i32>,
}

/// A partition.
#[derive(Clone, Debug, Default)]
pub(crate) struct PartitionMetadata {
    pub(crate) leader: Option<Leader>,
    pub(crate) replicas: Vec<i32>,
    pub(crate) isr: Vec<i32>,
}

/// A partition as the metadata tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionInfo {
    /// Its index.
    pub partition: i32,
    /// The broker that leads it, if one does.
    pub leader: Option<i32>,
    /// The brokers that shall hold it, the preferred leader first.
    pub replicas: Vec<i32>,
    /// Those that are in sync.
    pub isr: Vec<i32>,
}

impl TopicMetadata {
    /// Its partitions, as an application is told of them.
    pub(crate) fn infos(&self) -> Vec<PartitionInfo> {
        let info = |(partition, known): (i32, &PartitionMetadata)| PartitionInfo {
            partition,
            leader: known.leader.map(|leader| leader.node),
            replicas: known.replicas.clone(),
            isr: known.isr.clone(),
        };
        (0..).zip(&self.partitions).map(info).collect()
    }
}

/// The picture.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cluster {
    pub(crate) id: Option<String>,
    pub(crate) controller: Option<i32>,
    pub(crate) nodes: BTreeMap<i32, Node>,
    pub(crate) topics: ByTopic<Arc<TopicMetadata>>,
}

impl Cluster {
    /// The picture that an answer paints, on top of `self`.
    ///
    /// A leader epoch never goes back: a broker that is behind tells of an old leader (KIP-320). Topics that
    /// the answer does not speak of are forgotten.
    pub(crate) fn after(&self, answer: &MetadataResponse) -> Cluster {
        let nodes = answer.brokers.iter().map(|broker| {
            let node = Node { id: broker.node_id.0, address: format!("{}:{}", &*broker.host, broker.port) };
            (node.id, node)
        });
        let mut cluster = Cluster {
            id: answer.cluster_id.as_ref().map(|id| id.to_string()),
            controller: Some(answer.controller_id.0).filter(|id| *id >= 0),
            nodes: nodes.collect(),
            topics: ByTopic::default(),
        };
        for topic in &answer.topics {
            let Some(name) = &topic.name else { continue };
            let name: Arc<str> = Arc::from(&*name.0);
            let known = self.topics.get(&name).map(Arc::as_ref);
            let painted = topic_metadata(topic, known);
            cluster.topics.insert(name, Arc::new(painted));
        }
        cluster
    }

    /// Why a topic cannot be used, if brokers have refused it rather than not found it.
    pub(crate) fn refused(&self, topic: &str) -> Option<ClientError> {
        let code = self.topics.get(topic)?.error.filter(|code| !code.is_retriable())?;
        Some(ClientError::Topic { topic: topic.to_owned(), code })
    }

    /// The node that leads `partition`, if its address is known.
    pub(crate) fn leader_node(&self, partition: &TopicPartition) -> Option<(&Node, Leader)> {
        let leader = self.leader(partition)?;
        Some((self.nodes.get(&leader.node)?, leader))
    }

    /// The same picture with another leader of one partition, unless a later one is known.
    pub(crate) fn with_leader(&self, partition: &TopicPartition, leader: Leader) -> Option<Cluster> {
        let known = self.leader(partition);
        if !self.nodes.contains_key(&leader.node) || known.is_some_and(|known| known.epoch >= leader.epoch) {
            return None;
        }
        let mut cluster = self.clone();
        let topic = Arc::make_mut(cluster.topics.get_mut(&partition.topic)?);
        topic.partitions.get_mut(usize::try_from(partition.partition).ok()?)?.leader = Some(leader);
        topic.available = available(&topic.partitions);
        Some(cluster)
    }
}

impl Leaders for Cluster {
    fn leader(&self, partition: &TopicPartition) -> Option<Leader> {
        let topic = self.topics.get(&partition.topic)?;
        topic.partitions.get(usize::try_from(partition.partition).ok()?)?.leader
    }

    fn partitions(&self, topic: &str) -> usize {
        self.topics.get(topic).map_or(0, |topic| topic.partitions.len())
    }
}

fn topic_metadata(
    topic: &logdyno_wire::messages::metadata_response::MetadataResponseTopic,
    known: Option<&TopicMetadata>,
) -> TopicMetadata {
    let known = known.filter(|known| known.id == topic.topic_id);
    // An answer speaks of every partition. An index beyond their number is not believed: it may be any.
    let mut partitions = vec![PartitionMetadata::default(); topic.partitions.len()];
    for partition in &topic.partitions {
        let Some(slot) = usize::try_from(partition.partition_index).ok().and_then(|index| partitions.get_mut(index))
        else {
            continue;
        };
        let before = known.and_then(|known| known.partitions.get(partition.partition_index as usize));
        let newer = before.and_then(|before| before.leader).filter(|before| before.epoch > partition.leader_epoch);
        let told = Leader { node: partition.leader_id.0, epoch: partition.leader_epoch };
        slot.leader = newer.or(Some(told).filter(|leader| leader.node >= 0));
        slot.replicas = partition.replica_nodes.iter().map(|id| id.0).collect();
        slot.isr = partition.isr_nodes.iter().map(|id| id.0).collect();
    }
    TopicMetadata {
        id: topic.topic_id,
        error: ErrorCode::try_from_code(topic.error_code),
        is_internal: topic.is_internal,
        available: available(&partitions),
        partitions,
    }
}

fn available(partitions: &[PartitionMetadata]) -> Vec<i32> {
    (0..).zip(partitions).filter(|(_, partition)| partition.leader.is_some()).map(|(index, _)| index).collect()
}

#[cfg(test)]
mod tests {
    use logdyno_wire::kafka_protocol::protocol::StrBytes;
    use logdyno_wire::messages::metadata_response::{MetadataResponsePartition, MetadataResponseTopic};
    use logdyno_wire::messages::{BrokerId, TopicName};

    use super::*;

    /// Room for as many partitions as the greatest index claims would end this process.
    #[test]
    fn an_index_beyond_the_number_of_partitions_is_not_believed() {
        let partition = |index| {
            MetadataResponsePartition::default()
                .with_partition_index(index)
                .with_leader_id(BrokerId(7))
                .with_leader_epoch(3)
        };
        let indexes = [2_000_000_000, 1, i32::MAX, -1, 0];
        let topic = MetadataResponseTopic::default()
            .with_name(Some(TopicName(StrBytes::from_static_str("t"))))
            .with_partitions(indexes.map(partition).to_vec());
        let cluster = Cluster::default().after(&MetadataResponse::default().with_topics(vec![topic]));
        let known = &cluster.topics["t"];
        assert_eq!((known.partitions.len(), &known.available[..]), (5, &[0, 1][..]));
    }
}
