//! The consumer by `assign`: no group, no rebalance; positions are its own.
//!
//! A background thread fetches ahead. [`Consumer::poll`] hands out deserialized records; [`Consumer::poll_batches`]
//! hands out the fetched batches themselves, for who wants no allocation per record.

mod answers;
mod assignment;
mod builder;
mod digest;
mod fetched;
mod fetcher;
mod isolation;
mod request;
mod shared;

pub use builder::ConsumerBuilder;
pub use fetched::{ConsumerRecord, ConsumerRecords, FetchedBatch, FetchedBatches};

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use logdyno_record::{Offset, Stage, TopicPartition};

use self::assignment::Assignment;
use self::fetcher::{EARLIEST, LATEST};
use self::shared::ConsumerShared;
use crate::config::{ConsumerConfig, OffsetReset};
use crate::error::ClientError;
use crate::network::{Background, FoundOffset, is_told, list_offsets};
use crate::serialization::Deserializer;

/// Reads assigned partitions. For one thread at a time; only [`WakeupHandle`]s may be used from others.
pub struct Consumer<K, V> {
    shared: Arc<ConsumerShared>,
    key_deserializer: Box<dyn Deserializer<K>>,
    value_deserializer: Box<dyn Deserializer<V>>,
    thread: Background,
}

/// Interrupts a consumer from another thread.
#[derive(Clone)]
pub struct WakeupHandle(Arc<ConsumerShared>);

impl WakeupHandle {
    /// Makes the poll that waits now, else the next one, return [`ClientError::Wakeup`], once.
    pub fn wakeup(&self) {
        self.0.lock().wakeup = true;
        self.0.changed.notify_all();
    }
}

/// A record's offset and time, found by [`Consumer::offsets_for_times`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetAndTimestamp {
    /// The first offset whose record is not older than asked.
    pub offset: Offset,
    /// That record's time.
    pub timestamp: i64,
}

impl<K: 'static, V: 'static> Consumer<K, V> {
    /// A consumer with the system's clock and no probe; [`ConsumerBuilder`] gives more choices.
    pub fn new(
        config: ConsumerConfig,
        key_deserializer: impl Deserializer<K>,
        value_deserializer: impl Deserializer<V>,
    ) -> Result<Consumer<K, V>, ClientError> {
        ConsumerBuilder::new(config, key_deserializer, value_deserializer).build()
    }

    /// Reads exactly these partitions from now on. Those assigned before keep position and buffer; new ones begin
    /// where `auto.offset.reset` says, unless a seek comes before.
    pub fn assign(&mut self, partitions: impl IntoIterator<Item = TopicPartition>) {
        let reset = self.shared.config.offset_reset;
        let topics: Vec<Arc<str>> = {
            let mut assignment = self.shared.lock();
            assignment.assign(partitions, reset);
            assignment.partitions().map(|partition| Arc::clone(&partition.topic)).collect()
        };
        self.shared.network.metadata.want_only(topics.into_iter());
        self.shared.wake.notify_one();
    }

    /// What is assigned, ascending.
    pub fn assignment(&self) -> Vec<TopicPartition> {
        self.shared.lock().partitions().cloned().collect()
    }

    /// Up to `max.poll.records` records; waits up to `timeout` for the first. Empty if none came.
    ///
    /// A record that cannot be deserialized is an error once those before it have been returned; the position
    /// stays at it. So is a partition that gives nothing any more. Other partitions go on: polls return their records and the
    /// error by turns.
    pub fn poll(&mut self, timeout: Duration) -> Result<ConsumerRecords<K, V>, ClientError> {
        let begun = Instant::now();
        loop {
            let taken = self.take(timeout.saturating_sub(begun.elapsed()))?;
            let timed_out = taken.is_empty();
            let records = self.records(taken)?;
            // Compaction may have left batches without a record.
            if timed_out || !records.is_empty() {
                return Ok(ConsumerRecords { records });
            }
        }
    }

    /// The records of these batches, up to one that cannot be read: that and what is behind it is put back.
    fn records(&self, taken: Vec<FetchedBatch>) -> Result<Vec<ConsumerRecord<K, V>>, ClientError> {
        let mut taken = taken.into_iter();
        let mut records = Vec::new();
        while let Some(mut batch) = taken.next() {
            let Err((error, at)) = self.deserialize(&batch, &mut records) else {
                self.delivered(&batch);
                continue;
            };
            let undelivered = if at > batch.first_offset() { batch.split_at(at) } else { batch.clone() };
            if at > batch.first_offset() {
                self.delivered(&batch);
            }
            let undelivered = std::iter::once(undelivered).chain(taken).collect();
            self.shared.lock().put_back(undelivered, records.is_empty());
            if records.is_empty() {
                return Err(error);
            }
            break;
        }
        Ok(records)
    }

    /// As [`poll`](Consumer::poll), but hands out batches as they were fetched: keys and values stay bytes, and the
    /// position moves past a batch once it is handed out, readable or not. A batch may hold no record: compaction leaves such.
    pub fn poll_batches(&mut self, timeout: Duration) -> Result<FetchedBatches, ClientError> {
        let batches = self.take(timeout)?;
        batches.iter().for_each(|batch| self.delivered(batch));
        Ok(FetchedBatches { batches })
    }

    fn take(&self, timeout: Duration) -> Result<Vec<FetchedBatch>, ClientError> {
        let taken = self.wait(timeout, |assignment| assignment.take_turn(self.shared.config.max_poll_records))?;
        // There is room again: the next fetch goes out before these records are even looked at.
        self.shared.wake.notify_one();
        taken.unwrap_or_else(|| Ok(Vec::new()))
    }

    /// Waits until `look` finds something; `None` when the time is over.
    fn wait<T>(
        &self,
        timeout: Duration,
        mut look: impl FnMut(&mut Assignment) -> Option<T>,
    ) -> Result<Option<T>, ClientError> {
        let begun = Instant::now();
        let mut assignment = self.shared.lock();
        loop {
            if std::mem::take(&mut assignment.wakeup) {
                return Err(ClientError::Wakeup);
            }
            if let Some(found) = look(&mut assignment) {
                return Ok(Some(found));
            }
            let left = timeout.saturating_sub(begun.elapsed()).min(Duration::from_secs(3600));
            if left.is_zero() {
                return Ok(None);
            }
            assignment = self.shared.changed.wait_timeout(assignment, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn delivered(&self, batch: &FetchedBatch) {
        let offsets = batch.first_offset()..batch.end_offset();
        self.shared.probe.passed(Stage::Delivered, batch.partition(), offsets, self.shared.clock.now());
    }

    /// On an error: the offset at which the position has to stay.
    fn deserialize(
        &self,
        batch: &FetchedBatch,
        records: &mut Vec<ConsumerRecord<K, V>>,
    ) -> Result<(), (ClientError, Offset)> {
        let mut next = batch.first_offset();
        let shared = batch.decode().map_err(|error| (error, next))?;
        for view in batch.records().map_err(|error| (error, next))? {
            let view = view.map_err(|error| (error, next))?;
            let record = shared.share(&view);
            let failed = |part, reason| {
                let (partition, offset) = (batch.partition().clone(), record.offset);
                (ClientError::Deserialization { partition, offset, part, reason }, record.offset)
            };
            let topic = &batch.partition().topic;
            let key = decode(&*self.key_deserializer, topic, record.key.as_ref());
            let value = decode(&*self.value_deserializer, topic, record.value.as_ref());
            let key = key.map_err(|reason| failed("key", reason))?;
            let value = value.map_err(|reason| failed("value", reason))?;
            next = record.offset.next();
            records.push(ConsumerRecord {
                partition: batch.partition().clone(),
                offset: record.offset,
                leader_epoch: batch.batch().header().leader_epoch,
                timestamp: record.timestamp,
                timestamp_type: batch.batch().header().timestamp_type(),
                key,
                value,
                headers: record.headers,
            });
        }
        Ok(())
    }

    /// The next poll of `partition` begins at `offset`; what was fetched ahead for it is dropped.
    pub fn seek(&mut self, partition: &TopicPartition, offset: Offset) -> Result<(), ClientError> {
        self.shared.lock().seek(partition, Ok(offset))?;
        self.shared.wake.notify_one();
        Ok(())
    }

    /// The next poll begins at the log's start.
    pub fn seek_to_beginning(&mut self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        self.seek_by(partitions, OffsetReset::Earliest)
    }

    /// The next poll begins at the log's end: the high watermark, with `read_committed` the last stable offset.
    pub fn seek_to_end(&mut self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        self.seek_by(partitions, OffsetReset::Latest)
    }

    fn seek_by(&mut self, partitions: &[TopicPartition], reset: OffsetReset) -> Result<(), ClientError> {
        for partition in partitions {
            self.shared.lock().seek(partition, Err(reset))?;
        }
        self.shared.wake.notify_one();
        Ok(())
    }

    /// The offset of the next record that poll returns; waits up to `default.api.timeout.ms` if a reset is under way.
    pub fn position(&mut self, partition: &TopicPartition) -> Result<Offset, ClientError> {
        let timeout = self.shared.config.api_timeout;
        let found = self.wait(timeout, |assignment| assignment.position(partition).transpose())?;
        // An error that was said once is looked into again.
        self.shared.wake.notify_one();
        let doing = format!("finding the position of {partition}");
        found.unwrap_or(Err(ClientError::Timeout { doing, waited: timeout, reason: String::new() }))
    }

    /// The high watermark that the latest answer told, if one has come.
    pub fn high_watermark(&self, partition: &TopicPartition) -> Result<Option<Offset>, ClientError> {
        Ok(self.shared.lock().get_mut(partition)?.high_watermark)
    }

    /// Polls return nothing of these partitions until they are resumed; they stay assigned.
    pub fn pause(&mut self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        self.set_paused(partitions, true)
    }

    /// Undoes [`pause`](Consumer::pause).
    pub fn resume(&mut self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        self.set_paused(partitions, false)
    }

    fn set_paused(&mut self, partitions: &[TopicPartition], paused: bool) -> Result<(), ClientError> {
        let mut assignment = self.shared.lock();
        for partition in partitions {
            assignment.get_mut(partition)?.paused = paused;
        }
        drop(assignment);
        self.shared.wake.notify_one();
        Ok(())
    }

    /// Where these partitions begin.
    pub fn beginning_offsets(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, Offset>, ClientError> {
        let found = self.ask(partitions.iter().map(|partition| (partition.clone(), EARLIEST)).collect())?;
        Ok(found.into_iter().map(|(partition, found)| (partition, found.offset)).collect())
    }

    /// Where these partitions end: the high watermark, with `read_committed` the last stable offset.
    pub fn end_offsets(&self, partitions: &[TopicPartition]) -> Result<BTreeMap<TopicPartition, Offset>, ClientError> {
        let found = self.ask(partitions.iter().map(|partition| (partition.clone(), LATEST)).collect())?;
        Ok(found.into_iter().map(|(partition, found)| (partition, found.offset)).collect())
    }

    /// The first record not older than a time (ms since 1970), per partition; partitions without one are left out.
    pub fn offsets_for_times(
        &self,
        times: impl IntoIterator<Item = (TopicPartition, i64)>,
    ) -> Result<BTreeMap<TopicPartition, OffsetAndTimestamp>, ClientError> {
        let found = self.ask(times.into_iter().map(|(partition, time)| (partition, time.max(0))).collect())?;
        let found = found.into_iter().filter(|(_, found)| found.offset.0 >= 0);
        let pair = |found: FoundOffset| OffsetAndTimestamp { offset: found.offset, timestamp: found.timestamp };
        Ok(found.map(|(partition, found)| (partition, pair(found))).collect())
    }

    fn ask(
        &self,
        questions: BTreeMap<TopicPartition, i64>,
    ) -> Result<BTreeMap<TopicPartition, FoundOffset>, ClientError> {
        let network = Arc::clone(&self.shared.network);
        let isolation = self.shared.config.isolation_level.code();
        let patience = self.shared.config.api_timeout;
        let asked =
            self.thread.call(async move { list_offsets(network, questions, isolation, patience, is_told).await });
        asked.unwrap_or(Err(ClientError::Closed { client: "consumer" }))
    }

    /// For interrupting poll from another thread.
    pub fn wakeup_handle(&self) -> WakeupHandle {
        WakeupHandle(Arc::clone(&self.shared))
    }

    /// Closes connections and ends the thread. Dropping the consumer does the same.
    pub fn close(self) {}
}

impl<K, V> Drop for Consumer<K, V> {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Release);
        self.shared.wake.notify_one();
        self.thread.wait_end(Duration::MAX);
    }
}

fn decode<T, D: Deserializer<T> + ?Sized>(
    deserializer: &D,
    topic: &str,
    data: Option<&Bytes>,
) -> Result<Option<T>, String> {
    data.map(|data| deserializer.deserialize(topic, data)).transpose()
}
