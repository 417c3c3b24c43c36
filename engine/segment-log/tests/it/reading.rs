//! Reads and their limits.

use logdyno_record::Offset;
use logdyno_record::batch::batches;
use logdyno_segment_log::{LogConfig, LogError, LogRead};

use crate::world::{append, batch, content, fill, on_every_backend, open, threes, unclean, with_segments};

#[test]
fn what_is_appended_is_read_across_segments_from_any_offset() {
    on_every_backend(|world| {
        let world = world.with_segments(1_000);
        let (log, _) = world.open();
        fill(&log, 90);
        assert!(log.segment_bases().len() > 4, "{:?}", log.segment_bases());
        assert_eq!(content(&log), threes(90));
        for from in 0..90 {
            let slice = log.read_blocking(Offset(from), Offset(90), 1, true).expect("a read");
            assert_eq!(slice.first.0, from / 3 * 3, "the batch that holds {from}");
            assert_eq!(batches(slice.batches.concat().into()).count(), 1, "the first batch whole, and no other");
        }
    });
}

#[test]
fn limits_are_obeyed() {
    on_every_backend(|world| {
        let (log, _) = world.open();
        fill(&log, 30);
        let size = batch(3, 20).size();
        let count = |from, up_to, bytes, least| {
            let slice = log.read_blocking(Offset(from), Offset(up_to), bytes, least).expect("a read");
            slice.size() / size
        };
        assert_eq!(count(0, 30, size * 3, false), 3);
        assert_eq!(count(0, 30, size * 4 - 1, false), 3, "only whole batches");
        assert_eq!(count(0, 30, size - 1, false), 0);
        assert_eq!(count(0, 30, size - 1, true), 1, "at least one");
        assert_eq!(count(0, 30, 0, true), 1);
        assert_eq!(count(0, 8, 1 << 20, true), 2, "the batch 6..=8 reaches the end offset");
        assert_eq!(count(6, 8, 1 << 20, true), 0, "not even the first");
        assert_eq!(count(30, 99, 1 << 20, true), 0, "at the end is nothing");
    });
}

/// As with Kafka: what the limit allows, however far the batch lies from the index entry before it.
#[test]
fn a_sparse_index_does_not_shorten_an_answer() {
    on_every_backend(|world| {
        let dense = with_segments(1 << 20);
        let sparse = LogConfig { index_interval_bytes: 1 << 30, ..dense.clone() };
        let (log, _) = open(world.storage(), &sparse, unclean(0)).expect("the log opens");
        fill(&log, 300);
        log.reconfigure(dense).expect("a new interval");
        let size = batch(3, 20).size();
        for from in [0, 30, 150, 240] {
            let slice = log.read_blocking(Offset(from), Offset(300), size * 10, true).expect("a read");
            assert_eq!((slice.first, slice.size()), (Offset(from), size * 10));
        }
    });
}

#[test]
fn a_batch_larger_than_any_limit_is_given_whole() {
    on_every_backend(|world| {
        let (log, _) = world.open();
        fill(&log, 6);
        let large = batch(1, 700_000);
        append(&log, &large);
        fill(&log, 12);
        let slice = log.read_blocking(Offset(6), log.end_offset(), 10, true).expect("a read");
        assert_eq!((slice.first, slice.size()), (Offset(6), large.size()));
    });
}

#[test]
fn outside_the_log_is_out_of_range() {
    on_every_backend(|world| {
        let (log, _) = world.open();
        log.truncate_fully_and_start_at(Offset(5)).expect("an empty log");
        append(&log, &batch(1, 1));
        for offset in [0, 4, 7] {
            match log.read(Offset(offset), Offset(99), 100, true) {
                Err(LogError::OutOfRange { start, end, .. }) => assert_eq!((start, end), (Offset(5), Offset(6))),
                Ok(_) => panic!("offset {offset} was read"),
                Err(other) => panic!("{other}"),
            }
        }
    });
}

#[test]
fn a_read_that_has_to_wait_gives_the_same() {
    on_every_backend(|world| {
        let (log, _) = world.open();
        fill(&log, 300);
        let expected = log.read_blocking(Offset(100), Offset(300), 4_000, true).expect("a read");
        let got = match log.read(Offset(100), Offset(300), 4_000, true).expect("a read") {
            LogRead::Ready(slice) => slice,
            LogRead::Wait(pending) => {
                let (sender, receiver) = std::sync::mpsc::channel();
                pending.begin(Box::new(move |read| sender.send(read).expect("the test waits")));
                receiver.recv().expect("an answer").expect("a read")
            }
        };
        assert_eq!((got.first, got.batches.concat()), (expected.first, expected.batches.concat()));
    });
}
