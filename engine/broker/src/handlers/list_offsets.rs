//! ListOffsets (2): first, last, and by time.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use logdyno_record::LeaderEpoch;
use logdyno_replication::{Asker, OffsetSpec, Replica, ReplicaError};
use logdyno_segment_log::TimestampOffset;
use logdyno_wire::ErrorCode;
use logdyno_wire::messages::list_offsets_request::ListOffsetsPartition;
use logdyno_wire::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use logdyno_wire::messages::{ListOffsetsRequest, ListOffsetsResponse};
use logdyno_wire::request::Request;

use super::fetch::isolation;
use super::{Answer, Desk, Unanswerable, code, encode, named_epoch};

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
/// Where the log starts on this broker's disk: without tiered storage that is where it starts at all.
const EARLIEST_LOCAL: i64 = -4;
/// The end of what is in tiered storage.
const LATEST_TIERED: i64 = -5;

pub(super) async fn answer(desk: &Desk, request: &Request) -> Result<Answer, Unanswerable> {
    let asked: ListOffsetsRequest = request.decode()?;
    let asker =
        if asked.replica_id.0 >= 0 { Asker::Replica } else { Asker::Consumer(isolation(asked.isolation_level)) };
    let mut times: BTreeMap<(&str, i32), usize> = BTreeMap::new();
    for topic in &asked.topics {
        for partition in &topic.partitions {
            *times.entry((topic.name.as_str(), partition.partition_index)).or_default() += 1;
        }
    }
    let mut topics: Vec<ListOffsetsTopicResponse> = Vec::with_capacity(asked.topics.len());
    let mut places: HashMap<&str, usize> = HashMap::with_capacity(asked.topics.len());
    for topic in &asked.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for asked in &topic.partitions {
            // One that is named several times is refused, once.
            match times.remove(&(topic.name.as_str(), asked.partition_index)) {
                Some(1) => partitions.push(partition(desk, &topic.name, asked, asker, request.version).await),
                Some(_) => partitions.push(refused(asked, ErrorCode::InvalidRequest)),
                None => {}
            }
        }
        let place = *places.entry(topic.name.as_str()).or_insert_with(|| {
            topics.push(ListOffsetsTopicResponse::default().with_name(topic.name.clone()));
            topics.len() - 1
        });
        topics[place].partitions.extend(partitions);
    }
    encode(request, &ListOffsetsResponse::default().with_topics(topics))
}

fn refused(asked: &ListOffsetsPartition, error: ErrorCode) -> ListOffsetsPartitionResponse {
    let response = ListOffsetsPartitionResponse::default().with_partition_index(asked.partition_index);
    response.with_error_code(code(error))
}

async fn partition(
    desk: &Desk,
    topic: &str,
    asked: &ListOffsetsPartition,
    asker: Asker,
    version: i16,
) -> ListOffsetsPartitionResponse {
    let result = ListOffsetsPartitionResponse::default().with_partition_index(asked.partition_index);
    let spec = match asked.timestamp {
        LATEST => OffsetSpec::Latest,
        EARLIEST => OffsetSpec::Earliest,
        MAX_TIMESTAMP if version >= 7 => OffsetSpec::MaxTimestamp,
        EARLIEST_LOCAL if version >= 8 => OffsetSpec::Earliest,
        LATEST_TIERED if version >= 9 => OffsetSpec::LatestTiered,
        timestamp if timestamp >= 0 => OffsetSpec::Time(timestamp),
        _ => return refused(asked, ErrorCode::UnsupportedVersion),
    };
    let looked_up = desk.partitions.leading(&desk.image(), topic, asked.partition_index);
    let replica = match looked_up {
        Ok(hosted) => hosted.replica,
        Err(code) => return result.with_error_code(code),
    };
    match find(replica, spec, asker, named_epoch(asked.current_leader_epoch)).await {
        Ok(Some(found)) => {
            let result = result.with_timestamp(found.timestamp).with_offset(found.offset.0);
            if version >= 4 { result.with_leader_epoch(found.epoch.0) } else { result }
        }
        Ok(None) => result,
        Err(error) => result.with_error_code(error.code()),
    }
}

/// Searching by time reads the log, which may wait for the disk: not on a thread that serves connections.
async fn find(
    replica: Arc<Replica>,
    spec: OffsetSpec,
    asker: Asker,
    epoch: Option<LeaderEpoch>,
) -> Result<Option<TimestampOffset>, ReplicaError> {
    if matches!(spec, OffsetSpec::Earliest | OffsetSpec::Latest | OffsetSpec::LatestTiered) {
        return replica.list_offset(spec, asker, epoch);
    }
    match tokio::task::spawn_blocking(move || replica.list_offset(spec, asker, epoch)).await {
        Ok(found) => found,
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}
