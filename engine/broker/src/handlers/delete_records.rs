//! DeleteRecords (21): a log's start moves up, and the answer waits until that is so on every live replica (KIP-107).

use std::sync::Arc;
use std::time::Duration;

use logdyno_record::Offset;
use logdyno_wire::ErrorCode;
use logdyno_wire::messages::delete_records_request::DeleteRecordsPartition;
use logdyno_wire::messages::delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult};
use logdyno_wire::messages::{DeleteRecordsRequest, DeleteRecordsResponse};
use logdyno_wire::request::Request;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::metadata::is_internal;
use super::{Answer, Desk, Unanswerable, code, encode};
use crate::partitions::Hosted;

/// "Everything that is committed."
const HIGH_WATERMARK: i64 = -1;

/// A log whose start was moved, and how far.
struct Moved {
    hosted: Hosted,
    start: Offset,
}

pub(super) async fn answer(desk: &Desk, request: &Request) -> Result<Answer, Unanswerable> {
    let asked: DeleteRecordsRequest = request.decode()?;
    let deadline = Instant::now() + Duration::from_millis(u64::try_from(asked.timeout_ms).unwrap_or(0));
    let mut moved = Vec::with_capacity(asked.topics.len());
    // All logs first: their followers are waited for at the same time.
    for topic in asked.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition in topic.partitions {
            partitions.push((partition.partition_index, move_start(desk, &topic.name, &partition).await));
        }
        moved.push((topic.name, partitions));
    }
    let mut topics = Vec::with_capacity(moved.len());
    for (name, partitions) in moved {
        let mut results = Vec::with_capacity(partitions.len());
        for (index, moved) in partitions {
            let outcome = match moved {
                Ok(moved) => everywhere(&moved, deadline).await,
                Err(code) => Err(code),
            };
            let (low_watermark, error_code) = match outcome {
                Ok(low) => (low.0, 0),
                Err(code) => (-1, code),
            };
            results.push(
                DeleteRecordsPartitionResult::default()
                    .with_partition_index(index)
                    .with_low_watermark(low_watermark)
                    .with_error_code(error_code),
            );
        }
        topics.push(DeleteRecordsTopicResult::default().with_name(name).with_partitions(results));
    }
    encode(request, &DeleteRecordsResponse::default().with_topics(topics))
}

async fn move_start(desk: &Desk, topic: &str, asked: &DeleteRecordsPartition) -> Result<Moved, i16> {
    if is_internal(topic) {
        return Err(code(ErrorCode::InvalidTopicException));
    }
    let hosted = desk.partitions.leading(&desk.image(), topic, asked.partition_index)?;
    // What is to be kept by key is not to be cut off by offset.
    if !hosted.settings.log.cleanup_policy.delete {
        return Err(code(ErrorCode::PolicyViolation));
    }
    let offset = match asked.offset {
        HIGH_WATERMARK => None,
        ..0 => return Err(code(ErrorCode::OffsetOutOfRange)),
        offset => Some(Offset(offset)),
    };
    let replica = Arc::clone(&hosted.replica);
    let deleted = tokio::task::spawn_blocking(move || replica.delete_records_before(offset, None)).await;
    match deleted {
        Ok(Ok(start)) => Ok(Moved { hosted, start }),
        Ok(Err(error)) => {
            tracing::debug!(topic, partition = asked.partition_index, "records are not deleted: {error}");
            Err(error.code())
        }
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}

/// Waits until no live replica has what was deleted; gives the low watermark.
async fn everywhere(moved: &Moved, deadline: Instant) -> Result<Offset, i16> {
    let replica = &moved.hosted.replica;
    let woken = Arc::new(Notify::new());
    let wake = Arc::clone(&woken);
    let waiting = replica.when_low_watermark(moved.start, Box::new(move || wake.notify_one()));
    let in_time = tokio::time::timeout_at(deadline, woken.notified()).await.is_ok();
    drop(waiting);
    match replica.low_watermark() {
        Some(low) if low >= moved.start => Ok(low),
        None if !replica.is_leader() => Err(code(ErrorCode::NotLeaderOrFollower)),
        _ if in_time => Err(code(ErrorCode::NotLeaderOrFollower)),
        _ => Err(code(ErrorCode::RequestTimedOut)),
    }
}
