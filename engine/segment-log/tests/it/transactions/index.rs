//! The transaction index: what it answers, and how long it lives.

use std::fs;
use std::path::PathBuf;

use logdyno_record::Offset;
use logdyno_segment_log::Recovery;

use crate::world::{clean, fill, on_every_backend, unclean};

use super::{abort, aborted, send, stable};

/// As many entries as reach into a range are collected, over the segments, and no more.
#[test]
fn a_range_has_its_own_aborted_transactions() {
    on_every_backend(|world| {
        let world = world.with_segments(400);
        let (log, _) = world.open();
        for round in 0..20 {
            let first = send(&log, 7, round * 2);
            assert_eq!((first, abort(&log, 7)), (i64::from(round) * 3, i64::from(round) * 3 + 2));
        }
        assert_eq!(aborted(&log, 30, 36), [(7, 30, 32), (7, 33, 35)]);
        assert_eq!(aborted(&log, 32, 33), [(7, 30, 32)]);
        assert_eq!(aborted(&log, 59, 60), [(7, 57, 59)]);
        assert_eq!(aborted(&log, 60, 60), []);
        let slice = log.read_blocking(Offset(9), Offset(60), 1, true).expect("one batch");
        assert_eq!(log.aborted_in(Offset(9), &slice).len(), 1);
    });
}

/// An index that is gone, cut, of another log or of an earlier close is not believed after a stop that was not clean.
#[test]
fn a_transaction_index_that_lies_is_rebuilt() {
    on_every_backend(|world| {
        let world = world.with_segments(2_000);
        let (log, _) = world.open();
        for round in 0..60 {
            send(&log, 7, round * 2);
            abort(&log, 7);
        }
        let (all, end_offset) = (aborted(&log, 0, i64::MAX), log.end_offset().0);
        assert!(log.segment_bases().len() > 2);
        log.close().expect("a clean close");
        drop(log);
        let good: Vec<Vec<u8>> = world.files("txnindex").iter().map(|file| fs::read(file).expect("it is")).collect();
        let lie = |content: &[u8]| {
            for file in world.files("txnindex") {
                fs::write(file, content).expect("written");
            }
        };
        for content in [vec![0; 33], vec![0; 34], good[1][..good[1].len() - 34].to_vec(), vec![0xff; 68]] {
            lie(&content);
            let (log, _) = world.try_open(unclean(0)).expect("it opens");
            assert_eq!(aborted(&log, 0, i64::MAX), all);
            log.close().expect("a clean close");
            drop(log);
            let now: Vec<Vec<u8>> = world.files("txnindex").iter().map(|file| fs::read(file).expect("it is")).collect();
            assert_eq!(now, good);
        }
        lie(&good[0][..33]);
        let (log, _) = world.try_open(clean(end_offset)).expect("also after a clean stop, if it is no index");
        assert_eq!(aborted(&log, 0, i64::MAX), all);
    });
}

/// The index of a segment goes with it, and one without aborted transactions has none.
#[test]
fn an_index_is_there_as_long_as_its_segment() {
    on_every_backend(|world| {
        let mut world = world.with_segments(400);
        world.config.file_delete_delay_ms = 0;
        let (log, _) = world.open();
        fill(&log, 30);
        let quiet = log.segment_bases().len();
        for round in 0..10 {
            send(&log, 7, round * 2);
            abort(&log, 7);
        }
        log.close().expect("a clean close");
        drop(log);
        let before = world.files("txnindex").len();
        assert!(before > 1 && before <= world.files("log").len() + 1 - quiet, "{before}");
        let (log, _) = world.open();
        log.delete_records_before(log.end_offset(), log.end_offset()).expect("moved");
        log.enforce_retention(log.end_offset()).expect("deleted");
        log.remove_deleted().expect("removed");
        let [last] = log.segment_bases()[..] else { panic!("only the last is left") };
        assert!(last > Offset(30) && aborted(&log, 0, i64::MAX).iter().all(|(_, _, marker)| *marker >= last.0));
        assert_eq!(world.files("txnindex"), [world.folder().join(format!("{:020}.txnindex", last.0))]);
        assert_eq!(world.files("deleted"), Vec::<PathBuf>::new());
    });
}

/// What a snapshot calls open may have ended in what was deleted since: without a newer one, nothing is known from before the first segment.
#[test]
fn a_snapshot_from_before_the_first_segment_is_not_used() {
    on_every_backend(|world| {
        let mut world = world.with_segments(400);
        world.config.file_delete_delay_ms = 0;
        let (log, _) = world.open();
        send(&log, 7, 0);
        // A clean end leaves a snapshot that is at no segment's start.
        log.close().expect("a clean close");
        drop(log);
        let (log, _) = world.try_open(clean(2)).expect("clean");
        let [early] = &world.files("snapshot")[..] else { panic!("one is left") };
        let speaks_of_it = fs::read(early).expect("read");
        abort(&log, 7);
        fill(&log, 60);
        log.delete_records_before(Offset(40), log.end_offset()).expect("moved");
        log.enforce_retention(log.end_offset()).expect("deleted");
        log.remove_deleted().expect("removed");
        let end = log.end_offset().0;
        log.close().expect("a clean close");
        drop(log);
        world.files("snapshot").iter().for_each(|newer| fs::remove_file(newer).expect("removed"));
        fs::write(early, &speaks_of_it).expect("written");
        let start = Recovery { log_start: Offset(40), ..unclean(end) };
        let (log, _) = world.try_open(start).expect("nothing is wrong");
        assert_eq!(stable(&log), end, "{}: no transaction is open", world.kind.name);
        assert_eq!(world.files("snapshot"), Vec::<PathBuf>::new(), "{}: it is of no more use", world.kind.name);
    });
}
