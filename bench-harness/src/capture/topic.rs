//! Records of a topic, as a consumer gets them: up to what there is when the capture begins.

use std::time::{Duration, Instant};

use bytes::Bytes;
use logdyno_engine::client::{
    Admin, AdminConfig, BytesFormat, ClientError, Consumer, ConsumerBuilder, ConsumerConfig, FetchedBatch,
};
use logdyno_engine::record::TopicPartition;

use super::gather::Gather;
use crate::target::KAFKA_SCHEME;
use crate::trace::TraceError;

/// How long nothing may come while something is missing.
const PATIENCE: Duration = Duration::from_secs(30);

/// Reads `host:port/topic`.
pub(super) fn read(address: &str, gather: &mut Gather) -> Result<(), TraceError> {
    let fail = |reason: String| TraceError::Source { from: format!("{KAFKA_SCHEME}{address}"), reason };
    let parts = address.split_once('/').filter(|(servers, topic)| !servers.is_empty() && !topic.is_empty());
    let Some((servers, topic)) = parts else {
        return Err(fail("a topic is kafka://host:port/topic".to_owned()));
    };
    let partitions = partitions_of(servers, topic).map_err(|error| fail(error.to_string()))?;
    read_all(servers, &partitions, gather).map_err(fail)
}

fn partitions_of(servers: &str, topic: &str) -> Result<Vec<TopicPartition>, ClientError> {
    let admin =
        Admin::new(AdminConfig::from_pairs([("bootstrap.servers", servers), ("client.id", "logdyno-capture")])?)?;
    let mut partitions = Vec::new();
    for (_, described) in admin.describe_topics(&[topic])? {
        partitions.extend((0..described?.partitions.len()).map(|index| TopicPartition::new(topic, index as i32)));
    }
    Ok(partitions)
}

fn read_all(servers: &str, partitions: &[TopicPartition], gather: &mut Gather) -> Result<(), String> {
    let mut consumer = consumer(servers).map_err(|error| error.to_string())?;
    let begins = consumer.beginning_offsets(partitions).map_err(|error| error.to_string())?;
    let mut left = consumer.end_offsets(partitions).map_err(|error| error.to_string())?;
    left.retain(|partition, end| begins.get(partition).is_none_or(|begin| begin < end));
    consumer.assign(left.keys().cloned());
    consumer.seek_to_beginning(&left.keys().cloned().collect::<Vec<_>>()).map_err(|error| error.to_string())?;
    let mut came = Instant::now();
    while !left.is_empty() {
        let batches = consumer.poll_batches(Duration::from_secs(1)).map_err(|error| error.to_string())?;
        for batch in batches.iter() {
            came = Instant::now();
            let Some(end) = left.get(batch.partition()).copied() else { continue };
            add(batch, end, gather).map_err(|error| error.to_string())?;
            if batch.end_offset() >= end {
                left.remove(batch.partition());
            }
        }
        // The last records of a partition may be markers, which no consumer sees: its position tells.
        let positions: Vec<_> =
            left.keys().cloned().map(|partition| (consumer.position(&partition), partition)).collect();
        for (position, partition) in positions {
            if position.is_ok_and(|position| left.get(&partition).is_some_and(|end| position >= *end)) {
                left.remove(&partition);
            }
        }
        if came.elapsed() > PATIENCE {
            return Err(format!(
                "nothing came for {} s, and {} partitions are not at their ends",
                PATIENCE.as_secs(),
                left.len()
            ));
        }
    }
    Ok(())
}

fn consumer(servers: &str) -> Result<Consumer<Bytes, Bytes>, ClientError> {
    let settings = [
        ("bootstrap.servers", servers),
        ("client.id", "logdyno-capture"),
        ("allow.auto.create.topics", "false"),
        ("max.poll.records", "100000"),
    ];
    ConsumerBuilder::new(ConsumerConfig::from_pairs(settings)?, BytesFormat, BytesFormat).build()
}

/// What was written after the capture began is not of it.
fn add(batch: &FetchedBatch, end: logdyno_engine::record::Offset, gather: &mut Gather) -> Result<(), ClientError> {
    for record in batch.records()? {
        let record = record?;
        if record.offset < end {
            gather.add(batch.partition().partition, &record);
        }
    }
    Ok(())
}
