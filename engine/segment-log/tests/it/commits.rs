//! Group commit: who waits for a level is told once it is reached or never will be.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, mpsc};

use logdyno_record::Offset;
use logdyno_segment_log::{Level, Log, LogConfig, LogError};
use logdyno_storage::kinds;
use logdyno_storage::seam::simulated::SimulatedDisk;

use crate::power_loss::start;
use crate::world::{ManualClock, World, append, batch, fill, on_every_backend, open, open_at, unclean};

fn ask(log: &Log, level: Level, offset: i64, told: &mpsc::Sender<(i64, Result<(), LogError>)>) {
    let told = told.clone();
    log.when(level, Offset(offset), Box::new(move |reached| told.send((offset, reached)).expect("the test listens")));
}

#[test]
fn a_waiter_is_told_when_all_before_it_is_there_also_through_rolls() {
    on_every_backend(|world| {
        for level in [Level::Written, Level::Durable] {
            let world = World::new(world.kind).expect("it ran before").with_segments(500);
            let (log, _) = world.open();
            let (sender, receiver) = mpsc::channel();
            for at in (3..=90).step_by(3) {
                append(&log, &batch(3, 20));
                let (seen, told) = (Arc::clone(&log), sender.clone());
                let waiter = move |reached| told.send((at, reached, seen.level_end(level))).expect("the test listens");
                log.when(level, Offset(at), Box::new(waiter));
            }
            let told: Vec<_> = receiver.iter().take(30).collect();
            assert!(told.iter().all(|(at, reached, end)| reached.is_ok() && end.0 >= *at), "{told:?}");
            assert_eq!(told.iter().map(|(at, ..)| at).collect::<BTreeSet<_>>().len(), 30, "each is told once");
            assert!(log.level_end(Level::Written) >= log.level_end(Level::Durable), "durable is written, too");
        }
    });
}

#[test]
fn the_ack_end_rises_append_by_append_and_never_beyond_what_is_written() {
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
        assert_eq!(*seen.lock().expect("no panic"), Vec::from_iter((3..=90).step_by(3)));
        assert_eq!(log.ack_end(), Offset(90));
    });
}

/// On a device that stands still, so that no sync can end before the truncation.
#[test]
fn who_waits_for_what_is_truncated_away_is_told_that_it_is_gone() {
    let mut ran = 0;
    for kind in kinds() {
        let disk = SimulatedDisk::new(1);
        let Some((_backend, storage)) = start(kind, &disk) else { continue };
        ran += 1;
        let (log, _) = open(storage, &LogConfig::default(), unclean(0)).expect("a new log");
        fill(&log, 30);
        log.flush().expect("the device runs");
        fill(&log, 60);
        let (sender, receiver) = mpsc::channel();
        disk.hold_device();
        for at in [45, 60] {
            ask(&log, Level::Durable, at, &sender);
        }
        let cut = Arc::clone(&log);
        let cutting = std::thread::spawn(move || cut.truncate_to(Offset(12)));
        while log.recovery_point() > Offset(12) {
            std::thread::yield_now();
        }
        assert!(receiver.try_recv().is_err(), "{}: told of what the device has not", kind.name);
        disk.release_device();
        cutting.join().expect("no panic").expect("a truncation");
        for (at, reached) in receiver.iter().take(2) {
            assert!(matches!(reached, Err(LogError::Gone { .. })), "{}, {at}: {reached:?}", kind.name);
        }
        assert_eq!(log.recovery_point(), Offset(12), "{}", kind.name);
        fill(&log, 30);
        assert_eq!(log.flush().expect("syncs go on behind a truncation"), Offset(30), "{}", kind.name);
    }
    assert!(ran > 0, "no backend runs here");
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

#[test]
fn flush_ms_counts_from_when_all_was_durable() {
    on_every_backend(|mut world| {
        world.config.flush_ms = 100;
        let clock = Arc::new(ManualClock::default());
        let (log, _) = open_at(world.storage(), &world.config, unclean(0), &clock).expect("a log");
        fill(&log, 9);
        clock.set_ms(1_000);
        assert!(log.flush_aged().expect("a flush"), "nobody has seen it durable");
        assert_eq!(log.recovery_point(), Offset(9));
        clock.set_ms(1_050);
        assert!(!log.flush_aged().expect("nothing to do"));
        fill(&log, 12);
        clock.set_ms(1_149);
        assert!(!log.flush_aged().expect("too early"));
        clock.set_ms(1_150);
        assert!(log.flush_aged().expect("a flush"));
        assert_eq!(log.recovery_point(), Offset(12));
    });
}
