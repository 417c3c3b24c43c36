//! The consumer by assign.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use logdyno_client::{BytesFormat, ClientError, Consumer, ConsumerBuilder, ConsumerConfig, NumberFormat, TextFormat};
use logdyno_record::{
    BatchBuilder, BatchOptions, Codec, Compression, Header, Nanos, Offset, Probe, ProducedBatch, Stage, TopicPartition,
};

use crate::cluster::Cluster;

pub(crate) type TextConsumer = Consumer<Bytes, String>;
pub(crate) const WAIT: Duration = Duration::from_secs(30);

pub(crate) fn config(cluster: &Cluster, pairs: &[(&str, &str)]) -> ConsumerConfig {
    let bootstrap = cluster.bootstrap();
    let standard =
        [("bootstrap.servers", bootstrap.as_str()), ("auto.offset.reset", "earliest"), ("retry.backoff.ms", "5")];
    ConsumerConfig::from_pairs(standard.into_iter().chain(pairs.iter().copied())).unwrap()
}

pub(crate) fn consumer(cluster: &Cluster, pairs: &[(&str, &str)]) -> TextConsumer {
    let mut consumer = Consumer::new(config(cluster, pairs), BytesFormat, TextFormat).unwrap();
    consumer.assign([zero()]);
    consumer
}

pub(crate) fn zero() -> TopicPartition {
    TopicPartition::new("t", 0)
}

pub(crate) fn batch_with(codec: Compression, values: &[String]) -> Bytes {
    let mut builder = BatchBuilder::new(Codec::new(codec), 256);
    for (number, value) in values.iter().enumerate() {
        builder.append(1000 + number as i64, Some(b"k"), Some(value.as_bytes()), &[]);
    }
    builder.build(&BatchOptions::default()).unwrap().into_bytes()
}

/// Batches of `size` records, numbered on from `from`.
pub(crate) fn fill(cluster: &Cluster, from: u32, batches: u32, size: u32) {
    for batch in 0..batches {
        let first = from + batch * size;
        let values: Vec<String> = (first..first + size).map(|number| number.to_string()).collect();
        cluster.append(batch_with(Compression::None, &values));
    }
}

/// Polls until `count` records have come; returns (offset, value).
pub(crate) fn read(consumer: &mut TextConsumer, count: usize) -> Vec<(i64, String)> {
    let mut seen = Vec::new();
    while seen.len() < count {
        let records = consumer.poll(WAIT).unwrap();
        assert!(!records.is_empty(), "{} of {count} records in time", seen.len());
        seen.extend(records.into_iter().map(|record| (record.offset.0, record.value.unwrap())));
    }
    seen
}

pub(crate) fn expect(range: std::ops::Range<i64>) -> Vec<(i64, String)> {
    range.map(|offset| (offset, offset.to_string())).collect()
}

/// Rows 104 and 126: strict order, at most max.poll.records a poll, only what is assigned.
#[test]
fn records_come_in_order_and_in_small_polls() {
    let cluster = Cluster::start(1, &[1, 1]);
    fill(&cluster, 0, 10, 70);
    let mut consumer = consumer(&cluster, &[("max.poll.records", "30")]);
    let mut seen = Vec::new();
    while seen.len() < 700 {
        let records = consumer.poll(WAIT).unwrap();
        assert!((1..=30).contains(&records.len()));
        seen.extend(records.into_iter().map(|record| (record.offset.0, record.value.unwrap())));
    }
    assert_eq!(seen, expect(0..700));
    assert_eq!(consumer.position(&zero()).unwrap(), Offset(700));
    let asked: Vec<i32> = cluster
        .fetches()
        .iter()
        .flat_map(|fetch| {
            fetch
                .topics
                .iter()
                .flat_map(|topic| topic.partitions.iter().map(|asked| asked.partition))
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(asked.iter().all(|partition| *partition == 0));
    consumer.close();
}

/// Rows 39, 42.
/// Row 33: null and empty are different, headers keep their order and repeat.
#[test]
fn a_record_comes_back_as_it_was() {
    for codec in [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        let cluster = Cluster::start(1, &[1]);
        let headers = [Header::new("h", "1"), Header::null("h"), Header::new("", "2")];
        let mut builder = BatchBuilder::new(Codec::new(codec), 256);
        builder.append(50, None, Some(b""), &headers);
        builder.append(40, Some(b""), None, &[]);
        cluster.append(builder.build(&BatchOptions::default()).unwrap().into_bytes());
        let mut consumer = consumer(&cluster, &[]);
        let records: Vec<_> = consumer.poll(WAIT).unwrap().into_iter().collect();
        assert_eq!((&records[0].key, records[0].value.as_deref()), (&None, Some("")));
        assert_eq!(records[0].headers, headers);
        assert_eq!((records[1].key.as_deref(), &records[1].value), (Some(&b""[..]), &None));
        assert_eq!((records[0].timestamp, records[1].timestamp, records[1].leader_epoch.0), (50, 40, 5));
    }
}

/// Row 82: an empty poll takes its time and no longer; row 103: data that comes later ends it.
#[test]
fn poll_waits_for_data_up_to_its_timeout() {
    let cluster = Cluster::start(1, &[1]);
    let mut consumer = consumer(&cluster, &[]);
    let begun = Instant::now();
    assert!(consumer.poll(Duration::from_millis(200)).unwrap().is_empty());
    assert!(begun.elapsed() >= Duration::from_millis(200));
    std::thread::scope(|scope| {
        scope.spawn(|| fill(&cluster, 0, 1, 1));
        assert_eq!(read(&mut consumer, 1), expect(0..1));
    });
}

/// Row 103: the next fetch goes out before poll is called again.
#[test]
fn the_fetcher_is_ahead_of_poll() {
    let cluster = Cluster::start(1, &[1]);
    fill(&cluster, 0, 4, 10);
    let mut consumer = consumer(&cluster, &[("max.poll.records", "1")]);
    read(&mut consumer, 1);
    let next = || cluster.fetches().iter().any(|fetch| fetch.topics[0].partitions[0].fetch_offset == 40);
    while !next() {
        std::thread::yield_now();
    }
}

/// Row 103, §7 no. 20: the buffer is bounded, and a batch above all limits still comes.
#[test]
fn limits_bound_the_buffer_and_wedge_nobody() {
    let cluster = Cluster::start(1, &[1]);
    let large = "x".repeat(5000);
    for _ in 0..20 {
        cluster.append(batch_with(Compression::None, std::slice::from_ref(&large)));
    }
    let mut consumer = consumer(&cluster, &[("max.partition.fetch.bytes", "1000"), ("fetch.max.bytes", "6000")]);
    let seen = read(&mut consumer, 20);
    assert!(seen.iter().all(|(_, value)| *value == large));
    for fetch in cluster.fetches() {
        assert!(fetch.max_bytes <= 6000 && fetch.topics[0].partitions[0].partition_max_bytes == 1000);
    }
}

/// Row 105: where to start, and where to go when the position is out of range.
#[test]
fn offset_reset_decides_the_start_and_the_way_out_of_range() {
    let cluster = Cluster::start(1, &[1]);
    fill(&cluster, 0, 5, 10);
    let mut earliest = consumer(&cluster, &[]);
    assert_eq!(earliest.position(&zero()).unwrap(), Offset(0));
    let mut latest = consumer(&cluster, &[("auto.offset.reset", "latest")]);
    assert_eq!(latest.position(&zero()).unwrap(), Offset(50));
    let mut none = consumer(&cluster, &[("auto.offset.reset", "none")]);
    assert!(matches!(none.poll(WAIT), Err(ClientError::NoOffset { .. })));
    none.seek(&zero(), Offset(0)).unwrap();
    assert_eq!(read(&mut none, 50), expect(0..50));
    cluster.retain_from(20);
    none.seek(&zero(), Offset(5)).unwrap();
    assert!(matches!(none.poll(WAIT), Err(ClientError::OffsetOutOfRange { offset: Offset(5), .. })));
    let mut behind = consumer(&cluster, &[]);
    behind.seek(&zero(), Offset(5)).unwrap();
    assert_eq!(read(&mut behind, 30)[0].0, 20);
}

/// Row 105 (KIP-1106): records of the last day are there, of the first second of 1970 not.
#[test]
fn offset_reset_by_duration_goes_by_the_records_time() {
    let cluster = Cluster::start(1, &[1]);
    fill(&cluster, 0, 1, 10);
    let mut none_as_young = consumer(&cluster, &[("auto.offset.reset", "by_duration:P1D")]);
    assert_eq!(none_as_young.position(&zero()).unwrap(), Offset(10));
    let mut all_as_young = consumer(&cluster, &[("auto.offset.reset", "by_duration:P40000D")]);
    assert_eq!(all_as_young.position(&zero()).unwrap(), Offset(0));
}

/// Row 41.
#[test]
fn seek_goes_anywhere_also_into_a_batch() {
    let cluster = Cluster::start(1, &[1]);
    fill(&cluster, 0, 5, 10);
    let mut consumer = consumer(&cluster, &[("max.poll.records", "7")]);
    assert_eq!(read(&mut consumer, 7), expect(0..7));
    consumer.seek(&zero(), Offset(33)).unwrap();
    assert_eq!(consumer.position(&zero()).unwrap(), Offset(33));
    assert_eq!(read(&mut consumer, 17), expect(33..50));
    consumer.seek_to_beginning(&[zero()]).unwrap();
    assert_eq!(read(&mut consumer, 1)[0].0, 0);
    consumer.seek_to_end(&[zero()]).unwrap();
    assert_eq!(consumer.position(&zero()).unwrap(), Offset(50));
    let elsewhere = TopicPartition::new("t", 9);
    assert!(matches!(consumer.seek(&elsewhere, Offset(0)), Err(ClientError::NotAssigned { .. })));
}

/// A paused partition gives nothing, keeps its place and goes on where it was.
#[test]
fn pause_holds_records_back_and_resume_gives_them() {
    let cluster = Cluster::start(1, &[1]);
    fill(&cluster, 0, 2, 10);
    let mut consumer = consumer(&cluster, &[("max.poll.records", "5")]);
    read(&mut consumer, 5);
    consumer.pause(&[zero()]).unwrap();
    assert!(consumer.poll(Duration::from_millis(50)).unwrap().is_empty());
    consumer.resume(&[zero()]).unwrap();
    assert_eq!(read(&mut consumer, 15), expect(5..20));
}

/// Row 38: a typed error that names the record; what is before it is delivered, the position stays at it.
#[test]
fn a_record_that_cannot_be_deserialized_stops_the_position() {
    let cluster = Cluster::start(1, &[1]);
    let mut builder = BatchBuilder::new(Codec::new(Compression::None), 256);
    for value in [&[0; 8][..], &[1; 3], &[2; 8]] {
        builder.append(1, None, Some(value), &[]);
    }
    cluster.append(builder.build(&BatchOptions::default()).unwrap().into_bytes());
    let mut consumer: Consumer<Bytes, u64> = Consumer::new(config(&cluster, &[]), BytesFormat, NumberFormat).unwrap();
    consumer.assign([zero()]);
    assert_eq!(consumer.poll(WAIT).unwrap().len(), 1);
    for _ in 0..2 {
        let error = consumer.poll(WAIT).unwrap_err();
        assert!(matches!(error, ClientError::Deserialization { offset: Offset(1), part: "value", .. }), "{error}");
        assert_eq!(consumer.position(&zero()).unwrap(), Offset(1));
    }
    consumer.seek(&zero(), Offset(2)).unwrap();
    assert_eq!(consumer.poll(WAIT).unwrap().iter().next().unwrap().offset, Offset(2));
}

/// check.crcs: a flipped bit is an error at its batch; without the check nobody notices.
#[test]
fn a_corrupt_batch_is_an_error_unless_nobody_checks() {
    let cluster = Cluster::start(1, &[1]);
    fill(&cluster, 0, 1, 1);
    let mut bad = batch_with(Compression::None, &["secret".to_owned()]).to_vec();
    let last = bad.len() - 2;
    bad[last] ^= 1;
    cluster.append(bad.into());
    let mut checking = consumer(&cluster, &[]);
    assert_eq!(read(&mut checking, 1).len(), 1);
    assert!(matches!(checking.poll(WAIT), Err(ClientError::Corrupt { offset: Offset(1), .. })));
    let mut trusting = consumer(&cluster, &[("check.crcs", "false")]);
    assert_eq!(read(&mut trusting, 2).len(), 2);
}

/// Rows 109 to 111: the answer's list of aborted transactions rules what read_committed shows.
#[test]
fn read_committed_skips_aborted_batches() {
    let cluster = Cluster::start(1, &[1]);
    let transactional = |values: &[&str], control| {
        let mut builder = BatchBuilder::new(Codec::new(Compression::None), 256);
        for value in values {
            let key: &[u8] = if control { &[0, 0, 0, 0] } else { b"k" };
            builder.append(1, Some(key), Some(value.as_bytes()), &[]);
        }
        let options = BatchOptions { transactional: true, control, ..BatchOptions::default() };
        builder.build(&options.with_producer(7, 0, 0)).unwrap().into_bytes()
    };
    cluster.append(transactional(&["0", "1"], false));
    cluster.append(transactional(&["abort"], true));
    cluster.abort(7, 0);
    fill(&cluster, 3, 1, 1);
    let mut committed = consumer(&cluster, &[("isolation.level", "read_committed")]);
    assert_eq!(read(&mut committed, 1), expect(3..4));
    let mut uncommitted = consumer(&cluster, &[]);
    assert_eq!(read(&mut uncommitted, 3), [expect(0..2), expect(3..4)].concat());
}

/// Row 133: a wakeup ends the poll that waits, or the next one, once.
#[test]
fn wakeup_ends_one_poll() {
    let cluster = Cluster::start(1, &[1]);
    let mut consumer = consumer(&cluster, &[]);
    let handle = consumer.wakeup_handle();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while cluster.fetches().is_empty() {
                std::thread::yield_now();
            }
            handle.wakeup();
        });
        assert!(matches!(consumer.poll(Duration::from_secs(600)), Err(ClientError::Wakeup)));
    });
    assert!(begun.elapsed() < Duration::from_secs(60));
    handle.wakeup();
    assert!(matches!(consumer.poll(Duration::ZERO), Err(ClientError::Wakeup)));
    assert!(consumer.poll(Duration::ZERO).unwrap().is_empty());
}

/// Leader errors, a moved leader and cut connections only delay.
#[test]
fn a_consumer_follows_the_leader_through_errors() {
    let cluster = Cluster::start(2, &[1]);
    fill(&cluster, 0, 2, 10);
    cluster.fail_fetches([6, 74, 75, 3, 9]);
    let mut consumer = consumer(&cluster, &[("reconnect.backoff.ms", "5")]);
    assert_eq!(read(&mut consumer, 20), expect(0..20));
    cluster.lead(0, 2);
    fill(&cluster, 20, 1, 10);
    assert_eq!(read(&mut consumer, 10), expect(20..30));
    cluster.cut_connections();
    fill(&cluster, 30, 1, 10);
    assert_eq!(read(&mut consumer, 10), expect(30..40));
    let epochs: Vec<i32> =
        cluster.fetches().iter().map(|fetch| fetch.topics[0].partitions[0].current_leader_epoch).collect();
    assert!(epochs.contains(&5) && epochs.contains(&6), "fetches carry the leader epoch: {epochs:?}");
}

/// Rows 79, 127: two consumers of one partition do not disturb each other. Row 126: assign replaces.
#[test]
fn assigning_is_nobody_elses_business() {
    let cluster = Cluster::start(1, &[1, 1]);
    fill(&cluster, 0, 1, 10);
    let (mut one, mut two) = (consumer(&cluster, &[]), consumer(&cluster, &[]));
    assert_eq!(read(&mut one, 10), read(&mut two, 10));
    one.assign([TopicPartition::new("t", 1)]);
    assert_eq!(one.assignment(), [TopicPartition::new("t", 1)]);
    fill(&cluster, 10, 1, 1);
    assert!(one.poll(Duration::from_millis(100)).unwrap().is_empty());
    assert_eq!(read(&mut two, 1), expect(10..11));
}

#[test]
fn offsets_can_be_asked_for() {
    let cluster = Cluster::start(1, &[1]);
    fill(&cluster, 0, 3, 10);
    cluster.retain_from(10);
    let consumer = consumer(&cluster, &[]);
    assert_eq!(consumer.beginning_offsets(&[zero()]).unwrap()[&zero()], Offset(10));
    assert_eq!(consumer.end_offsets(&[zero()]).unwrap()[&zero()], Offset(30));
    let found = consumer.offsets_for_times([(zero(), 1004)]).unwrap();
    assert_eq!(found[&zero()].offset, Offset(14));
    assert!(consumer.offsets_for_times([(zero(), 5000)]).unwrap().is_empty());
}

#[derive(Default)]
struct Recorder(Mutex<Vec<(Stage, std::ops::Range<i64>, Nanos)>>);

impl Probe for Recorder {
    fn produced(&self, _: &ProducedBatch) {}

    fn requested(&self, _: u32, _: u64) {}

    fn passed(&self, stage: Stage, _: &TopicPartition, offsets: std::ops::Range<Offset>, at: Nanos) {
        self.0.lock().unwrap().push((stage, offsets.start.0..offsets.end.0, at));
    }
}

/// Stamps: each batch once when it is decoded; each part of it once when poll hands it out.
#[test]
fn the_probe_sees_batches_fetched_and_delivered() {
    let cluster = Cluster::start(1, &[1]);
    fill(&cluster, 0, 2, 10);
    let recorder = Arc::new(Recorder::default());
    let config = config(&cluster, &[("max.poll.records", "6")]);
    let builder = ConsumerBuilder::<Bytes, Bytes>::new(config, BytesFormat, BytesFormat);
    let mut consumer = builder.probe(recorder.clone()).build().unwrap();
    consumer.assign([zero()]);
    let mut offsets = Vec::new();
    while offsets.len() < 20 {
        for batch in consumer.poll_batches(WAIT).unwrap().iter() {
            offsets.extend(batch.records().unwrap().map(|record| record.unwrap().offset.0));
        }
    }
    assert!(offsets.iter().copied().eq(0..20));
    let stamps = recorder.0.lock().unwrap();
    let of =
        |wanted: Stage| stamps.iter().filter(move |(stage, ..)| *stage == wanted).map(|(_, range, _)| range.clone());
    assert_eq!(of(Stage::Fetched).collect::<Vec<_>>(), [0..10, 10..20]);
    assert_eq!(of(Stage::Delivered).collect::<Vec<_>>(), [0..6, 6..10, 10..12, 12..18, 18..20]);
    assert!(stamps.iter().map(|(.., at)| *at).is_sorted());
}
