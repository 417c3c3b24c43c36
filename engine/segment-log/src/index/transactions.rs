//! `.txnindex`: the transactions whose abort marker stands in a segment (Kafka's TransactionIndex, AbortedTxn).
//!
//! ```text
//! file  = entry…
//! entry = version: i16 = 0   producer id: i64   first offset: i64   last offset: i64   last stable offset: i64
//! ```
//! Numbers are big-endian, entries in the order of their markers. The first offset is that of the transaction's first record, which may
//! stand in an earlier segment; the last one is the marker's. The last stable offset is what it was once the transaction had ended: who
//! collects for a range may stop at an entry whose last stable offset is not before the range's end, since all that began before has ended
//! by then. A segment without aborted transactions has no such file.

use logdyno_record::Offset;

use super::Unsound;

/// Bytes of an entry.
const ENTRY_LEN: usize = 34;
const VERSION: i16 = 0;

/// A transaction that was aborted: what its producer wrote in it from the first offset on does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTransaction {
    /// Its producer.
    pub producer_id: i64,
    /// Of its first record.
    pub first_offset: Offset,
    /// Of the marker that ended it.
    pub last_offset: Offset,
    /// The last stable offset once it had ended.
    pub last_stable_offset: Offset,
}

/// The aborted transactions of a segment. They are few against its records, and live in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TransactionIndex {
    entries: Vec<AbortedTransaction>,
}

impl TransactionIndex {
    /// Adds the transaction that was aborted last.
    pub(crate) fn push(&mut self, aborted: AbortedTransaction) {
        debug_assert!(self.entries.last().is_none_or(|last| last.last_offset < aborted.last_offset));
        self.entries.push(aborted);
    }

    pub(crate) fn entries(&self) -> &[AbortedTransaction] {
        &self.entries
    }

    /// Whether it knows of this abort marker.
    pub(crate) fn has_marker(&self, offset: Offset) -> bool {
        self.entries.binary_search_by_key(&offset, |entry| entry.last_offset).is_ok()
    }

    /// Adds to `found` what was aborted and reaches into `from..up_to`. True if no later segment has more of it.
    pub(crate) fn collect(&self, from: Offset, up_to: Offset, found: &mut Vec<AbortedTransaction>) -> bool {
        for entry in &self.entries {
            if entry.last_offset >= from && entry.first_offset < up_to {
                found.push(*entry);
            }
            if entry.last_stable_offset >= up_to {
                return true;
            }
        }
        false
    }

    /// Forgets the markers from `end` on, which are truncated away.
    pub(crate) fn truncate(&mut self, end: Offset) {
        self.entries.retain(|entry| entry.last_offset < end);
    }

    /// The file's content.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut content = Vec::with_capacity(self.entries.len() * ENTRY_LEN);
        for entry in &self.entries {
            content.extend_from_slice(&VERSION.to_be_bytes());
            let offsets = [entry.first_offset, entry.last_offset, entry.last_stable_offset].map(|offset| offset.0);
            for number in [entry.producer_id].into_iter().chain(offsets) {
                content.extend_from_slice(&number.to_be_bytes());
            }
        }
        content
    }

    /// Reads the file of the segment that starts at `base`: markers must stand in it, and rise.
    pub(crate) fn decode(content: &[u8], base: Offset) -> Result<TransactionIndex, Unsound> {
        let (entries, []) = content.as_chunks::<ENTRY_LEN>() else {
            return Err(Unsound("it ends within an entry"));
        };
        let entries = entries.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
        if entries.iter().any(|entry| entry.last_offset < base) {
            return Err(Unsound("an entry's marker stands before the segment"));
        }
        if entries.iter().any(|entry| entry.first_offset > entry.last_offset) {
            return Err(Unsound("an entry's transaction ends before it begins"));
        }
        if !entries.is_sorted_by(|before, after| before.last_offset < after.last_offset) {
            return Err(Unsound("its markers do not rise"));
        }
        Ok(TransactionIndex { entries })
    }
}

fn entry(bytes: &[u8; ENTRY_LEN]) -> Result<AbortedTransaction, Unsound> {
    let (version, numbers) = bytes.split_at(size_of::<i16>());
    if version != VERSION.to_be_bytes() {
        return Err(Unsound("an entry is of a version that is not known here"));
    }
    let (numbers, _) = numbers.as_chunks::<8>();
    let number = |at: usize| i64::from_be_bytes(numbers[at]);
    Ok(AbortedTransaction {
        producer_id: number(0),
        first_offset: Offset(number(1)),
        last_offset: Offset(number(2)),
        last_stable_offset: Offset(number(3)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(entries: &[(i64, i64, i64, i64)]) -> TransactionIndex {
        let mut index = TransactionIndex::default();
        for (producer_id, first, last, stable) in entries {
            let (first_offset, last_offset, last_stable_offset) = (Offset(*first), Offset(*last), Offset(*stable));
            index.push(AbortedTransaction { producer_id: *producer_id, first_offset, last_offset, last_stable_offset });
        }
        index
    }

    fn collected(index: &TransactionIndex, from: i64, up_to: i64) -> (Vec<i64>, bool) {
        let mut found = Vec::new();
        let complete = index.collect(Offset(from), Offset(up_to), &mut found);
        (found.iter().map(|aborted| aborted.producer_id).collect(), complete)
    }

    /// Kafka's TransactionIndexTest.testCollectAbortedTransactions.
    #[test]
    fn what_reaches_into_a_range_is_collected() {
        let index = index(&[(0, 0, 10, 11), (1, 5, 15, 13), (2, 18, 35, 25), (3, 32, 50, 40)]);
        for (from, up_to, producers, complete) in [
            (0, 100, vec![0, 1, 2, 3], false),
            (0, 32, vec![0, 1, 2], true),
            (0, 35, vec![0, 1, 2, 3], true),
            (10, 35, vec![0, 1, 2, 3], true),
            (11, 35, vec![1, 2, 3], true),
            (20, 41, vec![2, 3], false),
        ] {
            assert_eq!(collected(&index, from, up_to), (producers, complete), "{from}..{up_to}");
        }
    }

    #[test]
    fn truncation_forgets_markers_from_the_end_on() {
        let all = index(&[(0, 0, 2, 2), (1, 1, 5, 5), (2, 4, 9, 10)]);
        for (end, left) in [(10, 3), (9, 2), (5, 1), (3, 1), (2, 0)] {
            let mut index = all.clone();
            index.truncate(Offset(end));
            assert_eq!(index.entries().len(), left, "cut at {end}");
        }
    }

    #[test]
    fn the_file_reads_back_and_what_is_none_is_told() {
        let all = index(&[(7, 90, 102, 100), (8, 100, 109, 110)]);
        let file = all.encode();
        assert_eq!(TransactionIndex::decode(&file, Offset(100)), Ok(all));
        assert!(TransactionIndex::decode(&file[..67], Offset(100)).is_err(), "cut");
        assert!(TransactionIndex::decode(&file, Offset(103)).is_err(), "of an earlier segment");
        let swapped = [&file[34..], &file[..34]].concat();
        assert!(TransactionIndex::decode(&swapped, Offset(100)).is_err(), "does not rise");
        let mut later = file.clone();
        later[1] = 1;
        assert!(TransactionIndex::decode(&later, Offset(100)).is_err(), "another version");
        let mut backwards = file;
        backwards[10..18].copy_from_slice(&200_i64.to_be_bytes());
        assert!(TransactionIndex::decode(&backwards, Offset(100)).is_err(), "ends before it begins");
    }
}
