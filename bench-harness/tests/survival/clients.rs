//! Producer, consumer and admin client as these tests use them, and the records that they send.

use std::time::Duration;

use bytes::Bytes;
use logdyno_engine::client::{
    Admin, AdminConfig, BytesFormat, Consumer, ConsumerConfig, NewTopic, OffsetSpec, PartitionInfo, Producer,
    ProducerConfig, ProducerRecord,
};
use logdyno_engine::record::{Offset, TopicPartition};

use crate::eventually;

pub(crate) const TOPIC: &str = "survivors";

/// The record with this sequence: the sequence, and bytes that follow from it, of many lengths.
pub(crate) fn value(sequence: u64) -> Vec<u8> {
    let len = 8 + usize::try_from(sequence * 7919 % 1500).expect("small");
    let mut state = sequence;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    });
    sequence.to_be_bytes().into_iter().chain(noise).take(len).collect()
}

/// The sequence of a record, which must be exactly what [`value`] makes of it.
pub(crate) fn sequence(bytes: &[u8]) -> u64 {
    let first = bytes.first_chunk::<8>().unwrap_or_else(|| panic!("a false record of {} bytes", bytes.len()));
    let sequence = u64::from_be_bytes(*first);
    assert!(sequence < 1 << 32 && bytes == value(sequence), "a false record: it says it is {sequence}");
    sequence
}

pub(crate) fn record(partition: i32, sequence: u64) -> ProducerRecord<Vec<u8>, Vec<u8>> {
    ProducerRecord::new(TOPIC, value(sequence)).partition(partition)
}

/// A producer that sends everything once: what is lost is lost, and nothing comes twice or out of order.
pub(crate) fn producer(address: &str, acks: &str) -> Producer<Vec<u8>, Vec<u8>> {
    producer_that_waits(address, acks, "60000")
}

/// As [`producer`], with this `request.timeout.ms`: also how long brokers may wait for replicas.
pub(crate) fn producer_that_waits(address: &str, acks: &str, timeout_ms: &str) -> Producer<Vec<u8>, Vec<u8>> {
    let config = ProducerConfig::from_pairs([
        ("bootstrap.servers", address),
        ("acks", acks),
        ("retries", "0"),
        ("batch.size", "4096"),
        ("max.block.ms", "60000"),
        ("request.timeout.ms", timeout_ms),
        ("delivery.timeout.ms", "70000"),
    ]);
    Producer::new(config.expect("a good configuration"), BytesFormat, BytesFormat).expect("a producer")
}

pub(crate) fn consumer(address: &str, partition: i32) -> Consumer<Bytes, Bytes> {
    let config = ConsumerConfig::from_pairs([
        ("bootstrap.servers", address),
        ("auto.offset.reset", "earliest"),
        ("fetch.max.wait.ms", "100"),
    ]);
    let mut consumer =
        Consumer::new(config.expect("a good configuration"), BytesFormat, BytesFormat).expect("a consumer");
    consumer.assign([TopicPartition::new(TOPIC, partition)]);
    consumer
}

/// Reads on until the record before `end` was there. Offsets have no gaps.
pub(crate) fn read_to(consumer: &mut Consumer<Bytes, Bytes>, end: Offset, mut each: impl FnMut(Offset, u64)) {
    let mut next = consumer.position(&consumer.assignment()[0]).expect("a position");
    eventually("all records read", || {
        for record in consumer.poll(Duration::from_millis(200)).expect("records").iter() {
            assert_eq!(record.offset, next, "offsets follow one another");
            each(record.offset, sequence(record.value.as_deref().expect("a value")));
            next = Offset(next.0 + 1);
        }
        (next >= end).then_some(())
    });
    assert_eq!(next, end, "no record behind the end");
}

fn admin(address: &str) -> Admin {
    let config = AdminConfig::from_pairs([("bootstrap.servers", address), ("request.timeout.ms", "5000")]);
    Admin::new(config.expect("a good configuration")).expect("an admin client")
}

/// Creates [`TOPIC`] and waits until its leaders lead: these producers try nothing twice.
pub(crate) fn create(address: &str, partitions: i32, replicas: i16, configs: &[(&str, &str)]) {
    let configs = configs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let topic = NewTopic { name: TOPIC.to_owned(), partitions, replication_factor: replicas, configs };
    let created = admin(address).create_topics(&[topic]).expect("an answer");
    created[0].1.as_ref().expect("created");
    eventually("leaders", || {
        let known = describe(address)?;
        let complete =
            |partition: &PartitionInfo| partition.leader.is_some() && partition.isr.len() == replicas as usize;
        (known.len() == partitions as usize && known.iter().all(complete)).then_some(())
    });
    // The broker at `address` may know of it before a leader does, which answers this once it leads.
    (0..partitions).for_each(|partition| assert_eq!(end(address, partition), Offset(0)));
}

/// The partitions of [`TOPIC`] as the broker at `address` knows them; `None` if it does not.
pub(crate) fn describe(address: &str) -> Option<Vec<PartitionInfo>> {
    let described = admin(address).describe_topics(&[TOPIC]).ok()?.pop()?;
    described.1.ok().map(|topic| topic.partitions)
}

/// Waits until the broker at `address` knows this ISR.
pub(crate) fn wait_for_isr(address: &str, partition: usize, isr: &[i32]) {
    eventually(&format!("the ISR {isr:?}"), || {
        let mut found = describe(address)?.get(partition)?.isr.clone();
        found.sort_unstable();
        (found == isr).then_some(())
    });
}

/// The high watermark.
pub(crate) fn end(address: &str, partition: i32) -> Offset {
    let partition = TopicPartition::new(TOPIC, partition);
    eventually("an end offset", || {
        let listed = admin(address).list_offsets([(partition.clone(), OffsetSpec::Latest)]).ok()?;
        Some(listed.get(&partition)?.offset)
    })
}
