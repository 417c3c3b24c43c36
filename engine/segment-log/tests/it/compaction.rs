//! Compaction: of each key the latest record stays, offsets do not change, and no crash loses one.

use std::collections::BTreeMap;
use std::sync::Arc;

use logdyno_record::batch::{Batch, batches};
use logdyno_record::{BatchBuilder, BatchOptions, Codec, Compression, Offset};
use logdyno_segment_log::{CleanupPolicy, CompactionLimits, Level, Log, LogConfig};
use logdyno_storage::kinds;
use logdyno_storage::seam::simulated::{Crash, Point, SimulatedDisk};

use crate::power_loss::start;
use crate::world::{ManualClock, World, append, batch_of, clean, on_every_backend, open, open_at, unclean, written};

const DAY_MS: i64 = 24 * 3_600_000;

/// Compacts whatever is dirty.
fn config(segment_bytes: u64) -> LogConfig {
    LogConfig {
        segment_bytes,
        index_interval_bytes: 100,
        cleanup_policy: CleanupPolicy::COMPACT,
        min_cleanable_dirty_ratio: 0.0,
        ..LogConfig::default()
    }
}

fn limits() -> CompactionLimits {
    CompactionLimits { map_bytes: 1 << 20, ..CompactionLimits::default() }
}

/// A batch of these keys and values; no value is a tombstone.
fn keyed(records: &[(String, Option<String>)], compression: Compression) -> Batch {
    let mut builder = BatchBuilder::new(Codec::new(compression), 256);
    for (key, value) in records {
        builder.append(1_000, Some(key.as_bytes()), value.as_ref().map(String::as_bytes), &[]);
    }
    builder.build(&BatchOptions::default()).expect("a batch")
}

/// All records: offset, key, value.
type Read = Vec<(i64, String, Option<String>)>;

fn records(log: &Log) -> Read {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    let (mut found, mut at) = (Vec::new(), log.start_offset());
    while at < log.end_offset() {
        let slice = log.read_blocking(at, log.end_offset(), 1 << 20, true).expect("a read");
        assert!(slice.size() > 0, "nothing at {at} of {log:?}");
        for batch in batches(slice.batches.concat().into()) {
            let batch = batch.expect("a whole batch");
            batch.verify_crc().expect("a sound batch");
            assert!(batch.header().base_offset >= Offset(found.last().map_or(0, |(offset, _, _)| *offset)));
            for record in &batch.records().expect("records") {
                let record = record.expect("a record");
                found.push((record.offset.0, text(record.key.expect("a key")), record.value.map(text)));
            }
            at = batch.header().next_offset();
        }
    }
    assert!(found.is_sorted_by(|one, other| one.0 < other.0), "offsets rise");
    found
}

/// Of each key the last record.
fn latest(all: &Read) -> BTreeMap<String, (i64, Option<String>)> {
    all.iter().map(|(offset, key, value)| (key.clone(), (*offset, value.clone()))).collect()
}

/// A workload that is the same for the same seed: batches of one to five records of a few keys, in all codecs.
struct Workload(u64);

impl Workload {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn batch(&mut self) -> Batch {
        const CODECS: [Compression; 5] =
            [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];
        let count = 1 + self.next() % 5;
        let record = |workload: &mut Workload| {
            let key = format!("key-{}", workload.next() % 20);
            let value = (!workload.next().is_multiple_of(6)).then(|| format!("value {}", workload.next() % 10_000));
            (key, value)
        };
        let records: Vec<_> = (0..count).map(|_| record(self)).collect();
        let codec = CODECS[(self.next() % 5) as usize];
        keyed(&records, codec)
    }

    fn fill(&mut self, log: &Log, end: i64) {
        while log.end_offset().0 < end {
            append(log, &self.batch());
        }
    }
}

/// What must be so of a log that was `before` and has been compacted up to `cleaned`.
fn check(before: &Read, after: &Read, cleaned: Offset, what: &str) {
    assert!(after.iter().all(|record| before.contains(record)), "{what}: nothing is invented or moved");
    assert_eq!(latest(before), latest(after), "{what}: the latest of each key");
    let (clean, dirty): (Read, Read) = after.iter().cloned().partition(|(offset, _, _)| *offset < cleaned.0);
    assert_eq!(clean.len(), latest(&clean).len(), "{what}: of each key one record in the clean part");
    let uncleaned: Read = before.iter().filter(|(offset, _, _)| *offset >= cleaned.0).cloned().collect();
    assert_eq!(dirty, uncleaned, "{what}: the rest as it was");
}

#[test]
fn the_latest_of_each_key_stays_where_it_was() {
    on_every_backend(|mut world| {
        world.config = config(1_000);
        let (log, _) = world.open();
        let mut workload = Workload(7);
        let mut all = Vec::new();
        for round in 1..=4 {
            workload.fill(&log, round * 300);
            all = records(&log).into_iter().chain(all).collect::<std::collections::BTreeSet<_>>().into_iter().collect();
            let (before, segments) = (records(&log), log.segment_bases().len());
            let done = log.compact(log.end_offset(), &limits()).expect("a round").expect("it is due");
            let active = *log.segment_bases().last().expect("a segment");
            assert_eq!((done.cleaned_to, done.segments_before), (active, segments - 1));
            assert_eq!(log.segment_bases().len(), done.segments_after + 1);
            assert!(done.bytes_after < done.bytes_before, "{done:?}");
            check(&before, &records(&log), done.cleaned_to, "after a round");
            assert_eq!(latest(&all), latest(&records(&log)), "after all rounds");
            assert_eq!(log.compact(log.end_offset(), &limits()).expect("nothing"), None, "nothing is dirty");
        }
        for (offset, key, value) in records(&log) {
            let slice = log.read_blocking(Offset(offset), log.end_offset(), 1, true).expect("a read by index");
            let batch = batches(slice.batches.concat().into()).next().expect("one").expect("whole");
            let found = batch.records().expect("records").iter().any(|record| {
                let record = record.expect("a record");
                record.offset.0 == offset
                    && record.key == Some(key.as_bytes())
                    && record.value == value.as_ref().map(String::as_bytes)
            });
            assert!(found, "{offset} is found by its offset");
        }
        let before = records(&log);
        written(&log);
        world.kill(log);
        let (log, report) = world.open();
        assert_eq!((report.cut, records(&log)), (None, before.clone()), "recovery finds no hole");
        log.close().expect("a clean stop");
        let end = log.end_offset().0;
        drop(log);
        let (log, _) = world.try_open(clean(end)).expect("it opens");
        assert_eq!(records(&log), before);
    });
}

/// Where the keys do not fit into memory, several rounds do what one cannot.
#[test]
fn memory_bounds_a_round_and_not_the_outcome() {
    on_every_backend(|mut world| {
        world.config = config(1_000);
        let (log, _) = world.open();
        Workload(3).fill(&log, 600);
        let before = records(&log);
        let small = CompactionLimits { map_bytes: 8 * 32, ..CompactionLimits::default() };
        let (mut rounds, mut so_far) = (0, before.clone());
        while let Some(done) = log.compact(log.end_offset(), &small).expect("a round") {
            check(&so_far, &records(&log), done.cleaned_to, "after a bounded round");
            so_far = records(&log);
            rounds += 1;
        }
        assert!(rounds > 1, "{rounds} rounds");
        let active = *log.segment_bases().last().expect("a segment");
        let cleaned = records(&log).into_iter().filter(|(offset, _, _)| *offset < active.0);
        assert!(cleaned.count() < before.len() / 2);
        assert_eq!(latest(&before), latest(&records(&log)));
    });
}

/// KIP-534: a tombstone stays for `delete.retention.ms` from the round that first meets it.
#[test]
fn tombstones_go_after_their_time() {
    on_every_backend(|mut world| {
        world.config = LogConfig { delete_retention_ms: 1_000, ..config(400) };
        let clock = Arc::new(ManualClock::default());
        clock.set_ms(DAY_MS);
        let (log, _) = open_at(world.storage(), &world.config, unclean(0), &clock).expect("a new log");
        let put = |key: &str, value: Option<&str>| {
            append(&log, &keyed(&[(key.to_owned(), value.map(str::to_owned))], Compression::None));
        };
        let dirty = || (0..10).for_each(|at| put(&format!("other-{at}"), Some("x")));
        let tombstones = || records(&log).iter().filter(|(_, _, value)| value.is_none()).count();
        put("gone", Some("v"));
        put("gone", None);
        dirty();
        log.compact(log.end_offset(), &limits()).expect("a round").expect("due");
        assert_eq!((tombstones(), records(&log)[0].0), (1, 1), "who reads now learns that it is gone");
        for (ms, left) in [(DAY_MS + 999, 1), (DAY_MS + 1_000, 0)] {
            clock.set_ms(ms);
            dirty();
            log.compact(log.end_offset(), &limits()).expect("a round").expect("due");
            assert_eq!(tombstones(), left, "at {ms}");
        }
    });
}

/// A clean start does not read the first batches, from which ages count: who asks reads them then.
#[test]
fn a_segment_is_as_old_after_a_clean_restart() {
    on_every_backend(|mut world| {
        let lag = LogConfig { max_compaction_lag_ms: DAY_MS.unsigned_abs(), ..config(1_000) };
        world.config = LogConfig { min_cleanable_dirty_ratio: 1.0, ..lag };
        let clock = Arc::<ManualClock>::default();
        let (log, _) = open_at(world.storage(), &world.config, unclean(0), &clock).expect("a new log");
        Workload(23).fill(&log, 100);
        let end = log.end_offset();
        log.close().expect("a clean end");
        drop(log);

        let (log, report) = open_at(world.storage(), &world.config, clean(end.0), &clock).expect("it opens");
        assert_eq!(report.segments_walked, 0);
        let segments = world.segment_files().len();
        append(&log, &batch_of(&[1_000 + DAY_MS + 1], 10, Compression::None));
        assert_eq!(world.segment_files().len(), segments + 1, "a batch that is younger by a day rolls the active one");
        for (age_ms, overdue_ms) in [(DAY_MS, None), (DAY_MS + 5, Some(5))] {
            clock.set_ms(1_000 + age_ms);
            assert_eq!(log.compaction_due(end).map(|plan| plan.overdue_ms), overdue_ms, "at an age of {age_ms} ms");
        }
    });
}

/// A follower takes what a compacted leader has, gaps and all, byte for byte.
#[test]
fn a_follower_copies_a_compacted_log() {
    on_every_backend(|mut world| {
        world.config = config(1_000);
        let (leader, _) = world.open();
        Workload(11).fill(&leader, 500);
        leader.compact(leader.end_offset(), &limits()).expect("a round").expect("due");
        let other = World::new(world.kind).expect("it ran before");
        let (follower, _) = open(other.storage(), &world.config, unclean(0)).expect("a new log");
        while follower.end_offset() < leader.end_offset() {
            let slice = leader.read_blocking(follower.end_offset(), leader.end_offset(), 700, true).expect("a read");
            follower.append_as_follower(slice.batches.concat().into()).expect("an append");
        }
        assert_eq!(records(&follower), records(&leader));
    });
}

/// Readers that hold an old segment's bytes keep them, and a round beside reads shows nobody half a state.
#[test]
fn reads_go_on_beside_a_round() {
    on_every_backend(|mut world| {
        world.config = config(1_000);
        let (log, _) = world.open();
        let mut workload = Workload(5);
        workload.fill(&log, 400);
        let held = log.read_blocking(Offset(0), log.end_offset(), 1 << 20, true).expect("a read");
        let bytes = held.batches.concat();
        let expected = latest(&records(&log));
        std::thread::scope(|scope| {
            let reading = scope.spawn(|| (0..200).for_each(|_| assert_eq!(latest(&records(&log)), expected)));
            log.compact(log.end_offset(), &limits()).expect("a round").expect("due");
            reading.join().expect("every read is whole");
        });
        assert_eq!(held.batches.concat(), bytes);
    });
}

/// Stops the machine at the `nth` operation of a kind during a round, and returns whether there was one.
fn stopped_at(kind: logdyno_storage::Kind, crash: Crash, point: Point, nth: u64, seed: u64) -> Option<bool> {
    let config = config(1_500);
    let disk = SimulatedDisk::new(seed);
    let (backend, storage) = start(kind, &disk)?;
    let (log, _) = open(storage, &config, unclean(0)).expect("a new log");
    Workload(seed).fill(&log, 150);
    log.wait_for(Level::Durable, log.end_offset()).expect("durable");
    let (before, durable) = (records(&log), log.recovery_point());
    disk.stop_at(point, disk.count(point) + nth);
    // It fails, or it was done before.
    drop(log.compact(log.end_offset(), &limits()));
    let stopped = disk.has_stopped();
    disk.stop();
    drop(log.close());
    drop((log, backend));
    disk.restart(crash).expect("memory for the disk");
    let (_backend, storage) = start(kind, &disk).expect("it ran before");
    let what = format!("{}, {crash:?} at {point:?} {nth}, seed {seed}", kind.name);
    let (log, report) = open(storage, &config, unclean(durable.0)).unwrap_or_else(|error| panic!("{what}: {error}"));
    let after = records(&log);
    assert_eq!((log.end_offset(), report.cut), (durable, None), "{what}");
    assert!(after.iter().all(|record| before.contains(record)), "{what}: nothing is invented");
    assert_eq!(latest(&before), latest(&after), "{what}: nothing is lost");
    while log.compact(log.end_offset(), &limits()).expect("a round after the crash").is_some() {}
    assert_eq!(latest(&before), latest(&records(&log)), "{what}, and compacted again");
    Some(stopped)
}

/// Also what a crash in the middle of a swap leaves is finished or undone.
#[test]
fn a_crash_at_every_step_loses_nothing() {
    let mut stops = 0;
    for kind in kinds() {
        for (crash, point, seed) in [Crash::Power, Crash::Process]
            .into_iter()
            .flat_map(|crash| Point::ALL.into_iter().map(move |point| (crash, point)))
            .flat_map(|(crash, point)| (1..=2).map(move |seed| (crash, point, seed)))
        {
            stops += (1..).take_while(|nth| stopped_at(kind, crash, point, *nth, seed) == Some(true)).count();
        }
    }
    eprintln!("{stops} crash points");
    assert!(stops > 200, "{stops} crash points");
}
