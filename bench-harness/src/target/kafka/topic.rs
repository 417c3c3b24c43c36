//! The topics of one trial: created with names that nobody has, ready before the first record, deleted at the end.

use std::future::Future;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::FromClientConfig as _;
use rdkafka::metadata::MetadataTopic;
use rdkafka::types::RDKafkaErrorCode;

use super::cluster::Cluster;
use super::failed;
use crate::target::{Setup, TargetError};
use crate::topics::Topics;
use crate::workload::TopicPlan;

/// How long a first answer of the cluster may take.
const CONTACT_TIME: Duration = Duration::from_secs(10);

/// How long the cluster may take to create the topics and to have all their replicas in sync.
const READY_TIME: Duration = Duration::from_secs(60);

/// Between two looks at the topics.
const PAUSE: Duration = Duration::from_millis(20);

/// Topics that exist until they are dropped.
pub(super) struct TrialTopics {
    names: Topics,
    admin: AdminClient<DefaultClientContext>,
    is_deleted: bool,
}

impl TrialTopics {
    /// Creates them as the plan says and waits until each partition has a leader and all its replicas in sync.
    pub(super) fn create(cluster: &Cluster, setup: &Setup) -> Result<TrialTopics, TargetError> {
        let admin =
            AdminClient::from_config(&cluster.admin).map_err(|error| failed("librdkafka does not start", &error))?;
        let plan = &setup.plan.topic;
        let names = setup.topics.renamed(&unique(&plan.name));
        let found = admin.inner().fetch_metadata(None, CONTACT_TIME);
        found.map_err(|error| {
            failed(
                &format!("no broker of {} answers, or none takes what [kafka] says of TLS and SASL", cluster.servers),
                &error,
            )
        })?;
        let topics = TrialTopics { names, admin, is_deleted: false };
        topics.request(plan, &cluster.servers)?;
        topics.wait_until_in_sync(plan)?;
        Ok(topics)
    }

    /// The topics, as they are named on the cluster.
    pub(super) fn names(&self) -> &Topics {
        &self.names
    }

    fn request(&self, plan: &TopicPlan, servers: &str) -> Result<(), TargetError> {
        let new = |name| {
            let replication = TopicReplication::Fixed(i32::from(plan.replication_factor));
            let new = NewTopic::new(name, plan.partitions, replication);
            plan.configs.iter().fold(new, |new, (name, value)| new.set(name, value))
        };
        let new: Vec<NewTopic<'_>> = self.names.names().iter().map(|name| new(name)).collect();
        let created = wait_for(self.admin.create_topics(&new, &options()))?;
        let created = created.map_err(|error| failed(&format!("{servers} does not answer"), &error))?;
        match created.into_iter().find_map(Result::err) {
            Some((name, code)) => Err(TargetError::Failed(format!(
                "topic {name} cannot be created on {servers}: {}",
                sentence(code, plan)
            ))),
            None => Ok(()),
        }
    }

    fn wait_until_in_sync(&self, plan: &TopicPlan) -> Result<(), TargetError> {
        let begun = Instant::now();
        loop {
            // Of all topics: a client that asked for these would go on asking, and an eager broker create them again.
            let metadata = self.admin.inner().fetch_metadata(None, READY_TIME);
            let metadata = metadata.map_err(|error| failed("the topics are not found", &error))?;
            let is_ready =
                |name: &str| metadata.topics().iter().any(|found| found.name() == name && is_in_sync(found, plan));
            let Some(name) = self.names.names().iter().find(|name| !is_ready(name)) else { return Ok(()) };
            if begun.elapsed() > READY_TIME {
                let seconds = READY_TIME.as_secs();
                let reason = format!("topic {name} was not in sync on all its replicas within {seconds} s");
                return Err(TargetError::Failed(reason));
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Deletes them.
    pub(super) fn delete(mut self) -> Result<(), TargetError> {
        self.delete_now()
    }

    fn delete_now(&mut self) -> Result<(), TargetError> {
        if std::mem::replace(&mut self.is_deleted, true) {
            return Ok(());
        }
        let left = |names: &str, reason: String| TargetError::Failed(format!("topic {names} is left behind: {reason}"));
        let names: Vec<&str> = self.names.names().iter().map(|name| &**name).collect();
        let deleted = wait_for(self.admin.delete_topics(&names, &options()))?;
        let deleted = deleted.map_err(|error| left(&names.join(", "), error.to_string()))?;
        let mut refused = deleted.into_iter().filter_map(Result::err);
        match refused.find(|(_, code)| *code != RDKafkaErrorCode::UnknownTopicOrPartition) {
            Some((name, code)) => Err(left(&name, code.to_string())),
            None => Ok(()),
        }
    }
}

impl Drop for TrialTopics {
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

fn sentence(code: RDKafkaErrorCode, plan: &TopicPlan) -> String {
    match code {
        RDKafkaErrorCode::InvalidReplicationFactor => {
            format!("it has fewer brokers than topic.replication.factor = {}", plan.replication_factor)
        }
        RDKafkaErrorCode::InvalidConfig => "it does not take one of the settings of [topic]".to_owned(),
        code => code.to_string(),
    }
}

fn is_in_sync(found: &MetadataTopic, plan: &TopicPlan) -> bool {
    let partitions = usize::try_from(plan.partitions).unwrap_or(1);
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
