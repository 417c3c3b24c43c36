//! What the consumer asks brokers for, and whom it asks.

use std::time::{Duration, Instant};

use logdyno_client::ClientError;
use logdyno_record::batch::emptied;
use logdyno_record::{Batch, Compression, Offset, TopicPartition};

use crate::cluster::Cluster;
use crate::consumer::{batch_with, consumer, expect, fill, read, zero};

/// What is held back for a paused partition takes nothing from the others, also where it alone is fetch.max.bytes.
#[test]
fn a_paused_partition_keeps_no_other_from_being_fetched() {
    let cluster = Cluster::start(1, &[1, 1]);
    fill(&cluster, 0, 1, 100);
    let mut consumer = consumer(&cluster, &[("max.poll.records", "5"), ("fetch.max.bytes", "100")]);
    let one = TopicPartition::new("t", 1);
    consumer.assign([zero(), one.clone()]);
    assert_eq!(read(&mut consumer, 5), expect(0..5));
    consumer.pause(&[zero()]).unwrap();
    cluster.append_to(1, batch_with(Compression::None, &["0".to_owned(), "1".to_owned()]));
    assert_eq!(read(&mut consumer, 2), expect(0..2));
    consumer.resume(&[zero()]).unwrap();
    assert_eq!(read(&mut consumer, 95), expect(5..100));
}

/// Kafka's brokers answer with a first batch whatever is asked for, and its consumers ask.
#[test]
fn fetch_max_bytes_0_gives_a_batch_at_a_time() {
    let cluster = Cluster::start(1, &[1]);
    fill(&cluster, 0, 3, 10);
    let mut consumer = consumer(&cluster, &[("fetch.max.bytes", "0")]);
    assert_eq!(read(&mut consumer, 30), expect(0..30));
}

/// Metadata may name a leader before it tells where that is: it is asked again at once, not after metadata.max.age.ms.
#[test]
fn a_leader_whose_address_is_not_known_yet_is_asked_for() {
    let cluster = Cluster::start(2, &[2]);
    fill(&cluster, 0, 1, 10);
    cluster.leave_out(Some(2));
    let mut consumer = consumer(&cluster, &[]);
    consumer.seek(&zero(), Offset(0)).unwrap();
    assert!(consumer.poll(Duration::from_millis(300)).unwrap().is_empty());
    cluster.leave_out(None);
    assert_eq!(read(&mut consumer, 10), expect(0..10));
}

/// What compaction leaves of a batch may hold no record: a poll that finds only such goes on waiting.
#[test]
fn a_batch_without_records_ends_no_poll() {
    let cluster = Cluster::start(1, &[1]);
    let values: Vec<String> = (0..10).map(|number| number.to_string()).collect();
    let whole = Batch::parse(batch_with(Compression::None, &values)).unwrap();
    cluster.append(emptied(whole.header()).unwrap().into_bytes());
    let mut consumer = consumer(&cluster, &[]);
    let begun = Instant::now();
    assert!(consumer.poll(Duration::from_secs(1)).unwrap().is_empty());
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_eq!(consumer.position(&zero()).unwrap(), Offset(10));
    std::thread::scope(|scope| {
        scope.spawn(|| fill(&cluster, 10, 1, 1));
        assert_eq!(read(&mut consumer, 1), expect(10..11));
    });
}

/// A leader that answers nothing holds up its own partitions, and look-ups no longer than default.api.timeout.ms.
#[test]
fn a_frozen_leader_holds_up_only_what_it_leads() {
    let cluster = Cluster::start(2, &[1, 2]);
    fill(&cluster, 0, 1, 10);
    cluster.freeze_offsets(2);
    let one = TopicPartition::new("t", 1);
    let mut consumer = consumer(&cluster, &[("request.timeout.ms", "20000"), ("default.api.timeout.ms", "3000")]);
    let begun = Instant::now();
    consumer.assign([zero(), one.clone()]);
    assert_eq!(read(&mut consumer, 10), expect(0..10));
    let error = consumer.end_offsets(&[zero(), one]).unwrap_err();
    assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(20), "request.timeout.ms was waited for");
    assert_eq!(consumer.end_offsets(&[zero()]).unwrap()[&zero()], Offset(10));
}
