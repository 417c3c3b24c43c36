//! The cluster's metadata at one offset of the metadata log.
//!
//! Whoever applies the same records in the same order has the same image: controller and brokers alike.

use std::collections::BTreeMap;
use std::sync::Arc;

use logdyno_record::{BrokerId, Offset, TopicId, TopicPartition};
use uuid::Uuid;

use crate::record::{Endpoint, MetadataRecord, PartitionState};

/// A registered broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    /// The offset of its registration: names this incarnation.
    pub epoch: i64,
    /// Drawn by its process.
    pub incarnation: Uuid,
    /// Where it listens.
    pub endpoints: Vec<Endpoint>,
    /// `broker.rack`.
    pub rack: Option<String>,
    /// Out of service: it gets no new partitions as a leader and joins no ISR.
    pub fenced: bool,
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its UUID.
    pub id: TopicId,
    /// Its name.
    pub name: Arc<str>,
    /// Its partitions, by index.
    pub partitions: Vec<PartitionState>,
    /// Settings that differ from the brokers' defaults.
    pub configs: BTreeMap<String, String>,
}

/// A record that does not fit the ones before it: the log is not this cluster's, or damaged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "metadata record {offset} does not fit the ones before it ({what}): the metadata log is damaged or not this cluster's"
)]
pub struct Misfit {
    /// The record's offset.
    pub offset: Offset,
    /// What is wrong with it.
    pub what: &'static str,
}

/// All metadata. Cheap to copy: topics are shared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetadataImage {
    cluster_id: Option<Arc<str>>,
    brokers: BTreeMap<BrokerId, Broker>,
    topics: BTreeMap<Arc<str>, Arc<Topic>>,
    names: BTreeMap<TopicId, Arc<str>>,
    next_producer_id: i64,
    next_offset: Offset,
}

impl MetadataImage {
    /// `cluster.id`; `None` only before the first record.
    pub fn cluster_id(&self) -> Option<&str> {
        self.cluster_id.as_deref()
    }

    /// The first producer id that no broker has had.
    pub fn next_producer_id(&self) -> i64 {
        self.next_producer_id
    }

    /// The offset of the record to be applied next.
    pub fn next_offset(&self) -> Offset {
        self.next_offset
    }

    /// All brokers ever registered.
    pub fn brokers(&self) -> &BTreeMap<BrokerId, Broker> {
        &self.brokers
    }

    /// A broker, if it has ever registered.
    pub fn broker(&self, id: BrokerId) -> Option<&Broker> {
        self.brokers.get(&id)
    }

    /// The epoch of a broker that is in service.
    pub fn live_epoch(&self, id: BrokerId) -> Option<i64> {
        self.broker(id).filter(|broker| !broker.fenced).map(|broker| broker.epoch)
    }

    /// Brokers in service.
    pub fn live_brokers(&self) -> impl Iterator<Item = (BrokerId, &Broker)> {
        self.brokers.iter().filter(|(_, broker)| !broker.fenced).map(|(id, broker)| (*id, broker))
    }

    /// All topics, by name.
    pub fn topics(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.topics.values()
    }

    /// A topic by name.
    pub fn topic(&self, name: &str) -> Option<&Arc<Topic>> {
        self.topics.get(name)
    }

    /// A topic by id.
    pub fn topic_by_id(&self, id: TopicId) -> Option<&Arc<Topic>> {
        self.names.get(&id).and_then(|name| self.topics.get(name))
    }

    /// A partition's state.
    pub fn partition(&self, partition: &TopicPartition) -> Option<&PartitionState> {
        let index = usize::try_from(partition.partition).ok()?;
        self.topic(&partition.topic)?.partitions.get(index)
    }

    /// All partitions, with the topics they belong to.
    pub fn partitions(&self) -> impl Iterator<Item = (&Arc<Topic>, TopicPartition, &PartitionState)> {
        self.topics.values().flat_map(|topic| {
            (0..)
                .zip(&topic.partitions)
                .map(move |(index, state)| (topic, TopicPartition::new(Arc::clone(&topic.name), index), state))
        })
    }

    /// The partitions that have a replica on `broker`.
    pub fn partitions_on(
        &self,
        broker: BrokerId,
    ) -> impl Iterator<Item = (&Arc<Topic>, TopicPartition, &PartitionState)> {
        self.partitions().filter(move |(_, _, state)| state.replicas.contains(&broker))
    }

    /// Applies the record at `offset`. Records already applied change nothing, so that reading again is harmless.
    pub fn apply(&mut self, offset: Offset, record: &MetadataRecord) -> Result<(), Misfit> {
        if offset < self.next_offset {
            return Ok(());
        }
        let applied = match record {
            MetadataRecord::Cluster { id } => {
                self.cluster_id = Some(id.as_str().into());
                Ok(())
            }
            MetadataRecord::BrokerRegistered { broker, incarnation, endpoints, rack } => {
                let registered = Broker {
                    epoch: offset.0,
                    incarnation: *incarnation,
                    endpoints: endpoints.clone(),
                    rack: rack.clone(),
                    fenced: true,
                };
                self.brokers.insert(*broker, registered);
                Ok(())
            }
            MetadataRecord::BrokerFenced { broker, broker_epoch, fenced } => {
                self.set_fenced(*broker, *broker_epoch, *fenced)
            }
            MetadataRecord::Topic { id, name } => self.add_topic(*id, name),
            MetadataRecord::TopicConfig { topic, name, value } => self.topic_mut(*topic).map(|topic| {
                topic.configs.insert(name.clone(), value.clone());
            }),
            MetadataRecord::TopicConfigRemoved { topic, name } => self.topic_mut(*topic).map(|topic| {
                topic.configs.remove(name);
            }),
            MetadataRecord::Partition { topic, partition, state } => self.set_partition(*topic, *partition, state),
            MetadataRecord::ProducerIds { next } => {
                self.next_producer_id = *next;
                Ok(())
            }
            MetadataRecord::TopicRemoved { id } => self.remove_topic(*id),
        };
        applied.map_err(|what| Misfit { offset, what })?;
        self.next_offset = offset.next();
        Ok(())
    }

    fn set_fenced(&mut self, broker: BrokerId, epoch: i64, fenced: bool) -> Result<(), &'static str> {
        let broker = self.brokers.get_mut(&broker).ok_or("it is about a broker that never registered")?;
        if broker.epoch != epoch {
            return Err("it is about another incarnation of a broker");
        }
        broker.fenced = fenced;
        Ok(())
    }

    fn add_topic(&mut self, id: TopicId, name: &str) -> Result<(), &'static str> {
        let name: Arc<str> = name.into();
        if self.topics.contains_key(&name) || self.names.contains_key(&id) {
            return Err("it creates a topic that exists");
        }
        let topic = Topic { id, name: Arc::clone(&name), partitions: Vec::new(), configs: BTreeMap::new() };
        self.names.insert(id, Arc::clone(&name));
        self.topics.insert(name, Arc::new(topic));
        Ok(())
    }

    fn set_partition(&mut self, topic: TopicId, index: i32, state: &PartitionState) -> Result<(), &'static str> {
        let partitions = &mut self.topic_mut(topic)?.partitions;
        let index = usize::try_from(index).map_err(|_| "it is about a partition with a negative index")?;
        if index < partitions.len() {
            partitions[index] = state.clone();
        } else if index == partitions.len() {
            partitions.push(state.clone());
        } else {
            return Err("it leaves out a partition of a topic");
        }
        Ok(())
    }

    fn remove_topic(&mut self, id: TopicId) -> Result<(), &'static str> {
        let name = self.names.remove(&id).ok_or("it removes a topic that does not exist")?;
        self.topics.remove(&name);
        Ok(())
    }

    fn topic_mut(&mut self, id: TopicId) -> Result<&mut Topic, &'static str> {
        let name = self.names.get(&id).ok_or("it is about a topic that does not exist")?;
        let topic = self.topics.get_mut(name).ok_or("it is about a topic that does not exist")?;
        Ok(Arc::make_mut(topic))
    }
}
