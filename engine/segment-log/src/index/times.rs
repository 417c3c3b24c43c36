//! `.timeindex`: from a timestamp to an offset before which no record is that young.

use logdyno_record::Offset;

use super::Unsound;

/// Bytes of an entry: timestamp i64, offset less the segment's base i32; big-endian.
pub(crate) const ENTRY_LEN: usize = 12;

/// Entries whose timestamps strictly rise: the greatest timestamp so far, and the last offset of its batch.
#[derive(Debug, Default)]
pub(crate) struct TimeIndex {
    entries: Vec<(i64, i32)>,
}

impl TimeIndex {
    /// Adds an entry if its timestamp is greater than the last one's (Kafka's `maybeAppend`).
    pub(crate) fn push(&mut self, base: Offset, timestamp: i64, offset: Offset) {
        let rises = self.entries.last().is_none_or(|(last, _)| timestamp > *last);
        if let Ok(relative) = i32::try_from(offset - base)
            && rises
        {
            self.entries.push((timestamp, relative));
        }
    }

    /// The offset of the last entry with a timestamp below `timestamp`, from which a scan finds the first record at
    /// or after it; `None` if the segment's start is as good.
    pub(crate) fn floor(&self, base: Offset, timestamp: i64) -> Option<Offset> {
        let after = self.entries.partition_point(|(entry, _)| *entry < timestamp);
        after.checked_sub(1).map(|at| base + i64::from(self.entries[at].1))
    }

    /// The greatest timestamp and the last offset of its batch.
    pub(crate) fn last(&self, base: Offset) -> Option<(i64, Offset)> {
        self.entries.last().map(|(timestamp, relative)| (*timestamp, base + i64::from(*relative)))
    }

    /// The entries: greatest timestamps so far, and the last offsets of their batches.
    pub(crate) fn entries(&self, base: Offset) -> impl Iterator<Item = (i64, Offset)> {
        self.entries.iter().map(move |(timestamp, relative)| (*timestamp, base + i64::from(*relative)))
    }

    /// Bytes of the file.
    pub(crate) fn size(&self) -> u64 {
        (self.entries.len() * ENTRY_LEN) as u64
    }

    /// The file's content.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut content = Vec::with_capacity(self.entries.len() * ENTRY_LEN);
        for (timestamp, relative) in &self.entries {
            content.extend_from_slice(&timestamp.to_be_bytes());
            content.extend_from_slice(&relative.to_be_bytes());
        }
        content
    }

    /// Reads a file: timestamps must rise, offsets must not fall.
    pub(crate) fn decode(content: &[u8]) -> Result<TimeIndex, Unsound> {
        let (entries, []) = content.as_chunks::<ENTRY_LEN>() else {
            return Err(Unsound("it ends within an entry"));
        };
        let entries: Vec<(i64, i32)> = entries.iter().map(entry).collect();
        if entries.iter().any(|(_, relative)| *relative < 0) {
            return Err(Unsound("an entry points before the segment"));
        }
        if !entries.is_sorted_by(|before, after| before.0 < after.0 && before.1 <= after.1) {
            return Err(Unsound("its entries do not rise"));
        }
        Ok(TimeIndex { entries })
    }
}

fn entry(bytes: &[u8; ENTRY_LEN]) -> (i64, i32) {
    let [t0, t1, t2, t3, t4, t5, t6, t7, r0, r1, r2, r3] = *bytes;
    (i64::from_be_bytes([t0, t1, t2, t3, t4, t5, t6, t7]), i32::from_be_bytes([r0, r1, r2, r3]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_younger_timestamps_enter_and_the_file_reads_back() {
        let mut index = TimeIndex::default();
        for (timestamp, offset) in [(50, 5), (50, 7), (40, 9), (60, 11)] {
            index.push(Offset(0), timestamp, Offset(offset));
        }
        assert_eq!(index.entries, vec![(50, 5), (60, 11)]);
        assert_eq!(TimeIndex::decode(&index.encode()).map(|read| read.entries), Ok(index.entries));
    }

    #[test]
    fn floor_is_strictly_below_the_timestamp() {
        let mut index = TimeIndex::default();
        index.push(Offset(10), 50, Offset(15));
        index.push(Offset(10), 60, Offset(21));
        for (timestamp, offset) in [(50, None), (51, Some(15)), (60, Some(15)), (61, Some(21))] {
            assert_eq!(index.floor(Offset(10), timestamp), offset.map(Offset), "timestamp {timestamp}");
        }
    }

    #[test]
    fn what_is_no_index_is_told() {
        assert!(TimeIndex::decode(&[0; 13]).is_err(), "cut");
        assert!(TimeIndex::decode(&[0; 24]).is_err(), "does not rise");
    }
}
