//! What a leader changes in place.

use logdyno_record::{Batch, BatchOptions, Compression, LeaderEpoch, Offset, TimestampType, patch};

use crate::golden::golden;
use crate::shapes::{TIME, filled_with, shapes};

fn patched(change: impl Fn(&mut [u8])) -> Batch {
    let mut bytes = golden("lz4").to_vec();
    change(&mut bytes);
    Batch::parse(bytes.into()).expect("one batch")
}

/// G11: offset and epoch lie in front of what the checksum covers.
#[test]
fn assigning_offset_and_epoch_leaves_the_checksum() {
    let before = Batch::parse(golden("lz4")).expect("one batch");
    let after = patched(|bytes| patch::assign(&mut bytes[..patch::ASSIGNED_LEN], Offset(1 << 40), LeaderEpoch(7)));
    assert_eq!(after.header().crc, before.header().crc);
    assert_eq!(after.validate(), Ok(()));
    assert_eq!((after.header().base_offset, after.header().leader_epoch), (Offset(1 << 40), LeaderEpoch(7)));
    let offsets: Vec<i64> =
        after.records().expect("lz4").iter().map(|record| record.expect("well formed").offset.0 - (1 << 40)).collect();
    assert_eq!(offsets, [0, 1, 2, 3, 4]);
}

/// Row 34.
#[test]
fn log_append_time_is_every_records_time_and_checks_out() {
    let after = patched(|bytes| patch::log_append_time(bytes, TIME + 77));
    assert_eq!(after.validate(), Ok(()));
    assert_eq!(after.header().timestamp_type(), TimestampType::LogAppendTime);
    assert_eq!(after.header().compression(), Ok(Compression::Lz4));
    for record in &after.records().expect("lz4") {
        assert_eq!(record.expect("well formed").timestamp, TIME + 77);
    }
    // Kafka built the same uncompressed.
    let mut ours = golden("none").to_vec();
    patch::log_append_time(&mut ours, TIME + 77);
    assert_eq!(ours, golden("log-append-time"));
}

#[test]
fn a_corrected_max_timestamp_leaves_the_records_alone() {
    let true_batch = filled_with(Compression::None, &shapes()).build(&BatchOptions::default()).expect("no codec");
    let mut bytes = true_batch.bytes().to_vec();
    patch::max_timestamp(&mut bytes, -1);
    assert_ne!(bytes, true_batch.bytes()[..]);
    patch::max_timestamp(&mut bytes, true_batch.header().max_timestamp);
    assert_eq!(bytes, true_batch.bytes()[..]);
}
