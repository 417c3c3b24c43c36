//! A consumer without a network: reads each log up to its ack level.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use logdyno_engine::client::ConsumerConfig;
use logdyno_engine::record::{Batch, Clock, Offset, Probe, Stage, TopicPartition, batches};
use logdyno_engine::segment_log::{Log, Slice};

use super::arrivals::Arrivals;
use super::failed;
use crate::target::{Delivered, Setup, Source, TargetError};

/// A reader of all the topics' logs.
pub(super) struct LogSource {
    /// By the index of the partition over all topics, with what is read next.
    logs: Vec<(Arc<Log>, Offset)>,
    arrivals: Arc<Arrivals>,
    max_bytes: usize,
    clock: Arc<dyn Clock>,
    probe: Arc<dyn Probe>,
}

impl LogSource {
    pub(super) fn new(
        config: &ConsumerConfig,
        setup: &Setup,
        logs: &[Arc<Log>],
        arrivals: &Arc<Arrivals>,
    ) -> LogSource {
        LogSource {
            logs: logs.iter().map(|log| (Arc::clone(log), Offset::ZERO)).collect(),
            arrivals: Arc::clone(arrivals),
            max_bytes: usize::try_from(config.max_partition_fetch_bytes).unwrap_or(0),
            clock: Arc::clone(&setup.clock),
            probe: Arc::clone(&setup.probe),
        }
    }

    /// Hands over one read of a log; false if there is nothing new in it.
    fn read(&mut self, index: usize, take: &mut dyn FnMut(Delivered<'_>)) -> Result<bool, TargetError> {
        let (log, next) = self.logs[index].clone();
        let up_to = log.ack_end();
        if up_to <= next {
            return Ok(false);
        }
        let bytes = joined(log.read_blocking(next, up_to, self.max_bytes, true).map_err(failed)?);
        let fetched = self.clock.now();
        let mut end = next;
        for batch in batches(bytes) {
            let batch = batch.map_err(|error| corrupt(log.partition(), end, &error))?;
            batch.verify_crc().map_err(|error| corrupt(log.partition(), end, &error))?;
            let range = end..batch.header().next_offset();
            self.probe.passed(Stage::Fetched, log.partition(), range.clone(), fetched);
            self.probe.passed(Stage::Delivered, log.partition(), range.clone(), self.clock.now());
            deliver(index as i32, log.partition(), &batch, end, take)?;
            end = range.end;
        }
        self.logs[index].1 = end;
        Ok(end > next)
    }
}

impl Source for LogSource {
    fn poll(&mut self, timeout: Duration, take: &mut dyn FnMut(Delivered<'_>)) -> Result<(), TargetError> {
        let begun = Instant::now();
        loop {
            let seen = self.arrivals.count();
            let mut has_come = false;
            for index in 0..self.logs.len() {
                has_come |= self.read(index, take)?;
            }
            if has_come || !self.arrivals.wait(seen, timeout.saturating_sub(begun.elapsed())) {
                return Ok(());
            }
        }
    }
}

/// Hands over the records of a batch from an offset on.
fn deliver(
    index: i32,
    partition: &TopicPartition,
    batch: &Batch,
    from: Offset,
    take: &mut dyn FnMut(Delivered<'_>),
) -> Result<(), TargetError> {
    let unreadable = |error| corrupt(partition, from, &error);
    let records = batch.records().map_err(unreadable)?;
    for record in &records {
        let record = record.map_err(unreadable)?;
        if record.offset >= from {
            take(Delivered {
                partition: index,
                offset: record.offset,
                timestamp: record.timestamp,
                key: record.key,
                value: record.value,
            });
        }
    }
    Ok(())
}

/// The pieces of a read as one; no copy if it is one already.
fn joined(slice: Slice) -> Bytes {
    match slice.batches.as_slice() {
        [one] => one.clone(),
        pieces => pieces.iter().fold(BytesMut::with_capacity(slice.size()), add).freeze(),
    }
}

fn add(mut whole: BytesMut, piece: &Bytes) -> BytesMut {
    whole.extend_from_slice(piece);
    whole
}

fn corrupt(partition: &TopicPartition, offset: Offset, error: &dyn std::fmt::Display) -> TargetError {
    TargetError::Corrupt(format!("{partition} at offset {offset}: {error}"))
}
