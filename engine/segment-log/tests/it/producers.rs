//! Idempotent producers: what the log remembers of them, and that it remembers it through whatever happens to it.

use logdyno_record::batch::{Batch, ProducerStamp};
use logdyno_record::{BatchBuilder, BatchOptions, Codec, Compression, Offset};
use logdyno_segment_log::{Appended, Log, LogError};

use crate::world::{EPOCH, World, clean, on_every_backend, unclean, written};

/// Five records of producer 7.
fn five(sequence: i32) -> Batch {
    let mut builder = BatchBuilder::new(Codec::new(Compression::None), 256);
    for _ in 0..5 {
        builder.append(1_000, None, Some(&[b'v'; 50]), &[]);
    }
    let options = BatchOptions {
        producer: ProducerStamp { id: 7, epoch: 0, base_sequence: sequence },
        ..BatchOptions::default()
    };
    builder.build(&options).expect("a batch")
}

fn send(log: &Log, sequence: i32) -> Result<Appended, LogError> {
    log.append_as_leader(&five(sequence), EPOCH)
}

fn fill(log: &Log, sequences: std::ops::Range<i32>) {
    for sequence in sequences.step_by(5) {
        let appended = send(log, sequence).expect("in order");
        assert_eq!(appended.first, Offset(i64::from(sequence)));
    }
}

/// The log ends behind sequence `next`, knows that, and has what came last.
fn assert_knows(log: &Log, next: i32) {
    let end = log.end_offset();
    let twin = send(log, next - 5).expect("a twin is no error");
    assert_eq!(
        (twin.first, twin.last, log.end_offset()),
        (Offset(i64::from(next - 5)), Offset(i64::from(next - 1)), end)
    );
    let gap = send(log, next + 5);
    assert!(matches!(gap, Err(LogError::OutOfOrderSequence { expected, .. }) if expected == next), "{gap:?}");
    fill(log, next..next + 5);
}

/// Row 71; §7 no. 4: dedup must not live in the leader's memory alone.
#[test]
fn a_twin_is_not_appended_again_after_a_clean_stop() {
    on_every_backend(|world| {
        let world = world.with_segments(1_000);
        let (log, _) = world.open();
        fill(&log, 0..100);
        assert_knows(&log, 100);
        log.close().expect("a clean close");
        drop(log);
        let (log, spared) = world.try_open(clean(105)).expect("it opens");
        let size = log.size();
        log.close().expect("a clean close");
        drop(log);
        for snapshot in world.files("snapshot") {
            std::fs::remove_file(snapshot).expect("removed");
        }
        let (log, read) = world.try_open(clean(105)).expect("it opens");
        assert!(spared.bytes_read + size <= read.bytes_read, "a snapshot spares reading: {spared:?}, {read:?}");
        assert_knows(&log, 105);
    });
}

#[test]
fn a_twin_is_not_appended_again_after_a_kill() {
    on_every_backend(|world| {
        let world = world.with_segments(1_000);
        let (log, _) = world.open();
        fill(&log, 0..100);
        world.kill(log);
        let (log, _) = world.try_open(unclean(0)).expect("it opens");
        assert_knows(&log, 100);
    });
}

/// A client has up to five batches in flight: after any stop, and also behind a roll, it may send all of them again.
#[test]
fn five_batches_are_remembered_through_stops_and_rolls() {
    on_every_backend(|world| {
        let world = world.with_segments(1_000);
        for stop in ["clean", "killed"] {
            let (log, _) = world.open();
            let base = log.end_offset().0;
            for first in (0..100).step_by(5) {
                send(&log, base as i32 + first).expect("in order");
            }
            let end = log.end_offset().0;
            let recovery = match stop {
                "clean" => {
                    log.close().expect("a clean close");
                    drop(log);
                    clean(end)
                }
                _ => {
                    world.kill(log);
                    unclean(0)
                }
            };
            let (log, _) = world.try_open(recovery).expect("it opens");
            for back in (1..=5).rev() {
                let sequence = end - 5 * back;
                let twin = send(&log, sequence as i32).unwrap_or_else(|error| panic!("{stop}: {sequence}: {error}"));
                assert_eq!(twin.first, Offset(sequence), "{stop}");
            }
            assert_eq!(log.end_offset(), Offset(end));
            log.close().expect("a clean close");
        }
    });
}

/// What the walk sees of the producers is not read again.
#[test]
fn a_recovery_reads_each_batch_once() {
    on_every_backend(|world| {
        let world = world.with_segments(1_000);
        let (log, _) = world.open();
        fill(&log, 0..200);
        let size = log.size();
        world.kill(log);
        let (log, report) = world.try_open(unclean(0)).expect("it opens");
        assert!(report.segments_walked > 3);
        assert_eq!(report.bytes_read, size);
        assert_knows(&log, 200);
    });
}

#[test]
fn a_follower_knows_what_its_leader_knew() {
    on_every_backend(|world| {
        let world = world.with_segments(1_000);
        let (leader, _) = world.open();
        fill(&leader, 0..50);
        written(&leader);
        let other = World::new(world.kind).expect("it ran before");
        let (follower, _) = other.open();
        while follower.end_offset() < leader.end_offset() {
            let slice =
                leader.read_blocking(follower.end_offset(), leader.end_offset(), 1 << 20, true).expect("a read");
            follower.append_as_follower(slice.batches.concat().into()).expect("in order");
        }
        assert_knows(&follower, 50);
    });
}

#[test]
fn what_is_truncated_away_was_never_sent() {
    on_every_backend(|world| {
        let world = world.with_segments(1_000);
        let (log, _) = world.open();
        fill(&log, 0..100);
        log.truncate_to(Offset(40)).expect("a truncation");
        assert_knows(&log, 40);
        world.kill(log);
        let (log, _) = world.try_open(unclean(0)).expect("it opens");
        assert_knows(&log, 45);
        log.truncate_fully_and_start_at(Offset(500)).expect("a new start");
        assert_eq!(send(&log, 1_000).expect("nobody is known").first, Offset(500));
    });
}

#[test]
fn damaged_and_missing_snapshots_are_rebuilt_from_the_batches() {
    on_every_backend(|world| {
        let world = world.with_segments(1_000);
        let (log, _) = world.open();
        fill(&log, 0..100);
        log.close().expect("a clean close");
        drop(log);
        let snapshots = world.files("snapshot");
        assert!(snapshots.len() > 2, "one at each roll and one at the end: {snapshots:?}");
        for (at, snapshot) in snapshots.iter().enumerate() {
            if at % 2 == 0 {
                std::fs::remove_file(snapshot).expect("removed");
            } else {
                std::fs::write(snapshot, "no snapshot").expect("written");
            }
        }
        let (log, _) = world.try_open(clean(100)).expect("it opens");
        assert_knows(&log, 100);
    });
}

#[test]
fn snapshots_are_kept_at_the_starts_of_segments_and_once_at_the_end() {
    on_every_backend(|world| {
        let world = world.with_segments(1_000);
        for next in [50, 100] {
            let (log, _) = world.open();
            fill(&log, next - 50..next);
            log.close().expect("a clean close");
            let bases: Vec<_> = log.segment_bases().into_iter().skip(1).chain([log.end_offset()]).collect();
            let expected: Vec<_> =
                bases.iter().map(|at| world.folder().join(format!("{:020}.snapshot", at.0))).collect();
            drop(log);
            let (reopened, _) = world.open();
            assert_eq!(world.files("snapshot"), expected);
            reopened.close().expect("a clean close");
        }
    });
}
