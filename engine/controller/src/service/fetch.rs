//! Fetch (1) of `__cluster_metadata`: how brokers follow the metadata.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use logdyno_record::Offset;
use logdyno_wire::messages::fetch_request::FetchPartition;
use logdyno_wire::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use logdyno_wire::messages::{FetchRequest, FetchResponse};
use tokio::sync::watch;

use super::{FAILED, OK, blocking};
use crate::active::Active;
use crate::metadata_log::METADATA_TOPIC;

const OFFSET_OUT_OF_RANGE: i16 = 1;
const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;

/// Waits for records behind the fetch offset, at most as long as the request says.
pub(super) async fn answer(
    active: &Arc<Active>,
    committed: &watch::Receiver<Offset>,
    request: FetchRequest,
) -> FetchResponse {
    let wait_max = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for asked in &topic.partitions {
            let is_metadata = topic.topic.as_str() == METADATA_TOPIC && asked.partition == 0;
            partitions.push(if is_metadata {
                metadata(active, committed.clone(), asked, wait_max).await
            } else {
                PartitionData::default()
                    .with_partition_index(asked.partition)
                    .with_error_code(UNKNOWN_TOPIC_OR_PARTITION)
                    .with_high_watermark(-1)
            });
        }
        topics.push(FetchableTopicResponse::default().with_topic(topic.topic).with_partitions(partitions));
    }
    FetchResponse::default().with_responses(topics)
}

async fn metadata(
    active: &Arc<Active>,
    mut committed: watch::Receiver<Offset>,
    asked: &FetchPartition,
    wait_max: Duration,
) -> PartitionData {
    let from = Offset(asked.fetch_offset);
    // Running out of time and a controller that stops both mean: answer with what there is.
    drop(tokio::time::timeout(wait_max, committed.wait_for(|end| *end > from)).await);
    let end = active.log().committed_end();
    let answer = PartitionData::default()
        .with_partition_index(0)
        .with_high_watermark(end.0)
        .with_last_stable_offset(end.0)
        .with_log_start_offset(0);
    if from < Offset::ZERO || from > end {
        return answer.with_error_code(OFFSET_OUT_OF_RANGE);
    }
    let bytes_max = usize::try_from(asked.partition_max_bytes).unwrap_or(0);
    match blocking(active, move |active| active.log().read(from, bytes_max)).await {
        Ok(records) => answer.with_error_code(OK).with_records(Some(records)),
        Err(error) => {
            tracing::error!("{error}");
            answer.with_error_code(FAILED).with_records(Some(Bytes::new()))
        }
    }
}
