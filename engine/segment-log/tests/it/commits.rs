//! Group commit: who waits for a level is told, in order, once it is reached or never will be.

use std::sync::{Arc, Mutex, mpsc};

use logdyno_record::Offset;
use logdyno_segment_log::{Level, Log, LogError};

use crate::world::{World, append, batch, fill, on_every_backend};

fn ask(log: &Log, level: Level, offset: i64, told: &mpsc::Sender<(i64, Result<(), LogError>)>) {
    let told = told.clone();
    log.when(level, Offset(offset), Box::new(move |reached| told.send((offset, reached)).expect("the test listens")));
}

#[test]
fn waiters_are_told_in_order_through_rolls() {
    on_every_backend(|world| {
        for level in [Level::Written, Level::Durable] {
            let world = World::new(world.kind).expect("it ran before").with_segments(500);
            let (log, _) = world.open();
            let (sender, receiver) = mpsc::channel();
            for at in 1..=30 {
                append(&log, &batch(3, 20));
                ask(&log, level, at * 3, &sender);
            }
            let told: Vec<_> = receiver.iter().take(30).collect();
            assert!(told.iter().all(|(_, reached)| reached.is_ok()), "{told:?}");
            assert_eq!(told.iter().map(|(at, _)| *at).max(), Some(90));
            assert!(log.level_end(level) >= Offset(90));
            assert!(log.level_end(Level::Written) >= log.level_end(Level::Durable), "durable is written, too");
        }
    });
}

#[test]
fn the_ack_end_only_rises_up_to_the_end() {
    on_every_backend(|world| {
        let world = world.with_segments(500);
        let (log, _) = world.open();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let listener = Arc::clone(&seen);
        log.on_ack_end(Arc::new(move |end| listener.lock().expect("no panic").push(end.0)));
        for end in (3..=90).step_by(3) {
            fill(&log, end);
            log.wait_for(Level::Written, Offset(end)).expect("written");
        }
        log.close().expect("a clean close");
        let mut seen = seen.lock().expect("no panic").clone();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.last(), Some(&90));
        assert_eq!(log.ack_end(), Offset(90));
    });
}

#[test]
fn what_was_truncated_away_is_gone() {
    on_every_backend(|mut world| {
        // No sync may be started before the truncation: the waiters' places in flight are taken by none.
        world.config.segment_bytes = 1 << 20;
        let (log, _) = world.open();
        fill(&log, 30);
        let (sender, receiver) = mpsc::channel();
        for at in [3, 12, 30] {
            ask(&log, Level::Durable, at, &sender);
        }
        log.truncate_to(Offset(12)).expect("a truncation");
        for (at, reached) in receiver.iter().take(3) {
            // The sync may have come first; then it is true that all was durable.
            assert!(reached.is_ok() || (at > 12 && matches!(reached, Err(LogError::Gone { .. }))), "{at}: {reached:?}");
        }
        assert_eq!(log.level_end(Level::Durable), Offset(12));
        fill(&log, 30);
        log.wait_for(Level::Durable, Offset(30)).expect("syncs go on behind a truncation");
        assert_eq!(log.flush().expect("nothing to do"), Offset(30));
    });
}

#[test]
fn many_appenders_are_all_served() {
    on_every_backend(|world| {
        let world = world.with_segments(4_000);
        let (log, _) = world.open();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..25 {
                        let appended = append(&log, &batch(1, 100));
                        log.wait_for(Level::Durable, appended.last.next()).expect("durable");
                    }
                });
            }
        });
        assert_eq!(log.recovery_point(), Offset(100));
    });
}

#[test]
fn flush_messages_starts_a_sync_by_itself() {
    on_every_backend(|mut world| {
        world.config.flush_interval_messages = 9;
        world.config.ack_level = Level::Durable;
        let (log, _) = world.open();
        let (sender, receiver) = mpsc::channel();
        log.on_ack_end(Arc::new(move |end| sender.send(end).unwrap_or_default()));
        fill(&log, 9);
        assert_eq!(receiver.recv().expect("a sync"), Offset(9));
    });
}
