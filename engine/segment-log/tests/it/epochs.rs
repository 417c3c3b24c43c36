//! Which epoch wrote what, through truncation and recovery (Kafka's LeaderEpochFileCache).

use std::fs;

use logdyno_record::{LeaderEpoch, Offset};
use logdyno_segment_log::Log;

use crate::world::{batch, on_every_backend, unclean};

fn append_in(log: &Log, epoch: i32, batches: usize) {
    for _ in 0..batches {
        log.append_as_leader(&batch(3, 20), LeaderEpoch(epoch)).expect("an append");
    }
}

fn ends(log: &Log) -> Vec<Option<(i32, i64)>> {
    (0..6).map(|epoch| log.end_offset_for_epoch(LeaderEpoch(epoch)).map(|end| (end.epoch.0, end.end.0))).collect()
}

#[test]
fn epochs_end_where_the_next_starts_also_after_recovery() {
    on_every_backend(|world| {
        let world = world.with_segments(1_000);
        let (log, _) = world.open();
        append_in(&log, 1, 10);
        append_in(&log, 3, 10);
        let expected = vec![Some((0, 0)), Some((1, 30)), Some((1, 30)), Some((3, 60)), None, None];
        assert_eq!(ends(&log), expected);
        let second = log.segment_bases()[1].0;
        world.kill(log);
        // Only the segments behind the recovery point are walked: an epoch's start may lie before them.
        let (log, report) = world.try_open(unclean(second)).expect("the log opens");
        assert!(report.segments_walked > 0);
        assert_eq!(ends(&log), expected);
        drop(log);
        fs::remove_file(world.folder().join("leader-epoch-checkpoint")).expect("the checkpoint goes");
        let (log, _) = world.open();
        assert_eq!(ends(&log), expected, "rebuilt from the batches");
    });
}

#[test]
fn a_truncation_drops_the_epochs_that_start_behind_it() {
    on_every_backend(|world| {
        let (log, _) = world.open();
        append_in(&log, 1, 2);
        append_in(&log, 3, 2);
        log.start_epoch(LeaderEpoch(5)).expect("an epoch");
        assert_eq!(log.latest_epoch(), Some(LeaderEpoch(5)));
        log.truncate_to(Offset(12)).expect("nothing but the empty epoch");
        assert_eq!((log.latest_epoch(), log.end_offset()), (Some(LeaderEpoch(3)), Offset(12)));
        log.truncate_to(Offset(7)).expect("a truncation");
        assert_eq!((log.latest_epoch(), log.end_offset()), (Some(LeaderEpoch(1)), Offset(6)));
        let checkpoint = fs::read_to_string(world.folder().join("leader-epoch-checkpoint")).expect("the checkpoint");
        assert_eq!(checkpoint, "0\n1\n1 0\n");
    });
}
