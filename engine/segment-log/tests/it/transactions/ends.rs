//! Where transactions end: the last stable offset, markers, stops, followers.

use std::fs;
use std::time::Duration;

use logdyno_record::Offset;
use logdyno_record::batch::control::ControlType;
use logdyno_segment_log::{Appended, Log, LogError};

use crate::world::{EPOCH, World, clean, fill, on_every_backend, unclean, written};

use super::{abort, aborted, commit, committed, end, records, send, stable};

/// Rows 110 and 40: an open transaction holds back what came after it, also what is of none, until its marker is committed.
#[test]
fn the_last_stable_offset_waits_for_the_first_open_transaction() {
    on_every_backend(|world| {
        let (log, _) = world.open();
        fill(&log, 3);
        assert_eq!(stable(&log), 3, "nothing is open");
        assert_eq!(send(&log, 7, 0), 3);
        assert_eq!(send(&log, 8, 0), 5);
        fill(&log, 9);
        assert_eq!(stable(&log), 3);
        assert_eq!(log.last_stable_offset(Offset(2)), Offset(2), "never above the high watermark");
        let marker = commit(&log, 7);
        assert_eq!((marker, log.end_offset().0), (10, 11), "a marker takes one offset");
        assert_eq!(log.last_stable_offset(Offset(marker)), Offset(3), "the marker is not committed");
        assert_eq!(log.last_stable_offset(Offset(marker + 1)), Offset(5), "now producer 8 is the first");
        assert_eq!(abort(&log, 8), 11);
        assert_eq!(stable(&log), 12);
        assert_eq!(aborted(&log, 0, 12), [(8, 5, 11)]);
        assert_eq!(committed(&log), [0, 1, 2, 3, 4, 7, 8, 9]);
        assert_eq!(abort(&log, 8), 12, "of a transaction without records");
        assert_eq!(aborted(&log, 0, 13), [(8, 5, 11)]);
    });
}

/// What is open, what was aborted, and the coordinator's epoch outlive each kind of stop.
#[test]
fn stops_forget_no_transaction() {
    on_every_backend(|world| {
        let world = world.with_segments(400);
        for stop in ["clean", "kill", "clean without snapshots"] {
            let (log, _) = world.open();
            let base = log.end_offset().0;
            let sequence = |log: &Log, id| {
                let known = log.active_producers().into_iter().find(|known| known.id == id);
                known.map_or(0, |known| known.last_sequence + 1)
            };
            for _ in 0..5 {
                send(&log, 7, sequence(&log, 7));
                send(&log, 8, sequence(&log, 8));
                commit(&log, 7);
                abort(&log, 8);
            }
            let open = send(&log, 9, sequence(&log, 9));
            end(&log, 7, 0, ControlType::Commit, 5).expect("a marker");
            assert!(log.segment_bases().len() > 2);
            let (end_offset, known) = (log.end_offset().0, log.active_producers());
            let found = aborted(&log, base, end_offset);
            assert_eq!(found.len(), 5, "{stop}");
            let recovery = if stop == "kill" {
                world.kill(log);
                unclean(0)
            } else {
                log.close().expect("a clean close");
                drop(log);
                clean(end_offset)
            };
            if stop.ends_with("snapshots") {
                world.files("snapshot").iter().for_each(|file| fs::remove_file(file).expect("removed"));
            }
            let (log, _) = world.try_open(recovery).expect("it opens");
            assert_eq!((stable(&log), aborted(&log, base, end_offset)), (open, found), "{stop}");
            assert_eq!(log.active_producers(), known, "{stop}");
            let fenced = end(&log, 7, 0, ControlType::Abort, 4);
            assert!(matches!(fenced, Err(LogError::CoordinatorFenced { current: 5, .. })), "{stop}: {fenced:?}");
            end(&log, 7, 1, ControlType::Abort, 5).expect("an epoch of the coordinator's that bumps the producer's");
            end(&log, 7, 0, ControlType::Commit, 5).expect_err("fenced");
            abort(&log, 9);
            assert_eq!(stable(&log), log.end_offset().0);
            log.truncate_fully_and_start_at(log.end_offset()).expect("a new start for the next stop");
            log.close().expect("a clean close");
        }
    });
}

/// Kafka's ProducerAppendInfo: 47 and 52 for markers of the past, 48 for what is sent beside the open transaction.
#[test]
fn markers_of_the_past_and_batches_beside_the_transaction_are_refused() {
    on_every_backend(|world| {
        let (log, _) = world.open();
        send(&log, 7, 0);
        let end_offset = log.end_offset();
        let code = |result: Result<Appended, LogError>| result.map_err(|error| error.code()).expect_err("refused");
        assert_eq!(code(log.append_as_leader(&records(7, 2, 1, false), EPOCH)), 48);
        end(&log, 7, 3, ControlType::Abort, 9).expect("a later epoch of the producer's ends it");
        assert_eq!(code(end(&log, 7, 2, ControlType::Commit, 9)), 47);
        assert_eq!(code(end(&log, 7, 3, ControlType::Commit, 8)), 52);
        assert_eq!(log.end_offset(), end_offset.next());
        assert_eq!(aborted(&log, 0, 9), [(7, 0, 2)]);
    });
}

#[test]
fn who_has_a_transaction_open_is_not_forgotten() {
    on_every_backend(|world| {
        let (log, _) = world.open();
        send(&log, 7, 0);
        log.expire_producers(Duration::ZERO);
        assert_eq!((log.active_producers().len(), stable(&log)), (1, 0));
        abort(&log, 7);
        log.expire_producers(Duration::ZERO);
        assert_eq!((log.active_producers().len(), stable(&log)), (0, 3));
    });
}

/// A follower knows what its leader knew; what it gives up again was never ended.
#[test]
fn followers_and_truncations() {
    on_every_backend(|world| {
        let world = world.with_segments(400);
        let (leader, _) = world.open();
        let mut markers = Vec::new();
        for round in 0..6 {
            send(&leader, 7, round * 2);
            fill(&leader, leader.end_offset().0 + 3);
            markers.push(abort(&leader, 7));
        }
        written(&leader);
        let other = World::new(world.kind).expect("it ran before").with_segments(400);
        let (follower, _) = other.open();
        while follower.end_offset() < leader.end_offset() {
            let slice = leader.read_blocking(follower.end_offset(), leader.end_offset(), 300, true).expect("a read");
            follower.append_as_follower(slice.batches.concat().into()).expect("in order");
        }
        let all = aborted(&leader, 0, i64::MAX);
        assert_eq!((all.len(), aborted(&follower, 0, i64::MAX)), (6, all.clone()));
        for keep in (0..6).rev() {
            follower.truncate_to(Offset(markers[keep])).expect("a truncation");
            assert_eq!((stable(&follower), aborted(&follower, 0, i64::MAX)), (all[keep].1, all[..keep].to_vec()));
        }
        other.kill(follower);
        let (follower, _) = other.open();
        assert_eq!((stable(&follower), aborted(&follower, 0, i64::MAX)), (all[0].1, vec![]));
        abort(&follower, 7);
        assert_eq!(aborted(&follower, 0, i64::MAX), all[..1]);
    });
}

/// As Kafka's `FileRecords` looks them up: a marker has a time, too, and may be the youngest that there is.
#[test]
fn look_ups_by_time_find_markers() {
    on_every_backend(|world| {
        let (log, _) = world.open();
        send(&log, 1, 0);
        let marker = commit(&log, 1);
        let youngest = log.offset_of_max_timestamp(log.end_offset()).expect("a look-up").expect("the marker");
        assert_eq!(youngest.offset.0, marker);
        let after_the_records = log.offset_for_time(1_001, log.end_offset()).expect("a look-up").expect("the marker");
        assert_eq!(after_the_records, youngest);
    });
}
