//! Puts a consumer together.

use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Condvar, Mutex};

use logdyno_record::{Clock, NoProbe, Probe, SystemClock};

use super::Consumer;
use super::assignment::Assignment;
use super::fetcher::Fetcher;
use super::shared::ConsumerShared;
use crate::config::ConsumerConfig;
use crate::error::ClientError;
use crate::network::{Background, Network, Wake, keep_fresh};
use crate::random::system_random;
use crate::serialization::Deserializer;

/// The parts of a consumer that are given in code.
pub struct ConsumerBuilder<K, V> {
    config: ConsumerConfig,
    key_deserializer: Box<dyn Deserializer<K>>,
    value_deserializer: Box<dyn Deserializer<V>>,
    clock: Arc<dyn Clock>,
    probe: Arc<dyn Probe>,
}

impl<K: 'static, V: 'static> ConsumerBuilder<K, V> {
    /// What every consumer needs.
    pub fn new(
        config: ConsumerConfig,
        key_deserializer: impl Deserializer<K>,
        value_deserializer: impl Deserializer<V>,
    ) -> ConsumerBuilder<K, V> {
        ConsumerBuilder {
            config,
            key_deserializer: Box::new(key_deserializer),
            value_deserializer: Box::new(value_deserializer),
            clock: Arc::new(SystemClock),
            probe: Arc::new(NoProbe),
        }
    }

    /// Where time comes from.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Who is told of fetched and delivered batches.
    #[must_use]
    pub fn probe(mut self, probe: Arc<dyn Probe>) -> Self {
        self.probe = probe;
        self
    }

    /// Starts the consumer's thread. Nothing is assigned, connects to nobody yet.
    pub fn build(self) -> Result<Consumer<K, V>, ClientError> {
        let wake = Wake::default();
        let connection = self.config.connection.clone();
        let network = Network::new(connection, Arc::clone(&wake), Arc::clone(&self.clock), system_random());
        let auto_create = self.config.allow_auto_create_topics;
        let shared = Arc::new(ConsumerShared {
            config: self.config,
            network: Arc::new(network),
            assignment: Mutex::new(Assignment::default()),
            changed: Condvar::new(),
            wake,
            closing: AtomicBool::new(false),
            turn: AtomicUsize::new(0),
            clock: self.clock,
            probe: self.probe,
        });
        let fetcher = Fetcher::new(Arc::clone(&shared));
        let network = Arc::clone(&shared.network);
        let thread = Background::start("logdyno-consumer", move || async move {
            tokio::spawn(keep_fresh(network, auto_create));
            fetcher.run().await;
        })?;
        Ok(Consumer {
            shared,
            key_deserializer: self.key_deserializer,
            value_deserializer: self.value_deserializer,
            thread,
        })
    }
}
