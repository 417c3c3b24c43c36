//! A consumer of all partitions by `assign`, from their start.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use logdyno_engine::client::{BytesFormat, ClientError, Consumer, ConsumerBuilder, ConsumerConfig, FetchedBatch};
use logdyno_engine::record::{Offset, TopicPartition};

use crate::target::{Delivered, Setup, Source, TargetError};
use crate::topics::Topics;

/// A consumer of the topics.
pub(super) struct EmbeddedSource {
    consumer: Consumer<Bytes, Bytes>,
    topics: Arc<Topics>,
    /// The consumer was told to leave checksums alone (`check.crcs=false`): they are checked here.
    checks_crcs: bool,
}

impl EmbeddedSource {
    pub(super) fn new(config: ConsumerConfig, setup: &Setup) -> Result<EmbeddedSource, TargetError> {
        let checks_crcs = !config.check_crcs;
        let mut consumer = ConsumerBuilder::new(config, BytesFormat, BytesFormat)
            .clock(Arc::clone(&setup.clock))
            .probe(Arc::clone(&setup.probe))
            .build()
            .map_err(told)?;
        let partitions: Vec<TopicPartition> = setup.topics.partitions().collect();
        consumer.assign(partitions.iter().cloned());
        for partition in &partitions {
            consumer.seek(partition, Offset::ZERO).map_err(told)?;
        }
        Ok(EmbeddedSource { consumer, topics: Arc::clone(&setup.topics), checks_crcs })
    }

    fn check(&self, batch: &FetchedBatch) -> Result<(), TargetError> {
        let checked = if self.checks_crcs { batch.batch().verify_crc() } else { Ok(()) };
        checked.map_err(|error| {
            TargetError::Corrupt(format!("{} at offset {}: {error}", batch.partition(), batch.first_offset()))
        })
    }
}

impl Source for EmbeddedSource {
    fn poll(&mut self, timeout: Duration, take: &mut dyn FnMut(Delivered<'_>)) -> Result<(), TargetError> {
        let batches = self.consumer.poll_batches(timeout).map_err(told)?;
        for batch in batches.iter() {
            self.check(batch)?;
            // Only the topics' partitions are assigned.
            let Some(partition) = self.topics.index_of(batch.partition()) else { continue };
            for record in batch.records().map_err(told)? {
                let record = record.map_err(told)?;
                take(Delivered {
                    partition,
                    offset: record.offset,
                    timestamp: record.timestamp,
                    key: record.key,
                    value: record.value,
                });
            }
        }
        Ok(())
    }
}

fn told(error: ClientError) -> TargetError {
    match error {
        ClientError::Corrupt { .. } => TargetError::Corrupt(error.to_string()),
        error => TargetError::Failed(error.to_string()),
    }
}
