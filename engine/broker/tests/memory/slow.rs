//! Peers that ask for much and read nothing, or promise much and send little.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use bytes::Bytes;
use logdyno_record::{BatchBuilder, BatchOptions, Codec, Compression};
use logdyno_wire::StrBytes;
use logdyno_wire::messages::create_topics_request::CreatableTopic;
use logdyno_wire::messages::fetch_request::{FetchPartition, FetchTopic};
use logdyno_wire::messages::produce_request::{PartitionProduceData, TopicProduceData};
use logdyno_wire::messages::{BrokerId, CreateTopicsRequest, FetchRequest, ProduceRequest, TopicName};

use crate::broker::{Single, ask, call, hear, serves};
use crate::resident::{alone, assert_added, resident};

const MIB: usize = 1 << 20;

fn topic() -> TopicName {
    TopicName(StrBytes::from_static_str("t"))
}

/// A topic of one partition with this many batches of half a MiB.
fn fill(single: &Single, batches: usize) {
    let mut stream = single.connect();
    let topic_to_be = CreatableTopic::default().with_name(topic()).with_num_partitions(1).with_replication_factor(1);
    let created =
        call(&mut stream, 5, &CreateTopicsRequest::default().with_topics(vec![topic_to_be]).with_timeout_ms(30_000));
    assert_eq!(created.topics[0].error_code, 0);
    let value = vec![b'x'; MIB / 2];
    let mut builder = BatchBuilder::new(Codec::new(Compression::None), MIB);
    builder.append(1_700_000_000_000, None, Some(&value), &[]);
    let batch = builder.build(&BatchOptions::default()).expect("a batch").bytes().clone();
    for _ in 0..batches {
        let answer = call(&mut stream, 9, &produce(batch.clone()));
        assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
    }
}

fn produce(records: Bytes) -> ProduceRequest {
    let data = PartitionProduceData::default().with_index(0).with_records(Some(records));
    let topic = TopicProduceData::default().with_name(topic()).with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(1).with_timeout_ms(30_000).with_topic_data(vec![topic])
}

fn fetch(from: i64, bytes: usize) -> FetchRequest {
    let bytes = i32::try_from(bytes).expect("fits");
    let partition = FetchPartition::default().with_fetch_offset(from).with_partition_max_bytes(bytes);
    let topic = FetchTopic::default().with_topic(topic()).with_partitions(vec![partition]);
    let request = FetchRequest::default().with_replica_id(BrokerId(-1)).with_max_bytes(bytes).with_min_bytes(1);
    request.with_session_epoch(-1).with_topics(vec![topic])
}

/// Forty consumers ask for 50 MiB each and read nothing: 2 GB, if each had its answer in memory. Who reads is served meanwhile, and to the end.
#[test]
fn slow_readers_of_large_fetches_cost_bounded_memory() {
    let _turn = alone();
    for backend in backends() {
        let single =
            Single::start(&format!("logdyno.backend={backend}\nlogdyno.fetch.bytes.in.flight.max={}\n", 100 * MIB));
        fill(&single, 110);
        let mut reader = single.connect();
        let (before, requests) = (resident(), single.broker.counters().requests);
        let mut slow: Vec<_> = (0..40).map(|_| single.connect()).collect();
        for peer in &mut slow {
            ask(peer, 11, &fetch(0, 50 * MIB));
        }
        while single.broker.counters().requests < requests + 40 {
            std::thread::sleep(Duration::from_millis(10));
        }
        let mut next = 0;
        while next < 110 {
            let answer = call(&mut reader, 11, &fetch(next, 50 * MIB));
            let records = answer.responses[0].partitions[0].records.clone();
            next += logdyno_record::batches(records.expect("records")).count() as i64;
        }
        assert!(single.broker.figures().fetch_bytes_in_flight <= (100 * MIB + 41 * MIB) as u64);
        // A batch each, and what the machinery around them takes.
        assert_added(&format!("{backend}: 40 slow readers of 50 MiB"), before, 100 * MIB + 40 * MIB);
        drop(slow);
        single.until_connections_are(1);
        single.until(|figures| figures.fetch_bytes_in_flight == 0);
    }
}

/// Those that run here.
fn backends() -> Vec<&'static str> {
    let dir = tempfile::TempDir::new().expect("a directory");
    let runs = |kind: &logdyno_storage::Kind| match kind.start_on(dir.path()) {
        Ok(_) => true,
        Err(refused) => {
            println!("NOT ON {}: {refused}", kind.name);
            false
        }
    };
    logdyno_storage::kinds().iter().filter(|kind| runs(kind)).map(|kind| kind.name).collect()
}

/// Two hundred peers announce 100 MB each and send 64 KiB of it.
#[test]
fn announced_requests_cost_what_has_come_of_them() {
    let _turn = alone();
    let single = Single::start("");
    let mut bystander = single.connect();
    assert!(serves(&mut bystander));
    let before = resident();
    let mut peers: Vec<_> = (0..200).map(|_| single.connect()).collect();
    for peer in &mut peers {
        peer.write_all(&(100_u32 << 20).to_be_bytes()).expect("written");
        peer.write_all(&[0; 64 << 10]).expect("written");
    }
    single.until_connections_are(201);
    assert!(serves(&mut bystander));
    assert_added("200 peers that announce 100 MiB and send 64 KiB", before, 200 * (192 << 10));
}

/// Twenty peers ask a thousand times each for a MiB, and read nothing: 20 GB. What they asked is answered in order once one of them reads.
#[test]
fn a_thousand_unread_fetches_of_each_cost_bounded_memory() {
    let _turn = alone();
    let single = Single::start("");
    fill(&single, 4);
    let mut bystander = single.connect();
    assert!(serves(&mut bystander));
    let before = resident();
    let mut peers: Vec<_> = (0..20).map(|_| single.connect()).collect();
    for peer in &mut peers {
        for _ in 0..1000 {
            ask(peer, 11, &fetch(0, MIB));
        }
    }
    assert!(serves(&mut bystander));
    // An answer of a MiB for each, and 64 requests of a hundred bytes.
    assert_added("20 peers with 1000 unread fetches each", before, 20 * (2 * MIB));
    let answers: Vec<_> = (0..1000).map(|_| hear::<FetchRequest>(&mut peers[0], 11)).collect();
    assert!(answers.iter().all(|answer| answer.responses[0].partitions[0].error_code == 0));
}

/// Requests in flight have a limit over all connections: one of 50 MB is read, the others wait in their sockets, until their peers go.
#[test]
fn unfinished_requests_cost_no_more_than_the_limit() {
    let _turn = alone();
    let single = Single::start(&format!("queued.max.request.bytes={}\n", 64 * MIB));
    let mut bystander = single.connect();
    assert!(serves(&mut bystander));
    let before = resident();
    let mut peers: Vec<_> = (0..20).map(|_| single.connect()).collect();
    for peer in &mut peers {
        peer.write_all(&(50_u32 << 20).to_be_bytes()).expect("written");
    }
    while single.broker.figures().request_bytes_in_flight == 0 {
        std::thread::yield_now();
    }
    // Only one of them is read; where the others' sockets are full, they have sent all that they can.
    let sent: Vec<usize> = peers.iter_mut().map(|peer| send_at_most(peer, 40 * MIB)).collect();
    assert!(sent.iter().filter(|sent| **sent == 40 * MIB).count() <= 1, "{sent:?}");
    assert_added("20 peers that send 40 of 50 MiB", before, 64 * MIB + 20 * (256 << 10));
    drop(peers);
    single.until_connections_are(1);
    assert!(serves(&mut bystander));
    single.until(|figures| figures.request_bytes_in_flight == 0);
}

/// Sends zeros until there are as many, or until nothing more is taken.
fn send_at_most(peer: &mut TcpStream, bytes: usize) -> usize {
    peer.set_write_timeout(Some(Duration::from_millis(500))).expect("a socket");
    let mut sent = 0;
    while sent < bytes {
        match peer.write(&[0; 64 << 10]) {
            Ok(taken) => sent += taken,
            Err(_) => break,
        }
    }
    sent
}
