//! kill -9 of a broker that is being written to.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use logdyno_engine::record::Offset;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::clients::{TOPIC, consumer, create, end, producer, read_to, record};
use crate::process::{Served, serve};
use crate::{backends, eventually, segments};

/// Small segments and frequent checkpoints, so that kills meet rolls and recovery points that have moved; and a short
/// session, because the controller lets a killed broker in again only when its old session is over.
const CONFIG: &str = "\
    log.segment.bytes=1048576\n\
    log.flush.offset.checkpoint.interval.ms=300\n\
    log.index.interval.bytes=1024\n\
    broker.heartbeat.interval.ms=200\n\
    broker.session.timeout.ms=2000\n";

/// How often a broker is killed: `LOGDYNO_KILLS`, or 3.
fn kills() -> u64 {
    std::env::var("LOGDYNO_KILLS").map_or(3, |text| text.parse().expect("LOGDYNO_KILLS is a number"))
}

#[test]
fn what_the_leader_acknowledged_survives_kill_9() {
    backends::on_each(|backend| survive(backend, "1"));
}

/// Row 2.
#[test]
fn what_all_replicas_acknowledged_survives_kill_9() {
    backends::on_each(|backend| survive(backend, "all"));
}

/// What was acknowledged: the sequence of each record by its offset.
type Acknowledged = BTreeMap<Offset, u64>;

fn survive(backend: &str, acks: &str) {
    let data = TempDir::new().expect("a directory");
    let mut served = serve(backend, data.path(), 1, CONFIG);
    create(&served.addresses[0], 1, 1, &[]);
    let (mut acknowledged, mut sent) = (Acknowledged::new(), 0);
    for round in 0..kills() {
        sent = write_until_killed(&mut served, acks, sent, 200 + round * 997 % 1500, &mut acknowledged);
        served = serve(backend, data.path(), 1, CONFIG);
        check(&served, &acknowledged, sent);
    }
    assert_eq!(acknowledged.is_empty(), kills() == 0, "something was written");
    served.stop();
    segments::assert_sound(data.path(), 0);
    let served = serve(backend, data.path(), 1, CONFIG);
    check(&served, &acknowledged, sent);
    served.stop();
}

/// Writes on from sequence `first`, kills the broker after `enough` acknowledgements; returns the next sequence.
fn write_until_killed(
    served: &mut Served,
    acks: &str,
    first: u64,
    enough: u64,
    acknowledged: &mut Acknowledged,
) -> u64 {
    let producer = Arc::new(producer(&served.addresses[0], acks));
    let (heard, count, stopped) =
        (Arc::new(Mutex::new(Acknowledged::new())), Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let writer = {
        let (producer, heard, count, stopped) =
            (Arc::clone(&producer), Arc::clone(&heard), Arc::clone(&count), Arc::clone(&stopped));
        std::thread::spawn(move || {
            let mut next = first;
            while !stopped.load(Ordering::Relaxed) {
                let (heard, count, sequence) = (Arc::clone(&heard), Arc::clone(&count), next);
                let sent = producer.send_with(record(0, sequence), move |outcome| {
                    let Ok(metadata) = outcome else { return };
                    let twice = heard.lock().expect("unpoisoned").insert(metadata.offset, sequence);
                    assert_eq!(twice, None, "two records at one offset");
                    count.fetch_add(1, Ordering::Relaxed);
                });
                drop(sent);
                next += 1;
            }
            next
        })
    };
    eventually("acknowledgements", || (count.load(Ordering::Relaxed) >= enough).then_some(()));
    served.end(Signal::KILL);
    stopped.store(true, Ordering::Relaxed);
    let next = writer.join().expect("the writer ends");
    Arc::into_inner(producer).expect("nobody else has it").close(Duration::ZERO);
    let heard = std::mem::take(&mut *heard.lock().expect("unpoisoned"));
    assert!(heard.len() as u64 >= enough, "{} of {TOPIC}", heard.len());
    for (offset, sequence) in heard {
        assert_eq!(acknowledged.insert(offset, sequence), None, "offset {offset} was given out twice");
    }
    next
}

/// Every acknowledged record stands where it was said to stand; the others, if they are there, are true and in order.
fn check(served: &Served, acknowledged: &Acknowledged, sent: u64) {
    let address = &served.addresses[0];
    let end = end(address, 0);
    let (mut missing, mut last) = (acknowledged.clone(), None);
    read_to(&mut consumer(address, 0), end, |offset, sequence| {
        assert!(sequence < sent, "record {sequence} was never sent");
        assert!(last < Some(sequence), "record {sequence} stands behind {last:?}");
        last = Some(sequence);
        if let Some(expected) = missing.remove(&offset) {
            assert_eq!(sequence, expected, "another record at offset {offset}");
        }
    });
    assert!(
        missing.is_empty(),
        "{} acknowledged records are lost, the first at {:?}",
        missing.len(),
        missing.first_key_value()
    );
}
