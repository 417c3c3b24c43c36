//! Look-ups by time, also inside compressed batches.

use logdyno_record::batch::{TimestampType, batches};
use logdyno_record::{Compression, Offset};
use logdyno_segment_log::Log;

use crate::world::{World, append, batch, batch_of, on_every_backend};

fn at(log: &Log, timestamp: i64, up_to: i64) -> Option<(i64, i64)> {
    let found = log.offset_for_time(timestamp, Offset(up_to)).expect("a look-up");
    found.map(|found| (found.timestamp, found.offset.0))
}

#[test]
fn the_first_record_that_is_young_enough() {
    on_every_backend(|world| {
        for compression in [Compression::None, Compression::Lz4] {
            let world = World::new(world.kind).expect("it ran before").with_segments(500);
            let (log, _) = world.open();
            // Offsets 0 to 2, 3 to 5 and so on; the third record of each batch is older than the second.
            for step in 0..40 {
                let time = 1_000 + step * 10;
                append(&log, &batch_of(&[time, time + 5, time + 2], 50, compression));
            }
            assert!(log.segment_bases().len() > 2);
            assert_eq!(at(&log, 0, 120), Some((1_000, 0)));
            for step in 0..40 {
                let time = 1_000 + step * 10;
                assert_eq!(at(&log, time, 120), Some((time, step * 3)));
                assert_eq!(at(&log, time + 1, 120), Some((time + 5, step * 3 + 1)));
                assert_eq!(at(&log, time + 5, 120), Some((time + 5, step * 3 + 1)));
                assert_eq!(at(&log, time + 5, step * 3 + 1), None, "not from the end offset on");
            }
            assert_eq!(at(&log, 1_396, 120), None);
            let youngest = |up_to| {
                let found = log.offset_of_max_timestamp(Offset(up_to)).expect("a look-up");
                found.map(|found| (found.timestamp, found.offset.0))
            };
            assert_eq!(youngest(120), Some((1_395, 118)));
            assert_eq!(youngest(60), Some((1_195, 58)));
            assert_eq!(youngest(0), None);
        }
    });
}

#[test]
fn with_log_append_time_all_records_have_the_leaders_time() {
    on_every_backend(|mut world| {
        world.config.timestamp_type = TimestampType::LogAppendTime;
        let (log, _) = world.open();
        let appended = append(&log, &batch(3, 20));
        assert!(appended.log_append_time > 1_600_000_000_000, "{appended:?}");
        let bytes = log.read_blocking(Offset(0), Offset(3), 1 << 20, true).expect("a read").batches.concat();
        let stored = batches(bytes.into()).next().expect("a batch").expect("a sound one");
        stored.validate().expect("its checksum is of what is stored");
        assert_eq!(stored.header().timestamp_type(), TimestampType::LogAppendTime);
        assert_eq!(stored.header().max_timestamp, appended.log_append_time);
        assert_eq!(at(&log, appended.log_append_time, 3), Some((appended.log_append_time, 0)));
    });
}
