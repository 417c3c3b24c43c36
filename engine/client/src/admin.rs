//! The admin client: topics, offsets, the cluster. Small: what a harness needs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use logdyno_record::{Clock, LeaderEpoch, Offset, SystemClock, TopicId, TopicPartition};
use logdyno_wire::ErrorCode;
use logdyno_wire::channel::Channel;
use logdyno_wire::kafka_protocol::protocol::StrBytes;
use logdyno_wire::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use logdyno_wire::messages::metadata_request::MetadataRequestTopic;
use logdyno_wire::messages::{CreateTopicsRequest, DeleteTopicsRequest, MetadataRequest, MetadataResponse, TopicName};
use tokio::sync::Notify;

use crate::backoff::Backoff;
use crate::config::AdminConfig;
use crate::error::ClientError;
use crate::network::{
    Background, Cluster, FoundOffset, Network, PartitionInfo, Purpose, Wake, keep_fresh, list_offsets,
};
use crate::random::system_random;

/// The newest DeleteTopics version that takes names.
const DELETE_TOPICS_BY_NAME: i16 = 5;

/// What became of each topic, by name.
pub type PerTopic<T> = Vec<(String, Result<T, ClientError>)>;

/// A topic to create.
#[derive(Clone, Debug)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// How many partitions; −1 for the broker's `num.partitions`.
    pub partitions: i32,
    /// How many replicas of each; −1 for the broker's `default.replication.factor`.
    pub replication_factor: i16,
    /// Topic settings by name.
    pub configs: Vec<(String, String)>,
}

/// A topic as brokers describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicDescription {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: TopicId,
    /// True for topics that brokers keep for themselves.
    pub is_internal: bool,
    /// Its partitions, by index.
    pub partitions: Vec<PartitionInfo>,
}

/// The cluster as brokers describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterDescription {
    /// `cluster.id`.
    pub id: Option<String>,
    /// The broker that clients are told is the controller.
    pub controller: Option<i32>,
    /// `node.id` and `host:port` of each broker.
    pub brokers: BTreeMap<i32, String>,
}

/// Which offset is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetSpec {
    /// The log start offset.
    Earliest,
    /// The high watermark.
    Latest,
    /// The record with the largest timestamp.
    MaxTimestamp,
    /// The first record not older than this, in milliseconds since 1970.
    AtTime(i64),
}

/// An offset that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedOffset {
    /// The offset; −1 if no record matches.
    pub offset: Offset,
    /// That record's time; −1 for the ends of the log.
    pub timestamp: i64,
    /// The epoch of the leader that appended it.
    pub leader_epoch: LeaderEpoch,
}

/// Asks brokers about topics and the cluster, and changes topics. Shared by as many threads as like to.
pub struct Admin {
    network: Arc<Network>,
    config: AdminConfig,
    stop: Arc<Notify>,
    thread: Background,
}

impl Admin {
    /// Starts the admin client's thread. Connects to nobody yet.
    pub fn new(config: AdminConfig) -> Result<Admin, ClientError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let network = Network::new(config.connection.clone(), Wake::default(), clock, system_random());
        let network = Arc::new(network);
        let stop = Arc::new(Notify::new());
        let (stopped, refreshed) = (Arc::clone(&stop), Arc::clone(&network));
        let thread = Background::start("logdyno-admin", move || async move {
            tokio::spawn(keep_fresh(refreshed, false));
            stopped.notified().await;
        })?;
        Ok(Admin { network, config, stop, thread })
    }

    /// Creates topics, each with its own result. The cluster may take a moment more until leaders are known.
    pub fn create_topics(&self, topics: &[NewTopic]) -> Result<PerTopic<TopicId>, ClientError> {
        let request = CreateTopicsRequest::default()
            .with_timeout_ms(self.timeout_ms())
            .with_topics(topics.iter().map(creatable).collect());
        let response = self.retried("creating topics", move |channel| {
            let request = request.clone();
            async move {
                let response = channel.call(request, None).await.map_err(|error| lost("creating topics", error))?;
                let codes = response.topics.iter().map(|topic| topic.error_code);
                not_controller("creating topics", codes).map(|()| response)
            }
        })?;
        let results = response.topics.into_iter().map(|topic| {
            let doing = format!("creating topic {}", &*topic.name.0);
            let result = check(doing, topic.error_code, topic.error_message).map(|()| topic.topic_id);
            (topic.name.0.to_string(), result)
        });
        Ok(results.collect())
    }

    /// Deletes topics, each with its own result.
    pub fn delete_topics(&self, names: &[&str]) -> Result<PerTopic<()>, ClientError> {
        let names = names.iter().map(|name| TopicName(StrBytes::from_string((*name).to_owned())));
        let request =
            DeleteTopicsRequest::default().with_timeout_ms(self.timeout_ms()).with_topic_names(names.collect());
        let response = self.retried("deleting topics", move |channel| {
            let request = request.clone();
            async move {
                let answered = channel.call(request, Some(DELETE_TOPICS_BY_NAME)).await;
                let response = answered.map_err(|error| lost("deleting topics", error))?;
                let codes = response.responses.iter().map(|topic| topic.error_code);
                not_controller("deleting topics", codes).map(|()| response)
            }
        })?;
        let results = response.responses.into_iter().map(|topic| {
            let name = topic.name.map(|name| name.0.to_string()).unwrap_or_default();
            let result = check(format!("deleting topic {name}"), topic.error_code, topic.error_message);
            (name, result)
        });
        Ok(results.collect())
    }

    /// The names of all topics.
    pub fn list_topics(&self) -> Result<Vec<String>, ClientError> {
        let response = self.metadata(None)?;
        Ok(response.topics.into_iter().filter_map(|topic| topic.name).map(|name| name.0.to_string()).collect())
    }

    /// Topics by name, each with its own result.
    pub fn describe_topics(&self, names: &[&str]) -> Result<PerTopic<TopicDescription>, ClientError> {
        let response = self.metadata(Some(names))?;
        let cluster = Cluster::default().after(&response);
        let described = cluster.topics.into_iter().map(|(name, topic)| {
            let description = TopicDescription {
                name: name.to_string(),
                id: topic.id,
                is_internal: topic.is_internal,
                partitions: topic.infos(),
            };
            let result = match topic.error {
                Some(code) => Err(ClientError::Topic { topic: name.to_string(), code }),
                None => Ok(description),
            };
            (name.to_string(), result)
        });
        let mut described: Vec<_> = described.collect();
        described.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(described)
    }

    /// The cluster's brokers.
    pub fn describe_cluster(&self) -> Result<ClusterDescription, ClientError> {
        let cluster = Cluster::default().after(&self.metadata(Some(&[]))?);
        let brokers = cluster.nodes.into_values().map(|node| (node.id, node.address)).collect();
        Ok(ClusterDescription { id: cluster.id, controller: cluster.controller, brokers })
    }

    /// Offsets of partitions.
    pub fn list_offsets(
        &self,
        questions: impl IntoIterator<Item = (TopicPartition, OffsetSpec)>,
    ) -> Result<BTreeMap<TopicPartition, ListedOffset>, ClientError> {
        let questions = questions.into_iter().map(|(partition, spec)| (partition, spec.code())).collect();
        let (network, patience) = (Arc::clone(&self.network), self.config.api_timeout);
        let asked = self
            .thread
            .call(async move { list_offsets(network, questions, 0, patience, |error| !error.is_retriable()).await });
        let found = asked.unwrap_or(Err(CLOSED))?;
        let listed = |found: FoundOffset| ListedOffset {
            offset: found.offset,
            timestamp: found.timestamp,
            leader_epoch: found.leader_epoch,
        };
        Ok(found.into_iter().map(|(partition, found)| (partition, listed(found))).collect())
    }

    fn metadata(&self, names: Option<&[&str]>) -> Result<MetadataResponse, ClientError> {
        let topic = |name: &&str| {
            MetadataRequestTopic::default().with_name(Some(TopicName(StrBytes::from_string((*name).to_owned()))))
        };
        let request = MetadataRequest::default()
            .with_topics(names.map(|names| names.iter().map(topic).collect()))
            .with_allow_auto_topic_creation(false);
        self.retried("asking for metadata", move |channel| {
            let request = request.clone();
            async move { channel.call(request, None).await.map_err(|error| lost("asking for metadata", error)) }
        })
    }

    /// Tries brokers in turn until one gives an answer that is not to be retried, or the time is over.
    fn retried<T, F>(&self, doing: &'static str, ask: impl Fn(Channel) -> F + Send + 'static) -> Result<T, ClientError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, ClientError>> + Send,
    {
        let (network, config) = (Arc::clone(&self.network), self.config.clone());
        let asked = self.thread.call(async move {
            let waited = config.api_timeout;
            let mut last_error = String::new();
            let asking = ask_in_turn(&network, &config, ask, &mut last_error);
            match tokio::time::timeout(waited, asking).await {
                Ok(answer) => answer,
                Err(_) => Err(ClientError::Timeout { doing: doing.to_owned(), waited, reason: last_error }),
            }
        });
        asked.unwrap_or(Err(CLOSED))
    }

    fn timeout_ms(&self) -> i32 {
        i32::try_from(self.config.connection.request_timeout.as_millis()).unwrap_or(i32::MAX)
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.stop.notify_one();
        self.thread.wait_end(Duration::MAX);
    }
}

impl OffsetSpec {
    fn code(self) -> i64 {
        match self {
            OffsetSpec::Latest => -1,
            OffsetSpec::Earliest => -2,
            OffsetSpec::MaxTimestamp => -3,
            OffsetSpec::AtTime(time) => time.max(0),
        }
    }
}

const CLOSED: ClientError = ClientError::Closed { client: "admin client" };

async fn ask_in_turn<T, F>(
    network: &Network,
    config: &AdminConfig,
    ask: impl Fn(Channel) -> F,
    last_error: &mut String,
) -> Result<T, ClientError>
where
    F: Future<Output = Result<T, ClientError>>,
{
    let backoff = Backoff { first: config.connection.retry_backoff, most: config.connection.retry_backoff_max };
    let mut failures = 0;
    loop {
        let addresses = addresses(network, config);
        let address = &addresses[failures as usize % addresses.len()];
        let answer = match network.connections.open(address, Purpose::Control).await {
            Ok(channel) => ask(channel).await,
            Err(error) => Err(error),
        };
        match answer {
            Err(error) if error.is_retriable() && failures < config.retries => *last_error = error.to_string(),
            settled => return settled,
        }
        failures += 1;
        tokio::time::sleep(backoff.pause(failures, (network.random)())).await;
    }
}

/// Known brokers, the controller first, then the bootstrap servers.
fn addresses(network: &Network, config: &AdminConfig) -> Vec<String> {
    let cluster = network.metadata.cluster();
    let controller = cluster.controller.and_then(|id| cluster.nodes.get(&id));
    let nodes = controller.into_iter().chain(cluster.nodes.values());
    nodes.map(|node| node.address.clone()).chain(config.connection.bootstrap_servers.iter().cloned()).collect()
}

fn creatable(topic: &NewTopic) -> CreatableTopic {
    let text = |text: &String| StrBytes::from_string(text.clone());
    let configs = topic
        .configs
        .iter()
        .map(|(name, value)| CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value))));
    CreatableTopic::default()
        .with_name(TopicName(text(&topic.name)))
        .with_num_partitions(topic.partitions)
        .with_replication_factor(topic.replication_factor)
        .with_configs(configs.collect())
}

fn lost(doing: &str, error: impl std::fmt::Display) -> ClientError {
    ClientError::Disconnected { doing: doing.to_owned(), reason: error.to_string() }
}

/// An answer of a broker that cannot reach the controller is asked again elsewhere.
fn not_controller(doing: &str, codes: impl Iterator<Item = i16>) -> Result<(), ClientError> {
    let code = ErrorCode::NotController;
    match codes.into_iter().any(|answered| answered == code.code()) {
        true => Err(ClientError::Refused { doing: doing.to_owned(), code, message: None }),
        false => Ok(()),
    }
}

fn check(doing: String, code: i16, message: Option<StrBytes>) -> Result<(), ClientError> {
    match ErrorCode::try_from_code(code) {
        None => Ok(()),
        Some(code) => Err(ClientError::Refused { doing, code, message: message.map(|text| text.to_string()) }),
    }
}
