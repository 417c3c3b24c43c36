//! Retention: old segments go, their readers finish, the log goes on.

use std::sync::Arc;

use logdyno_record::Offset;
use logdyno_record::batch::batches;
use logdyno_segment_log::{CleanupPolicy, Log, LogError, LogRead, RetentionPlan};
use logdyno_storage::kinds;
use logdyno_storage::seam::simulated::{Crash, SimulatedDisk};

use crate::power_loss::start;
use crate::world::{
    ManualClock, World, append, batch_of, clean, content, fill, on_every_backend, open, open_at, threes_from, unclean,
    written,
};

/// A log on a clock of its own, whose batches of three have the timestamps 1000 to 1002, 2000 to 2002 and so on up to `n`.
fn aged(world: &World, clock: &Arc<ManualClock>, n: i64) -> Arc<Log> {
    let (log, _) = open_at(world.storage(), &world.config, unclean(0), clock).expect("a new log");
    for at in 1..=n {
        append(&log, &batch_of(&[at * 1_000, at * 1_000 + 1, at * 1_000 + 2], 20, NONE));
    }
    log
}

const NONE: logdyno_record::Compression = logdyno_record::Compression::None;

/// Names of files in the partition's folder that end so.
fn ending(world: &World, suffix: &str) -> Vec<String> {
    let names = std::fs::read_dir(world.folder()).expect("the folder is there").map(|entry| {
        let name = entry.expect("an entry").file_name();
        name.into_string().expect("text")
    });
    let mut found: Vec<String> = names.filter(|name| name.ends_with(suffix)).collect();
    found.sort();
    found
}

/// Row 16. Segments whose youngest record is too old go, oldest first, and only below the high watermark; the files
/// are renamed at once and removed after the delay.
#[test]
fn old_segments_go_and_their_files_after_the_delay() {
    on_every_backend(|world| {
        let mut world = world.with_segments(400);
        world.config.retention_ms = Some(10_000);
        world.config.file_delete_delay_ms = 5_000;
        let clock = Arc::new(ManualClock::default());
        let log = aged(&world, &clock, 12);
        let bases = log.segment_bases();
        assert!(bases.len() >= 5, "{bases:?}");
        clock.set_ms(15_500);
        // The batch that ends before an offset has a third of it as its number: those up to 5002 ms are too old.
        let old = bases.windows(2).take_while(|pair| pair[1].0 / 3 * 1_000 + 2 < 5_500).count();
        assert!((1..4).contains(&old), "{bases:?}");
        let uncommitted = log.enforce_retention(bases[1] + -1).expect("retention");
        assert_eq!(uncommitted.segments(), 0, "nothing but what is committed");
        let plan = log.enforce_retention(log.end_offset()).expect("retention");
        assert_eq!(plan, RetentionPlan { over_age: old, ..RetentionPlan::default() });
        assert_eq!((log.start_offset(), log.segment_bases()), (bases[old], bases[old..].to_vec()));
        assert_eq!(content(&log), threes_from(bases[old].0, 36));
        assert!(matches!(log.read(bases[old] + -1, Offset(36), 100, true), Err(LogError::OutOfRange { .. })));
        let renamed = ending(&world, ".deleted");
        // The log's first segment has no snapshot of the producers before it.
        let files = 4 * old - 1;
        assert_eq!(renamed.len(), files, "{renamed:?}");
        assert_eq!(renamed[..3], ["index", "log", "timeindex"].map(|kind| format!("{:020}.{kind}.deleted", 0)));
        assert_eq!(log.remove_deleted().expect("too early"), 0);
        clock.set_ms(20_500);
        assert_eq!(log.remove_deleted().expect("now"), files);
        assert_eq!(ending(&world, ".deleted"), [""; 0]);
        // What is left is what the next start finds.
        written(&log);
        world.kill(log);
        let (log, report) = world.open();
        assert_eq!((log.start_offset(), report.cut), (bases[old], None));
        assert_eq!(content(&log), threes_from(bases[old].0, 36));
    });
}

/// Row 16. Where even the youngest record is too old, the active segment is rolled and goes, too.
#[test]
fn the_active_segment_is_rolled_and_goes() {
    on_every_backend(|world| {
        let mut world = world.with_segments(400);
        world.config.retention_ms = Some(10_000);
        let clock = Arc::new(ManualClock::default());
        let log = aged(&world, &clock, 12);
        clock.set_ms(50_000);
        let plan = log.enforce_retention(Offset(36)).expect("retention");
        assert!(plan.over_age >= 5, "{plan:?}");
        assert_eq!(
            (log.start_offset(), log.end_offset(), log.segment_bases()),
            (Offset(36), Offset(36), vec![Offset(36)])
        );
        assert_eq!(log.enforce_retention(Offset(36)).expect("retention").segments(), 0, "an empty log is left alone");
        fill(&log, 60);
        assert_eq!(content(&log), threes_from(36, 60));
        log.close().expect("a clean end");
        drop(log);
        let (log, _) = open_at(world.storage(), &world.config, clean(60), &clock).expect("it opens");
        assert_eq!((log.start_offset().0, content(&log)), (36, threes_from(36, 60)));
        assert_eq!(ending(&world, ".deleted"), [""; 0], "left over from before the stop");
    });
}

/// Row 16. As many old segments go as leave `retention.bytes`.
#[test]
fn a_log_that_is_too_large_shrinks() {
    on_every_backend(|world| {
        let mut world = world.with_segments(400);
        world.config.retention_bytes = Some(1_000);
        let (log, _) = world.open();
        fill(&log, 60);
        let plan = log.enforce_retention(Offset(60)).expect("retention");
        assert!(plan.over_size > 1 && plan.over_age == 0, "{plan:?}");
        assert!((1_000..1_400).contains(&log.size()), "{} bytes", log.size());
        assert_eq!(content(&log), threes_from(log.start_offset().0, 60));
        let mut config = (*log.config()).clone();
        config.cleanup_policy = CleanupPolicy::COMPACT;
        config.retention_bytes = Some(0);
        log.reconfigure(config).expect("other settings");
        assert_eq!(log.enforce_retention(Offset(60)).expect("retention").segments(), 0, "cleanup.policy=compact");
    });
}

/// Row 16. A read that waits for the device when its segment is deleted, and even removed, gets its bytes.
#[test]
fn readers_of_a_deleted_segment_finish() {
    for kind in kinds() {
        let disk = SimulatedDisk::new(7);
        let Some((_backend, storage)) = start(kind, &disk) else { continue };
        let mut world = World::new(kind).expect("it ran on the simulated disk").with_segments(1_000);
        world.config.retention_bytes = Some(0);
        world.config.file_delete_delay_ms = 0;
        let (log, _) = open(storage, &world.config, unclean(0)).expect("a new log");
        fill(&log, 90);
        log.flush().expect("durable");
        let lent = log.read_blocking(Offset(0), Offset(9), 1 << 20, true).expect("a read").batches;
        let before = lent.concat();
        disk.cool();
        let pending = log.read(Offset(0), Offset(9), 1 << 20, true).expect("a read");
        let plan = log.enforce_retention(Offset(90)).expect("retention");
        assert!(plan.segments() > 4 && log.remove_deleted().expect("at once") > 8, "{plan:?}");
        let got = match pending {
            LogRead::Ready(slice) => slice,
            LogRead::Wait(pending) => {
                let (sender, receiver) = std::sync::mpsc::channel();
                pending.begin(Box::new(move |read| sender.send(read).expect("the test waits")));
                receiver.recv().expect("an answer").expect("a read of a deleted segment")
            }
        };
        assert_eq!(got.batches.concat(), before, "{}", kind.name);
        assert_eq!(lent.concat(), before, "{}: what was lent has changed", kind.name);
        assert_eq!(batches(before.into()).count(), 3);
    }
}

/// A log that retention cuts at one end goes on in the blocks that it has freed there, and recovers from a crash as it always does.
#[test]
fn segments_begin_with_the_blocks_of_deleted_ones() {
    for kind in kinds() {
        let disk = SimulatedDisk::new(5);
        let Some((backend, storage)) = start(kind, &disk) else { continue };
        let mut world = World::new(kind).expect("it ran on the simulated disk").with_segments(1_000);
        world.config.retention_bytes = Some(3_000);
        world.config.file_delete_delay_ms = 0;
        let (log, _) = open(storage, &world.config, unclean(0)).expect("a new log");
        let mut end = 0;
        // Another thread makes the blocks ready.
        while backend.counters().recycled < 20 {
            end += 30;
            assert!(end < 300_000, "{}: {} files were recycled", kind.name, backend.counters().recycled);
            fill(&log, end);
            written(&log);
            log.enforce_retention(Offset(end)).expect("retention");
            log.remove_deleted().expect("removed");
            assert_eq!(content(&log), threes_from(log.start_offset().0, end), "{}", kind.name);
        }
        disk.stop();
        drop(log.close());
        drop((log, backend));
        disk.restart(Crash::Process).expect("memory for the disk");
        let (_backend, storage) = start(kind, &disk).expect("it ran before");
        let (log, _) = open(storage, &world.config, unclean(0)).expect("what is written is sound");
        assert_eq!(content(&log), threes_from(log.start_offset().0, end), "{}", kind.name);
    }
}

/// On a full disk there may be no room for the new segment that a deletion of all needs, nor for indexes and
/// checkpoints; what is old is deleted all the same, and the log goes on.
#[test]
fn a_full_disk_is_freed() {
    let mut freed = 0;
    for kind in kinds() {
        let disk = SimulatedDisk::new(3);
        let Some((_backend, storage)) = start(kind, &disk) else { continue };
        let mut world = World::new(kind).expect("it ran on the simulated disk").with_segments(1_000);
        world.config.retention_bytes = Some(0);
        let (log, _) = open(storage, &world.config, unclean(0)).expect("a new log");
        fill(&log, 90);
        log.flush().expect("durable");
        disk.set_capacity(0);
        let plan = log.enforce_retention(Offset(90)).expect("retention");
        assert!(plan.over_size > 4, "{plan:?}");
        assert!(log.segment_bases().len() <= 1 && log.start_offset() > Offset(60), "{log:?}");
        disk.set_capacity(1 << 30);
        fill(&log, 120);
        assert_eq!(content(&log), threes_from(log.start_offset().0, 120), "{}", kind.name);
        freed += 1;
    }
    assert!(freed > 0, "no backend runs here");
}
