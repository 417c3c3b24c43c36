//! Our Fetch response against `kafka-protocol`'s encoder, byte by byte.

use bytes::{Bytes, BytesMut};
use logdyno_wire::StrBytes;
use logdyno_wire::fetch_response::{FetchAnswer, FetchedPartition, FetchedTopic};
use logdyno_wire::kafka_protocol::protocol::Encodable;
use logdyno_wire::messages::fetch_response::{
    AbortedTransaction, EpochEndOffset, FetchableTopicResponse, LeaderIdAndEpoch, NodeEndpoint, PartitionData,
};
use logdyno_wire::messages::{FetchResponse, TopicName};
use proptest::prelude::*;

fn partition() -> impl Strategy<Value = FetchedPartition> {
    let numbers = (any::<i32>(), any::<i16>(), any::<i64>(), any::<i64>(), any::<i64>());
    let aborted = proptest::option::of(proptest::collection::vec(any::<(i64, i64)>(), 0..3));
    let records = proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..4);
    let leader = proptest::option::of((0..100, 0..100));
    let diverging = proptest::option::of((0..100, 0_i64..100));
    (numbers, aborted, records, leader, diverging).prop_map(
        |(numbers, aborted, records, current_leader, diverging_epoch)| {
            let transaction = |(id, first): (i64, i64)| {
                AbortedTransaction::default().with_producer_id(id.into()).with_first_offset(first)
            };
            FetchedPartition {
                index: numbers.0,
                error_code: numbers.1,
                high_watermark: numbers.2,
                last_stable_offset: numbers.3,
                log_start_offset: numbers.4,
                aborted_transactions: aborted.map(|list| list.into_iter().map(transaction).collect()),
                preferred_read_replica: -1,
                diverging_epoch,
                current_leader,
                records: records.into_iter().map(Bytes::from).collect(),
            }
        },
    )
}

fn answer() -> impl Strategy<Value = FetchAnswer> {
    let topic = ("[a-z]{1,140}", any::<u128>(), proptest::collection::vec(partition(), 0..4)).prop_map(
        |(name, id, partitions)| FetchedTopic {
            name: TopicName(StrBytes::from_string(name)),
            id: uuid::Uuid::from_u128(id),
            partitions,
        },
    );
    let endpoint =
        ("[a-z]{1,9}", proptest::option::of("[a-z]{0,9}"), any::<(i32, i32)>()).prop_map(|(host, rack, (id, port))| {
            NodeEndpoint::default()
                .with_node_id(id.into())
                .with_host(StrBytes::from_string(host))
                .with_port(port)
                .with_rack(rack.map(StrBytes::from_string))
        });
    let lists = (proptest::collection::vec(topic, 0..4), proptest::collection::vec(endpoint, 0..3));
    (lists, any::<(i16, i32)>()).prop_map(|((topics, node_endpoints), (error_code, session_id))| FetchAnswer {
        error_code,
        session_id,
        topics,
        node_endpoints,
    })
}

/// The crate refuses fields that a version does not have, so they are left out.
fn theirs(ours: &FetchAnswer, version: i16) -> Bytes {
    let partition = |partition: &FetchedPartition| {
        let data = PartitionData::default()
            .with_partition_index(partition.index)
            .with_error_code(partition.error_code)
            .with_high_watermark(partition.high_watermark)
            .with_last_stable_offset(partition.last_stable_offset)
            .with_log_start_offset(partition.log_start_offset)
            .with_aborted_transactions(partition.aborted_transactions.clone())
            .with_records(Some(partition.records.concat().into()));
        if version < 12 {
            return data;
        }
        let diverging = partition.diverging_epoch.map_or_else(EpochEndOffset::default, |(epoch, end)| {
            EpochEndOffset::default().with_epoch(epoch).with_end_offset(end)
        });
        let leader = partition.current_leader.map_or_else(LeaderIdAndEpoch::default, |(id, epoch)| {
            LeaderIdAndEpoch::default().with_leader_id(id.into()).with_leader_epoch(epoch)
        });
        data.with_diverging_epoch(diverging).with_current_leader(leader)
    };
    let topic = |topic: &FetchedTopic| {
        FetchableTopicResponse::default()
            .with_topic(topic.name.clone())
            .with_topic_id(topic.id)
            .with_partitions(topic.partitions.iter().map(partition).collect())
    };
    let response = FetchResponse::default()
        .with_error_code(ours.error_code)
        .with_session_id(if version >= 7 { ours.session_id } else { 0 })
        .with_responses(ours.topics.iter().map(topic).collect())
        .with_node_endpoints(if version >= 16 { ours.node_endpoints.clone() } else { Vec::new() });
    let mut bytes = BytesMut::new();
    response.encode(&mut bytes, version).expect("encoded");
    bytes.freeze()
}

proptest! {
    #[test]
    fn every_version_is_byte_for_byte_the_crates(ours in answer()) {
        for version in 4..=16 {
            let pieces = ours.encode(version);
            prop_assert_eq!(Bytes::from(pieces.concat()), theirs(&ours, version), "version {}", version);
        }
    }
}

#[test]
fn records_are_lent_not_copied() {
    let records = Bytes::from(vec![7; 1000]);
    let partition = FetchedPartition { records: vec![records.clone()], ..FetchedPartition::default() };
    let topic = FetchedTopic { partitions: vec![partition], ..FetchedTopic::default() };
    let answer = FetchAnswer { topics: vec![topic], ..FetchAnswer::default() };
    assert!(answer.encode(12).iter().any(|piece| piece.as_ptr() == records.as_ptr()));
}
