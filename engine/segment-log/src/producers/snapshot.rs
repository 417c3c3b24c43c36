//! The producers of a log at one offset, as a file that Kafka reads and writes (`%020d.snapshot`, ProducerSnapshot 1).
//!
//! ```text
//! file     = version: i16 = 1   crc: u32 (CRC-32C of all that follows)   count: i32   entry…
//! entry    = producer id: i64   epoch: i16   last sequence: i32   last offset: i64   offset delta: i32
//!            timestamp: i64     coordinator epoch: i32    current transaction's first offset: i64
//! ```
//! Numbers are big-endian; -1 stands for none. A producer has an entry for each batch of its that is remembered, oldest first. Kafka
//! writes one for the last and, of several, believes the last: so it reads ours, and we what it wrote. All five count, because a
//! client that got no answer before a stop sends up to five again, and who knows only the last takes the first for a gap; the
//! client then starts a new epoch, and what it sends again is there twice.

use bytes::{Buf, BufMut};
use logdyno_record::Offset;
use logdyno_record::batch::crc32c;

use super::{Producers, Remembered};

const VERSION: i16 = 1;
const FRONT_LEN: usize = 6;
const ENTRY_LEN: usize = 46;
const NONE: i32 = -1;

/// Why bytes are no snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SnapshotError {
    #[error("it is of version {0}, which is not known here")]
    Version(i16),
    #[error("it is cut")]
    Cut,
    #[error("its checksum does not hold")]
    Checksum,
}

pub(crate) fn encode(producers: &Producers) -> Vec<u8> {
    let mut entries = Vec::new();
    let mut count = 0;
    for (id, producer) in producers.iter() {
        let none = Remembered { last_sequence: NONE, last_offset: Offset(-1), offset_delta: 0, timestamp: -1 };
        let batches = if producer.batches.is_empty() { vec![none] } else { producer.batches.iter().copied().collect() };
        for batch in batches {
            entries.put_i64(id);
            entries.put_i16(producer.epoch);
            entries.put_i32(batch.last_sequence);
            entries.put_i64(batch.last_offset.0);
            entries.put_i32(batch.offset_delta);
            entries.put_i64(producer.timestamp);
            entries.put_i32(producer.coordinator_epoch);
            entries.put_i64(producer.transaction.map_or(i64::from(NONE), |first| first.0));
            count += 1;
        }
    }
    let mut covered = i32::to_be_bytes(count).to_vec();
    covered.append(&mut entries);
    let mut file = Vec::with_capacity(FRONT_LEN + covered.len());
    file.put_i16(VERSION);
    file.put_u32(crc32c(&covered));
    file.append(&mut covered);
    file
}

pub(crate) fn decode(mut file: &[u8]) -> Result<Producers, SnapshotError> {
    let version = file.try_get_i16().map_err(|_| SnapshotError::Cut)?;
    if version != VERSION {
        return Err(SnapshotError::Version(version));
    }
    let crc = file.try_get_u32().map_err(|_| SnapshotError::Cut)?;
    if crc32c(file) != crc {
        return Err(SnapshotError::Checksum);
    }
    let count = file.try_get_i32().map_err(|_| SnapshotError::Cut)?;
    if usize::try_from(count).ok().and_then(|count| count.checked_mul(ENTRY_LEN)) != Some(file.len()) {
        return Err(SnapshotError::Cut);
    }
    let mut producers = Producers::default();
    for _ in 0..count {
        let (id, epoch) = (file.get_i64(), file.get_i16());
        let (last_sequence, last_offset, offset_delta) = (file.get_i32(), Offset(file.get_i64()), file.get_i32());
        let timestamp = file.get_i64();
        let (coordinator_epoch, transaction) = (file.get_i32(), Offset(file.get_i64()));
        let batch = Remembered { last_sequence, last_offset, offset_delta, timestamp };
        producers.remember(id, epoch, timestamp, (last_offset.0 >= 0).then_some(batch));
        producers.remember_transaction(id, coordinator_epoch, (transaction.0 >= 0).then_some(transaction));
    }
    Ok(producers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> Producers {
        let mut producers = Producers::default();
        let batch = |last_sequence, last_offset| Remembered {
            last_sequence,
            last_offset: Offset(last_offset),
            offset_delta: 4,
            timestamp: 1_000,
        };
        producers.remember(7, 2, 1_000, Some(batch(4, 50)));
        producers.remember(7, 2, 1_000, Some(batch(9, 109)));
        producers.remember(8, 0, 5, None);
        producers.remember_transaction(7, 21, Some(Offset(50)));
        producers
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(decode(&encode(&two())), Ok(two()));
        assert_eq!(decode(&encode(&Producers::default())), Ok(Producers::default()));
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_noticed() {
        let file = encode(&two());
        for len in 0..file.len() {
            assert!(decode(&file[..len]).is_err(), "cut to {len}");
        }
        for bit in 0..file.len() * 8 {
            let mut flipped = file.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&flipped).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_count_that_claims_the_earth_is_a_cut_file() {
        let mut covered = i32::MAX.to_be_bytes().to_vec();
        covered.resize(50, 0);
        let mut file = VERSION.to_be_bytes().to_vec();
        file.put_u32(crc32c(&covered));
        file.extend(covered);
        assert_eq!(decode(&file), Err(SnapshotError::Cut));
    }
}
