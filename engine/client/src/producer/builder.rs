//! Puts a producer together.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use logdyno_record::{Clock, NoProbe, Probe, SystemClock};

use super::Producer;
use super::accumulator::{Accumulator, AccumulatorSettings};
use super::interceptor::Interceptor;
use super::metrics::Counters;
use super::partitioner::{Partitioner, RoundRobinPartitioner};
use super::sender::{Sender, SenderShared};
use crate::config::{PartitionerChoice, ProducerConfig};
use crate::error::ClientError;
use crate::network::{Background, Network, Wake, keep_fresh};
use crate::random::system_random;
use crate::serialization::Serializer;

/// The parts of a producer that are given in code.
pub struct ProducerBuilder<K, V> {
    config: ProducerConfig,
    key_serializer: Box<dyn Serializer<K>>,
    value_serializer: Box<dyn Serializer<V>>,
    partitioner: Option<Box<dyn Partitioner>>,
    interceptors: Vec<Box<dyn Interceptor<K, V>>>,
    clock: Arc<dyn Clock>,
    probe: Arc<dyn Probe>,
}

impl<K: 'static, V: 'static> ProducerBuilder<K, V> {
    /// What every producer needs.
    pub fn new(
        config: ProducerConfig,
        key_serializer: impl Serializer<K>,
        value_serializer: impl Serializer<V>,
    ) -> ProducerBuilder<K, V> {
        let partitioner: Option<Box<dyn Partitioner>> = match config.partitioner {
            PartitionerChoice::BuiltIn => None,
            PartitionerChoice::RoundRobin => Some(Box::new(RoundRobinPartitioner::default())),
        };
        ProducerBuilder {
            config,
            key_serializer: Box::new(key_serializer),
            value_serializer: Box::new(value_serializer),
            partitioner,
            interceptors: Vec::new(),
            clock: Arc::new(SystemClock),
            probe: Arc::new(NoProbe),
        }
    }

    /// A partitioner of the application's own, instead of what `partitioner.class` says.
    #[must_use]
    pub fn partitioner(mut self, partitioner: impl Partitioner) -> Self {
        self.partitioner = Some(Box::new(partitioner));
        self
    }

    /// One more interceptor; they are called in the order given.
    #[must_use]
    pub fn interceptor(mut self, interceptor: impl Interceptor<K, V>) -> Self {
        self.interceptors.push(Box::new(interceptor));
        self
    }

    /// Where time comes from.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Who is told of batches and requests.
    #[must_use]
    pub fn probe(mut self, probe: Arc<dyn Probe>) -> Self {
        self.probe = probe;
        self
    }

    /// Starts the producer's thread. Connects to nobody yet.
    pub fn build(self) -> Result<Producer<K, V>, ClientError> {
        let wake = Wake::default();
        let random = system_random();
        let connection = self.config.connection.clone();
        let network = Network::new(connection, Arc::clone(&wake), Arc::clone(&self.clock), Arc::clone(&random));
        network.metadata.forget_after(self.config.metadata_max_idle);
        let settings = AccumulatorSettings::of(&self.config);
        let shared = Arc::new(SenderShared {
            accumulator: Accumulator::new(settings, Arc::clone(&self.clock), random),
            network: Arc::new(network),
            config: self.config,
            wake,
            closing: AtomicBool::new(false),
            abort: AtomicBool::new(false),
            counters: Counters::default(),
            clock: self.clock,
            probe: self.probe,
        });
        let sender = Sender::new(Arc::clone(&shared));
        let network = Arc::clone(&shared.network);
        let sender = Background::start("logdyno-producer", move || async move {
            tokio::spawn(keep_fresh(network, true));
            sender.run().await;
        })?;
        Ok(Producer {
            shared,
            key_serializer: self.key_serializer,
            value_serializer: self.value_serializer,
            partitioner: self.partitioner,
            interceptors: self.interceptors.into(),
            sender,
        })
    }
}
