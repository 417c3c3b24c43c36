//! From the bytes of a fetched partition to what is buffered. Pure.

use bytes::Bytes;
use logdyno_record::{Offset, TopicPartition, batches};

use super::fetched::{Buffered, FetchedBatch};
use super::isolation::{Aborted, Visibility};
use crate::error::ClientError;

/// What an answer brought for one partition.
#[derive(Debug, Default)]
pub(crate) struct Digest {
    /// What is buffered, in order.
    pub(crate) entries: Vec<Buffered>,
    /// What stands behind the entries, if it is broken.
    pub(crate) failure: Option<ClientError>,
}

/// Walks over `records`, asked for from `from` on.
///
/// The first batch may begin before `from`; control batches and aborted ones only move the position.
pub(crate) fn digest(
    partition: &TopicPartition,
    from: Offset,
    records: Bytes,
    mut aborted: Aborted,
    check_crcs: bool,
) -> Digest {
    let mut digest = Digest::default();
    let mut next = from;
    let size = records.len();
    for batch in batches(records) {
        let checked = batch.and_then(|batch| if check_crcs { batch.verify_crc().map(|()| batch) } else { Ok(batch) });
        let batch = match checked {
            Ok(batch) => batch,
            Err(error) => {
                digest.failure = Some(corrupt(partition, next, error.to_string()));
                return digest;
            }
        };
        let visibility = aborted.judge(&batch);
        let end = batch.header().next_offset();
        if end <= next {
            continue;
        }
        digest.entries.push(match visibility {
            Visibility::Shown => Buffered::Batch(FetchedBatch::new(partition.clone(), batch, next)),
            Visibility::Skipped => Buffered::MoveTo(end),
        });
        next = end;
    }
    if digest.entries.is_empty() && size > 0 {
        let reason = format!("the broker sent {size} bytes and no whole batch in them from this offset on");
        digest.failure = Some(corrupt(partition, next, reason));
    }
    digest
}

fn corrupt(partition: &TopicPartition, offset: Offset, reason: String) -> ClientError {
    ClientError::Corrupt { partition: partition.clone(), offset, reason }
}

#[cfg(test)]
mod tests {
    use logdyno_record::batch::control::ControlType;
    use logdyno_record::{BatchBuilder, BatchOptions, Codec, Compression, LeaderEpoch, patch};

    use super::*;

    struct Log(Vec<u8>, Offset);

    impl Log {
        fn new() -> Log {
            Log(Vec::new(), Offset(100))
        }

        fn batch(mut self, values: &[&str], options: BatchOptions) -> Log {
            let mut builder = BatchBuilder::new(Codec::new(Compression::None), 256);
            for value in values {
                builder.append(7, None, Some(value.as_bytes()), &[]);
            }
            self.add(&mut builder, options);
            self
        }

        fn marker(mut self, producer: i64, kind: ControlType) -> Log {
            let mut builder = BatchBuilder::new(Codec::new(Compression::None), 256);
            builder.append(7, Some(&kind.key()), Some(&[0; 6]), &[]);
            let options = BatchOptions { transactional: true, control: true, ..BatchOptions::default() };
            self.add(&mut builder, options.with_producer(producer, 0, -1));
            self
        }

        fn add(&mut self, builder: &mut BatchBuilder, options: BatchOptions) {
            let mut bytes = builder.build(&options).unwrap().into_bytes().to_vec();
            let count = i64::from(i32::from_be_bytes(bytes[57..61].try_into().unwrap()));
            patch::assign(&mut bytes[..16], self.1, LeaderEpoch(3));
            self.1 = self.1 + count;
            self.0.extend_from_slice(&bytes);
        }
    }

    fn transactional(producer: i64) -> BatchOptions {
        BatchOptions { transactional: true, ..BatchOptions::default() }.with_producer(producer, 0, 0)
    }

    fn shown(digest: &Digest) -> Vec<(i64, String)> {
        let batches = digest.entries.iter().filter_map(|entry| match entry {
            Buffered::Batch(batch) => Some(batch),
            Buffered::MoveTo(_) => None,
        });
        let mut seen = Vec::new();
        for batch in batches {
            for record in batch.records().unwrap() {
                let record = record.unwrap();
                seen.push((record.offset.0, String::from_utf8(record.value.unwrap().to_vec()).unwrap()));
            }
        }
        seen
    }

    fn end(digest: &Digest) -> Offset {
        match digest.entries.last().unwrap() {
            Buffered::Batch(batch) => batch.end_offset(),
            Buffered::MoveTo(offset) => *offset,
        }
    }

    fn run(log: Log, from: i64, aborted: &[(i64, i64)]) -> Digest {
        let partition = TopicPartition::new("t", 0);
        digest(&partition, Offset(from), log.0.into(), Aborted::new(aborted.iter().copied()), true)
    }

    /// Rows 110 and 111: two transactions interleave with plain records; one is aborted.
    fn transactions() -> Log {
        Log::new()
            .batch(&["a0", "a1"], transactional(1))
            .batch(&["b0"], transactional(2))
            .batch(&["plain"], BatchOptions::default())
            .marker(1, ControlType::Abort)
            .batch(&["b1"], transactional(2))
            .marker(2, ControlType::Commit)
            .batch(&["a2"], transactional(1))
            .marker(1, ControlType::Commit)
    }

    #[test]
    fn read_committed_skips_what_was_aborted_and_only_that() {
        let digest = run(transactions(), 100, &[(1, 100)]);
        let values: Vec<String> = shown(&digest).into_iter().map(|(_, value)| value).collect();
        assert_eq!(values, ["b0", "plain", "b1", "a2"]);
        assert_eq!(end(&digest), Offset(109), "the last marker moves the position on");
    }

    #[test]
    fn read_uncommitted_shows_all_but_the_markers() {
        let digest = run(transactions(), 100, &[]);
        let offsets: Vec<i64> = shown(&digest).into_iter().map(|(offset, _)| offset).collect();
        assert_eq!(offsets, [100, 101, 102, 103, 105, 107]);
    }

    #[test]
    fn a_fetch_from_inside_a_batch_begins_inside() {
        let log = Log::new().batch(&["x", "y", "z"], BatchOptions::default());
        assert_eq!(shown(&run(log, 101, &[])), [(101, "y".to_owned()), (102, "z".to_owned())]);
    }

    #[test]
    fn a_flipped_bit_is_found_at_its_batch_and_what_is_before_survives() {
        let mut log = Log::new().batch(&["good"], BatchOptions::default()).batch(&["bad"], BatchOptions::default());
        *log.0.last_mut().unwrap() ^= 1;
        let digest = run(log, 100, &[]);
        assert_eq!(shown(&digest).len(), 1);
        assert!(matches!(digest.failure, Some(ClientError::Corrupt { offset: Offset(101), .. })));
    }

    #[test]
    fn a_cut_tail_is_left_for_the_next_fetch_but_bytes_without_any_batch_are_an_error() {
        let mut log = Log::new().batch(&["whole"], BatchOptions::default()).batch(&["cut"], BatchOptions::default());
        log.0.truncate(log.0.len() - 3);
        let all = run(log, 100, &[]);
        assert_eq!((shown(&all).len(), all.failure.is_none()), (1, true));
        let mut only_cut = Log::new().batch(&["cut"], BatchOptions::default());
        only_cut.0.truncate(40);
        assert!(run(only_cut, 100, &[]).failure.is_some());
    }
}
