//! What compaction leaves of a batch.

use logdyno_record::batch::{emptied, thinned};
use logdyno_record::{Batch, BatchBuilder, BatchOptions, Codec, Compression, Header, LeaderEpoch, Offset, RecordView};

const ALL: [Compression; 5] =
    [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

fn original(compression: Compression) -> Batch {
    let mut builder = BatchBuilder::new(Codec::new(compression), 256);
    for at in 0..5_u8 {
        let value = (at != 3).then(|| vec![at; 40]);
        builder.append(
            1_000 - i64::from(at),
            Some(&[b'k', at]),
            value.as_deref(),
            &[Header::null("h"), Header::new("i", "j")],
        );
    }
    let options = BatchOptions { base_offset: Offset(70), leader_epoch: LeaderEpoch(4), ..BatchOptions::default() };
    builder.build(&options.with_producer(9, 2, 30)).expect("a batch")
}

type Seen = (i64, i64, Option<Vec<u8>>, Option<Vec<u8>>, usize);

fn seen(batch: &Batch) -> Vec<Seen> {
    let owned = |record: RecordView<'_>| {
        let (key, value) = (record.key.map(<[u8]>::to_vec), record.value.map(<[u8]>::to_vec));
        (record.offset.0, record.timestamp, key, value, record.headers.len())
    };
    batch.records().expect("records").iter().map(|record| owned(record.expect("a record"))).collect()
}

/// Kafka's LogCleanerTest: offsets, timestamps, producer and sequence of what is kept are what they were.
#[test]
fn kept_records_and_the_range_are_as_they_were() {
    for compression in ALL {
        let batch = original(compression);
        let records = batch.records().expect("records");
        let kept: Vec<RecordView<'_>> =
            records.iter().map(|record| record.expect("a record")).filter(|record| record.offset.0 % 2 == 1).collect();
        for horizon in [None, Some(86_400_000)] {
            let left = thinned(batch.header(), &kept, horizon).expect("a batch");
            left.verify_crc().expect("sound");
            let (before, after) = (batch.header(), left.header());
            assert_eq!(Batch::parse(left.bytes().clone()).expect("it parses").header(), after);
            assert_eq!(
                (after.base_offset, after.last_offset(), after.leader_epoch, after.count),
                (before.base_offset, before.last_offset(), before.leader_epoch, 2)
            );
            assert_eq!(
                (after.producer_id, after.producer_epoch, after.base_sequence),
                (before.producer_id, before.producer_epoch, before.base_sequence)
            );
            assert_eq!((after.has_delete_horizon(), after.max_timestamp), (horizon.is_some(), 999));
            assert_eq!(after.base_timestamp, horizon.unwrap_or(999));
            let expected: Vec<Seen> = seen(&batch).into_iter().filter(|record| record.0 % 2 == 1).collect();
            assert_eq!(seen(&left), expected, "{compression:?}, horizon {horizon:?}");
        }
    }
}

/// A horizon is set once: what is left of such a batch later keeps it.
#[test]
fn a_delete_horizon_stays() {
    let batch = original(Compression::None);
    let all = batch.records().expect("records");
    let kept: Vec<RecordView<'_>> = all.iter().map(|record| record.expect("a record")).collect();
    let marked = thinned(batch.header(), &kept, Some(5_000)).expect("a batch");
    let all = marked.records().expect("records");
    let kept: Vec<RecordView<'_>> = all.iter().map(|record| record.expect("a record")).skip(3).collect();
    let left = thinned(marked.header(), &kept, None).expect("a batch");
    assert_eq!((left.header().has_delete_horizon(), left.header().base_timestamp), (true, 5_000));
    assert_eq!(seen(&left), seen(&batch)[3..]);
}

#[test]
fn an_emptied_batch_keeps_its_range_and_its_producer() {
    for compression in ALL {
        let batch = original(compression);
        let left = emptied(batch.header()).expect("a batch");
        left.verify_crc().expect("sound");
        assert_eq!((left.size(), left.header().count, seen(&left)), (61, 0, vec![]));
        assert_eq!(left.header().next_offset(), batch.header().next_offset());
        assert_eq!((left.header().producer_id, left.header().base_sequence), (9, 30));
        assert_eq!(left.header().compression().expect("known"), Compression::None);
    }
    let none = original(Compression::None);
    assert!(thinned(none.header(), &[], None).is_err(), "without records it is emptied, not thinned");
}
