//! What compaction leaves of transactions.

use std::fs;
use std::sync::Arc;

use logdyno_segment_log::{ActiveProducer, CleanupPolicy, CompactionLimits, Log};

use crate::world::{ManualClock, clean, on_every_backend, open_at, unclean};

use super::kafka::close_for_kafka;
use super::{abort, commit, committed, offsets, put, stable};

/// Kafka's LogCleanerTest, on transactions: what was aborted hides nothing and goes; markers go after what they speak of and when
/// `delete.retention.ms` is over; what is open holds a round back; and every kind of start finds the same.
#[test]
fn compaction_keeps_what_was_committed() {
    on_every_backend(|world| {
        let mut world = world.with_segments(400);
        world.config.cleanup_policy = CleanupPolicy::COMPACT;
        world.config.min_cleanable_dirty_ratio = 0.0;
        let clock = Arc::new(ManualClock::default());
        clock.set_ms(1_000_000);
        let open = |recovery| open_at(world.storage(), &world.config, recovery, &clock).expect("it opens").0;
        let log = open(unclean(0));
        let (mut aborted_data, mut latest) = (Vec::new(), std::collections::BTreeMap::new());
        for round in 0..12 {
            let (kept, gone) = (format!("key {}", round % 3), format!("key {}", (round + 1) % 3));
            latest.insert(kept.clone(), put(&log, 7, round, &kept));
            aborted_data.push(put(&log, 8, round, &gone));
            commit(&log, 7);
            abort(&log, 8);
        }
        let held = put(&log, 9, 0, "key 0");
        for sequence in 12..19 {
            put(&log, 7, sequence, "later");
        }
        commit(&log, 7);
        let before = committed(&log);
        let compact = |log: &Log| {
            let done = log.compact(log.end_offset(), &CompactionLimits { map_bytes: 1 << 16, ..Default::default() });
            done.expect("a round")
        };
        let cleaned = compact(&log).expect("it was due").cleaned_to.0;
        assert!((held - 5..=held).contains(&cleaned), "what is open, and behind it, is not touched: {cleaned}");
        let (data, markers) = offsets(&log);
        let left = |offset: &&i64| **offset < cleaned && data.contains(offset);
        assert_eq!(aborted_data.iter().filter(left).count(), 0, "{data:?}");
        assert!(latest.values().all(|offset| data.contains(offset)), "{latest:?} of {data:?}");
        assert!(markers.len() >= 24, "the first round leaves them: {markers:?}");
        assert_eq!(stable(&log), held);
        let after: Vec<i64> = committed(&log);
        assert!(after.iter().all(|offset| before.contains(offset)) && after.len() < before.len());
        abort(&log, 9);
        let mut found = (offsets(&log), committed(&log));
        for round in 0..4 {
            clock.set_ms(1_000_000 + round * 2 * 86_400_000);
            // Something dirty, or no round is due.
            put(&log, 7, 19 + round as i32 * 5, "later");
            for more in 1..5 {
                put(&log, 7, 19 + round as i32 * 5 + more, "later");
            }
            commit(&log, 7);
            compact(&log).expect("it was due");
            let now = (offsets(&log), committed(&log));
            assert!(now.0.1.iter().filter(|marker| **marker < held).count() <= found.0.1.len());
            found = now;
        }
        // Of the latest records of the three keys, and of the aborted batch that is producer 8's last, and empty.
        let old: Vec<i64> = found.0.1.iter().copied().filter(|marker| *marker < held).collect();
        assert_eq!(old, [38, 42, 46, 47], "the rest has nothing left, and the retention of deletes is over");
        assert!(latest.values().skip(1).all(|offset| found.0.0.contains(offset)), "{latest:?} of {found:?}");
        let end_offset = log.end_offset().0;
        assert_eq!(stable(&log), end_offset);
        let known = log.active_producers();
        log.close().expect("a clean close");
        drop(log);
        for (recovery, but) in
            [(clean(end_offset), ""), (unclean(0), ""), (clean(end_offset), "snapshot"), (unclean(0), "snapshot")]
        {
            world
                .files(if but.is_empty() { "nothing" } else { but })
                .iter()
                .for_each(|file| fs::remove_file(file).expect("removed"));
            let log = open(recovery);
            assert_eq!((offsets(&log), committed(&log)), found);
            assert_eq!(stable(&log), end_offset, "nothing is open: {:?}", log.active_producers());
            let sequences =
                |known: &[ActiveProducer]| -> Vec<_> { known.iter().map(|it| (it.id, it.last_sequence)).collect() };
            assert_eq!(sequences(&log.active_producers()), sequences(&known));
            log.close().expect("a clean close");
        }
        close_for_kafka(&world, &open(clean(end_offset)), "-compacted");
    });
}
