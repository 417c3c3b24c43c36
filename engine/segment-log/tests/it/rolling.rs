//! Rolls under readers, and what follows a close.

use std::sync::atomic::{AtomicBool, Ordering};

use logdyno_record::Offset;
use logdyno_segment_log::LogError;

use crate::world::{EPOCH, batch, content, fill, on_every_backend, threes};

#[test]
fn readers_see_a_contiguous_log_while_it_rolls() {
    on_every_backend(|world| {
        let world = world.with_segments(2_000);
        let (log, _) = world.open();
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    loop {
                        let last_round = over.load(Ordering::Acquire);
                        let end = log.end_offset().0;
                        assert_eq!(content(&log)[..(end / 3) as usize], threes(end));
                        if last_round {
                            break;
                        }
                    }
                });
            }
            fill(&log, 600);
            over.store(true, Ordering::Release);
        });
        assert!(log.segment_bases().len() > 10);
        log.close().expect("a clean close");
        assert_eq!(log.recovery_point(), Offset(600));
    });
}

#[test]
fn a_closed_log_takes_no_appends_and_may_be_closed_again() {
    on_every_backend(|world| {
        let (log, _) = world.open();
        fill(&log, 3);
        log.close().expect("a clean close");
        log.close().expect("once more");
        assert!(matches!(log.append_as_leader(&batch(1, 1), EPOCH), Err(LogError::Gone { .. })));
        assert_eq!(content(&log), threes(3), "it can be read");
    });
}

#[test]
fn what_does_not_fit_is_refused() {
    on_every_backend(|mut world| {
        world.config.segment_bytes = 500;
        world.config.max_message_bytes = 1_000;
        let (log, _) = world.open();
        let refused = |len| log.append_as_leader(&batch(1, len), EPOCH).expect_err("too large");
        assert!(matches!(refused(2_000), LogError::TooLarge { max: 1_000, .. }));
        assert!(matches!(refused(600), LogError::OverSegment { max: 500, .. }));
        assert_eq!(log.end_offset(), Offset(0));
    });
}

#[test]
fn a_follower_takes_what_continues_its_log_and_nothing_damaged() {
    on_every_backend(|world| {
        let (leader, _) = world.open();
        fill(&leader, 9);
        let other = crate::world::World::new(world.kind).expect("it ran before");
        let (follower, _) = other.open();
        let bytes = leader.read_blocking(Offset(0), Offset(9), 1 << 20, true).expect("a read").batches.concat();
        let appended = follower.append_as_follower(bytes.clone().into()).expect("an append");
        assert_eq!((appended.first, appended.last), (Offset(0), Offset(8)));
        assert_eq!(follower.latest_epoch(), Some(EPOCH));
        assert!(matches!(follower.append_as_follower(bytes.clone().into()), Err(LogError::NotContinuous { .. })));
        let mut damaged = bytes;
        *damaged.last_mut().expect("bytes") ^= 1;
        follower.truncate_fully_and_start_at(Offset(0)).expect("a new start");
        assert!(matches!(follower.append_as_follower(damaged.into()), Err(LogError::Batch { .. })));
        assert_eq!(follower.end_offset(), Offset(6), "the sound batches before it are taken");
    });
}
