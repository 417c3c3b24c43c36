//! Truncation, and going on behind it.

use logdyno_record::Offset;

use crate::world::{content, fill, on_every_backend, threes};

#[test]
fn a_truncation_within_a_batch_drops_it_whole_and_the_log_goes_on() {
    on_every_backend(|world| {
        for (offset, end) in [(57, 57), (56, 54), (55, 54), (54, 54), (31, 30), (4, 3), (2, 0)] {
            let world = crate::world::World::new(world.kind).expect("it ran before").with_segments(1_000);
            let (log, _) = world.open();
            fill(&log, 60);
            log.truncate_to(Offset(offset)).expect("a truncation");
            assert_eq!(log.end_offset().0, end, "truncated to {offset}");
            assert_eq!(log.recovery_point().0, end, "what is left is durable");
            assert_eq!(content(&log), threes(end));
            fill(&log, 66);
            assert_eq!(content(&log), threes(66));
            world.kill(log);
            let (log, report) = world.open();
            assert_eq!((content(&log), report.cut), (threes(66), None), "truncated to {offset}, and reopened");
        }
    });
}

#[test]
fn a_truncation_behind_the_end_changes_nothing() {
    on_every_backend(|world| {
        let (log, _) = world.open();
        fill(&log, 30);
        log.truncate_to(Offset(30)).expect("nothing to do");
        log.truncate_to(Offset(99)).expect("nothing to do");
        assert_eq!(content(&log), threes(30));
    });
}

#[test]
fn a_log_that_starts_anew_starts_where_it_is_told() {
    on_every_backend(|world| {
        let world = world.with_segments(1_000);
        for start in [100, 30, 0] {
            let (log, _) = world.open();
            fill(&log, start + 40);
            log.truncate_fully_and_start_at(Offset(start)).expect("a new start");
            assert_eq!((log.start_offset().0, log.end_offset().0), (start, start));
            assert_eq!(log.segment_bases(), [Offset(start)]);
            assert_eq!(log.latest_epoch(), None);
            fill(&log, start + 30);
            log.close().expect("a clean close");
            drop(log);
            let (log, _) = world.open();
            assert_eq!((log.start_offset().0, log.end_offset().0), (start, start + 30));
        }
    });
}

/// A reader's segment may be cut while it looks: it gets what was there, or nothing, but no error and no panic.
#[test]
fn readers_live_through_truncations_and_rolls() {
    on_every_backend(|world| {
        let world = world.with_segments(1_000);
        let (log, _) = world.open();
        let over = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !over.load(std::sync::atomic::Ordering::Relaxed) {
                        for from in (0..60).step_by(7) {
                            match log.read_blocking(Offset(from), Offset(60), 500, true) {
                                Ok(slice) if slice.size() > 0 => assert_eq!(slice.first.0, from / 3 * 3),
                                Ok(_) | Err(logdyno_segment_log::LogError::OutOfRange { .. }) => {}
                                Err(other) => panic!("{other}"),
                            }
                        }
                    }
                });
            }
            for round in 0..20 {
                fill(&log, 60);
                log.truncate_to(Offset(round * 3)).expect("a truncation");
            }
            over.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        fill(&log, 60);
        assert_eq!(content(&log), threes(60));
    });
}
