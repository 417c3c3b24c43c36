//! A log of many segments with few descriptors: readers at random while its front is deleted, its middle compacted, its end cut and
//! written anew. A process of its own, for it counts what the process has open.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use logdyno_record::batch::{Batch, batches};
use logdyno_record::{
    BatchBuilder, BatchOptions, Codec, Compression, LeaderEpoch, NoProbe, Offset, SystemClock, TopicPartition,
};
use logdyno_segment_log::{CleanupPolicy, CompactionLimits, Log, LogConfig, LogError, Recovery};
use logdyno_storage::seam::real::RealDisk;
use logdyno_storage::{BackendOptions, Kind, Settings, kinds};

const SEGMENTS: i64 = 500;
const OPEN_FILES_MAX: usize = 64;
/// Keys in turn: compaction leaves the last of each.
const KEYS: i64 = 40;
/// Beyond the bound there may be what cannot be closed: removed files on their way (16 wait to be freed), the active segment, those that
/// roll, small files that are being written, what two readers and a compaction have in their hands.
const IN_USE_MAX: usize = 48;

fn main() {
    let mut arguments = std::env::args().skip(1);
    if arguments.any(|name| !name.starts_with('-') && !"descriptors".contains(&name)) {
        // As with the usual harness, a name that is not this test's runs nothing.
        return;
    }
    for kind in kinds() {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder");
        match kind.start_on(dir.path()) {
            Ok(_) => few_descriptors_are_enough(kind, dir.path()),
            Err(refused) => eprintln!("SKIPPED: {refused}"),
        }
    }
}

fn few_descriptors_are_enough(kind: Kind, dir: &Path) {
    let settings = Settings { open_files_max: OPEN_FILES_MAX, ..Settings::default() };
    let options = BackendOptions { disk: Arc::new(RealDisk), dir: dir.to_owned(), settings };
    let backend = (kind.start)(options).expect("it has started before");
    let storage = backend.open(&dir.join("t-0")).expect("the folder opens");
    let recovery = Recovery { clean_shutdown: false, recovery_point: Offset::ZERO, log_start: Offset::ZERO };
    let (clock, partition) = (Arc::new(SystemClock), TopicPartition::new("t", 0));
    let opened = Log::open(storage, partition, config(), recovery, clock, Arc::new(NoProbe));
    let log = opened.expect("the log opens").0;
    append_to(&log, SEGMENTS);
    assert_eq!(log.segment_bases().len() as i64, SEGMENTS, "a segment for each batch");

    let seen = Seen { folder: dir.join("t-0"), most: AtomicUsize::new(0) };
    let (stop, reads) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let end_readers = EndOnDrop(&stop);
        for reader in 0..2_u64 {
            let (log, stop, reads, seen) = (&log, &stop, &reads, &seen);
            scope.spawn(move || read_at_random(log, reader, stop, reads, seen));
        }
        live(&log, &reads);
        drop(end_readers);
    });
    let (most, reads) = (seen.most.into_inner(), reads.into_inner());
    println!("{}: {reads} reads with {most} files open at most", kind.name);
    assert!(most <= OPEN_FILES_MAX + IN_USE_MAX, "{}: {most} files were open", kind.name);
    assert!(most >= OPEN_FILES_MAX / 2, "{}: {most} files were open: the count is wrong", kind.name);
    log.close().expect("a clean close");
}

fn config() -> LogConfig {
    LogConfig {
        segment_bytes: batch(0).size() as u64 + 10,
        index_interval_bytes: 100,
        file_delete_delay_ms: 0,
        min_cleanable_dirty_ratio: 0.0,
        retention_ms: None,
        cleanup_policy: CleanupPolicy::COMPACT,
        ..LogConfig::default()
    }
}

/// One record, which says where it stands; the first offset is not the batch's business.
fn batch(offset: i64) -> Batch {
    let mut builder = BatchBuilder::new(Codec::new(Compression::None), 256);
    let key = format!("{:04}", offset % KEYS);
    builder.append(1_000, Some(key.as_bytes()), Some(format!("{offset:0200}").as_bytes()), &[]);
    builder.build(&BatchOptions::default()).expect("a batch")
}

fn append_to(log: &Log, end: i64) {
    while log.end_offset().0 < end {
        log.append_as_leader(&batch(log.end_offset().0), LeaderEpoch(1)).expect("an append");
        // Rolled segments are open until they have closed on their own threads: not hundreds of them at once.
        while log.end_offset().0 % 8 == 0 && closing() > 0 {
            std::thread::yield_now();
        }
    }
}

/// Rolled segments that close on threads of their own.
fn closing() -> usize {
    let threads = std::fs::read_dir("/proc/self/task").expect("Linux");
    let names = threads.filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("comm")).ok());
    names.filter(|name| name.trim_end() == "segment-close").count()
}

/// All that takes a segment's file away or gives it another name, while there are readers.
fn live(log: &Log, reads: &AtomicUsize) {
    let some_reads = || {
        let before = reads.load(Ordering::Relaxed);
        while reads.load(Ordering::Relaxed) < before + 1000 {
            std::thread::yield_now();
        }
    };
    some_reads();
    for round in 1..=2 {
        let end = log.end_offset();
        log.delete_records_before(Offset(round * 30), end).expect("a new start");
        log.enforce_retention(end).expect("deleted");
        some_reads();
        log.remove_deleted().expect("removed");
        log.truncate_to(Offset(end.0 - 100)).expect("cut");
        some_reads();
        append_to(log, end.0);
        // Groups of ten: what one swap removes stays open until it is done, for those who read it.
        log.reconfigure(LogConfig { segment_bytes: 10 * config().segment_bytes, ..config() }).expect("larger segments");
        let done = log.compact(log.end_offset(), &CompactionLimits { map_bytes: 1 << 20, ..Default::default() });
        assert!(done.expect("compacted").is_some(), "there was something to compact");
        log.reconfigure(config()).expect("small ones");
        some_reads();
        append_to(log, end.0 + 50);
    }
}

/// What stands at an offset says so, whatever has happened to its segment; nothing is gone that was not given up.
fn read_at_random(log: &Log, seed: u64, stop: &AtomicBool, reads: &AtomicUsize, seen: &Seen) {
    let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    while !stop.load(Ordering::Relaxed) {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (start, end) = (log.start_offset().0, log.end_offset().0);
        let from = start + ((random >> 33) as i64) % (end - start).max(1);
        match log.read_blocking(Offset(from), Offset(i64::MAX), 1 << 10, true) {
            Ok(slice) => {
                for batch in batches(slice.batches.concat().into()) {
                    check(&batch.expect("a whole batch"), from);
                }
            }
            Err(LogError::OutOfRange { .. }) => {}
            Err(error) => panic!("at {from}: {error}"),
        }
        if reads.fetch_add(1, Ordering::Relaxed).is_multiple_of(100) {
            seen.look();
        }
        // What is done to the log is to come on, too.
        std::thread::yield_now();
    }
}

fn check(batch: &Batch, from: i64) {
    batch.verify_crc().expect("a sound batch");
    assert!(batch.header().last_offset().0 >= from, "{from} was asked for");
    for record in &batch.records().expect("records") {
        let record = record.expect("a record");
        let value = std::str::from_utf8(record.value.expect("a value")).expect("text");
        assert_eq!(value.parse::<i64>().expect("a number"), record.offset.0, "another batch's bytes");
    }
}

/// How many descriptors the process has for files of the log.
struct Seen {
    folder: std::path::PathBuf,
    most: AtomicUsize,
}

impl Seen {
    fn look(&self) {
        let descriptors = std::fs::read_dir("/proc/self/fd").expect("Linux");
        let targets = descriptors.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
        let open = targets.filter(|target| target.starts_with(&self.folder)).count();
        self.most.fetch_max(open, Ordering::Relaxed);
    }
}

struct EndOnDrop<'a>(&'a AtomicBool);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
