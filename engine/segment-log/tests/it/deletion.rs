//! DeleteRecords: the log's start moves up, and stays there.

use std::sync::Arc;

use logdyno_record::{LeaderEpoch, NoProbe, Offset, SystemClock, TopicId, TopicPartition};
use logdyno_segment_log::{CleanupPolicy, LogConfig, LogDirectory, LogError};

use crate::world::{
    World, append, batch, batch_of, content, fill, on_every_backend, threes_from, unclean, with_segments, written,
};

fn open(world: &World) -> LogDirectory {
    LogDirectory::open(world.root(), world.backend(), Arc::new(SystemClock), Arc::new(NoProbe)).expect("it opens")
}

fn partition() -> TopicPartition {
    TopicPartition::new("t", 0)
}

/// Row 15. What is before the new start is out of range at once; whole segments go with the next retention, under
/// any policy.
#[test]
fn records_before_the_new_start_are_gone() {
    on_every_backend(|world| {
        let mut world = world.with_segments(400);
        world.config.cleanup_policy = CleanupPolicy::COMPACT;
        let (log, _) = world.open();
        fill(&log, 60);
        assert_eq!(log.delete_records_before(Offset(31), Offset(60)).expect("deleted"), Offset(31));
        assert_eq!(log.delete_records_before(Offset(9), Offset(60)).expect("no news"), Offset(31), "never back");
        assert_eq!(log.start_offset(), Offset(31));
        match log.read(Offset(30), Offset(60), 100, true) {
            Err(LogError::OutOfRange { start, .. }) => assert_eq!(start, Offset(31)),
            _ => panic!("offset 30 was read"),
        }
        assert_eq!(content(&log), threes_from(30, 60), "the batch that holds the start is given whole");
        let plan = log.enforce_retention(Offset(60)).expect("retention");
        assert!(plan.before_log_start > 1 && plan.over_age + plan.over_size == 0, "{plan:?}");
        assert!(log.segment_bases()[0] <= Offset(31) && log.segment_bases()[1] > Offset(31));
        assert_eq!((log.start_offset(), content(&log)), (Offset(31), threes_from(30, 60)));
    });
}

/// Row 15. What is not committed cannot be deleted (OFFSET_OUT_OF_RANGE).
#[test]
fn nothing_above_the_high_watermark_is_deleted() {
    on_every_backend(|world| {
        let (log, _) = world.open();
        fill(&log, 30);
        let refused = log.delete_records_before(Offset(13), Offset(12)).expect_err("not committed");
        assert_eq!(refused.code(), 1, "{refused}");
        assert_eq!(log.start_offset(), Offset(0));
        assert_eq!(log.delete_records_before(Offset(12), Offset(12)).expect("all that is committed"), Offset(12));
        assert_eq!(log.delete_records_before(Offset(30), Offset(99)).expect("all there is"), Offset(30));
        assert_eq!(content(&log), []);
        fill(&log, 36);
        assert_eq!(content(&log), threes_from(30, 36));
    });
}

/// The start is written down before the deletion is acknowledged, where Kafka has it.
#[test]
fn the_start_survives_a_crash_and_a_stop() {
    on_every_backend(|world| {
        let id = TopicId::new_v4();
        let directory = open(&world);
        let (log, _) = directory.open_log(&partition(), id, with_segments(400)).expect("a log");
        fill(&log, 60);
        written(&log);
        log.delete_records_before(Offset(31), Offset(60)).expect("deleted");
        let file = world.root().join("log-start-offset-checkpoint");
        assert_eq!(std::fs::read_to_string(&file).expect("written"), "0\n1\nt 0 31\n");
        drop((log, directory));

        let directory = open(&world);
        let (log, _) = directory.open_log(&partition(), id, with_segments(400)).expect("a log");
        assert_eq!((log.start_offset(), content(&log)), (Offset(31), threes_from(30, 60)));
        log.delete_records_before(Offset(35), Offset(60)).expect("deleted");
        directory.close_clean().expect("a clean stop");
        drop((log, directory));

        let directory = open(&world);
        let (log, report) = directory.open_log(&partition(), id, with_segments(400)).expect("a log");
        assert_eq!((log.start_offset(), report.segments_walked), (Offset(35), 0));
        // Where a segment starts there, its name tells it.
        log.enforce_retention(Offset(60)).expect("retention");
        log.delete_records_before(log.segment_bases()[1], Offset(60)).expect("deleted");
        log.enforce_retention(Offset(60)).expect("retention");
        directory.write_checkpoints(&[]).expect("checkpoints");
        assert_eq!(std::fs::read_to_string(&file).expect("written"), "0\n0\n");
    });
}

/// A follower that starts over below a start that was written down must not lose what it appends then.
#[test]
fn a_log_that_starts_over_below_its_old_start_keeps_what_comes() {
    on_every_backend(|world| {
        let id = TopicId::new_v4();
        let directory = open(&world);
        let (log, _) = directory.open_log(&partition(), id, with_segments(400)).expect("a log");
        fill(&log, 60);
        log.delete_records_before(Offset(50), Offset(60)).expect("deleted");
        log.truncate_fully_and_start_at(Offset(9)).expect("it starts over");
        fill(&log, 30);
        written(&log);
        drop((log, directory));
        let directory = open(&world);
        let (log, _) = directory.open_log(&partition(), id, with_segments(400)).expect("a log");
        assert_eq!((log.start_offset(), content(&log)), (Offset(9), threes_from(9, 30)));
    });
}

/// Kafka's LogLoaderTest.testLogEndLessThanStartAfterReopen: power loss took the tail, the start was written down.
#[test]
fn a_log_that_ends_before_its_start_starts_over_there() {
    on_every_backend(|world| {
        let (log, _) = world.open();
        fill(&log, 30);
        world.kill(log);
        let recovery = logdyno_segment_log::Recovery { log_start: Offset(31), ..unclean(0) };
        let (log, report) = world.try_open(recovery).expect("it opens");
        assert_eq!((log.start_offset(), log.end_offset()), (Offset(31), Offset(31)));
        assert!(report.cut.is_some_and(|why| why.contains("before its start")), "it is told");
        append(&log, &batch(2, 10));
        assert_eq!(content(&log), [(31, 32)]);
    });
}

/// The epoch that goes on across the start is known from there on; earlier ones are not.
#[test]
fn epochs_before_the_start_are_forgotten() {
    on_every_backend(|world| {
        let (log, _) = world.open();
        for epoch in 1..=3 {
            for _ in 0..10 {
                log.append_as_leader(&batch(1, 10), LeaderEpoch(epoch)).expect("an append");
            }
        }
        log.delete_records_before(Offset(15), Offset(30)).expect("deleted");
        let checkpoint = std::fs::read_to_string(world.folder().join("leader-epoch-checkpoint")).expect("written");
        assert_eq!(checkpoint, "0\n2\n2 15\n3 20\n");
        let end = log.end_offset_for_epoch(LeaderEpoch(2)).expect("known");
        assert_eq!((end.epoch, end.end), (LeaderEpoch(2), Offset(20)));
    });
}

/// ListOffsets by time does not find what is deleted, not even in the batch that holds the start.
#[test]
fn look_ups_by_time_start_at_the_start() {
    on_every_backend(|world| {
        let (log, _) = world.open();
        for compression in [logdyno_record::Compression::None, logdyno_record::Compression::Lz4] {
            append(&log, &batch_of(&[900, 100, 200, 300], 10, compression));
        }
        log.delete_records_before(Offset(5), Offset(8)).expect("deleted");
        let found = log.offset_for_time(50, Offset(8)).expect("a look-up").expect("a record");
        assert_eq!((found.timestamp, found.offset), (100, Offset(5)));
        let youngest = log.offset_of_max_timestamp(Offset(8)).expect("a look-up").expect("a record");
        assert_eq!((youngest.timestamp, youngest.offset), (300, Offset(7)), "900 is deleted");
    });
}

/// A deleted topic's start is nothing to its namesake.
#[test]
fn a_namesake_starts_at_zero() {
    on_every_backend(|world| {
        let directory = open(&world);
        let (log, _) = directory.open_log(&partition(), TopicId::new_v4(), LogConfig::default()).expect("a log");
        fill(&log, 30);
        log.delete_records_before(Offset(20), Offset(30)).expect("deleted");
        drop(log);
        directory.delete_log(&partition()).expect("deleted");
        let id = TopicId::new_v4();
        let (log, _) = directory.open_log(&partition(), id, LogConfig::default()).expect("a log");
        fill(&log, 6);
        written(&log);
        drop((log, directory));
        let (log, _) = open(&world).open_log(&partition(), id, LogConfig::default()).expect("a log");
        assert_eq!((log.start_offset(), log.end_offset()), (Offset(0), Offset(6)));
    });
}
