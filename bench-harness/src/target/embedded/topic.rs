//! The topic: created as an application would, and ready before the first record is due.

use std::time::{Duration, Instant};

use logdyno_engine::client::{Admin, AdminConfig, ClientError, NewTopic, OffsetSpec, TopicDescription};
use logdyno_engine::record::TopicPartition;

use crate::target::{Setup, TargetError};
use crate::workload::TopicPlan;

/// How long the brokers may take until every replica of the topic is in sync.
const READY_TIME: Duration = Duration::from_secs(60);

/// Between two looks at the topic.
const PAUSE: Duration = Duration::from_millis(5);

/// Creates the plan's topic, unless it is there, and waits until each partition has a leader that answers and all replicas are in sync.
pub(super) fn prepare(setup: &Setup, servers: &str) -> Result<(), TargetError> {
    let config = AdminConfig::from_pairs([("bootstrap.servers", servers), ("client.id", "admin")]);
    let admin = Admin::new(config.map_err(|error| TargetError::Failed(error.to_string()))?).map_err(failed)?;
    let topic = &setup.plan.topic;
    if !setup.finds_topic {
        create(&admin, topic)?;
    }
    wait_until_in_sync(&admin, topic)?;
    let partitions = (0..topic.partitions).map(|partition| TopicPartition::new(topic.name.as_str(), partition));
    admin.list_offsets(partitions.map(|partition| (partition, OffsetSpec::Latest))).map_err(failed)?;
    Ok(())
}

fn create(admin: &Admin, topic: &TopicPlan) -> Result<(), TargetError> {
    let new = NewTopic {
        name: topic.name.clone(),
        partitions: topic.partitions,
        replication_factor: topic.replication_factor,
        configs: topic.configs.pairs.clone(),
    };
    let created = admin.create_topics(&[new]).map_err(failed)?;
    created.into_iter().try_for_each(|(_, created)| created.map(drop).map_err(failed))
}

fn wait_until_in_sync(admin: &Admin, topic: &TopicPlan) -> Result<(), TargetError> {
    let begun = Instant::now();
    loop {
        let described = admin.describe_topics(&[topic.name.as_str()]).map_err(failed)?;
        if described.iter().any(|(_, found)| found.as_ref().is_ok_and(|found| is_in_sync(found, topic))) {
            return Ok(());
        }
        if begun.elapsed() > READY_TIME {
            let (name, seconds) = (&topic.name, READY_TIME.as_secs());
            let reason = format!("topic {name} was not in sync on all its replicas within {seconds} s: {described:?}");
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
