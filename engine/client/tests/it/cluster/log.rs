//! A partition's log in memory, as a broker that knows its idempotent producers keeps it.

use std::collections::{BTreeMap, VecDeque};

use bytes::{Bytes, BytesMut};
use logdyno_record::{Batch, LeaderEpoch, Offset, patch};

#[derive(Default)]
pub(super) struct Log {
    pub(super) start: i64,
    pub(super) end: i64,
    /// Base offset, next offset, bytes.
    pub(super) batches: Vec<(i64, i64, Bytes)>,
    pub(super) aborted: Vec<(i64, i64)>,
    pub(super) producers: BTreeMap<i64, Known>,
}

/// An idempotent producer's epoch, and its last five batches: first and next sequence, base offset.
pub(super) struct Known {
    pub(super) epoch: i16,
    pub(super) batches: VecDeque<(i32, i32, i64)>,
}

impl Log {
    /// Appends, by the rules of Kafka's ProducerAppendInfo: error and base offset. Of a producer that is not known, or not any
    /// more, any sequence is taken; a new epoch begins at 0.
    pub(super) fn judge(&mut self, bytes: &Bytes, leader_epoch: i32) -> (i16, i64) {
        let header = *Batch::parse(bytes.clone()).unwrap().header();
        if header.producer_id < 0 {
            return (0, self.append(bytes, leader_epoch));
        }
        let (first, next) = (header.base_sequence, header.base_sequence + header.last_offset_delta + 1);
        if let Some(known) = self.producers.get(&header.producer_id) {
            if header.producer_epoch < known.epoch {
                return (47, -1);
            }
            let same_epoch = header.producer_epoch == known.epoch;
            let mut batches = known.batches.iter().filter(|_| same_epoch);
            let expected = batches.clone().next_back().map_or(0, |(_, next, _)| *next);
            if let Some((_, _, base)) = batches.find(|(from, to, _)| (*from, *to) == (first, next)) {
                return (0, *base);
            }
            if expected != first {
                return (45, -1);
            }
        }
        let base = self.append(bytes, leader_epoch);
        let fresh = || Known { epoch: header.producer_epoch, batches: VecDeque::new() };
        let known = self.producers.entry(header.producer_id).or_insert_with(fresh);
        if header.producer_epoch > known.epoch {
            *known = fresh();
        }
        known.batches.push_back((first, next, base));
        if known.batches.len() > 5 {
            known.batches.pop_front();
        }
        (0, base)
    }

    pub(super) fn append(&mut self, bytes: &Bytes, epoch: i32) -> i64 {
        let count = i64::from(Batch::parse(bytes.clone()).unwrap().header().last_offset_delta) + 1;
        let mut bytes = bytes.to_vec();
        patch::assign(&mut bytes[..16], Offset(self.end), LeaderEpoch(epoch));
        let base = self.end;
        self.end += count;
        self.batches.push((base, self.end, bytes.into()));
        base
    }

    /// Whole batches from the one that holds `offset`; the first also if it is larger than `room`.
    pub(super) fn read(&self, offset: i64, room: usize, first: bool) -> Bytes {
        let mut out = BytesMut::new();
        for (_, _, bytes) in self.batches.iter().filter(|(_, next, _)| *next > offset) {
            if out.len() + bytes.len() > room && !(first && out.is_empty()) {
                break;
            }
            out.extend_from_slice(bytes);
        }
        out.freeze()
    }

    pub(super) fn at_time(&self, time: i64) -> i64 {
        let batches = self.batches.iter().map(|(_, _, bytes)| Batch::parse(bytes.clone()).unwrap());
        for batch in batches {
            for record in &batch.records().unwrap() {
                let record = record.unwrap();
                if record.timestamp >= time {
                    return record.offset.0;
                }
            }
        }
        -1
    }
}

/// The values of a batch's records, as text.
pub(crate) fn values(bytes: &Bytes) -> Vec<String> {
    let batch = Batch::parse(bytes.clone()).unwrap();
    batch.validate().unwrap();
    let records = batch.records().unwrap();
    records
        .iter()
        .map(|record| String::from_utf8_lossy(record.unwrap().value.unwrap_or_default()).into_owned())
        .collect()
}
