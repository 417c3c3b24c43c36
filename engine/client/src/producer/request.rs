//! One Produce request and its answer.

use std::sync::Arc;

use bytes::Bytes;
use logdyno_record::{Clock, Nanos, TopicPartition};
use logdyno_wire::channel::Channel;
use logdyno_wire::kafka_protocol::protocol::StrBytes;
use logdyno_wire::messages::produce_request::{PartitionProduceData, TopicProduceData};
use logdyno_wire::messages::{ProduceRequest, ProduceResponse, TopicName};
use tokio::sync::mpsc;

use crate::config::{Acks, ProducerConfig};
use crate::error::ClientError;

/// Topics by name: version 13 names them by id.
const PRODUCE_VERSION_MAX: i16 = 12;

/// What became of a request.
pub(super) struct Exchange {
    pub(super) request: u64,
    /// When it was handed to the socket, if it was.
    pub(super) sent: Option<Nanos>,
    /// When the answer had been decoded, or nothing more was to be hoped for.
    pub(super) answered: Nanos,
    /// `None` with `acks=0`, where nobody answers.
    pub(super) result: Result<Option<ProduceResponse>, ClientError>,
}

/// A request on its way to a broker.
pub(super) struct Departure {
    pub(super) request: u64,
    pub(super) address: String,
    pub(super) channel: Channel,
    pub(super) produce: ProduceRequest,
    pub(super) acks: Acks,
    pub(super) clock: Arc<dyn Clock>,
}

/// The request for these batches, one per partition.
pub(super) fn produce_request(config: &ProducerConfig, batches: Vec<(TopicPartition, Bytes)>) -> ProduceRequest {
    let mut topics: Vec<TopicProduceData> = Vec::new();
    for (partition, records) in batches {
        let data = PartitionProduceData::default().with_index(partition.partition).with_records(Some(records));
        match topics.iter_mut().find(|topic| *topic.name.0 == *partition.topic) {
            Some(topic) => topic.partition_data.push(data),
            None => {
                let name = TopicName(StrBytes::from_string(partition.topic.to_string()));
                topics.push(TopicProduceData::default().with_name(name).with_partition_data(vec![data]));
            }
        }
    }
    let timeout_ms = i32::try_from(config.connection.request_timeout.as_millis()).unwrap_or(i32::MAX);
    ProduceRequest::default().with_acks(config.acks.code()).with_timeout_ms(timeout_ms).with_topic_data(topics)
}

/// Sends the request and reports its end to `answers`. Requests leave in the order of these calls.
pub(super) fn depart(departure: Departure, answers: mpsc::UnboundedSender<Exchange>) {
    tokio::spawn(async move {
        let exchange = exchange(departure).await;
        // The sender only goes away with the whole runtime.
        drop(answers.send(exchange));
    });
}

async fn exchange(departure: Departure) -> Exchange {
    let Departure { request, address, channel, produce, acks, clock } = departure;
    let lost = |reason: String| ClientError::Disconnected { doing: format!("producing to {address}"), reason };
    let answered = acks != Acks::None;
    let (sent, result) = match channel.send_with(produce, Some(PRODUCE_VERSION_MAX), answered).await {
        Err(error) => (None, Err(lost(error.to_string()))),
        Ok(waiting) => {
            let sent = Some(clock.now());
            match answered {
                false => (sent, Ok(None)),
                true => (sent, waiting.answer().await.map(Some).map_err(|error| lost(error.to_string()))),
            }
        }
    };
    Exchange { request, sent, answered: clock.now(), result }
}
