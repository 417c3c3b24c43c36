//! A data directory: its lock, its owner, its checkpoints.

use std::fs;
use std::sync::Arc;

use logdyno_record::{NoProbe, Offset, SystemClock, TopicId, TopicPartition};
use logdyno_segment_log::{LogConfig, LogDirectory, LogError, Wanted};

use crate::world::{ManualClock, World, content, fill, on_every_backend, threes, with_segments, written};

fn open(world: &World) -> Result<LogDirectory, LogError> {
    LogDirectory::open(world.root(), world.backend(), Arc::new(SystemClock), Arc::new(NoProbe))
}

fn partition() -> TopicPartition {
    TopicPartition::new("t", 0)
}

#[test]
fn a_directory_in_use_is_refused_in_one_sentence() {
    on_every_backend(|world| {
        let held = open(&world).expect("it opens");
        let error = open(&world).err().expect("it is in use");
        assert!(matches!(error, LogError::Locked { .. }), "{error}");
        assert!(!error.to_string().contains('\n') && error.to_string().contains(&world.root().display().to_string()));
        drop(held);
        drop(open(&world).expect("it is free again"));
    });
}

#[test]
fn a_clean_stop_spares_the_walk_and_an_unclean_one_does_not() {
    on_every_backend(|world| {
        let id = TopicId::new_v4();
        let directory = open(&world).expect("it opens");
        let (log, _) = directory.open_log(&partition(), id, LogConfig::default()).expect("a log");
        fill(&log, 30);
        directory.write_checkpoints(&[(partition(), Offset(27))]).expect("checkpoints");
        directory.close_clean().expect("a clean stop");
        drop((log, directory));

        let directory = open(&world).expect("it opens");
        assert_eq!(directory.existing(), [(partition(), id)]);
        assert_eq!(directory.high_watermark(&partition()), Offset(27));
        let (log, report) = directory.open_log(&partition(), id, LogConfig::default()).expect("a log");
        assert_eq!(report.segments_walked, 0);
        assert_eq!(content(&log), threes(30));
        fill(&log, 60);
        written(&log);
        drop((log, directory));

        let directory = open(&world).expect("it opens");
        let (log, report) = directory.open_log(&partition(), id, LogConfig::default()).expect("a log");
        assert_eq!(report.segments_walked, 1, "the mark of the clean stop was used up");
        assert_eq!(content(&log), threes(60));
    });
}

/// The checkpoint said 30; a truncation makes that untrue, and a crash must not look like damage.
#[test]
fn a_crash_after_a_truncation_is_no_damage() {
    on_every_backend(|world| {
        let id = TopicId::new_v4();
        let directory = open(&world).expect("it opens");
        let (log, _) = directory.open_log(&partition(), id, LogConfig::default()).expect("a log");
        fill(&log, 30);
        log.flush().expect("durable");
        directory.write_checkpoints(&[]).expect("checkpoints");
        log.truncate_to(Offset(10)).expect("a truncation");
        drop((log, directory));
        let directory = open(&world).expect("it opens");
        let (log, _) = directory.open_log(&partition(), id, LogConfig::default()).expect("the log is sound");
        assert_eq!(content(&log), threes(9));
    });
}

/// Between the last old segment and the first new one there is none: the log that starts at 0 then is no damaged one, however often it
/// starts.
#[test]
fn a_crash_in_the_middle_of_starting_over_is_no_damage() {
    on_every_backend(|world| {
        let (id, config) = (TopicId::new_v4(), with_segments(400));
        let directory = open(&world).expect("it opens");
        let (log, _) = directory.open_log(&partition(), id, config.clone()).expect("a log");
        fill(&log, 60);
        log.flush().expect("durable");
        log.delete_records_before(Offset(30), Offset(60)).expect("deleted");
        log.enforce_retention(Offset(60)).expect("retention");
        directory.write_checkpoints(&[]).expect("checkpoints");
        log.truncate_fully_and_start_at(Offset(100)).expect("a new start");
        drop((log, directory));
        fs::remove_file(world.root().join("t-0/00000000000000000100.log")).expect("the crash came before it");
        for start in ["the first", "the second"] {
            let directory = open(&world).expect("it opens");
            let opened = directory.open_log(&partition(), id, config.clone());
            let (log, _) = opened.unwrap_or_else(|error| panic!("{start} start: {error}"));
            assert_eq!(content(&log), []);
        }
    });
}

#[test]
fn a_deleted_log_leaves_nothing_to_one_of_the_same_name() {
    on_every_backend(|world| {
        let directory = open(&world).expect("it opens");
        let (log, _) = directory.open_log(&partition(), TopicId::new_v4(), LogConfig::default()).expect("a log");
        fill(&log, 30);
        log.flush().expect("durable");
        directory.write_checkpoints(&[(partition(), Offset(30))]).expect("checkpoints");
        directory.delete_log(&partition()).expect("deleted");
        assert!(directory.existing().is_empty());
        let id = TopicId::new_v4();
        let (anew, _) = directory.open_log(&partition(), id, LogConfig::default()).expect("a new log");
        assert_eq!((anew.end_offset(), directory.high_watermark(&partition())), (Offset(0), Offset(0)));
        fill(&anew, 6);
        written(&anew);
        drop((log, anew, directory));
        let directory = open(&world).expect("it opens");
        let (log, _) = directory.open_log(&partition(), id, LogConfig::default()).expect("no old recovery point");
        assert_eq!(content(&log), threes(6));
        let left: Vec<_> = fs::read_dir(world.root()).expect("the folder").flatten().map(|e| e.file_name()).collect();
        assert!(!left.iter().any(|name| name.to_string_lossy().ends_with("-delete")), "{left:?}");
    });
}

#[test]
fn another_topics_folder_is_refused() {
    on_every_backend(|world| {
        let directory = open(&world).expect("it opens");
        drop(directory.open_log(&partition(), TopicId::new_v4(), LogConfig::default()).expect("a log"));
        drop(directory);
        let directory = open(&world).expect("it opens");
        let refused = directory.open_log(&partition(), TopicId::new_v4(), LogConfig::default());
        assert!(matches!(refused, Err(LogError::OtherTopic { .. })));
    });
}

/// Logs that nobody opened have not been recovered: the mark would have them trusted.
#[test]
fn no_clean_mark_over_logs_that_were_never_recovered() {
    on_every_backend(|world| {
        let directory = open(&world).expect("it opens");
        let (log, _) = directory.open_log(&partition(), TopicId::new_v4(), LogConfig::default()).expect("a log");
        fill(&log, 3);
        written(&log);
        drop((log, directory));
        let directory = open(&world).expect("it opens");
        directory.close_clean().expect("a stop");
        assert!(!world.root().join(".kafka_cleanshutdown").exists());
    });
}

/// As the files of deleted segments; what is not due when the process ends goes at the next start.
#[test]
fn a_deleted_partitions_folder_stays_for_its_delay() {
    on_every_backend(|world| {
        let clock = Arc::new(ManualClock::default());
        let open = || LogDirectory::open(world.root(), world.backend(), Arc::clone(&clock) as _, Arc::new(NoProbe));
        let deleted_folders = || {
            let entries = fs::read_dir(world.root()).expect("the folder").flatten();
            entries.filter(|entry| entry.file_name().to_string_lossy().ends_with("-delete")).count()
        };
        let directory = open().expect("it opens");
        for (topic, delay_ms) in [("soon", 1_000), ("late", 60_000)] {
            let partition = TopicPartition::new(topic, 0);
            let config = LogConfig { file_delete_delay_ms: delay_ms, ..LogConfig::default() };
            let (log, _) = directory.open_log(&partition, TopicId::new_v4(), config).expect("a log");
            fill(&log, 3);
            directory.delete_log(&partition).expect("deleted");
        }
        assert_eq!((directory.remove_deleted().expect("none is due"), deleted_folders()), (0, 2));
        clock.set_ms(1_000);
        assert_eq!((directory.remove_deleted().expect("one is due"), deleted_folders()), (1, 1));
        drop(directory);
        drop(open().expect("it opens"));
        assert_eq!(deleted_folders(), 0);
    });
}

/// After a kill each log is recovered once, whoever asks for it, and what cannot be opened is told in its place.
#[test]
fn many_logs_are_opened_at_the_same_time() {
    on_every_backend(|world| {
        let wanted: Vec<Wanted> = (0..20)
            .map(|number| Wanted {
                partition: TopicPartition::new("t", number),
                topic_id: TopicId::from_u128(u128::from(number.unsigned_abs()) + 1),
                config: LogConfig::default(),
            })
            .collect();
        let directory = open(&world).expect("it opens");
        for (number, opened) in directory.open_logs(&wanted, 3).into_iter().enumerate() {
            let (log, _) = opened.expect("a log");
            assert_eq!(log.partition(), &wanted[number].partition);
            fill(&log, 3 * (number as i64 + 1));
            written(&log);
        }
        drop(directory);

        let directory = open(&world).expect("it opens");
        let mut others = wanted.clone();
        others[7].topic_id = TopicId::new_v4();
        others.extend(wanted[..3].iter().cloned());
        let opened = directory.open_logs(&others, 4);
        assert!(matches!(opened[7], Err(LogError::OtherTopic { .. })));
        for (number, opened) in opened.iter().enumerate().filter(|(number, _)| *number != 7) {
            let (log, _) = opened.as_ref().expect("a log");
            assert_eq!(log.end_offset(), Offset(3 * (number as i64 % 20 + 1)), "{}", log.partition());
        }
        let walked = opened.iter().flatten().map(|(_, report)| report.segments_walked).sum::<usize>();
        assert_eq!(walked, 19, "the second wish for a log finds it open");
        directory.close_clean().expect("a stop");
    });
}

/// A checkpoint that cannot be written stops a truncation before it has cut anything: nobody may wait for what was asked for before it.
#[test]
fn a_truncation_that_could_not_begin_leaves_a_log_that_can_be_flushed() {
    on_every_backend(|world| {
        let directory = open(&world).expect("it opens");
        let (log, _) = directory.open_log(&partition(), TopicId::new_v4(), LogConfig::default()).expect("a log");
        fill(&log, 60);
        log.flush().expect("durable");
        directory.write_checkpoints(&[]).expect("checkpoints");
        let in_the_way = world.root().join("recovery-point-offset-checkpoint.tmp");
        fs::create_dir(&in_the_way).expect("a folder");
        log.truncate_to(Offset(30)).expect_err("the checkpoint cannot be written");
        fs::remove_dir(&in_the_way).expect("it was empty");
        let (sender, flushed) = std::sync::mpsc::channel();
        let flushing = Arc::clone(&log);
        std::thread::spawn(move || sender.send(flushing.flush()).unwrap_or_default());
        let end = flushed.recv_timeout(std::time::Duration::from_secs(30)).expect("it ends").expect("durable");
        assert_eq!((end, content(&log)), (Offset(60), threes(60)));
    });
}
