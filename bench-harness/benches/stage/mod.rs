//! What the benches share: real records, and a broker in this process to send them to.

#![allow(dead_code, reason = "each bench is a crate of its own and uses a part of this")]

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use logdyno_engine::broker::{Broker, BrokerConfig};
use logdyno_engine::client::{Admin, AdminConfig, BytesFormat, NewTopic, Producer, ProducerConfig, ProducerRecord};
use logdyno_engine::record::{NoProbe, SystemClock};
use logdyno_engine::storage::Kind;

/// The 20,000 flights, a line each.
pub(crate) fn flights() -> Vec<Bytes> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../workloads/data/flights.jsonl");
    let text = std::fs::read_to_string(path).expect("the flights are part of the project");
    text.lines().map(|line| Bytes::copy_from_slice(line.as_bytes())).collect()
}

/// A broker in a temporary directory.
pub(crate) struct Stage {
    broker: Option<Broker>,
    _dir: tempfile::TempDir,
}

impl Stage {
    /// `None`, and a line that says why, where the backend cannot run.
    pub(crate) fn on(kind: &Kind) -> Option<Stage> {
        let dir = tempfile::tempdir().expect("a directory");
        if let Err(refused) = kind.start_on(dir.path()) {
            eprintln!("SKIPPED: {refused}");
            return None;
        }
        let text = format!(
            "node.id=1\nprocess.roles=broker,controller\ncontroller.listener.names=CONTROLLER\n\
             listeners=PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0\nlog.dirs={}\nlogdyno.backend={}\n",
            dir.path().join("data").display(),
            kind.name
        );
        let config = BrokerConfig::from_properties(&text).expect("good properties");
        let broker = Broker::start(config, &[*kind], Arc::new(SystemClock), Arc::new(NoProbe)).expect("a broker");
        Some(Stage { broker: Some(broker), _dir: dir })
    }

    pub(crate) fn address(&self) -> String {
        self.broker.as_ref().expect("it runs until dropped").address().to_string()
    }

    /// A topic with as many partitions.
    pub(crate) fn topic(&self, name: &str, partitions: i32) {
        let address = self.address();
        let config = AdminConfig::from_pairs([("bootstrap.servers", address.as_str())]).expect("good settings");
        let admin = Admin::new(config).expect("an admin");
        let topic = NewTopic { name: name.to_owned(), partitions, replication_factor: 1, configs: Vec::new() };
        for (_, created) in admin.create_topics(&[topic]).expect("an answer") {
            created.expect("a topic");
        }
    }

    /// A producer that knows the topic.
    pub(crate) fn producer(&self, topic: &str, settings: &[(&str, &str)]) -> Producer<Bytes, Bytes> {
        let address = self.address();
        let own = [("bootstrap.servers", address.as_str())];
        let config =
            ProducerConfig::from_pairs(own.into_iter().chain(settings.iter().copied())).expect("good settings");
        let producer = Producer::new(config, BytesFormat, BytesFormat).expect("a producer");
        producer.partitions_for(topic).expect("metadata");
        producer
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(broker) = self.broker.take() {
            broker.stop().expect("a clean stop");
        }
    }
}

/// A record without a key.
pub(crate) fn record(topic: &Arc<str>, value: &Bytes) -> ProducerRecord<Bytes, Bytes> {
    ProducerRecord {
        topic: Arc::clone(topic),
        partition: None,
        timestamp: Some(1_700_000_000_000),
        key: None,
        value: Some(value.clone()),
        headers: Vec::new(),
    }
}
