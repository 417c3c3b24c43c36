//! What Apache Kafka reads of ours, and we of its.

use std::fs;
use std::path::{Path, PathBuf};

use logdyno_record::Offset;
use logdyno_segment_log::dump::{self, DumpedIndex};
use logdyno_segment_log::{AbortedTransaction, CleanupPolicy, CompactionLimits, Log};

use crate::world::{World, clean, fill, on_every_backend, unclean};

use super::{abort, commit, committed, offsets, put, send, stable};

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
pub(super) fn close_for_kafka(world: &World, log: &Log, suffix: &str) {
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
