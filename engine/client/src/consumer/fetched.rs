//! What `poll` hands out: batches as they were fetched, and records in them.

use std::collections::VecDeque;

use std::sync::{Arc, OnceLock};

use logdyno_record::{
    Batch, BatchError, Header, LeaderEpoch, Offset, RecordView, Records, TimestampType, TopicPartition,
};

use crate::error::ClientError;

/// A batch of one partition, or the part of it that lies between two offsets.
#[derive(Clone, Debug)]
pub struct FetchedBatch {
    partition: TopicPartition,
    batch: Batch,
    /// Decompressed when first read; shared by all parts of a batch.
    decoded: Arc<OnceLock<Records>>,
    first: Offset,
    end: Offset,
}

impl FetchedBatch {
    /// The records of `batch` from `first` on.
    pub(crate) fn new(partition: TopicPartition, batch: Batch, first: Offset) -> FetchedBatch {
        let first = first.max(batch.header().base_offset);
        let end = batch.header().next_offset();
        FetchedBatch { partition, batch, decoded: Arc::default(), first, end }
    }

    /// The partition it is from.
    pub fn partition(&self) -> &TopicPartition {
        &self.partition
    }

    /// The offset of its first record, or where that was before compaction.
    pub fn first_offset(&self) -> Offset {
        self.first
    }

    /// The offset after its last record.
    pub fn end_offset(&self) -> Offset {
        self.end
    }

    /// The whole batch as it came over the wire.
    pub fn batch(&self) -> &Batch {
        &self.batch
    }

    /// Its records, in order. Keys, values and headers borrow from the batch, or from its decompressed records.
    pub fn records(&self) -> Result<impl Iterator<Item = Result<RecordView<'_>, ClientError>> + '_, ClientError> {
        let records = self.decode()?;
        let within = records
            .iter()
            .skip_while(|record| record.as_ref().is_ok_and(|record| record.offset < self.first))
            .take_while(|record| record.as_ref().map_or(true, |record| record.offset < self.end));
        Ok(within.map(move |record| record.map_err(|error| self.corrupt(&error))))
    }

    /// All records of the batch, also those outside of this part: for [`Records::share`].
    pub fn decode(&self) -> Result<&Records, ClientError> {
        if let Some(records) = self.decoded.get() {
            return Ok(records);
        }
        let records = self.batch.records().map_err(|error| self.corrupt(&error))?;
        Ok(self.decoded.get_or_init(|| records))
    }

    fn corrupt(&self, error: &BatchError) -> ClientError {
        ClientError::Corrupt { partition: self.partition.clone(), offset: self.first, reason: error.to_string() }
    }

    /// At most how many records it holds: exactly as many if no compaction has run.
    pub fn records_at_most(&self) -> usize {
        usize::try_from(self.end - self.first).unwrap_or(0)
    }

    /// Keeps the records before `offset` here and returns those from it on.
    pub(crate) fn split_at(&mut self, offset: Offset) -> FetchedBatch {
        let rest = FetchedBatch { first: offset, ..self.clone() };
        self.end = offset;
        rest
    }
}

/// What one poll returned: batches, in order within each partition. Nothing is decoded yet.
#[derive(Clone, Debug, Default)]
pub struct FetchedBatches {
    pub(crate) batches: Vec<FetchedBatch>,
}

impl FetchedBatches {
    /// The batches.
    pub fn iter(&self) -> impl Iterator<Item = &FetchedBatch> {
        self.batches.iter()
    }

    /// True if the poll timed out.
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }
}

impl IntoIterator for FetchedBatches {
    type Item = FetchedBatch;
    type IntoIter = std::vec::IntoIter<FetchedBatch>;

    fn into_iter(self) -> Self::IntoIter {
        self.batches.into_iter()
    }
}

/// A record as the application sees it.
#[derive(Clone, Debug)]
pub struct ConsumerRecord<K, V> {
    /// Its topic and partition.
    pub partition: TopicPartition,
    /// Its offset.
    pub offset: Offset,
    /// The epoch of the leader that appended it.
    pub leader_epoch: LeaderEpoch,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// Whose clock that was.
    pub timestamp_type: TimestampType,
    /// `None` is Kafka's null.
    pub key: Option<K>,
    /// `None` is Kafka's null.
    pub value: Option<V>,
    /// In order; keys may repeat.
    pub headers: Vec<Header>,
}

/// Records of one poll, in order within each partition.
#[derive(Clone, Debug)]
pub struct ConsumerRecords<K, V> {
    pub(crate) records: Vec<ConsumerRecord<K, V>>,
}

impl<K, V> ConsumerRecords<K, V> {
    /// How many.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// True if the poll timed out.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &ConsumerRecord<K, V>> {
        self.records.iter()
    }

    /// Those of one partition.
    pub fn of(&self, partition: &TopicPartition) -> impl Iterator<Item = &ConsumerRecord<K, V>> {
        self.records.iter().filter(move |record| record.partition == *partition)
    }
}

impl<K, V> IntoIterator for ConsumerRecords<K, V> {
    type Item = ConsumerRecord<K, V>;
    type IntoIter = std::vec::IntoIter<ConsumerRecord<K, V>>;

    fn into_iter(self) -> Self::IntoIter {
        self.records.into_iter()
    }
}

/// One entry of a partition's buffer.
#[derive(Debug)]
pub(crate) enum Buffered {
    /// Records to hand out.
    Batch(FetchedBatch),
    /// Nothing to hand out; the position moves on to here.
    MoveTo(Offset),
}

/// A partition's buffer, in order.
pub(crate) type Buffer = VecDeque<Buffered>;
