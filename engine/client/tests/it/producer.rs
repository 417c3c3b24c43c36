//! What `send` promises while nothing goes wrong.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use logdyno_client::{
    BytesFormat, ClientError, Interceptor, Partitioner, Producer, ProducerBuilder, ProducerConfig, ProducerRecord,
    RecordMetadata, Serializer, TopicView,
};
use logdyno_record::{CloseReason, Header, Nanos, Offset, Probe, ProducedBatch, Stage, TopicPartition};

use crate::cluster::{Cluster, Reaction};

pub(crate) type BytesProducer = Producer<Bytes, Bytes>;

pub(crate) fn config(cluster: &Cluster, pairs: &[(&str, &str)]) -> ProducerConfig {
    let bootstrap = cluster.bootstrap();
    let all = [("bootstrap.servers", bootstrap.as_str())].into_iter().chain(pairs.iter().copied());
    ProducerConfig::from_pairs(all).unwrap()
}

pub(crate) fn producer(cluster: &Cluster, pairs: &[(&str, &str)]) -> BytesProducer {
    Producer::new(config(cluster, pairs), BytesFormat, BytesFormat).unwrap()
}

pub(crate) fn record(value: impl Into<String>) -> ProducerRecord<Bytes, Bytes> {
    ProducerRecord::new("t", Bytes::from(value.into())).partition(0)
}

pub(crate) fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

/// Waits until the producer knows that `node` leads partition 0 of `t`.
pub(crate) fn wait_for_leader(producer: &BytesProducer, node: i32) {
    while producer.partitions_for("t").unwrap()[0].leader != Some(node) {
        std::thread::yield_now();
    }
}

pub(crate) const SOON: Duration = Duration::from_secs(30);

/// Row 73.
#[test]
fn a_future_gives_the_metadata_of_its_record() {
    let cluster = Cluster::start(1, &[1]);
    let producer = producer(&cluster, &[]);
    producer.send(record("first")).wait().unwrap();
    let sent = ProducerRecord::new("t", Bytes::from("value")).key(Bytes::from("k")).timestamp(1234);
    let metadata = producer.send(sent).wait().unwrap();
    let expected = RecordMetadata {
        partition: TopicPartition::new("t", 0),
        offset: Offset(1),
        timestamp: 1234,
        key_size: 1,
        value_size: 5,
    };
    assert_eq!(metadata, expected);
    producer.close(SOON);
}

/// Rows 44 and 67: many records, few requests; batches hold to batch.size and are nearly full.
#[test]
fn records_travel_in_full_batches() {
    let cluster = Cluster::start(1, &[1]);
    let producer =
        producer(&cluster, &[("linger.ms", "60000"), ("batch.size", "4096"), ("delivery.timeout.ms", "120000")]);
    for number in 0..1000 {
        drop(producer.send(record(format!("{number:0100}"))));
    }
    producer.flush();
    let batches: Vec<usize> =
        cluster.produced().iter().flat_map(|request| request.batches.iter().map(|(_, bytes, _)| *bytes)).collect();
    assert!(batches.len() < 40, "{} batches of 1000 records", batches.len());
    assert!(batches.iter().all(|bytes| *bytes <= 4096));
    assert!(batches[..batches.len() - 1].iter().all(|bytes| *bytes > 4096 * 9 / 10), "{batches:?}");
    producer.close(SOON);
}

/// Row 46: flush returns when all sends before it are done, long before linger is over.
#[test]
fn flush_sends_what_lingers_and_waits_for_it() {
    let cluster = Cluster::start(1, &[1]);
    let producer = producer(&cluster, &[("linger.ms", "600000"), ("delivery.timeout.ms", "700000")]);
    let mut futures: Vec<_> = (0..10).map(|number| producer.send(record(number.to_string()))).collect();
    assert!(futures[0].try_get().is_none());
    producer.flush();
    for (number, future) in futures.iter_mut().enumerate() {
        assert_eq!(future.try_get().unwrap().unwrap().offset, Offset(number as i64));
    }
    producer.close(SOON);
}

/// Row 69: the upper bound on a lone record's wait, and the lower one: it does linger.
#[test]
fn a_lone_record_goes_after_linger() {
    let cluster = Cluster::start(1, &[1]);
    let producer = producer(&cluster, &[("linger.ms", "300")]);
    producer.partitions_for("t").unwrap();
    let begun = Instant::now();
    producer.send(record("lone")).wait().unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(300));
    producer.close(SOON);
}

/// Row 69: a full batch does not linger.
#[test]
fn a_full_batch_goes_at_once() {
    let cluster = Cluster::start(1, &[1]);
    let producer =
        producer(&cluster, &[("linger.ms", "600000"), ("delivery.timeout.ms", "700000"), ("batch.size", "200")]);
    let first = producer.send(record("x".repeat(100)));
    drop(producer.send(record("x".repeat(100))));
    assert_eq!(first.wait().unwrap().offset, Offset(0));
    producer.close(SOON);
}

/// Row 63: nobody answers; the offset is −1.
#[test]
fn acks_0_does_not_wait_for_an_answer() {
    let cluster = Cluster::start(1, &[1]);
    let producer = producer(&cluster, &[("acks", "0")]);
    for number in 0..3 {
        assert_eq!(producer.send(record(number.to_string())).wait().unwrap().offset, Offset(-1));
    }
    cluster.wait_received(3);
    producer.close(SOON);
    while cluster.values(0).len() < 3 {
        std::thread::yield_now();
    }
    assert!(cluster.produced().iter().all(|request| request.acks == 0));
}

/// Row 74: the future is pending while the broker does not answer.
#[test]
fn a_future_is_pending_until_the_answer() {
    let cluster = Cluster::start(1, &[1]);
    let producer = producer(&cluster, &[]);
    cluster.hold();
    let mut future = producer.send(record("held"));
    cluster.wait_received(1);
    assert!(future.try_get().is_none());
    cluster.release();
    assert_eq!(future.wait().unwrap().offset, Offset(0));
    producer.close(SOON);
}

struct Refuser;

impl Serializer<Bytes> for Refuser {
    fn serialize<'a>(&self, _: &str, _: &'a Bytes, _: &'a mut Vec<u8>) -> Result<&'a [u8], String> {
        Err("planted".to_owned())
    }
}

/// Row 47: a serializer's error comes before anything is buffered.
#[test]
fn a_serializers_error_leaves_nothing_behind() {
    let cluster = Cluster::start(1, &[1]);
    let producer = Producer::<Bytes, Bytes>::new(config(&cluster, &[]), BytesFormat, Refuser).unwrap();
    let before = producer.buffer_available_bytes();
    let error = producer.send(record("x")).wait().unwrap_err();
    assert!(matches!(error, ClientError::Serialization { part: "value", .. }), "{error}");
    assert_eq!(producer.buffer_available_bytes(), before);
    producer.close(SOON);
    assert_eq!(cluster.received(), 0);
}

struct Wrong(i32);

impl Partitioner for Wrong {
    fn partition(&self, _: TopicView<'_>, _: Option<&[u8]>, _: Option<&[u8]>) -> i32 {
        self.0
    }
}

/// Row 54: an explicit partition bypasses the partitioner; what does not exist is an error before buffering.
#[test]
fn a_partition_that_does_not_exist_is_an_error() {
    let cluster = Cluster::start(1, &[1, 1]);
    let config = config(&cluster, &[("max.block.ms", "2000")]);
    let builder = ProducerBuilder::<Bytes, Bytes>::new(config, BytesFormat, BytesFormat).partitioner(Wrong(-1));
    let producer = builder.build().unwrap();
    let chosen = producer.send(ProducerRecord::new("t", Bytes::from("x"))).wait().unwrap_err();
    assert!(matches!(chosen, ClientError::NoSuchPartition { partition: -1, partitions: 2, .. }), "{chosen}");
    let explicit = producer.send(record("x").partition(2)).wait().unwrap_err();
    assert!(matches!(explicit, ClientError::NoMetadata { .. }), "{explicit}");
    producer.send(record("x").partition(1)).wait().unwrap();
    producer.close(SOON);
}

/// Rows 49 and 50: keys go by murmur2 unless partitioner.ignore.keys says otherwise; round robin ignores them.
#[test]
fn keys_choose_partitions() {
    let cluster = Cluster::start(1, &[1, 1, 1]);
    let keyed =
        |number: u32| ProducerRecord::new("t", Bytes::from(number.to_string())).key(Bytes::from_static(b"foobar"));
    let built_in = producer(&cluster, &[]);
    for number in 0..5 {
        assert_eq!(built_in.send(keyed(number)).wait().unwrap().partition.partition, 0, "murmur2 of foobar, modulo 3");
    }
    built_in.close(SOON);
    let round = producer(&cluster, &[("partitioner.class", "org.apache.kafka.clients.producer.RoundRobinPartitioner")]);
    let turns: Vec<i32> = (0..6).map(|number| round.send(keyed(number)).wait().unwrap().partition.partition).collect();
    assert_eq!(turns, [0, 1, 2, 0, 1, 2]);
    round.close(SOON);
    let ignoring = producer(&cluster, &[("partitioner.ignore.keys", "true"), ("batch.size", "1")]);
    let mut seen = [false; 3];
    for number in 0..200 {
        seen[ignoring.send(keyed(number)).wait().unwrap().partition.partition as usize] = true;
    }
    assert_eq!(seen, [true; 3]);
    ignoring.close(SOON);
}

/// Row 65: with the broker stopped, send fails after max.block.ms; what was accepted arrives later.
#[test]
fn buffer_memory_blocks_then_fails_and_loses_nothing() {
    let cluster = Cluster::start(1, &[1]);
    let pairs = [("buffer.memory", "10000"), ("batch.size", "1000"), ("max.block.ms", "100"), ("linger.ms", "0")];
    let producer = producer(&cluster, &pairs);
    while producer.partitions_for("t").is_err() {}
    cluster.hold();
    let mut accepted = Vec::new();
    let error = loop {
        let begun = Instant::now();
        let mut future = producer.send(record(accepted.len().to_string() + &"x".repeat(400)));
        if let Some(result) = future.try_get() {
            assert!(begun.elapsed() >= Duration::from_millis(100));
            break result.unwrap_err();
        }
        accepted.push(future);
    };
    assert!(matches!(error, ClientError::BufferExhausted { .. }), "{error}");
    cluster.release();
    let count = accepted.len();
    for (offset, future) in accepted.into_iter().enumerate() {
        assert_eq!(future.wait().unwrap().offset, Offset(offset as i64));
    }
    assert_eq!(cluster.values(0).len(), count);
    producer.close(SOON);
}

#[test]
fn a_record_larger_than_a_request_is_refused_at_once() {
    let cluster = Cluster::start(1, &[1]);
    let producer = producer(&cluster, &[("max.request.size", "1000")]);
    let error = producer.send(record("x".repeat(1000))).wait().unwrap_err();
    assert!(matches!(error, ClientError::RecordTooLarge { setting: "max.request.size", .. }), "{error}");
    producer.close(SOON);
}

#[test]
fn unknown_and_invalid_topics_are_errors() {
    let cluster = Cluster::start(1, &[1]);
    let producer = producer(&cluster, &[("max.block.ms", "2000")]);
    let send = |topic: &str| producer.send(ProducerRecord::new(topic, Bytes::new())).wait().unwrap_err();
    assert!(matches!(send("nowhere"), ClientError::NoMetadata { .. }));
    assert!(matches!(send("in valid"), ClientError::Topic { .. }));
    producer.close(SOON);
}

/// Row 58: one live bootstrap server is enough; none is an error in time.
#[test]
fn any_live_bootstrap_server_suffices() {
    let cluster = Cluster::start(1, &[1]);
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let servers = format!("{dead},{},{dead}", cluster.bootstrap());
    let config = ProducerConfig::from_pairs([("bootstrap.servers", servers.as_str())]).unwrap();
    let producer = Producer::<Bytes, Bytes>::new(config, BytesFormat, BytesFormat).unwrap();
    producer.send(record("x")).wait().unwrap();
    producer.close(SOON);
    let dead = dead.to_string();
    let config = ProducerConfig::from_pairs([("bootstrap.servers", dead.as_str()), ("max.block.ms", "100")]).unwrap();
    let producer = Producer::<Bytes, Bytes>::new(config, BytesFormat, BytesFormat).unwrap();
    assert!(matches!(producer.send(record("x")).wait(), Err(ClientError::NoMetadata { .. })));
    producer.close(SOON);
}

struct Stamper(Arc<Mutex<Vec<String>>>);

impl Interceptor<Bytes, Bytes> for Stamper {
    fn on_send(&self, record: ProducerRecord<Bytes, Bytes>) -> ProducerRecord<Bytes, Bytes> {
        self.0.lock().unwrap().push("on_send".to_owned());
        record.header(Header::new("stamp", "1"))
    }

    fn on_acknowledgement(&self, result: &Result<RecordMetadata, ClientError>) {
        self.0.lock().unwrap().push(format!("acknowledged {}", result.is_ok()));
    }
}

/// Row 47: interceptors run first on the way out, and before the callback on the way back.
#[test]
fn interceptors_see_records_and_results() {
    let cluster = Cluster::start(1, &[1]);
    let trace = Arc::new(Mutex::new(Vec::new()));
    let builder = ProducerBuilder::<Bytes, Bytes>::new(config(&cluster, &[]), BytesFormat, BytesFormat);
    let producer = builder.interceptor(Stamper(Arc::clone(&trace))).build().unwrap();
    let called = Arc::clone(&trace);
    drop(producer.send_with(record("x"), move |_| called.lock().unwrap().push("callback".to_owned())));
    producer.flush();
    assert_eq!(*trace.lock().unwrap(), ["on_send", "acknowledged true", "callback"]);
    producer.close(SOON);
}

/// Row 56: each codec's bits are in the batch that the broker gets, and the records come back.
#[test]
fn every_codec_reaches_the_broker() {
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let cluster = Cluster::start(1, &[1]);
        let producer = producer(&cluster, &[("compression.type", codec), ("linger.ms", "20")]);
        for _ in 0..100 {
            drop(producer.send(record("the same words again and again")));
        }
        producer.close(SOON);
        assert_eq!(cluster.values(0).len(), 100, "{codec}");
        let bytes: usize = cluster.produced().iter().flat_map(|request| &request.batches).map(|batch| batch.1).sum();
        assert_eq!(bytes < 2000, codec != "none", "{codec}: {bytes} bytes");
    }
}

#[derive(Default)]
struct Recorder {
    batches: Mutex<Vec<ProducedBatch>>,
    requests: Mutex<Vec<(u32, u64)>>,
}

impl Probe for Recorder {
    fn produced(&self, batch: &ProducedBatch) {
        self.batches.lock().unwrap().push(batch.clone());
    }

    fn requested(&self, batches: u32, bytes: u64) {
        self.requests.lock().unwrap().push((batches, bytes));
    }

    fn passed(&self, _: Stage, _: &TopicPartition, _: std::ops::Range<Offset>, _: Nanos) {}
}

#[test]
fn the_probe_sees_rising_moments_of_every_batch() {
    let cluster = Cluster::start(1, &[1, 1]);
    let recorder = Arc::new(Recorder::default());
    let pairs = [("linger.ms", "50"), ("compression.type", "lz4")];
    let builder = ProducerBuilder::<Bytes, Bytes>::new(config(&cluster, &pairs), BytesFormat, BytesFormat);
    let producer = builder.probe(recorder.clone()).build().unwrap();
    cluster.script([Reaction::Refuse(19)]);
    for number in 0..20 {
        drop(producer.send(record(number.to_string()).partition(number % 2)));
    }
    producer.close(SOON);
    let batches = recorder.batches.lock().unwrap();
    assert_eq!(batches.iter().map(|batch| batch.records).sum::<u32>(), 20);
    for batch in &*batches {
        let moments = [batch.created, batch.closed, batch.drained, batch.compressed, batch.sent, batch.acknowledged];
        assert!(moments.is_sorted(), "{batch:?}");
        assert!(batch.created > Nanos(0) && batch.base_offset.is_some());
        assert!(matches!(batch.close_reason, CloseReason::Linger | CloseReason::TakenAlong | CloseReason::Flush));
    }
    assert!(batches.iter().any(|batch| batch.retries == 1));
    let sent: u64 = recorder.requests.lock().unwrap().iter().map(|(_, bytes)| bytes).sum();
    let produced: usize = cluster.produced().iter().flat_map(|request| &request.batches).map(|batch| batch.1).sum();
    assert_eq!(sent, produced as u64);
}

/// close sends what is buffered; after it, and after a close without time, sends and futures fail.
#[test]
fn close_finishes_or_fails_everything() {
    let cluster = Cluster::start(1, &[1]);
    let patient = producer(&cluster, &[("linger.ms", "600000"), ("delivery.timeout.ms", "700000")]);
    let future = patient.send(record("sent by close"));
    patient.close(SOON);
    assert_eq!(future.wait().unwrap().offset, Offset(0));
    let hasty = producer(&cluster, &[]);
    hasty.partitions_for("t").unwrap();
    cluster.hold();
    let future = hasty.send(record("given up"));
    hasty.close(Duration::ZERO);
    assert!(matches!(future.wait(), Err(ClientError::Closed { .. })));
    cluster.release();
}

/// This compiles only while the clients that threads share can be shared.
#[test]
fn threads_can_share_producer_and_admin() {
    fn shared<T: Send + Sync>() {}
    shared::<logdyno_client::Producer<Vec<u8>, Vec<u8>>>();
    shared::<logdyno_client::Admin>();
}
