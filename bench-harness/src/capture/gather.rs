//! Collects records of several partitions into one trace.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use logdyno_engine::record::{RecordView, murmur2};

use super::Compressibility;
use crate::trace::{FORMAT, Header, Key, Record, Trace, VERSION};

/// A trace that grows.
pub(super) struct Gather {
    with_payloads: bool,
    numbers: HashMap<Bytes, u32>,
    keys: Vec<Key>,
    records: Vec<Gathered>,
    compressibility: BTreeMap<i32, Compressibility>,
    bytes: u64,
}

/// A record with its absolute time.
struct Gathered {
    time_ms: i64,
    key: Option<u32>,
    partition: i32,
    value_bytes: Option<u32>,
    value: Bytes,
}

impl Gather {
    pub(super) fn new(with_payloads: bool) -> Gather {
        Gather {
            with_payloads,
            numbers: HashMap::new(),
            keys: Vec::new(),
            records: Vec::new(),
            compressibility: BTreeMap::new(),
            bytes: 0,
        }
    }

    /// Adds a record of a partition; those of a partition come in their order.
    pub(super) fn add(&mut self, partition: i32, record: &RecordView<'_>) {
        let value = record.value.unwrap_or_default();
        self.compressibility.entry(partition).or_default().add(value);
        self.bytes += (record.key.map_or(0, <[u8]>::len) + value.len()) as u64;
        let key = record.key.map(|key| self.number(key));
        self.records.push(Gathered {
            time_ms: record.timestamp,
            key,
            partition,
            value_bytes: record.value.map(|value| u32::try_from(value.len()).unwrap_or(u32::MAX)),
            value: if self.with_payloads { Bytes::copy_from_slice(value) } else { Bytes::new() },
        });
    }

    fn number(&mut self, key: &[u8]) -> u32 {
        if let Some(number) = self.numbers.get(key) {
            return *number;
        }
        let number = u32::try_from(self.keys.len()).unwrap_or(u32::MAX);
        let content = Bytes::copy_from_slice(key);
        self.keys.push(Key {
            hash: murmur2(key),
            bytes: u32::try_from(key.len()).unwrap_or(u32::MAX),
            content: self.with_payloads.then(|| content.clone()),
        });
        self.numbers.insert(content, number);
        number
    }

    /// The trace, in the order of times; `None` without records.
    pub(super) fn finish(mut self, from: &str) -> Option<Trace> {
        // Stable: of equal times, a partition's records stay in their order.
        self.records.sort_by_key(|record| (record.time_ms, record.partition));
        let (first, last) = (self.records.first()?.time_ms, self.records.last()?.time_ms);
        let measured = self.compressibility.into_values().map(Compressibility::finish);
        let (raw, compressed) = measured.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let header = Header {
            format: FORMAT.to_owned(),
            version: VERSION,
            from: from.to_owned(),
            records: self.records.len() as u64,
            keys: self.keys.len() as u64,
            partitions: self.records.iter().map(|record| record.partition).max()?.unsigned_abs() + 1,
            bytes: self.bytes,
            begin_ms: first,
            span_ms: last.abs_diff(first),
            compressed_share: (raw > 0).then(|| compressed as f64 / raw as f64),
            has_payloads: self.with_payloads,
        };
        let record = |record: &Gathered| Record {
            time_ms: record.time_ms.abs_diff(first),
            key: record.key,
            partition: record.partition.unsigned_abs(),
            value_bytes: record.value_bytes,
        };
        let records = self.records.iter().map(record).collect();
        let values = self.with_payloads.then(|| self.records.into_iter().map(|record| record.value).collect());
        Some(in_order_of_occurrence(Trace { header, keys: self.keys, records, values }))
    }
}

/// Renumbers the keys by where they first stand, so that the order of files makes no difference.
fn in_order_of_occurrence(mut trace: Trace) -> Trace {
    let mut places: Vec<Option<u32>> = vec![None; trace.keys.len()];
    let mut keys = Vec::with_capacity(trace.keys.len());
    for number in trace.records.iter_mut().filter_map(|record| record.key.as_mut()) {
        let old = *number as usize;
        *number = *places[old].get_or_insert_with(|| {
            keys.push(trace.keys[old].clone());
            keys.len() as u32 - 1
        });
    }
    trace.keys = keys;
    trace
}
