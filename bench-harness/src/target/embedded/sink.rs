//! A producer, and what its callbacks tell.

use std::sync::Arc;

use bytes::Bytes;
use logdyno_engine::client::{BytesFormat, Producer, ProducerBuilder, ProducerConfig, ProducerRecord};

use crate::target::{Outgoing, Receipts, Setup, Sink, TargetError};
use crate::topics::Topics;

/// A producer of the topics.
pub(super) struct EmbeddedSink {
    producer: Producer<Bytes, Bytes>,
    topics: Arc<Topics>,
    receipts: Arc<dyn Receipts>,
}

impl EmbeddedSink {
    pub(super) fn new(config: ProducerConfig, setup: &Setup) -> Result<EmbeddedSink, TargetError> {
        let producer = ProducerBuilder::new(config, BytesFormat, BytesFormat)
            .clock(Arc::clone(&setup.clock))
            .probe(Arc::clone(&setup.probe))
            .build()
            .map_err(|error| TargetError::Failed(error.to_string()))?;
        // Asked for now, the metadata are not part of the first record's latency.
        for topic in setup.topics.names() {
            producer.partitions_for(topic).map_err(|error| TargetError::Failed(error.to_string()))?;
        }
        Ok(EmbeddedSink { producer, topics: Arc::clone(&setup.topics), receipts: Arc::clone(&setup.receipts) })
    }
}

impl Sink for EmbeddedSink {
    fn send(&mut self, record: Outgoing) {
        let Outgoing { ticket, key, value, timestamp } = record;
        let record = ProducerRecord {
            topic: Arc::clone(&self.topics.names()[self.topics.of_record(ticket.number)]),
            partition: None,
            timestamp: Some(timestamp),
            key,
            value: Some(value),
            headers: Vec::new(),
        };
        let receipts = Arc::clone(&self.receipts);
        let sent = self.producer.send_with(record, move |result| match result {
            Ok(metadata) => {
                // With acks=0 nobody tells the offset, and it is -1.
                let offset = Some(metadata.offset).filter(|offset| offset.0 >= 0);
                receipts.acknowledged(ticket, metadata.partition.partition, offset);
            }
            Err(error) => receipts.failed(ticket, &error.to_string()),
        });
        // The callback hears all that the future would say.
        drop(sent);
    }

    fn flush(&mut self) {
        self.producer.flush();
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        self.producer.metrics().named()
    }
}
