//! The topic of one trial: created with a name that nobody has, ready before the first record, deleted at the end.

use std::future::Future;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::FromClientConfig as _;
use rdkafka::metadata::MetadataTopic;
use rdkafka::types::RDKafkaErrorCode;

use super::cluster::Cluster;
use super::failed;
use crate::target::TargetError;
use crate::workload::{Plan, TopicPlan};

/// How long a first answer of the cluster may take.
const CONTACT_TIME: Duration = Duration::from_secs(10);

/// How long the cluster may take to create the topic and to have all its replicas in sync.
const READY_TIME: Duration = Duration::from_secs(60);

/// Between two looks at the topic.
const PAUSE: Duration = Duration::from_millis(20);

/// A topic that exists until it is dropped.
pub(super) struct Topic {
    name: String,
    admin: AdminClient<DefaultClientContext>,
    is_deleted: bool,
}

impl Topic {
    /// Creates it as the plan says and waits until each partition has a leader and all its replicas in sync.
    pub(super) fn create(cluster: &Cluster, plan: &Plan) -> Result<Topic, TargetError> {
        let admin =
            AdminClient::from_config(&cluster.admin).map_err(|error| failed("librdkafka does not start", &error))?;
        let name = unique(&plan.topic.name);
        let found = admin.inner().fetch_metadata(None, CONTACT_TIME);
        found.map_err(|error| {
            failed(
                &format!("no broker of {} answers, or none takes what [kafka] says of TLS and SASL", cluster.servers),
                &error,
            )
        })?;
        let topic = Topic { name, admin, is_deleted: false };
        topic.request(&plan.topic, &cluster.servers)?;
        topic.wait_until_in_sync(&plan.topic)?;
        Ok(topic)
    }

    /// The name on the cluster.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    fn request(&self, topic: &TopicPlan, servers: &str) -> Result<(), TargetError> {
        let replication = TopicReplication::Fixed(i32::from(topic.replication_factor));
        let new = NewTopic::new(&self.name, topic.partitions, replication);
        let new = topic.configs.iter().fold(new, |new, (name, value)| new.set(name, value));
        let created = wait_for(self.admin.create_topics([&new], &options()))?;
        let created = created.map_err(|error| failed(&format!("{servers} does not answer"), &error))?;
        match created.into_iter().next() {
            Some(Err((name, code))) => Err(TargetError::Failed(format!(
                "topic {name} cannot be created on {servers}: {}",
                sentence(code, topic)
            ))),
            _ => Ok(()),
        }
    }

    fn wait_until_in_sync(&self, topic: &TopicPlan) -> Result<(), TargetError> {
        let begun = Instant::now();
        loop {
            // Of all topics: a client that asked for this one would go on asking, and an eager broker create it again.
            let metadata = self.admin.inner().fetch_metadata(None, READY_TIME);
            let metadata = metadata.map_err(|error| failed(&format!("topic {} is not found", self.name), &error))?;
            if metadata.topics().iter().any(|found| found.name() == self.name && is_in_sync(found, topic)) {
                return Ok(());
            }
            if begun.elapsed() > READY_TIME {
                let seconds = READY_TIME.as_secs();
                let reason = format!("topic {} was not in sync on all its replicas within {seconds} s", self.name);
                return Err(TargetError::Failed(reason));
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Deletes it.
    pub(super) fn delete(mut self) -> Result<(), TargetError> {
        self.delete_now()
    }

    fn delete_now(&mut self) -> Result<(), TargetError> {
        if std::mem::replace(&mut self.is_deleted, true) {
            return Ok(());
        }
        let left = |reason: String| TargetError::Failed(format!("topic {} is left behind: {reason}", self.name));
        let deleted = wait_for(self.admin.delete_topics(&[&self.name], &options()))?;
        match deleted.map_err(|error| left(error.to_string()))?.into_iter().next() {
            Some(Err((_, code))) if code != RDKafkaErrorCode::UnknownTopicOrPartition => Err(left(code.to_string())),
            _ => Ok(()),
        }
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        if let Err(error) = self.delete_now() {
            tracing::warn!("{error}");
        }
    }
}

/// The plan's name, and the moment: two runs at once do not meet.
fn unique(name: &str) -> String {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{name}-{:x}-{:x}", since_1970.as_nanos(), std::process::id())
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(READY_TIME)).operation_timeout(Some(READY_TIME))
}

fn sentence(code: RDKafkaErrorCode, topic: &TopicPlan) -> String {
    match code {
        RDKafkaErrorCode::InvalidReplicationFactor => {
            format!("it has fewer brokers than topic.replication.factor = {}", topic.replication_factor)
        }
        RDKafkaErrorCode::InvalidConfig => "it does not take one of the settings of [topic]".to_owned(),
        code => code.to_string(),
    }
}

fn is_in_sync(found: &MetadataTopic, topic: &TopicPlan) -> bool {
    let partitions = usize::try_from(topic.partitions).unwrap_or(1);
    found.partitions().len() == partitions
        && found.partitions().iter().all(|partition| {
            partition.leader() >= 0
                && !partition.replicas().is_empty()
                && partition.isr().len() == partition.replicas().len()
        })
}

/// librdkafka answers from its own thread; this one waits.
fn wait_for<T>(answer: impl Future<Output = T>) -> Result<T, TargetError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.map_err(|error| TargetError::Failed(format!("the kernel gives no event queue: {error}")))?;
    Ok(runtime.block_on(answer))
}
