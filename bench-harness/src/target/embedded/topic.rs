//! The topics: created as an application would, and ready before the first record is due.

use std::sync::Arc;
use std::time::{Duration, Instant};

use logdyno_engine::client::{Admin, AdminConfig, ClientError, NewTopic, OffsetSpec, TopicDescription};

use crate::target::{Setup, TargetError};
use crate::topics::Topics;
use crate::workload::TopicPlan;

/// How long the brokers may take until every replica of the topic is in sync.
const READY_TIME: Duration = Duration::from_secs(60);

/// Between two looks at the topic.
const PAUSE: Duration = Duration::from_millis(5);

/// Creates the plan's topics, unless they are there, and waits until each partition has a leader that answers and all replicas are in sync.
pub(super) fn prepare(setup: &Setup, servers: &str) -> Result<(), TargetError> {
    let config = AdminConfig::from_pairs([("bootstrap.servers", servers), ("client.id", "admin")]);
    let admin = Admin::new(config.map_err(|error| TargetError::Failed(error.to_string()))?).map_err(failed)?;
    let (plan, topics) = (&setup.plan.topic, &setup.topics);
    if !setup.finds_topic {
        create(&admin, plan, topics)?;
    }
    wait_until_in_sync(&admin, plan, topics)?;
    admin.list_offsets(topics.partitions().map(|partition| (partition, OffsetSpec::Latest))).map_err(failed)?;
    Ok(())
}

fn create(admin: &Admin, plan: &TopicPlan, topics: &Topics) -> Result<(), TargetError> {
    let new = |name: &Arc<str>| NewTopic {
        name: name.to_string(),
        partitions: plan.partitions,
        replication_factor: plan.replication_factor,
        configs: plan.configs.pairs.clone(),
    };
    let new: Vec<NewTopic> = topics.names().iter().map(new).collect();
    let created = admin.create_topics(&new).map_err(failed)?;
    created.into_iter().try_for_each(|(_, created)| created.map(drop).map_err(failed))
}

fn wait_until_in_sync(admin: &Admin, plan: &TopicPlan, topics: &Topics) -> Result<(), TargetError> {
    let names: Vec<&str> = topics.names().iter().map(|name| &**name).collect();
    let begun = Instant::now();
    loop {
        let described = admin.describe_topics(&names).map_err(failed)?;
        let is_ready = |name: &&str| {
            let mut found = described.iter().filter(|(known, _)| known == name);
            found.any(|(_, found)| found.as_ref().is_ok_and(|found| is_in_sync(found, plan)))
        };
        let Some(name) = names.iter().find(|name| !is_ready(name)) else { return Ok(()) };
        if begun.elapsed() > READY_TIME {
            let (found, seconds) = (described.iter().find(|(known, _)| known == name), READY_TIME.as_secs());
            let reason = format!("topic {name} was not in sync on all its replicas within {seconds} s: {found:?}");
            return Err(TargetError::Failed(reason));
        }
        std::thread::sleep(PAUSE);
    }
}

fn is_in_sync(found: &TopicDescription, topic: &TopicPlan) -> bool {
    let replicas = usize::try_from(topic.replication_factor).unwrap_or(1).max(1);
    let partitions = usize::try_from(topic.partitions).unwrap_or(1);
    found.partitions.len() == partitions
        && found.partitions.iter().all(|partition| partition.leader.is_some() && partition.isr.len() == replicas)
}

fn failed(error: ClientError) -> TargetError {
    TargetError::Failed(error.to_string())
}
