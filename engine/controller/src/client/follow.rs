//! Following the metadata.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use logdyno_record::{Offset, batches};
use logdyno_wire::StrBytes;
use logdyno_wire::messages::fetch_request::{FetchPartition, FetchTopic};
use logdyno_wire::messages::{self, FetchRequest, TopicName};

use super::registration::refuse;
use super::{Client, ClientError, Line};
use crate::ControllerError;
use crate::image::MetadataImage;
use crate::metadata_log::{METADATA_TOPIC, records_of};
use crate::record::MetadataRecord;

/// The most bytes of records in one answer.
const BYTES_MAX: i32 = 1 << 20;

/// Records of the metadata log, with their offsets, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetadataDelta {
    /// What is new. It may begin before the offset asked for, at the start of its batch.
    pub records: Vec<(Offset, MetadataRecord)>,
    /// The end of what the controller has committed.
    pub committed_end: Offset,
}

impl Client {
    /// Records from `from` on; waits for some, at most `wait_max`. Not retried.
    pub async fn fetch_metadata(&self, from: Offset, wait_max: Duration) -> Result<MetadataDelta, ClientError> {
        self.fetch(&self.following, from, wait_max).await
    }

    /// The end of what the controller has committed by now; `known` is how far the asker is. Does not wait behind
    /// whoever follows.
    pub async fn committed_end(&self, known: Offset) -> Result<Offset, ClientError> {
        Ok(self.fetch(&self.requests, known, Duration::ZERO).await?.committed_end)
    }

    async fn fetch(&self, line: &Line, from: Offset, wait_max: Duration) -> Result<MetadataDelta, ClientError> {
        let partition =
            FetchPartition::default().with_partition(0).with_fetch_offset(from.0).with_partition_max_bytes(BYTES_MAX);
        let topic = FetchTopic::default()
            .with_topic(TopicName(StrBytes::from_static_str(METADATA_TOPIC)))
            .with_partitions(vec![partition]);
        let request = FetchRequest::default()
            .with_replica_id(messages::BrokerId(-1))
            .with_max_wait_ms(i32::try_from(wait_max.as_millis()).unwrap_or(i32::MAX))
            .with_min_bytes(1)
            .with_max_bytes(BYTES_MAX)
            .with_topics(vec![topic]);
        let response = self.call(line, request, 12).await?;
        refuse("to tell the metadata", response.error_code)?;
        let answer = response.responses.into_iter().flat_map(|topic| topic.partitions).next();
        let answer = answer.ok_or(ClientError::Unanswered { reason: "the answer holds no partition".to_owned() })?;
        refuse("to tell the metadata", answer.error_code)?;
        let records =
            decode(answer.records.unwrap_or_default()).map_err(|source| ClientError::Metadata { from, source })?;
        Ok(MetadataDelta { records, committed_end: Offset(answer.high_watermark) })
    }

    /// Keeps `image` up to date for ever, and calls `news` with each new image and the records that made it.
    ///
    /// A broken connection is opened again after `retry_backoff`. It ends only if the metadata cannot be
    /// applied: then this broker must stop.
    pub async fn follow(
        &self,
        mut image: MetadataImage,
        wait_max: Duration,
        mut news: impl FnMut(Arc<MetadataImage>, &[(Offset, MetadataRecord)]),
    ) -> Result<Infallible, ClientError> {
        let mut told = false;
        loop {
            let from = image.next_offset();
            match self.fetch_metadata(from, wait_max).await {
                Ok(delta) => {
                    told = false;
                    let fresh: Vec<_> = delta.records.into_iter().filter(|(offset, _)| *offset >= from).collect();
                    for (offset, record) in &fresh {
                        let applied = image.apply(*offset, record);
                        applied.map_err(|error| ClientError::Metadata { from, source: error.into() })?;
                    }
                    if !fresh.is_empty() {
                        news(Arc::new(image.clone()), &fresh);
                    }
                }
                Err(fatal @ ClientError::Metadata { .. }) => return Err(fatal),
                Err(error) => {
                    if !told {
                        tracing::warn!("the metadata cannot be followed for now: {error}");
                        told = true;
                    }
                    tokio::time::sleep(self.config.retry_backoff).await;
                }
            }
        }
    }
}

fn decode(records: Bytes) -> Result<Vec<(Offset, MetadataRecord)>, ControllerError> {
    let mut decoded = Vec::new();
    for batch in batches(records) {
        decoded.extend(records_of(&batch?)?);
    }
    Ok(decoded)
}
