//! A consumer of all partitions, from their start.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use logdyno_engine::client::ConsumerConfig;
use logdyno_engine::record::{Clock, Nanos, Offset, Probe, Stage, TopicPartition};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::topic_partition_list::{Offset as Position, TopicPartitionList};
use rdkafka::types::RDKafkaErrorCode;

use super::cluster::Cluster;
use super::failed;
use crate::target::{Delivered, Setup, Source, TargetError};
use crate::topics::Topics;

/// Records that share a stamp: it is that of the last, so that none is stamped before it was there.
const STAMPED_TOGETHER_MAX: usize = 64;

/// How long the group's coordinator may take to be found.
const COORDINATOR_TIME: Duration = Duration::from_secs(20);

/// A consumer of the topics.
pub(super) struct KafkaSource {
    consumer: BaseConsumer,
    clock: Arc<dyn Clock>,
    probe: Arc<dyn Probe>,
    /// As they are named on the cluster.
    topics: Topics,
    /// As the harness knows them, by their indexes over all topics.
    partitions: Vec<TopicPartition>,
    /// `max.poll.records`.
    records_max: usize,
}

impl KafkaSource {
    pub(super) fn new(cluster: &Cluster, topics: &Topics, setup: &Setup) -> Result<KafkaSource, TargetError> {
        let plan = &setup.plan;
        let pairs = std::iter::once(("bootstrap.servers", cluster.servers.as_str())).chain(plan.consumer.iter());
        let config = ConsumerConfig::from_pairs(pairs).map_err(|error| TargetError::Failed(error.to_string()))?;
        let mut properties = cluster.consumer.clone();
        // librdkafka assigns partitions only to members; nobody joins, and nothing is committed.
        properties.set("group.id", &*topics.names()[0]);
        let consumer: BaseConsumer =
            properties.create().map_err(|error| failed("librdkafka's consumer does not start", &error))?;
        let mut assigned = TopicPartitionList::new();
        for at in topics.partitions() {
            let added = assigned.add_partition_offset(&at.topic, at.partition, Position::Offset(0));
            added.map_err(|error| failed(&format!("{at} cannot be read"), &error))?;
        }
        // A cluster makes its topic of groups when one first asks for it: now, and not under the first records. What comes of it
        // is of no use, so neither is an error.
        drop(consumer.committed_offsets(assigned.clone(), COORDINATOR_TIME));
        consumer.assign(&assigned).map_err(|error| failed("the partitions cannot be read", &error))?;
        Ok(KafkaSource {
            consumer,
            clock: Arc::clone(&setup.clock),
            probe: Arc::clone(&setup.probe),
            topics: topics.clone(),
            partitions: setup.topics.partitions().collect(),
            records_max: config.max_poll_records,
        })
    }
}

impl Source for KafkaSource {
    fn poll(&mut self, timeout: Duration, take: &mut dyn FnMut(Delivered<'_>)) -> Result<(), TargetError> {
        let mut messages: Vec<BorrowedMessage<'_>> = Vec::new();
        let mut taken = 0;
        let mut timeout = timeout;
        while taken < self.records_max {
            let polled = self.consumer.poll(timeout);
            timeout = Duration::ZERO;
            let is_over = polled.is_none();
            match polled {
                Some(Ok(message)) => messages.push(message),
                Some(Err(error)) => check(&error)?,
                None => {}
            }
            taken += 1;
            if is_over || messages.len() == STAMPED_TOGETHER_MAX {
                self.hand_out(&messages, take);
                messages.clear();
            }
            if is_over {
                break;
            }
        }
        self.hand_out(&messages, take);
        Ok(())
    }
}

impl KafkaSource {
    /// Stamps before handing out: whoever has a record finds its stamp.
    fn hand_out(&self, messages: &[BorrowedMessage<'_>], take: &mut dyn FnMut(Delivered<'_>)) {
        let at = self.clock.now();
        for run in messages.chunk_by(|one, next| self.index_of(one) == self.index_of(next)) {
            self.stamp(self.index_of(&run[0]), Offset(run[0].offset())..Offset(run[run.len() - 1].offset() + 1), at);
        }
        for message in messages {
            take(Delivered {
                partition: self.index_of(message),
                offset: Offset(message.offset()),
                timestamp: message.timestamp().to_millis().unwrap_or(-1),
                key: message.key(),
                value: message.payload(),
            });
        }
    }

    /// The index of a message's partition over all topics; -1 if it is not of theirs, which none is.
    fn index_of(&self, message: &BorrowedMessage<'_>) -> i32 {
        let topic = if self.topics.count() == 1 { Some(0) } else { self.topics.position(message.topic()) };
        topic.map_or(-1, |topic| self.topics.index(topic, message.partition()))
    }

    fn stamp(&self, partition: i32, offsets: Range<Offset>, at: Nanos) {
        if let Some(name) = usize::try_from(partition).ok().and_then(|partition| self.partitions.get(partition)) {
            self.probe.passed(Stage::Delivered, name, offsets, at);
        }
    }
}

/// What librdkafka mends by itself is passed over: if it does not, records are missing.
fn check(error: &KafkaError) -> Result<(), TargetError> {
    match error {
        KafkaError::MessageConsumption(RDKafkaErrorCode::BadMessage) => {
            Err(TargetError::Corrupt(format!("a batch came out altered: {error}")))
        }
        KafkaError::MessageConsumptionFatal(_)
        | KafkaError::MessageConsumption(
            RDKafkaErrorCode::AutoOffsetReset
            | RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownTopic,
        ) => Err(TargetError::Failed(format!("the consumer cannot go on: {error}"))),
        error => {
            tracing::warn!("librdkafka: {error}");
            Ok(())
        }
    }
}
