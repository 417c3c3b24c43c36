//! The producer: `send` → interceptors → metadata → serializers → partitioner → size check → accumulator; a thread
//! of its own takes batches from there, compresses and sends them, and completes futures and callbacks in order.
//!
//! **Order and duplicates.** With `enable.idempotence`, the default, a batch carries its producer's id, epoch and sequence, and a
//! leader that knows the producer takes each of its last batches once and in order, however often it is sent. Where that cannot be
//! kept, since the leader has forgotten the producer, a batch fails after `delivery.timeout.ms`; it is not put behind later ones.
//!
//! Without idempotence, a batch that is sent again after its answer was lost may be in the log twice. After a retriable error only
//! one batch of the partition is in flight until every retry is answered, and retries keep their place in line. What was already in
//! flight behind a batch that the broker refused by name may have been taken meanwhile:
//! `max.in.flight.requests.per.connection=1` rules that out too, as in Kafka.
//!
//! Either way a partition's batches are in flight at one broker at a time: those for a new leader wait until the old one has
//! answered, or `request.timeout.ms` is over.

mod accumulator;
mod batch;
mod buffer_pool;
mod builder;
mod completion;
mod compression_ratio;
mod identity;
mod interceptor;
mod metrics;
mod partitioner;
mod record;
mod request;
mod sender;
mod sequences;
mod verdict;

pub use builder::ProducerBuilder;
pub use completion::SendFuture;
pub use interceptor::Interceptor;
pub use metrics::ProducerMetrics;
pub use partitioner::{KeyHashPartitioner, Partitioner, RoundRobinPartitioner, TopicView};
pub use record::{ProducerRecord, RecordMetadata};

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use logdyno_record::partition_for_key;

use self::accumulator::Target;
use self::batch::RecordParts;
use self::completion::Callback;
use self::metrics::Counters;
use self::partitioner::sticky::Choices;
use self::sender::SenderShared;
use crate::config::ProducerConfig;
use crate::error::ClientError;
use crate::network::{Background, Cluster, PartitionInfo, TopicMetadata};
use crate::serialization::Serializer;

/// Sends records to a cluster. Shared by as many threads as like to.
///
/// Dropping it without [`close`](Producer::close) fails what is not acknowledged yet.
pub struct Producer<K, V> {
    shared: Arc<SenderShared>,
    key_serializer: Box<dyn Serializer<K>>,
    value_serializer: Box<dyn Serializer<V>>,
    partitioner: Option<Box<dyn Partitioner>>,
    interceptors: Arc<[Box<dyn Interceptor<K, V>>]>,
    sender: Background,
}

thread_local! {
    /// Where serializers write: key and value. Taken while in use, so that a serializer may itself send.
    static SCRATCH: Cell<(Vec<u8>, Vec<u8>)> = const { Cell::new((Vec::new(), Vec::new())) };
}

impl<K: 'static, V: 'static> Producer<K, V> {
    /// A producer with the system's clock and no probe; [`ProducerBuilder`] gives more choices.
    pub fn new(
        config: ProducerConfig,
        key_serializer: impl Serializer<K>,
        value_serializer: impl Serializer<V>,
    ) -> Result<Producer<K, V>, ClientError> {
        ProducerBuilder::new(config, key_serializer, value_serializer).build()
    }

    /// Puts a record into a batch, and returns what will become of it.
    ///
    /// Waits up to `max.block.ms` for metadata and for buffer memory, and for nothing else. What fails before the
    /// record is buffered fails the future at once.
    pub fn send(&self, record: ProducerRecord<K, V>) -> SendFuture {
        self.send_record(record, None)
    }

    /// As [`send`](Producer::send); `callback` runs once, on the sender's thread in the order of a partition's
    /// records, or on this thread if the record could not be buffered. It must not block, and nothing that it calls here waits
    /// for other records: flush returns at once, and close gives up what is not acknowledged.
    pub fn send_with(
        &self,
        record: ProducerRecord<K, V>,
        callback: impl FnOnce(Result<RecordMetadata, ClientError>) + Send + 'static,
    ) -> SendFuture {
        self.send_record(record, Some(Callback::new(callback)))
    }

    /// Sends what is buffered and waits until every record of an earlier `send` is acknowledged or has failed.
    ///
    /// Within a callback it would wait for the thread that it is on: there it returns at once and logs an error.
    pub fn flush(&self) {
        if self.sender.is_this_thread() {
            tracing::error!("flush() was called in a callback, where it cannot wait: nothing was flushed");
            return;
        }
        let accumulator = &self.shared.accumulator;
        accumulator.begin_flush();
        let batches = accumulator.incomplete().snapshot();
        self.shared.wake.notify_one();
        for batch in batches {
            batch.wait();
        }
        accumulator.end_flush();
    }

    /// The partitions of a topic; waits up to `max.block.ms` for them.
    pub fn partitions_for(&self, topic: &str) -> Result<Vec<PartitionInfo>, ClientError> {
        let topic: Arc<str> = Arc::from(topic);
        Ok(self.topic_with(&topic, 1)?.infos())
    }

    /// What has been done so far.
    pub fn metrics(&self) -> ProducerMetrics {
        self.shared.counters.read()
    }

    /// Bytes of `buffer.memory` that are free now, and not kept for a `send` that waits for more.
    pub fn buffer_available_bytes(&self) -> usize {
        self.shared.accumulator.pool().free()
    }

    /// Takes no further record, sends what is buffered and waits up to `timeout` for it; what is not done then fails. Within a
    /// callback there is no time to wait, and what is not acknowledged fails.
    pub fn close(mut self, timeout: Duration) {
        self.shut_down(timeout);
    }

    fn send_record(&self, mut record: ProducerRecord<K, V>, callback: Option<Callback>) -> SendFuture {
        for interceptor in self.interceptors.iter() {
            record = interceptor.on_send(record);
        }
        let mut callback = self.with_interceptors(callback);
        self.buffer_record(&record, &mut callback).unwrap_or_else(|error| {
            if let Some(callback) = callback {
                callback.call(Err(error.clone()));
            }
            SendFuture::refused(error)
        })
    }

    fn with_interceptors(&self, callback: Option<Callback>) -> Option<Callback> {
        if self.interceptors.is_empty() {
            return callback;
        }
        let interceptors = Arc::clone(&self.interceptors);
        Some(Callback::new(move |result| {
            interceptors.iter().for_each(|interceptor| interceptor.on_acknowledgement(&result));
            if let Some(callback) = callback {
                callback.call(result);
            }
        }))
    }

    fn buffer_record(
        &self,
        record: &ProducerRecord<K, V>,
        callback: &mut Option<Callback>,
    ) -> Result<SendFuture, ClientError> {
        let (mut key_scratch, mut value_scratch) = SCRATCH.take();
        key_scratch.clear();
        value_scratch.clear();
        let result = self.serialize_and_append(record, callback, &mut key_scratch, &mut value_scratch);
        SCRATCH.set((key_scratch, value_scratch));
        result
    }

    fn serialize_and_append(
        &self,
        record: &ProducerRecord<K, V>,
        callback: &mut Option<Callback>,
        key_scratch: &mut Vec<u8>,
        value_scratch: &mut Vec<u8>,
    ) -> Result<SendFuture, ClientError> {
        let begun = self.shared.clock.now();
        let (known, parts) = self.prepare(record, key_scratch, value_scratch)?;
        let target = self.target(record, &parts, &known)?;
        let topic = self.shared.accumulator.topic(&record.topic);
        if topic.is_due_to_tell_used(begun) {
            self.shared.network.metadata.want(&record.topic);
        }
        let deadline = begun.after(self.shared.config.max_block);
        let waiting_since = Cell::new(None);
        let on_wait = || {
            waiting_since.set(Some(self.shared.clock.now()));
            self.shared.wake.notify_one();
        };
        let appended = self.shared.accumulator.append(&topic, target, parts, callback, deadline, on_wait);
        if let Some(since) = waiting_since.get() {
            let waited = self.shared.clock.now().since(since).as_nanos();
            Counters::add(&self.shared.counters.memory_wait_ns, u64::try_from(waited).unwrap_or(u64::MAX));
        }
        let appended = appended?;
        Counters::add(&self.shared.counters.records_appended, 1);
        if appended.wakes_sender {
            self.shared.wake.notify_one();
        }
        Ok(SendFuture::sent(appended.completion, appended.place))
    }

    /// Metadata and bytes: all that can fail before a partition is chosen.
    fn prepare<'a>(
        &self,
        record: &'a ProducerRecord<K, V>,
        key_scratch: &'a mut Vec<u8>,
        value_scratch: &'a mut Vec<u8>,
    ) -> Result<(Arc<TopicMetadata>, RecordParts<'a>), ClientError> {
        let timestamp = record.timestamp.unwrap_or_else(|| self.shared.clock.wall_ms());
        if timestamp < 0 {
            return Err(ClientError::NegativeTimestamp(timestamp));
        }
        if self.shared.closing.load(Ordering::Acquire) {
            return Err(ClientError::Closed { client: "producer" });
        }
        let least = record.partition.map_or(1, |partition| usize::try_from(partition).map_or(1, |index| index + 1));
        let known = self.topic_with(&record.topic, least)?;
        let failed = |part, reason| ClientError::Serialization { topic: record.topic.to_string(), part, reason };
        let key = record.key.as_ref().map(|key| self.key_serializer.serialize(&record.topic, key, key_scratch));
        let value =
            record.value.as_ref().map(|value| self.value_serializer.serialize(&record.topic, value, value_scratch));
        let parts = RecordParts {
            timestamp,
            key: key.transpose().map_err(|reason| failed("key", reason))?,
            value: value.transpose().map_err(|reason| failed("value", reason))?,
            headers: &record.headers,
        };
        self.check_size(&record.topic, parts.upper_bound())?;
        Ok((known, parts))
    }

    fn check_size(&self, topic: &str, size: usize) -> Result<(), ClientError> {
        let config = &self.shared.config;
        let limits = [("max.request.size", config.max_request_size), ("buffer.memory", config.buffer_memory)];
        match limits.into_iter().find(|(_, limit)| size > *limit) {
            None => Ok(()),
            Some((setting, limit)) => {
                Err(ClientError::RecordTooLarge { topic: topic.to_owned(), size, setting, limit })
            }
        }
    }

    fn target<'a>(
        &self,
        record: &ProducerRecord<K, V>,
        parts: &RecordParts<'_>,
        topic: &'a TopicMetadata,
    ) -> Result<Target<'a>, ClientError> {
        let available = &*topic.available;
        let partitions = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
        let chosen = match (record.partition, &self.partitioner, parts.key) {
            (Some(partition), _, _) => partition,
            (None, Some(partitioner), key) => {
                let view = TopicView { topic: &record.topic, partitions, available };
                partitioner.partition(view, key, parts.value)
            }
            (None, None, Some(key)) if !self.shared.config.ignore_keys => partition_for_key(key, partitions),
            (None, None, _) => return Ok(Target::Sticky(Choices { partitions, available })),
        };
        if (0..partitions).contains(&chosen) {
            return Ok(Target::Partition(chosen));
        }
        Err(ClientError::NoSuchPartition { topic: record.topic.to_string(), partition: chosen, partitions })
    }

    /// What is known of `topic` once it has at least `least` partitions; waits up to `max.block.ms` for that.
    fn topic_with(&self, topic: &Arc<str>, least: usize) -> Result<Arc<TopicMetadata>, ClientError> {
        let metadata = &self.shared.network.metadata;
        let find = |cluster: &Cluster| {
            let known = cluster.topics.get(topic)?;
            (known.partitions.len() >= least).then(|| Arc::clone(known))
        };
        if let Some(known) = metadata.look(find) {
            return Ok(known);
        }
        metadata.want(topic);
        let what = || format!("partition {} of topic {topic}", least - 1);
        let servers = &self.shared.config.connection.bootstrap_servers;
        metadata.wait_for(what, servers, self.shared.config.max_block, |cluster| {
            let refused = cluster.refused(topic).map(Err);
            refused.or_else(|| find(cluster).map(Ok))
        })
    }
}

impl<K, V> Producer<K, V> {
    fn shut_down(&mut self, timeout: Duration) {
        self.shared.closing.store(true, Ordering::Release);
        self.shared.accumulator.close();
        self.shared.wake.notify_one();
        if self.sender.is_this_thread() {
            // A callback held the last of it. The sender ends when the callback has returned.
            self.shared.abort.store(true, Ordering::Release);
        } else if !self.sender.wait_end(timeout) {
            self.shared.abort.store(true, Ordering::Release);
            self.shared.wake.notify_one();
            self.sender.wait_end(Duration::MAX);
        }
    }
}

impl<K, V> Drop for Producer<K, V> {
    fn drop(&mut self) {
        self.shut_down(Duration::ZERO);
    }
}
