//! What compaction leaves of a batch (Kafka's Cleaner.cleanInto, shouldRetainRecord and KIP-534).

use std::collections::HashMap;

use logdyno_record::Offset;
use logdyno_record::batch::{Batch, BatchError, BatchHeader, RecordView, emptied, thinned};

use super::{OffsetMap, Transactions};

/// What one round knows.
pub(crate) struct Filter<'a> {
    /// The last offsets of keys in the dirty part, as far as the map reached.
    pub(crate) latest: &'a OffsetMap,
    /// Records from here on are not in the map and stay.
    pub(crate) end: Offset,
    pub(crate) now_ms: i64,
    pub(crate) delete_retention_ms: u64,
    /// What each active producer wrote last: it stays, empty if need be.
    pub(crate) last_of_producers: &'a HashMap<i64, LastOfProducer>,
}

/// What says where a producer is (Kafka's LastRecord).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LastOfProducer {
    /// The batch that ends here has its last sequence.
    Data(Offset),
    /// In this epoch it has only a marker.
    Marker { epoch: i16 },
}

/// What is left of a batch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// All of it, byte for byte.
    Same,
    /// This instead.
    Rewritten(Batch),
    Nothing,
}

impl Filter<'_> {
    /// Decides on a batch. `ends_segment` if it is the last of the segment that is written: then it stays, empty if
    /// need be, so that every segment reaches the next one and a missing tail is told from a compacted one.
    pub(crate) fn apply(
        &self,
        batch: &Batch,
        transactions: &mut Transactions,
        ends_segment: bool,
    ) -> Result<Left, BatchError> {
        let header = batch.header();
        let stays_empty = ends_segment || self.is_producers_last(header);
        if header.is_control() {
            let of_nothing = transactions.is_marker_of_nothing(batch)?;
            return self.apply_to_marker(batch, of_nothing, stays_empty);
        }
        if transactions.is_aborted(header) {
            return without_records(header, stays_empty);
        }
        let records = batch.records()?;
        let mut kept: Vec<RecordView<'_>> = Vec::new();
        for record in &records {
            let record = record?;
            if self.stays(header, &record) {
                kept.push(record);
            }
        }
        if kept.is_empty() {
            return without_records(header, stays_empty);
        }
        let horizon = self.horizon_to_set(header, &kept);
        if horizon.is_none() && i32::try_from(kept.len()) == Ok(header.count) {
            return Ok(Left::Same);
        }
        thinned(header, &kept, horizon).map(Left::Rewritten)
    }

    /// A marker stays as long as there is something of its transaction. The first round that finds nothing sets the moment from which on
    /// it may go, as for a tombstone: a reader that has seen records of the transaction must come to know how it ended.
    fn apply_to_marker(&self, batch: &Batch, of_nothing: bool, stays_empty: bool) -> Result<Left, BatchError> {
        let header = batch.header();
        let over = header.has_delete_horizon() && header.base_timestamp <= self.now_ms;
        if header.count == 0 || of_nothing && over {
            return without_records(header, stays_empty);
        }
        if !of_nothing || header.has_delete_horizon() {
            return Ok(Left::Same);
        }
        let records = batch.records()?;
        let kept: Vec<RecordView<'_>> = records.iter().collect::<Result<_, _>>()?;
        thinned(header, &kept, Some(self.horizon())).map(Left::Rewritten)
    }

    fn is_producers_last(&self, header: &BatchHeader) -> bool {
        match self.last_of_producers.get(&header.producer_id).filter(|_| header.has_producer_id()) {
            Some(LastOfProducer::Data(offset)) => *offset == header.last_offset(),
            Some(LastOfProducer::Marker { epoch }) => header.is_control() && *epoch == header.producer_epoch,
            None => false,
        }
    }

    /// A record stays if its key does not come again, and if it is no tombstone whose time is over.
    fn stays(&self, header: &BatchHeader, record: &RecordView<'_>) -> bool {
        if record.offset >= self.end {
            return true;
        }
        let Some(key) = record.key else {
            // Such a topic was not compacted when the record came: nothing can be said of it by key.
            return false;
        };
        let is_latest = self.latest.get(key).is_none_or(|latest| record.offset >= latest);
        let over = header.has_delete_horizon() && header.base_timestamp <= self.now_ms;
        is_latest && (record.value.is_some() || !over)
    }

    /// The first round that meets a tombstone sets the moment from which on it may go: `delete.retention.ms` from now,
    /// so that whoever reads from the start within that time learns of the deletion.
    fn horizon_to_set(&self, header: &BatchHeader, kept: &[RecordView<'_>]) -> Option<i64> {
        let tombstones = kept.iter().any(|record| record.value.is_none());
        (tombstones && !header.has_delete_horizon()).then(|| self.horizon())
    }

    fn horizon(&self) -> i64 {
        self.now_ms.saturating_add(i64::try_from(self.delete_retention_ms).unwrap_or(i64::MAX))
    }
}

/// A batch of which no record stays.
fn without_records(header: &BatchHeader, stays_empty: bool) -> Result<Left, BatchError> {
    match (stays_empty, header.count) {
        (false, _) => Ok(Left::Nothing),
        (true, 0) => Ok(Left::Same),
        (true, _) => emptied(header).map(Left::Rewritten),
    }
}

#[cfg(test)]
mod tests {
    use logdyno_record::batch::control::{ControlType, EndTransactionMarker};
    use logdyno_record::batch::patch;
    use logdyno_record::{BatchBuilder, BatchOptions, Codec, Compression};

    use super::*;
    use crate::index::AbortedTransaction;

    /// Records with these keys and values from offset 100 on, of producer 7.
    fn batch(records: &[(Option<&str>, Option<&str>)], options: BatchOptions) -> Batch {
        let mut builder = BatchBuilder::new(Codec::new(Compression::None), 256);
        for (key, value) in records {
            builder.append(1_000, key.map(str::as_bytes), value.map(str::as_bytes), &[]);
        }
        let options = BatchOptions { base_offset: Offset(100), ..options };
        builder.build(&options.with_producer(7, 0, 0)).expect("a batch")
    }

    fn map(entries: &[(&str, i64)]) -> OffsetMap {
        let mut map = OffsetMap::new(1 << 12, 100);
        entries.iter().for_each(|(key, offset)| assert!(map.put(key.as_bytes(), Offset(*offset))));
        map
    }

    struct Case {
        latest: OffsetMap,
        end: i64,
        now_ms: i64,
        last_of_producers: HashMap<i64, LastOfProducer>,
        aborted: Vec<AbortedTransaction>,
    }

    impl Case {
        fn new(latest: &[(&str, i64)]) -> Case {
            Case {
                latest: map(latest),
                end: 1_000,
                now_ms: 5_000,
                last_of_producers: HashMap::new(),
                aborted: Vec::new(),
            }
        }

        fn left(&self, batch: &Batch, ends_segment: bool) -> Left {
            self.left_of(&[], batch, ends_segment)
        }

        /// What is left of a batch behind these.
        fn left_of(&self, before: &[&Batch], batch: &Batch, ends_segment: bool) -> Left {
            let Case { latest, end, now_ms, last_of_producers, aborted } = self;
            let filter =
                Filter { latest, end: Offset(*end), now_ms: *now_ms, delete_retention_ms: 2_000, last_of_producers };
            let mut transactions = Transactions::new(aborted.clone());
            for before in before {
                filter.apply(before, &mut transactions, false).expect("a sound batch");
            }
            filter.apply(batch, &mut transactions, ends_segment).expect("a sound batch")
        }

        /// Offsets of what is left.
        fn offsets(&self, batch: &Batch, ends_segment: bool) -> Vec<i64> {
            let left = match self.left(batch, ends_segment) {
                Left::Same => batch.clone(),
                Left::Rewritten(left) => left,
                Left::Nothing => return vec![],
            };
            let records = left.records().expect("records");
            records.iter().map(|record| record.expect("a record").offset.0).collect()
        }
    }

    const ABC: [(Option<&str>, Option<&str>); 3] =
        [(Some("a"), Some("1")), (Some("b"), Some("2")), (Some("c"), Some("3"))];

    /// Only what is the latest of its key stays; a key that the map does not know has its latest before the dirty part.
    #[test]
    fn the_latest_of_each_key_stays() {
        let abc = batch(&ABC, BatchOptions::default());
        for (latest, expected) in [
            (&[("a", 100), ("b", 101), ("c", 102)][..], vec![100, 101, 102]),
            (&[("a", 100), ("b", 150), ("c", 102)], vec![100, 102]),
            (&[("a", 103), ("b", 104), ("c", 105)], vec![]),
            (&[], vec![100, 101, 102]),
            (&[("a", 500)], vec![101, 102]),
        ] {
            assert_eq!(Case::new(latest).offsets(&abc, false), expected, "{latest:?}");
        }
        assert_eq!(Case::new(&[]).left(&abc, false), Left::Same, "byte for byte");
    }

    /// Where the map was full, what lies behind it stays.
    #[test]
    fn what_the_map_has_not_seen_stays() {
        let mut case = Case::new(&[("a", 101)]);
        case.end = 102;
        let batch = batch(
            &[(Some("a"), Some("1")), (Some("a"), Some("2")), (Some("a"), Some("3")), (None, Some("4"))],
            BatchOptions::default(),
        );
        assert_eq!(case.offsets(&batch, false), [101, 102, 103]);
        case.end = 1_000;
        assert_eq!(case.offsets(&batch, false), [101, 102], "what has no key is gone once it is looked at");
    }

    /// KIP-534: the first round marks a tombstone's batch, the first one behind the horizon drops the tombstone.
    #[test]
    fn tombstones_go_once_their_time_is_over() {
        let mut case = Case::new(&[("a", 100), ("b", 101)]);
        let fresh = batch(&[(Some("a"), None), (Some("b"), Some("2"))], BatchOptions::default());
        let Left::Rewritten(marked) = case.left(&fresh, false) else { panic!("it gets a horizon") };
        assert_eq!((marked.header().has_delete_horizon(), marked.header().base_timestamp), (true, 7_000));
        assert_eq!(case.offsets(&fresh, false), [100, 101]);
        case.now_ms = 6_999;
        assert_eq!(case.left(&marked, false), Left::Same, "not yet, and the horizon does not move");
        case.now_ms = 7_000;
        assert_eq!(case.offsets(&marked, false), [101]);
        let only = batch(&[(Some("a"), None)], BatchOptions::default());
        case.now_ms = 5_000;
        let Left::Rewritten(only) = case.left(&only, false) else { panic!("it gets a horizon") };
        case.now_ms = 7_000;
        assert_eq!(case.left(&only, false), Left::Nothing);
    }

    /// Kafka's testLogCleanerRetainsProducerLastSequence; and the end of a segment is never forgotten.
    #[test]
    fn batches_that_stay_empty() {
        let mut case = Case::new(&[("a", 200), ("b", 200), ("c", 200)]);
        let abc = batch(&ABC, BatchOptions::default());
        assert_eq!(case.left(&abc, false), Left::Nothing);
        let Left::Rewritten(empty) = case.left(&abc, true) else { panic!("it ends a segment") };
        assert_eq!((empty.header().count, empty.header().last_offset()), (0, Offset(102)));
        assert_eq!(case.left(&empty, true), Left::Same);
        assert_eq!(case.left(&empty, false), Left::Nothing, "another one ends the segment by now");
        case.last_of_producers.insert(7, LastOfProducer::Data(Offset(102)));
        assert!(matches!(case.left(&abc, false), Left::Rewritten(_)), "its producer's last");
        assert_eq!(case.left(&empty, false), Left::Same);
        case.last_of_producers.insert(7, LastOfProducer::Data(Offset(300)));
        assert_eq!(case.left(&abc, false), Left::Nothing, "the producer has gone on");
    }

    fn transactional(offset: i64) -> Batch {
        let batch = batch(&ABC, BatchOptions { transactional: true, ..BatchOptions::default() });
        at(&batch, offset)
    }

    fn marker(control_type: ControlType, offset: i64) -> Batch {
        let marker = EndTransactionMarker { control_type, coordinator_epoch: 3 };
        at(&marker.batch(7, 0, 1_000).expect("a marker"), offset)
    }

    fn at(batch: &Batch, offset: i64) -> Batch {
        let mut bytes = batch.bytes().to_vec();
        patch::assign(&mut bytes[..patch::ASSIGNED_LEN], Offset(offset), batch.header().leader_epoch);
        Batch::parse(bytes.into()).expect("a batch")
    }

    /// Kafka's LogCleanerTest.testAbortMarkerRemoval, testCommitMarkerRemoval: what was aborted goes at once, its marker two rounds and the
    /// retention of deletes later, and what was committed is treated as if there were no transactions.
    #[test]
    fn what_was_aborted_goes_before_its_marker() {
        let mut case = Case::new(&[]);
        let (data, abort, commit) =
            (transactional(100), marker(ControlType::Abort, 103), marker(ControlType::Commit, 103));
        assert_eq!(case.left(&data, false), Left::Same, "committed");
        assert_eq!(case.left_of(&[&data], &commit, false), Left::Same, "there is something of it");
        let Left::Rewritten(marked) = case.left(&commit, false) else { panic!("nothing is left of it") };
        assert_eq!((marked.header().has_delete_horizon(), marked.header().base_timestamp), (true, 7_000));
        assert_eq!(case.left_of(&[&data], &marked, false), Left::Same);

        let (producer_id, first_offset, last_offset) = (7, Offset(100), Offset(103));
        case.aborted =
            vec![AbortedTransaction { producer_id, first_offset, last_offset, last_stable_offset: Offset(104) }];
        assert_eq!(case.left(&data, false), Left::Nothing);
        assert_eq!(case.left_of(&[&data], &abort, false), Left::Same, "this round has met its records");
        assert_eq!(case.left_of(&[&data, &abort], &transactional(104), false), Left::Same, "the next transaction");
        let Left::Rewritten(marked) = case.left(&abort, false) else { panic!("nothing is left of it") };
        case.now_ms = 6_999;
        assert_eq!(case.left(&marked, false), Left::Same, "a reader of its records may still be on the way");
        case.now_ms = 7_000;
        assert_eq!(case.left(&marked, false), Left::Nothing);
        let Left::Rewritten(empty) = case.left(&marked, true) else { panic!("it ends a segment") };
        assert_eq!((empty.header().count, empty.header().is_control()), (0, true));
        assert_eq!(case.left(&empty, false), Left::Nothing);
        case.last_of_producers.insert(7, LastOfProducer::Marker { epoch: 0 });
        assert!(matches!(case.left(&marked, false), Left::Rewritten(_)), "it says the producer's epoch");
    }
}
