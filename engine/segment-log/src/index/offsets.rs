//! `.index`: from an offset to a position at or before its batch.

use logdyno_record::Offset;

use super::Unsound;

/// Bytes of an entry: offset less the segment's base, position; both i32, big-endian.
pub(crate) const ENTRY_LEN: usize = 8;

/// Entries in rising order: the last offset of a batch, and the position at which that batch starts.
#[derive(Debug, Default)]
pub(crate) struct OffsetIndex {
    entries: Vec<(i32, i32)>,
}

impl OffsetIndex {
    /// Adds an entry; the caller has checked that both fit (a segment is rolled before they do not).
    pub(crate) fn push(&mut self, base: Offset, last: Offset, position: u64) {
        if let (Ok(relative), Ok(position)) = (i32::try_from(last - base), i32::try_from(position)) {
            self.entries.push((relative, position));
        }
    }

    /// A position from which a scan by headers finds `offset`.
    pub(crate) fn floor(&self, base: Offset, offset: Offset) -> u64 {
        let after = self.entries.partition_point(|(relative, _)| base + i64::from(*relative) <= offset);
        after.checked_sub(1).map_or(0, |at| u64::from(self.entries[at].1.cast_unsigned()))
    }

    /// The last offset of the last entry's batch.
    pub(crate) fn last(&self, base: Offset) -> Option<Offset> {
        self.entries.last().map(|(relative, _)| base + i64::from(*relative))
    }

    /// The position of the last entry's batch.
    pub(crate) fn last_position(&self) -> u64 {
        self.entries.last().map_or(0, |(_, position)| u64::from(position.cast_unsigned()))
    }

    /// The entries: last offsets of batches, and where those start.
    pub(crate) fn entries(&self, base: Offset) -> impl Iterator<Item = (Offset, u64)> {
        self.entries
            .iter()
            .map(move |(relative, position)| (base + i64::from(*relative), u64::from(position.cast_unsigned())))
    }

    /// Bytes of the file.
    pub(crate) fn size(&self) -> u64 {
        (self.entries.len() * ENTRY_LEN) as u64
    }

    /// The file's content.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let entries = self.entries.iter();
        entries.flat_map(|(relative, position)| [relative.to_be_bytes(), position.to_be_bytes()]).flatten().collect()
    }

    /// Reads a file: entries must rise, and point into a segment of `len` bytes.
    pub(crate) fn decode(content: &[u8], len: u64) -> Result<OffsetIndex, Unsound> {
        let (entries, []) = content.as_chunks::<ENTRY_LEN>() else {
            return Err(Unsound("it ends within an entry"));
        };
        let entries: Vec<(i32, i32)> = entries.iter().map(entry).collect();
        if entries.iter().any(|(relative, position)| *relative < 0 || *position < 0 || *position as u64 >= len) {
            return Err(Unsound("an entry points outside the segment"));
        }
        if !entries.is_sorted_by(|before, after| before.0 < after.0 && before.1 < after.1) {
            return Err(Unsound("its entries do not rise"));
        }
        Ok(OffsetIndex { entries })
    }
}

fn entry(bytes: &[u8; ENTRY_LEN]) -> (i32, i32) {
    let [a, b, c, d, e, f, g, h] = *bytes;
    (i32::from_be_bytes([a, b, c, d]), i32::from_be_bytes([e, f, g, h]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> OffsetIndex {
        let mut index = OffsetIndex::default();
        for (last, position) in [(109, 0x1000), (205, 0x2010), (300, 0x4000)] {
            index.push(Offset(100), Offset(last), position);
        }
        index
    }

    #[test]
    fn floor_is_the_last_entry_at_or_before_the_offset() {
        for (offset, position) in [(100, 0), (108, 0), (109, 0x1000), (204, 0x1000), (205, 0x2010), (999, 0x4000)] {
            assert_eq!(index().floor(Offset(100), Offset(offset)), position, "offset {offset}");
        }
    }

    #[test]
    fn the_file_is_big_endian_pairs_and_reads_back() {
        let bytes = index().encode();
        assert_eq!(&bytes[..8], &[0, 0, 0, 9, 0, 0, 0x10, 0]);
        assert_eq!(OffsetIndex::decode(&bytes, 0x5000).map(|read| read.entries), Ok(index().entries));
    }

    #[test]
    fn what_is_no_index_is_told() {
        let bytes = index().encode();
        assert!(OffsetIndex::decode(&bytes[..20], 0x5000).is_err(), "cut");
        assert!(OffsetIndex::decode(&bytes, 0x4000).is_err(), "points behind the segment");
        let falling: Vec<u8> = [&bytes[8..16], &bytes[..8]].concat();
        assert!(OffsetIndex::decode(&falling, 0x5000).is_err(), "falls");
    }
}
