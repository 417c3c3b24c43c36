//! Produce, Fetch, ListOffsets, OffsetForLeaderEpoch, DeleteRecords.

use logdyno_wire::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use logdyno_wire::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use logdyno_wire::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use logdyno_wire::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use logdyno_wire::messages::produce_request::{PartitionProduceData, TopicProduceData};
use logdyno_wire::messages::{
    ApiKey, BrokerId, DeleteRecordsRequest, FetchRequest, ListOffsetsRequest, OffsetForLeaderEpochRequest,
    ProduceRequest, RequestKind, TopicName,
};
use uuid::Uuid;

use super::records::records;
use super::{Maker, STAYING, name};

pub fn request(api: ApiKey, maker: &mut Maker) -> RequestKind {
    match api {
        ApiKey::Produce => RequestKind::Produce(produce(maker)),
        ApiKey::Fetch => RequestKind::Fetch(fetch(maker)),
        ApiKey::ListOffsets => RequestKind::ListOffsets(list_offsets(maker)),
        ApiKey::OffsetForLeaderEpoch => RequestKind::OffsetForLeaderEpoch(epochs(maker)),
        _ => RequestKind::DeleteRecords(delete_records(maker)),
    }
}

fn produce(maker: &mut Maker) -> ProduceRequest {
    // Most ask for what there is: Kafka leaves some requests with impossible acks without an answer.
    let acks = if maker.random.percent(99) { maker.random.pick(&[-1, -1, 1]) } else { maker.random.pick(&[2, -2]) };
    let mut topics: Vec<TopicProduceData> = Vec::new();
    for _ in 0..maker.random.clone().some(2, |_| ()).len() {
        let topic = name(maker.topic());
        // A topic twice in a request has two meanings.
        if topics.iter().all(|known| known.name != topic) {
            let data = PartitionProduceData::default().with_index(maker.partition()).with_records(records(maker));
            topics.push(TopicProduceData::default().with_name(topic).with_partition_data(vec![data]));
        }
    }
    ProduceRequest::default().with_acks(acks).with_timeout_ms(maker.timeout()).with_topic_data(topics)
}

fn fetch(maker: &mut Maker) -> FetchRequest {
    let session = if maker.version >= 7 && maker.random.percent(20) { session(maker) } else { (0, -1) };
    let mut topics: Vec<FetchTopic> = Vec::new();
    for _ in 0..maker.random.clone().some(3, |_| ()).len() {
        let (topic, id) = topic(maker);
        if topics.iter().any(|known| known.topic == topic && known.topic_id == id) {
            continue;
        }
        let most = maker.random.pick(&[0, 1, 200, 5_000, 1 << 20]);
        let mut partition =
            FetchPartition::default().with_partition(maker.partition()).with_fetch_offset(maker.offset());
        partition = partition.with_partition_max_bytes(most).with_current_leader_epoch(-1);
        if maker.version >= 9 {
            partition = partition.with_current_leader_epoch(maker.epoch());
        }
        if maker.version >= 12 {
            partition = partition.with_last_fetched_epoch(-1);
        }
        topics.push(FetchTopic::default().with_topic(topic).with_topic_id(id).with_partitions(vec![partition]));
    }
    let mut request = FetchRequest::default().with_replica_id(BrokerId(-1)).with_max_wait_ms(0).with_min_bytes(0);
    // What Kafka cuts in one partition, the next ones do not get.
    let limits: &[i32] = if topics.len() > 1 { &[0, 1, 50 << 20] } else { &[0, 1, 1_000, 50 << 20] };
    request = request.with_max_bytes(maker.random.pick(limits)).with_topics(topics);
    request = request.with_isolation_level(maker.random.pick(&[0, 0, 1]));
    if maker.version >= 7 {
        request = request.with_session_id(session.0).with_session_epoch(session.1);
        if maker.random.percent(10) {
            let (topic, id) = topic(maker);
            let forgotten = ForgottenTopic::default().with_topic(topic).with_topic_id(id);
            request = request.with_forgotten_topics_data(vec![forgotten.with_partitions(vec![maker.partition()])]);
        }
    }
    request
}

fn topic(maker: &mut Maker) -> (TopicName, Uuid) {
    if maker.version < 13 {
        return (name(maker.topic()), Uuid::nil());
    }
    // Kafka fails inside at the id of nothing.
    let id = maker.topic_id();
    (TopicName::default(), if id.is_nil() { maker.side.topics[STAYING[0]] } else { id })
}

/// A new session, or the latest one with an epoch that may be right.
fn session(maker: &mut Maker) -> (i32, i32) {
    match maker.side.sessions.last() {
        Some(session) if maker.random.percent(60) => (*session, maker.random.pick(&[1, 2, 3, 0, -1, 7])),
        _ => (maker.random.pick(&[0, 0, 0, 12345]), maker.random.pick(&[0, 0, 0, 1])),
    }
}

fn list_offsets(maker: &mut Maker) -> ListOffsetsRequest {
    let topics = maker.random.clone().some(2, |_| ()).len();
    let topics = (0..topics).map(|_| {
        let time = maker.now_ms - maker.random.below(1200) as i64;
        let time = maker.random.pick(&[-1, -1, -2, -2, -3, -4, -5, -6, time, time, 0, i64::MAX]);
        let topic = maker.topic();
        let time = if loses_records(topic) && (time == -3 || time >= 0) { -1 } else { time };
        let mut partition =
            ListOffsetsPartition::default().with_partition_index(maker.partition()).with_timestamp(time);
        if maker.version >= 4 {
            partition = partition.with_current_leader_epoch(maker.epoch());
        }
        ListOffsetsTopic::default().with_name(name(topic)).with_partitions(vec![partition])
    });
    let topics = topics.collect();
    let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(topics);
    if maker.version >= 2 { request.with_isolation_level(maker.random.pick(&[0, 0, 1])) } else { request }
}

fn epochs(maker: &mut Maker) -> OffsetForLeaderEpochRequest {
    let partition = OffsetForLeaderPartition::default().with_partition(maker.partition());
    let partition =
        partition.with_leader_epoch(maker.random.pick(&[0, 0, 1, -1, 7])).with_current_leader_epoch(maker.epoch());
    let topic = OffsetForLeaderTopic::default().with_topic(name(maker.topic())).with_partitions(vec![partition]);
    OffsetForLeaderEpochRequest::default().with_replica_id(BrokerId(-2)).with_topics(vec![topic])
}

/// Records are deleted from these, and nothing is looked up by time: Kafka finds also what was deleted, while its segment is there.
fn loses_records(topic: &str) -> bool {
    topic == "gamma" || topic.starts_with("passing")
}

fn delete_records(maker: &mut Maker) -> DeleteRecordsRequest {
    let offset = if maker.random.percent(70) { maker.random.below(30) as i64 } else { maker.offset() };
    let partition = DeleteRecordsPartition::default().with_partition_index(maker.partition()).with_offset(offset);
    let topic = match maker.topic() {
        "alpha" | "beta" | "compacted" => "gamma",
        topic => topic,
    };
    let topic = DeleteRecordsTopic::default().with_name(name(topic)).with_partitions(vec![partition]);
    DeleteRecordsRequest::default().with_topics(vec![topic]).with_timeout_ms(maker.timeout())
}
