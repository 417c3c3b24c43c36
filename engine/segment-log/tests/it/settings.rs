//! Settings that change while the log is in use.

use std::sync::mpsc;

use logdyno_record::{Offset, TimestampType};
use logdyno_segment_log::{Level, LogConfig, LogError};

use crate::world::{EPOCH, append, batch, fill, on_every_backend};

#[test]
fn the_next_batch_obeys_another_segment_size() {
    on_every_backend(|world| {
        let world = world.with_segments(100_000);
        let (log, _) = world.open();
        fill(&log, 30);
        assert_eq!(log.segment_bases(), [Offset(0)]);
        log.reconfigure(LogConfig { segment_bytes: 500, ..world.config.clone() }).expect("reconfigured");
        append(&log, &batch(3, 20));
        assert_eq!(log.segment_bases(), [Offset(0), Offset(30)], "the large segment is rolled");
        // The new file was made for 500 bytes and holds no more, also when larger ones are allowed again.
        log.reconfigure(world.config.clone()).expect("reconfigured");
        fill(&log, 90);
        assert_eq!(log.segment_bases().len(), 3, "{:?}", log.segment_bases());
        log.close().expect("a clean close");
        let (log, _) = world.open();
        assert_eq!(log.end_offset(), Offset(90));
    });
}

/// An empty segment cannot be rolled, and its file was made for less.
#[test]
fn an_empty_log_takes_batches_of_the_new_size() {
    on_every_backend(|world| {
        let world = world.with_segments(500);
        let (log, _) = world.open();
        let large = batch(3, 1000);
        let refused = log.append_as_leader(&large, EPOCH);
        assert!(matches!(refused, Err(LogError::OverSegment { .. })), "{refused:?}");
        log.reconfigure(LogConfig { segment_bytes: 100_000, ..world.config.clone() }).expect("reconfigured");
        append(&log, &large);
        append(&log, &large);
        assert_eq!((log.segment_bases().len(), log.end_offset()), (1, Offset(6)));
        log.close().expect("a clean close");
        let (log, _) = world.open();
        assert_eq!(log.end_offset(), Offset(6));
    });
}

#[test]
fn batch_size_and_timestamp_type_hold_from_the_next_append_on() {
    on_every_backend(|world| {
        let (log, _) = world.open();
        assert_eq!(append(&log, &batch(3, 20)).log_append_time, -1);
        let config =
            LogConfig { max_message_bytes: 200, timestamp_type: TimestampType::LogAppendTime, ..world.config.clone() };
        log.reconfigure(config).expect("reconfigured");
        assert!(append(&log, &batch(3, 20)).log_append_time > 0);
        let refused = log.append_as_leader(&batch(3, 200), EPOCH);
        assert!(matches!(refused, Err(LogError::TooLarge { max: 200, .. })), "{refused:?}");
    });
}

/// What was appended before gets to the new level without another append, and the listener hears of it.
#[test]
fn another_ack_level_is_reached_by_what_was_appended_before() {
    on_every_backend(|mut world| {
        world.config.ack_level = Level::Visible;
        let (log, _) = world.open();
        fill(&log, 30);
        let (sender, told) = mpsc::channel();
        log.on_ack_end(std::sync::Arc::new(move |end| sender.send(end).expect("the test listens")));
        assert_eq!(log.ack_end(), Offset(30));
        log.reconfigure(LogConfig { ack_level: Level::Durable, ..world.config.clone() }).expect("reconfigured");
        log.wait_for(Level::Durable, Offset(30)).expect("durable");
        assert_eq!((log.ack_level(), log.ack_end()), (Level::Durable, Offset(30)));
        assert_eq!(told.recv().expect("told"), Offset(30));
        log.reconfigure(world.config.clone()).expect("reconfigured");
        fill(&log, 60);
        assert_eq!(log.ack_end(), Offset(60), "visible is enough again");
    });
}
