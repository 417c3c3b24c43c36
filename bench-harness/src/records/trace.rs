//! Records of a trace: as they were, or, without payloads, made up with the same lengths, equal keys and compressibility.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use bytes::Bytes;
use logdyno_engine::record::partition_for_key;

use super::Record;
use crate::capture::Compressibility;
use crate::random::Random;
use crate::trace::{self, Key, Trace, TraceError};

/// Made-up values are pieces of so many bytes at most: beyond, they repeat, far from each other.
const POOL_BYTES_MAX: usize = 32 << 20;

/// The byte that fills values where chance does not.
const FILL: u8 = b'.';

/// How closely the compressibility is met: twenty halvings of the share of chance.
const HALVINGS: u32 = 20;

/// Bytes over which it is measured.
const SAMPLE_BYTES: usize = 256 << 10;

/// Names that are tried for a key of its length before it gets a longer one.
const NAMES_MAX: u32 = 20_000;

/// The records and their times in nanoseconds.
pub(super) fn read(path: &Path, partitions: i32, seed: u64) -> Result<(Vec<Record>, Vec<u64>), TraceError> {
    let trace = trace::read(path)?;
    let times = trace.records.iter().map(|record| record.time_ms.saturating_mul(1_000_000)).collect();
    Ok((records(&trace, partitions, seed), times))
}

fn records(trace: &Trace, partitions: i32, seed: u64) -> Vec<Record> {
    let mut random = Random::of_seed(seed);
    let keys = names(&trace.keys, partitions);
    let mut values = match &trace.values {
        Some(_) => None,
        None => Some(Values::like(trace, &mut random)),
    };
    let value = |(index, record): (usize, &trace::Record)| match (&trace.values, &mut values) {
        (Some(captured), _) => captured[index].clone(),
        (None, Some(made_up)) => made_up.next(record.value_bytes.unwrap_or(0) as usize, &mut random),
        (None, None) => Bytes::new(),
    };
    let values: Vec<Bytes> = trace.records.iter().enumerate().map(value).collect();
    let key = |record: &trace::Record| record.key.map(|key| keys[key as usize].clone());
    trace.records.iter().map(key).zip(values).map(|(key, value)| Record { key, value }).collect()
}

/// A name for each key: its own, or one of its length that goes to the same partition as it would.
fn names(keys: &[Key], partitions: i32) -> Vec<Bytes> {
    let mut names = Names { partitions: partitions.max(1), taken: HashSet::new(), lengths: HashMap::new() };
    keys.iter().map(|key| key.content.clone().unwrap_or_else(|| names.name(key))).collect()
}

struct Names {
    partitions: i32,
    taken: HashSet<Bytes>,
    /// By wanted length and partition: the length of which there are still names.
    lengths: HashMap<(u32, i32), usize>,
}

impl Names {
    fn name(&mut self, key: &Key) -> Bytes {
        let partition = (key.hash & i32::MAX) % self.partitions;
        let length = self.lengths.entry((key.bytes, partition)).or_insert(key.bytes as usize);
        let mut random = Random::of_seed(key.hash.unsigned_abs().into());
        loop {
            for _ in 0..NAMES_MAX {
                let name: Bytes = (0..*length).map(|_| b'a' + random.below(26) as u8).collect();
                if partition_for_key(&name, self.partitions) == partition && self.taken.insert(name.clone()) {
                    return name;
                }
            }
            *length += 1;
        }
    }
}

/// Values of given lengths: pieces of one long text, that each partition's batches compress as the captured ones did.
struct Values {
    pool: Bytes,
    /// Where the next piece begins, as long as there is one that was not used.
    at: usize,
}

impl Values {
    fn like(trace: &Trace, random: &mut Random) -> Values {
        let sizes = trace.records.iter().map(|record| record.value_bytes.unwrap_or(0) as usize);
        let longest = sizes.clone().max().unwrap_or(0);
        let length = sizes.sum::<usize>().min(POOL_BYTES_MAX).max(longest);
        let share = share_of_chance(trace.header.compressed_share.unwrap_or(1.0));
        Values { pool: text(length, share, random).into(), at: 0 }
    }

    fn next(&mut self, length: usize, random: &mut Random) -> Bytes {
        if self.at + length <= self.pool.len() {
            self.at += length;
            return self.pool.slice(self.at - length..self.at);
        }
        let from = random.below((self.pool.len() - length + 1) as u64) as usize;
        self.pool.slice(from..from + length)
    }
}

/// Bytes of which a share is drawn from all 256.
fn text(length: usize, share: f64, random: &mut Random) -> Vec<u8> {
    let threshold = (share * f64::from(u32::MAX)) as u64;
    let byte = |drawn: u64| if drawn >> 32 <= threshold && share > 0.0 { drawn as u8 } else { FILL };
    (0..length).map(|_| byte(random.next())).collect()
}

/// The share of chance that compresses to `wanted` bytes a byte, found by halving: more chance compresses less.
fn share_of_chance(wanted: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        let mut measured = Compressibility::default();
        measured.add_all(&text(SAMPLE_BYTES, middle, &mut Random::of_seed(1)));
        let (raw, compressed) = measured.finish();
        if (compressed as f64) < wanted * raw as f64 { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}
