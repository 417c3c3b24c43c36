//! A batch of a producer: filled by callers under its queue's lock, then sealed, sent and completed by the sender.

mod split;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use logdyno_record::{
    BatchBuilder, BatchError, BatchOptions, CloseReason, Codec, Compression, HEADER_LEN, Header, Nanos, Offset,
    ProducedBatch, ProducerStamp, TopicPartition, patch,
};

use super::accumulator::Reserved;
use super::completion::{Callback, Completion, Outcome, RecordPlace};
use super::compression_ratio::SAFETY;
use super::sequences::Stamped;
use crate::error::ClientError;

/// The serialized parts of a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecordParts<'a> {
    pub(crate) timestamp: i64,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) headers: &'a [Header],
}

impl RecordParts<'_> {
    /// The most bytes that a batch of only this record can take, before compression.
    pub(crate) fn upper_bound(&self) -> usize {
        BatchBuilder::upper_bound(self.key, self.value, self.headers)
    }

    fn place(&self, index: u32) -> RecordPlace {
        let size = |part: Option<&[u8]>| part.map_or(-1, |bytes| i32::try_from(bytes.len()).unwrap_or(i32::MAX));
        RecordPlace { index, timestamp: self.timestamp, key_size: size(self.key), value_size: size(self.value) }
    }
}

/// A record's callback, and which record it is for.
struct Thunk {
    place: RecordPlace,
    callback: Callback,
}

/// The moments of a batch's last attempt.
#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    drained: Nanos,
    compressed: Nanos,
    sent: Nanos,
}

/// A batch.
pub(crate) struct ProducerBatch {
    /// Counts a partition's batches: retried ones go back into this order.
    pub(crate) number: u64,
    partition: TopicPartition,
    filling: Filling,
    completion: Arc<Completion>,
    thunks: Vec<Thunk>,
    memory: Arc<Reserved>,
    created: Nanos,
    closed: Option<(Nanos, CloseReason)>,
    moments: Moments,
    uncompressed_bytes: usize,
    records: u32,
    /// True if it was made by splitting a batch that the broker found too large.
    is_split: bool,
    /// How often it was given to a connection.
    pub(crate) attempts: u32,
    /// No earlier than this it is sent again.
    pub(crate) not_before: Nanos,
    /// The leader (node and epoch) of the last attempt: a new one is tried without a pause.
    pub(crate) last_leader: Option<(i32, i32)>,
    /// What went wrong last.
    pub(crate) last_error: Option<ClientError>,
    /// Its place among an idempotent producer's batches; given when it is first taken for sending.
    pub(crate) stamped: Option<Stamped>,
}

enum Filling {
    Open(Open),
    /// With the stamp that is in the bytes.
    Sealed(Bytes, ProducerStamp),
}

struct Open {
    builder: BatchBuilder,
    /// Bytes after which no further record is taken: `batch.size`, or the first record's need.
    write_limit: usize,
    /// The share of its bytes that a compressed record is guessed to keep, safety included; 1 without codec.
    expected_ratio: f32,
}

/// How a new batch starts.
pub(crate) struct NewBatch {
    pub(crate) number: u64,
    pub(crate) partition: TopicPartition,
    pub(crate) codec: Codec,
    pub(crate) write_limit: usize,
    /// The estimate for topic and codec, without safety.
    pub(crate) ratio: f32,
    pub(crate) memory: Arc<Reserved>,
    pub(crate) created: Nanos,
}

impl ProducerBatch {
    /// An empty batch.
    pub(crate) fn new(new: NewBatch) -> ProducerBatch {
        let expected_ratio = if new.codec.compression() == Compression::None { 1.0 } else { new.ratio * SAFETY };
        let builder = BatchBuilder::new(new.codec, new.write_limit);
        ProducerBatch {
            number: new.number,
            completion: Arc::new(Completion::new(new.partition.clone())),
            partition: new.partition,
            filling: Filling::Open(Open { builder, write_limit: new.write_limit, expected_ratio }),
            thunks: Vec::new(),
            memory: new.memory,
            created: new.created,
            closed: None,
            moments: Moments::default(),
            uncompressed_bytes: HEADER_LEN,
            records: 0,
            is_split: false,
            attempts: 0,
            not_before: Nanos(0),
            last_leader: None,
            last_error: None,
            stamped: None,
        }
    }

    /// Its place among the batches of its partition.
    pub(crate) fn order(&self) -> (u64, u64) {
        (self.number, self.stamped.map_or(u64::MAX, |stamped| stamped.position))
    }

    /// Where it goes.
    pub(crate) fn partition(&self) -> &TopicPartition {
        &self.partition
    }

    /// What its records wait for.
    pub(crate) fn completion(&self) -> &Arc<Completion> {
        &self.completion
    }

    /// How many records it holds.
    pub(crate) fn records(&self) -> u32 {
        self.records
    }

    /// When its first record came.
    pub(crate) fn created(&self) -> Nanos {
        self.created
    }

    /// Bytes it will take: exact once sealed or without codec, else a guess from the topic's compression ratio.
    pub(crate) fn estimated_size(&self) -> usize {
        match &self.filling {
            Filling::Open(open) => open.estimate(self.uncompressed_bytes),
            Filling::Sealed(bytes, _) => bytes.len(),
        }
    }

    /// True if it takes no further record.
    pub(crate) fn is_full(&self) -> bool {
        match &self.filling {
            Filling::Sealed(..) => true,
            Filling::Open(_) if self.closed.is_some() => true,
            Filling::Open(open) => self.records > 0 && open.write_limit <= open.estimate(self.uncompressed_bytes),
        }
    }

    /// Appends a record if it has room, and takes its callback: `None` if not. The first record always fits.
    pub(crate) fn try_append(
        &mut self,
        record: RecordParts<'_>,
        callback: &mut Option<Callback>,
        now: Nanos,
    ) -> Option<RecordPlace> {
        let Filling::Open(open) = &mut self.filling else { return None };
        if self.closed.is_some() {
            return None;
        }
        let is_first = self.records == 0;
        let (size, estimate, limit) =
            (self.uncompressed_bytes, open.estimate(self.uncompressed_bytes), open.write_limit);
        let (memory, is_split) = (&self.memory, self.is_split);
        let check = |after: usize| {
            if !is_first && estimate + (after - size) > limit {
                return Err(CloseReason::Size);
            }
            let has_memory = is_first || is_split || after <= memory.bytes();
            if has_memory || memory.grow_to(after.next_multiple_of(limit)) {
                Ok(())
            } else {
                Err(CloseReason::MemoryPressure)
            }
        };
        let appended = open.builder.append_if(record.timestamp, record.key, record.value, record.headers, check);
        let index = match appended {
            Ok(index) => index,
            Err(reason) => {
                self.close(reason, now);
                return None;
            }
        };
        self.uncompressed_bytes = open.builder.size();
        self.records += 1;
        let place = record.place(index);
        if let Some(callback) = callback.take() {
            self.thunks.push(Thunk { place, callback });
        }
        Some(place)
    }

    /// Takes no further record. The first reason stays.
    pub(crate) fn close(&mut self, reason: CloseReason, now: Nanos) {
        // The sender may have asked for the time before this batch began.
        self.closed.get_or_insert((now.max(self.created), reason));
    }

    /// Compresses, stamps and seals it, as far as that has not been done for an earlier attempt. `now` is asked before and after.
    pub(crate) fn seal(&mut self, now: &dyn Fn() -> Nanos) -> Result<Bytes, BatchError> {
        let producer = self.stamped.map_or_else(ProducerStamp::default, |stamped| stamped.stamp);
        let bytes = match &mut self.filling {
            Filling::Sealed(bytes, stamp) if *stamp == producer => return Ok(bytes.clone()),
            Filling::Sealed(bytes, _) => {
                let mut anew = bytes.to_vec();
                patch::producer(&mut anew, producer);
                Bytes::from(anew)
            }
            Filling::Open(open) => {
                self.moments.drained = now();
                let bytes = open.builder.build(&BatchOptions { producer, ..BatchOptions::default() })?.into_bytes();
                self.moments.compressed = now();
                self.memory.shrink_to(bytes.len());
                bytes
            }
        };
        self.filling = Filling::Sealed(bytes.clone(), producer);
        Ok(bytes)
    }

    /// Bytes sealed ÷ bytes before compression; 1 while it is open.
    pub(crate) fn compression_ratio(&self) -> f32 {
        match &self.filling {
            Filling::Sealed(bytes, _) => bytes.len() as f32 / self.uncompressed_bytes.max(1) as f32,
            Filling::Open(_) => 1.0,
        }
    }

    /// Its request was handed to the socket.
    pub(crate) fn mark_sent(&mut self, at: Nanos) {
        self.moments.sent = at;
    }

    /// True if it may not be sent yet after an error.
    pub(crate) fn is_backing_off(&self, now: Nanos, leader: Option<(i32, i32)>) -> bool {
        self.attempts > 0 && now < self.not_before && self.last_leader == leader
    }

    /// What the probe is told when it is acknowledged.
    pub(crate) fn report(&self, base_offset: Option<Offset>, acknowledged: Nanos) -> ProducedBatch {
        let (closed, close_reason) = self.closed.unwrap_or((self.moments.drained, CloseReason::Linger));
        ProducedBatch {
            partition: self.partition.clone(),
            base_offset,
            records: self.records,
            bytes_uncompressed: u32::try_from(self.uncompressed_bytes).unwrap_or(u32::MAX),
            bytes_sent: u32::try_from(self.estimated_size()).unwrap_or(u32::MAX),
            close_reason,
            retries: self.attempts.saturating_sub(1),
            created: self.created,
            closed,
            drained: self.moments.drained,
            compressed: self.moments.compressed,
            sent: self.moments.sent,
            acknowledged,
        }
    }

    /// Runs callbacks in order, then resolves the futures; the memory goes back when the batch is dropped.
    pub(crate) fn complete(mut self, outcome: Outcome) {
        for thunk in std::mem::take(&mut self.thunks) {
            let result = self.completion.result(&outcome, thunk.place);
            if catch_unwind(AssertUnwindSafe(|| thunk.callback.call(result))).is_err() {
                tracing::error!(partition = %self.partition, "a callback of a record panicked; the sender goes on");
            }
        }
        self.completion.resolve(outcome);
    }

    /// The time after which it fails.
    pub(crate) fn deadline(&self, delivery_timeout: Duration) -> Nanos {
        self.created.after(delivery_timeout)
    }

    /// What its records are told when `delivery.timeout.ms` has passed.
    pub(crate) fn timed_out(&self, now: Nanos) -> ClientError {
        let reason = match (&self.last_error, self.attempts) {
            (Some(error), _) => error.to_string(),
            (None, 0) => "it never left this client".to_owned(),
            (None, _) => "no answer came".to_owned(),
        };
        ClientError::DeliveryTimeout {
            partition: self.partition.clone(),
            records: self.records,
            waited: now.since(self.created),
            attempts: self.attempts,
            reason,
        }
    }
}

impl Open {
    fn estimate(&self, uncompressed_bytes: usize) -> usize {
        if self.builder.codec().compression() == Compression::None {
            return uncompressed_bytes;
        }
        let records = uncompressed_bytes.saturating_sub(HEADER_LEN);
        HEADER_LEN + (records as f32 * self.expected_ratio) as usize
    }
}
