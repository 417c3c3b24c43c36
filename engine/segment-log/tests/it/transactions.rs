//! Transactions in a log: the last stable offset, what was aborted, the markers, and the files that Kafka wrote of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use logdyno_record::batch::control::{ControlType, EndTransactionMarker};
use logdyno_record::batch::{Batch, ProducerStamp, batches};
use logdyno_record::{BatchBuilder, BatchOptions, Codec, Compression, Offset};
use logdyno_segment_log::dump::{self, DumpedIndex};
use logdyno_segment_log::{
    AbortedTransaction, ActiveProducer, Appended, CleanupPolicy, CompactionLimits, Log, LogError,
};

use crate::world::{EPOCH, ManualClock, World, clean, fill, on_every_backend, open_at, unclean, written};

/// `count` records of a producer from this sequence on.
fn records(producer: i64, sequence: i32, count: usize, transactional: bool) -> Batch {
    let mut builder = BatchBuilder::new(Codec::new(Compression::None), 256);
    for _ in 0..count {
        builder.append(1_000, Some(b"key"), Some(&[b'v'; 20]), &[]);
    }
    let producer = ProducerStamp { id: producer, epoch: 0, base_sequence: sequence };
    builder.build(&BatchOptions { producer, transactional, ..BatchOptions::default() }).expect("a batch")
}

/// Two records of a producer's transaction; returns the first offset.
pub(crate) fn send(log: &Log, producer: i64, sequence: i32) -> i64 {
    log.append_as_leader(&records(producer, sequence, 2, true), EPOCH).expect("in order").first.0
}

fn end(
    log: &Log,
    producer: i64,
    epoch: i16,
    control_type: ControlType,
    coordinator: i32,
) -> Result<Appended, LogError> {
    log.append_marker(producer, epoch, EndTransactionMarker { control_type, coordinator_epoch: coordinator }, EPOCH)
}

pub(crate) fn commit(log: &Log, producer: i64) -> i64 {
    end(log, producer, 0, ControlType::Commit, 0).expect("a marker").last.0
}

pub(crate) fn abort(log: &Log, producer: i64) -> i64 {
    end(log, producer, 0, ControlType::Abort, 0).expect("a marker").last.0
}

/// The last stable offset where everything is committed.
fn stable(log: &Log) -> i64 {
    log.last_stable_offset(log.end_offset()).0
}

/// Producer, first and last offset of what was aborted in a range.
fn aborted(log: &Log, from: i64, up_to: i64) -> Vec<(i64, i64, i64)> {
    let found = log.aborted_transactions(Offset(from), Offset(up_to)).into_iter();
    found.map(|it| (it.producer_id, it.first_offset.0, it.last_offset.0)).collect()
}

/// The offsets that a `read_committed` consumer shows, by the rules of Kafka's CompletedFetch.
fn committed(log: &Log) -> Vec<i64> {
    let (start, stable) = (log.start_offset(), log.last_stable_offset(log.end_offset()));
    let (mut at, mut seen) = (start, Vec::new());
    while at < stable {
        let slice = log.read_blocking(at, stable, 1 << 20, true).expect("a read");
        let (mut waiting, mut aborting) = (log.aborted_in(at, &slice), BTreeSet::new());
        for batch in batches(slice.batches.concat().into()) {
            let batch = batch.expect("a batch");
            let header = batch.header();
            let begun = waiting.extract_if(.., |it| it.first_offset <= header.last_offset());
            aborting.extend(begun.map(|it| it.producer_id));
            if header.is_control() {
                aborting.remove(&header.producer_id);
            } else if !(header.is_transactional() && aborting.contains(&header.producer_id)) {
                let records = batch.records().expect("records");
                seen.extend(records.iter().map(|record| record.expect("a record").offset.0));
            }
            at = header.next_offset();
        }
    }
    seen
}

/// Rows 110 and 40: an open transaction holds back what came after it, also what is of none, until its marker is committed.
#[test]
fn the_last_stable_offset_waits_for_the_first_open_transaction() {
    on_every_backend(|world| {
        let (log, _) = world.open();
        fill(&log, 3);
        assert_eq!(stable(&log), 3, "nothing is open");
        assert_eq!(send(&log, 7, 0), 3);
        assert_eq!(send(&log, 8, 0), 5);
        fill(&log, 9);
        assert_eq!(stable(&log), 3);
        assert_eq!(log.last_stable_offset(Offset(2)), Offset(2), "never above the high watermark");
        let marker = commit(&log, 7);
        assert_eq!((marker, log.end_offset().0), (10, 11), "a marker takes one offset");
        assert_eq!(log.last_stable_offset(Offset(marker)), Offset(3), "the marker is not committed");
        assert_eq!(log.last_stable_offset(Offset(marker + 1)), Offset(5), "now producer 8 is the first");
        assert_eq!(abort(&log, 8), 11);
        assert_eq!(stable(&log), 12);
        assert_eq!(aborted(&log, 0, 12), [(8, 5, 11)]);
        assert_eq!(committed(&log), [0, 1, 2, 3, 4, 7, 8, 9]);
        assert_eq!(abort(&log, 8), 12, "of a transaction without records");
        assert_eq!(aborted(&log, 0, 13), [(8, 5, 11)]);
    });
}

/// What is open, what was aborted, and the coordinator's epoch outlive each kind of stop.
#[test]
fn stops_forget_no_transaction() {
    on_every_backend(|world| {
        let world = world.with_segments(400);
        for stop in ["clean", "kill", "clean without snapshots"] {
            let (log, _) = world.open();
            let base = log.end_offset().0;
            let sequence = |log: &Log, id| {
                let known = log.active_producers().into_iter().find(|known| known.id == id);
                known.map_or(0, |known| known.last_sequence + 1)
            };
            for _ in 0..5 {
                send(&log, 7, sequence(&log, 7));
                send(&log, 8, sequence(&log, 8));
                commit(&log, 7);
                abort(&log, 8);
            }
            let open = send(&log, 9, sequence(&log, 9));
            end(&log, 7, 0, ControlType::Commit, 5).expect("a marker");
            assert!(log.segment_bases().len() > 2);
            let (end_offset, known) = (log.end_offset().0, log.active_producers());
            let found = aborted(&log, base, end_offset);
            assert_eq!(found.len(), 5, "{stop}");
            let recovery = if stop == "kill" {
                world.kill(log);
                unclean(0)
            } else {
                log.close().expect("a clean close");
                drop(log);
                clean(end_offset)
            };
            if stop.ends_with("snapshots") {
                world.files("snapshot").iter().for_each(|file| fs::remove_file(file).expect("removed"));
            }
            let (log, _) = world.try_open(recovery).expect("it opens");
            assert_eq!((stable(&log), aborted(&log, base, end_offset)), (open, found), "{stop}");
            assert_eq!(log.active_producers(), known, "{stop}");
            let fenced = end(&log, 7, 0, ControlType::Abort, 4);
            assert!(matches!(fenced, Err(LogError::CoordinatorFenced { current: 5, .. })), "{stop}: {fenced:?}");
            end(&log, 7, 1, ControlType::Abort, 5).expect("an epoch of the coordinator's that bumps the producer's");
            end(&log, 7, 0, ControlType::Commit, 5).expect_err("fenced");
            abort(&log, 9);
            assert_eq!(stable(&log), log.end_offset().0);
            log.truncate_fully_and_start_at(log.end_offset()).expect("a new start for the next stop");
            log.close().expect("a clean close");
        }
    });
}

/// Kafka's ProducerAppendInfo: 47 and 52 for markers of the past, 48 for what is sent beside the open transaction.
#[test]
fn markers_of_the_past_and_batches_beside_the_transaction_are_refused() {
    on_every_backend(|world| {
        let (log, _) = world.open();
        send(&log, 7, 0);
        let end_offset = log.end_offset();
        let code = |result: Result<Appended, LogError>| result.map_err(|error| error.code()).expect_err("refused");
        assert_eq!(code(log.append_as_leader(&records(7, 2, 1, false), EPOCH)), 48);
        end(&log, 7, 3, ControlType::Abort, 9).expect("a later epoch of the producer's ends it");
        assert_eq!(code(end(&log, 7, 2, ControlType::Commit, 9)), 47);
        assert_eq!(code(end(&log, 7, 3, ControlType::Commit, 8)), 52);
        assert_eq!(log.end_offset(), end_offset.next());
        assert_eq!(aborted(&log, 0, 9), [(7, 0, 2)]);
    });
}

#[test]
fn who_has_a_transaction_open_is_not_forgotten() {
    on_every_backend(|world| {
        let (log, _) = world.open();
        send(&log, 7, 0);
        log.expire_producers(Duration::ZERO);
        assert_eq!((log.active_producers().len(), stable(&log)), (1, 0));
        abort(&log, 7);
        log.expire_producers(Duration::ZERO);
        assert_eq!((log.active_producers().len(), stable(&log)), (0, 3));
    });
}

/// A follower knows what its leader knew; what it gives up again was never ended.
#[test]
fn followers_and_truncations() {
    on_every_backend(|world| {
        let world = world.with_segments(400);
        let (leader, _) = world.open();
        let mut markers = Vec::new();
        for round in 0..6 {
            send(&leader, 7, round * 2);
            fill(&leader, leader.end_offset().0 + 3);
            markers.push(abort(&leader, 7));
        }
        written(&leader);
        let other = World::new(world.kind).expect("it ran before").with_segments(400);
        let (follower, _) = other.open();
        while follower.end_offset() < leader.end_offset() {
            let slice = leader.read_blocking(follower.end_offset(), leader.end_offset(), 300, true).expect("a read");
            follower.append_as_follower(slice.batches.concat().into()).expect("in order");
        }
        let all = aborted(&leader, 0, i64::MAX);
        assert_eq!((all.len(), aborted(&follower, 0, i64::MAX)), (6, all.clone()));
        for keep in (0..6).rev() {
            follower.truncate_to(Offset(markers[keep])).expect("a truncation");
            assert_eq!((stable(&follower), aborted(&follower, 0, i64::MAX)), (all[keep].1, all[..keep].to_vec()));
        }
        other.kill(follower);
        let (follower, _) = other.open();
        assert_eq!((stable(&follower), aborted(&follower, 0, i64::MAX)), (all[0].1, vec![]));
        abort(&follower, 7);
        assert_eq!(aborted(&follower, 0, i64::MAX), all[..1]);
    });
}

/// As many entries as reach into a range are collected, over the segments, and no more.
#[test]
fn a_range_has_its_own_aborted_transactions() {
    on_every_backend(|world| {
        let world = world.with_segments(400);
        let (log, _) = world.open();
        for round in 0..20 {
            let first = send(&log, 7, round * 2);
            assert_eq!((first, abort(&log, 7)), (i64::from(round) * 3, i64::from(round) * 3 + 2));
        }
        assert_eq!(aborted(&log, 30, 36), [(7, 30, 32), (7, 33, 35)]);
        assert_eq!(aborted(&log, 32, 33), [(7, 30, 32)]);
        assert_eq!(aborted(&log, 59, 60), [(7, 57, 59)]);
        assert_eq!(aborted(&log, 60, 60), []);
        let slice = log.read_blocking(Offset(9), Offset(60), 1, true).expect("one batch");
        assert_eq!(log.aborted_in(Offset(9), &slice).len(), 1);
    });
}

/// An index that is gone, cut, of another log or of an earlier close is not believed after a stop that was not clean.
#[test]
fn a_transaction_index_that_lies_is_rebuilt() {
    on_every_backend(|world| {
        let world = world.with_segments(2_000);
        let (log, _) = world.open();
        for round in 0..60 {
            send(&log, 7, round * 2);
            abort(&log, 7);
        }
        let (all, end_offset) = (aborted(&log, 0, i64::MAX), log.end_offset().0);
        assert!(log.segment_bases().len() > 2);
        log.close().expect("a clean close");
        drop(log);
        let good: Vec<Vec<u8>> = world.files("txnindex").iter().map(|file| fs::read(file).expect("it is")).collect();
        let lie = |content: &[u8]| {
            for file in world.files("txnindex") {
                fs::write(file, content).expect("written");
            }
        };
        for content in [vec![0; 33], vec![0; 34], good[1][..good[1].len() - 34].to_vec(), vec![0xff; 68]] {
            lie(&content);
            let (log, _) = world.try_open(unclean(0)).expect("it opens");
            assert_eq!(aborted(&log, 0, i64::MAX), all);
            log.close().expect("a clean close");
            drop(log);
            let now: Vec<Vec<u8>> = world.files("txnindex").iter().map(|file| fs::read(file).expect("it is")).collect();
            assert_eq!(now, good);
        }
        lie(&good[0][..33]);
        let (log, _) = world.try_open(clean(end_offset)).expect("also after a clean stop, if it is no index");
        assert_eq!(aborted(&log, 0, i64::MAX), all);
    });
}

/// The index of a segment goes with it, and one without aborted transactions has none.
#[test]
fn an_index_is_there_as_long_as_its_segment() {
    on_every_backend(|world| {
        let mut world = world.with_segments(400);
        world.config.file_delete_delay_ms = 0;
        let (log, _) = world.open();
        fill(&log, 30);
        let quiet = log.segment_bases().len();
        for round in 0..10 {
            send(&log, 7, round * 2);
            abort(&log, 7);
        }
        log.close().expect("a clean close");
        drop(log);
        let before = world.files("txnindex").len();
        assert!(before > 1 && before <= world.files("log").len() + 1 - quiet, "{before}");
        let (log, _) = world.open();
        log.delete_records_before(log.end_offset(), log.end_offset()).expect("moved");
        log.enforce_retention(log.end_offset()).expect("deleted");
        log.remove_deleted().expect("removed");
        let [last] = log.segment_bases()[..] else { panic!("only the last is left") };
        assert!(last > Offset(30) && aborted(&log, 0, i64::MAX).iter().all(|(_, _, marker)| *marker >= last.0));
        assert_eq!(world.files("txnindex"), [world.folder().join(format!("{:020}.txnindex", last.0))]);
        assert_eq!(world.files("deleted"), Vec::<PathBuf>::new());
    });
}

/// With LOGDYNO_GOLDEN_OUT, into a folder from which scripts/golden/transactions has Apache Kafka read: what we write, and what we say of it.
#[test]
fn what_kafka_is_to_read() {
    on_every_backend(|world| {
        let world = world.with_segments(1_500);
        let (log, _) = world.open();
        for round in 0..8 {
            fill(&log, log.end_offset().0 + 3);
            send(&log, 1_000, round * 4);
            send(&log, 1_001, round * 2);
            send(&log, 1_000, round * 4 + 2);
            if round % 2 == 0 {
                abort(&log, 1_000)
            } else {
                commit(&log, 1_000)
            };
            abort(&log, 1_001);
        }
        let open = send(&log, 1_002, 0);
        fill(&log, log.end_offset().0 + 3);
        assert_eq!(stable(&log), open);
        close_for_kafka(&world, &log, "");
    });
}

/// Closes a log, and copies its files to where Kafka looks for them, if it does.
fn close_for_kafka(world: &World, log: &Log, suffix: &str) {
    let (end, stable, seen) = (log.end_offset(), stable(log), committed(log));
    log.close().expect("a clean close");
    let Some(out) = std::env::var_os("LOGDYNO_GOLDEN_OUT") else { return };
    let out = Path::new(&out).join(format!("{}{suffix}", world.kind.name));
    fs::create_dir(&out).expect("a folder for each backend");
    for entry in fs::read_dir(world.folder()).expect("the folder") {
        let path = entry.expect("an entry").path();
        fs::copy(&path, out.join(path.file_name().expect("a name"))).expect("copied");
    }
    let seen: Vec<String> = seen.iter().map(ToString::to_string).collect();
    let said = format!("read_uncommitted end {end}\nread_committed end {stable}\ncommitted {}\n", seen.join(" "));
    fs::write(out.join("said.txt"), said).expect("written");
}

/// One record of a producer's transaction.
fn put(log: &Log, producer: i64, sequence: i32, key: &str) -> i64 {
    let mut builder = BatchBuilder::new(Codec::new(Compression::None), 256);
    builder.append(1_000, Some(key.as_bytes()), Some(&[b'v'; 30]), &[]);
    let producer = ProducerStamp { id: producer, epoch: 0, base_sequence: sequence };
    let batch = builder.build(&BatchOptions { producer, transactional: true, ..BatchOptions::default() });
    log.append_as_leader(&batch.expect("a batch"), EPOCH).expect("in order").first.0
}

/// Offsets of all batches: of data, and of markers.
fn offsets(log: &Log) -> (Vec<i64>, Vec<i64>) {
    let (mut data, mut markers, mut at) = (Vec::new(), Vec::new(), log.start_offset());
    while at < log.end_offset() {
        let slice = log.read_blocking(at, log.end_offset(), 1 << 20, true).expect("a read");
        for batch in batches(slice.batches.concat().into()) {
            let batch = batch.expect("a batch");
            at = batch.header().next_offset();
            let which = if batch.header().is_control() { &mut markers } else { &mut data };
            which.extend((batch.header().count > 0).then_some(batch.header().base_offset.0));
        }
    }
    (data, markers)
}

/// With LOGDYNO_GOLDEN_OUT, into a folder where scripts/golden/transactions has Kafka's cleaner go through the log as it was before our
/// round, and compares what is left: `left.txt` has the offsets of our records, `aborted.txt` what our indexes say then.
#[test]
fn what_kafka_is_to_compact() {
    on_every_backend(|world| {
        let mut world = world.with_segments(700);
        let log = world.open().0;
        for round in 0..30 {
            put(&log, 7, round * 2, &format!("key {}", round % 5));
            put(&log, 8, round * 2, &format!("key {}", (round + 1) % 5));
            put(&log, 7, round * 2 + 1, &format!("key {}", round % 3));
            if round % 4 == 0 {
                abort(&log, 7)
            } else {
                commit(&log, 7)
            };
            put(&log, 8, round * 2 + 1, "beside");
            if round % 3 == 0 {
                commit(&log, 8)
            } else {
                abort(&log, 8)
            };
        }
        let (before, end) = (offsets(&log), log.end_offset().0);
        close_for_kafka(&world, &log, "-to-compact");
        drop(log);
        world.config.cleanup_policy = CleanupPolicy::COMPACT;
        world.config.min_cleanable_dirty_ratio = 0.0;
        let log = world.try_open(clean(end)).expect("it opens").0;
        let limits = CompactionLimits { map_bytes: 1 << 16, ..Default::default() };
        let done = log.compact(log.end_offset(), &limits).expect("a round").expect("it was due");
        let (data, markers) = offsets(&log);
        assert_eq!(markers, before.1, "the first round leaves them");
        assert!(data.len() < before.0.len() / 2 && done.cleaned_to.0 > end / 2, "{data:?} of {before:?}");
        if let Some(out) = std::env::var_os("LOGDYNO_GOLDEN_OUT") {
            let out = Path::new(&out).join(format!("{}-to-compact", world.kind.name));
            let lines = |numbers: &mut dyn Iterator<Item = String>| numbers.collect::<Vec<_>>().join("\n") + "\n";
            let mut left: Vec<i64> = data.into_iter().chain(markers).collect();
            left.sort_unstable();
            fs::write(out.join("left.txt"), lines(&mut left.iter().map(ToString::to_string))).expect("written");
            let told = log.aborted_transactions(Offset(0), done.cleaned_to);
            let told = told.iter().filter(|it| it.last_offset < done.cleaned_to);
            let mut told = told.map(|it| format!("{} {} {}", it.producer_id, it.first_offset, it.last_offset));
            fs::write(out.join("aborted.txt"), lines(&mut told)).expect("written");
            fs::write(out.join("cleaned.txt"), done.cleaned_to.to_string()).expect("written");
        }
    });
}

/// Kafka's LogCleanerTest, on transactions: what was aborted hides nothing and goes; markers go after what they speak of and when
/// `delete.retention.ms` is over; what is open holds a round back; and every kind of start finds the same.
#[test]
fn compaction_keeps_what_was_committed() {
    on_every_backend(|world| {
        let mut world = world.with_segments(400);
        world.config.cleanup_policy = CleanupPolicy::COMPACT;
        world.config.min_cleanable_dirty_ratio = 0.0;
        let clock = Arc::new(ManualClock::default());
        clock.set_ms(1_000_000);
        let open = |recovery| open_at(world.storage(), &world.config, recovery, &clock).expect("it opens").0;
        let log = open(unclean(0));
        let (mut aborted_data, mut latest) = (Vec::new(), std::collections::BTreeMap::new());
        for round in 0..12 {
            let (kept, gone) = (format!("key {}", round % 3), format!("key {}", (round + 1) % 3));
            latest.insert(kept.clone(), put(&log, 7, round, &kept));
            aborted_data.push(put(&log, 8, round, &gone));
            commit(&log, 7);
            abort(&log, 8);
        }
        let held = put(&log, 9, 0, "key 0");
        for sequence in 12..19 {
            put(&log, 7, sequence, "later");
        }
        commit(&log, 7);
        let before = committed(&log);
        let compact = |log: &Log| {
            let done = log.compact(log.end_offset(), &CompactionLimits { map_bytes: 1 << 16, ..Default::default() });
            done.expect("a round")
        };
        let cleaned = compact(&log).expect("it was due").cleaned_to.0;
        assert!((held - 5..=held).contains(&cleaned), "what is open, and behind it, is not touched: {cleaned}");
        let (data, markers) = offsets(&log);
        let left = |offset: &&i64| **offset < cleaned && data.contains(offset);
        assert_eq!(aborted_data.iter().filter(left).count(), 0, "{data:?}");
        assert!(latest.values().all(|offset| data.contains(offset)), "{latest:?} of {data:?}");
        assert!(markers.len() >= 24, "the first round leaves them: {markers:?}");
        assert_eq!(stable(&log), held);
        let after: Vec<i64> = committed(&log);
        assert!(after.iter().all(|offset| before.contains(offset)) && after.len() < before.len());
        abort(&log, 9);
        let mut found = (offsets(&log), committed(&log));
        for round in 0..4 {
            clock.set_ms(1_000_000 + round * 2 * 86_400_000);
            // Something dirty, or no round is due.
            put(&log, 7, 19 + round as i32 * 5, "later");
            for more in 1..5 {
                put(&log, 7, 19 + round as i32 * 5 + more, "later");
            }
            commit(&log, 7);
            compact(&log).expect("it was due");
            let now = (offsets(&log), committed(&log));
            assert!(now.0.1.iter().filter(|marker| **marker < held).count() <= found.0.1.len());
            found = now;
        }
        // Of the latest records of the three keys, and of the aborted batch that is producer 8's last, and empty.
        let old: Vec<i64> = found.0.1.iter().copied().filter(|marker| *marker < held).collect();
        assert_eq!(old, [38, 42, 46, 47], "the rest has nothing left, and the retention of deletes is over");
        assert!(latest.values().skip(1).all(|offset| found.0.0.contains(offset)), "{latest:?} of {found:?}");
        let end_offset = log.end_offset().0;
        assert_eq!(stable(&log), end_offset);
        let known = log.active_producers();
        log.close().expect("a clean close");
        drop(log);
        for (recovery, but) in
            [(clean(end_offset), ""), (unclean(0), ""), (clean(end_offset), "snapshot"), (unclean(0), "snapshot")]
        {
            world
                .files(if but.is_empty() { "nothing" } else { but })
                .iter()
                .for_each(|file| fs::remove_file(file).expect("removed"));
            let log = open(recovery);
            assert_eq!((offsets(&log), committed(&log)), found);
            assert_eq!(stable(&log), end_offset, "nothing is open: {:?}", log.active_producers());
            let sequences =
                |known: &[ActiveProducer]| -> Vec<_> { known.iter().map(|it| (it.id, it.last_sequence)).collect() };
            assert_eq!(sequences(&log.active_producers()), sequences(&known));
            log.close().expect("a clean close");
        }
        close_for_kafka(&world, &open(clean(end_offset)), "-compacted");
    });
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/transactions")
}

/// What Kafka said of its partition: the line that starts with this.
fn said(what: &str) -> Vec<i64> {
    let said = fs::read_to_string(golden().join("said-by-kafka.txt")).expect("the golden files");
    let line = said.lines().find_map(|line| line.strip_prefix(what)).expect("a line");
    line.split_whitespace().map(|number| number.parse().expect("a number")).collect()
}

fn take_over_from_kafka(world: &World, but: &[&str]) {
    fs::create_dir_all(world.folder()).expect("a folder");
    for entry in fs::read_dir(golden()).expect("the golden files") {
        let path = entry.expect("an entry").path();
        let extension = path.extension().and_then(|it| it.to_str()).unwrap_or_default();
        if extension != "txt" && !but.contains(&extension) {
            fs::copy(&path, world.folder().join(path.file_name().expect("a name"))).expect("copied");
        }
    }
}

fn kafkas(base: &Path) -> Vec<AbortedTransaction> {
    match dump::index(base).expect("Kafka's index") {
        DumpedIndex::Transactions(entries) => entries,
        other => panic!("{other:?}"),
    }
}

/// A partition that Apache Kafka 4.1 wrote (scripts/golden/Transactions.java): we see in it what Kafka saw, whether we believe its
/// indexes and snapshots or make them anew, and make the same files.
#[test]
fn what_kafka_wrote_is_what_we_read() {
    on_every_backend(|world| {
        let mut known = Vec::new();
        let rebuilt = ["index", "timeindex", "txnindex", "snapshot"];
        for (recovery, but) in [(clean(59), &[][..]), (clean(59), &rebuilt), (unclean(0), &[]), (unclean(0), &rebuilt)]
        {
            let world = World::new(world.kind).expect("it ran before");
            take_over_from_kafka(&world, but);
            let (log, report) = world.try_open(recovery).expect("it opens");
            assert_eq!(report.cut, None);
            assert_eq!([log.end_offset().0], *said("read_uncommitted end"));
            assert_eq!([stable(&log)], *said("read_committed end"));
            assert_eq!(committed(&log), said("committed"));
            let mut theirs = fs::read_dir(golden()).expect("the golden files").map(|entry| entry.expect("one").path());
            let mut theirs: Vec<PathBuf> =
                theirs.by_ref().filter(|path| path.extension().is_some_and(|it| it == "txnindex")).collect();
            theirs.sort();
            let entries: Vec<AbortedTransaction> = theirs.iter().flat_map(|path| kafkas(path)).collect();
            assert_eq!(log.aborted_transactions(Offset(0), Offset(59)), entries);
            known.push(log.active_producers());
            log.close().expect("a clean close");
            drop(log);
            let names = |paths: &[PathBuf]| -> Vec<_> {
                paths.iter().map(|it| it.file_name().map(ToOwned::to_owned)).collect()
            };
            let ours = world.files("txnindex");
            assert_eq!(names(&ours), names(&theirs));
            for (ours, theirs) in ours.iter().zip(&theirs) {
                assert_eq!(fs::read(ours).expect("ours"), fs::read(theirs).expect("theirs"), "{}", theirs.display());
            }
        }
        assert!(
            known[0].iter().any(|producer| producer.transaction_start == Some(Offset(said("read_committed end")[0])))
        );
        assert!(known.iter().all(|producers| *producers == known[0]), "{known:?}");
    });
}
