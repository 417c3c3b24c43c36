//! Records from a seed, with a stated entropy: no two are alike, and the same seed makes the same.

use bytes::Bytes;

use super::Record;
use crate::random::Random;
use crate::workload::RecordSource;

/// The byte that fills values where chance does not.
const FILL: u8 = b'.';

/// Makes the records of a synthetic source; none of another.
pub(super) fn make(source: &RecordSource) -> Vec<Record> {
    let RecordSource::Synthetic { size, entropy, keys, key_skew, distinct, seed } = source else { return Vec::new() };
    let mut random = Random::of_seed(*seed);
    let keys = Keys::new(*keys, *key_skew);
    let share = share_of_chance(*entropy);
    (0..*distinct)
        .map(|index| Record { key: keys.draw(&mut random), value: value(index, *size, share, &mut random) })
        .collect()
}

/// The record's number in 8 bytes, so that no two are alike, then bytes of which a share is drawn from all 256.
fn value(index: u32, size: usize, share: f64, random: &mut Random) -> Bytes {
    let mut value = format!("{index:08x}").into_bytes();
    value.resize(size, FILL);
    // A byte is chance if 32 bits of the generator fall below this; another 8 bits say which.
    let threshold = (share * f64::from(u32::MAX)) as u64;
    for byte in &mut value[8..] {
        let drawn = random.next();
        if drawn >> 32 <= threshold && share > 0.0 {
            *byte = drawn as u8;
        }
    }
    value.into()
}

/// The share of random bytes that gives `entropy` bits per byte, found by halving: the entropy rises with it.
fn share_of_chance(entropy: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if entropy_of(middle) < entropy { low = middle } else { high = middle }
    }
    high
}

/// Bits per byte if a share of bytes is uniform over 256 values and the rest is the fill: one symbol with probability
/// 1 − s + s/256, the other 255 with s/256 each.
fn entropy_of(share: f64) -> f64 {
    let other = share / 256.0;
    let fill = 1.0 - 255.0 * other;
    let bits = |p: f64| if p > 0.0 { -p * p.log2() } else { 0.0 };
    bits(fill) + 255.0 * bits(other)
}

/// Keys by Zipf's law.
struct Keys {
    /// The share of all records whose key is this one or one before it.
    cumulated: Vec<f64>,
}

impl Keys {
    fn new(count: u32, skew: f64) -> Keys {
        let weights = (1..=count).map(|rank| f64::from(rank).powf(-skew));
        let mut sum = 0.0;
        let mut cumulated: Vec<f64> = weights
            .map(|weight| {
                sum += weight;
                sum
            })
            .collect();
        cumulated.iter_mut().for_each(|share| *share /= sum);
        Keys { cumulated }
    }

    fn draw(&self, random: &mut Random) -> Option<Bytes> {
        if self.cumulated.is_empty() {
            return None;
        }
        let point = (random.next() >> 11) as f64 / (1_u64 << 53) as f64;
        let rank = self.cumulated.partition_point(|share| *share <= point).min(self.cumulated.len() - 1);
        Some(format!("key-{rank:08}").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(entropy: f64, keys: u32, key_skew: f64) -> RecordSource {
        RecordSource::Synthetic { size: 1_000, entropy, keys, key_skew, distinct: 400, seed: 7 }
    }

    /// Measured on the values themselves, past the number that each begins with.
    #[test]
    fn values_have_the_stated_entropy() {
        for entropy in [0.0, 1.5, 4.0, 6.5, 8.0] {
            let mut counts = [0_u64; 256];
            let records = make(&source(entropy, 0, 0.0));
            records.iter().flat_map(|record| &record.value[8..]).for_each(|byte| counts[usize::from(*byte)] += 1);
            let total: u64 = counts.iter().sum();
            let shares = counts.iter().filter(|count| **count > 0).map(|count| *count as f64 / total as f64);
            let measured: f64 = shares.map(|share| -share * share.log2()).sum();
            assert!((measured - entropy).abs() < 0.03, "asked for {entropy}, got {measured}");
        }
    }

    #[test]
    fn no_two_records_are_alike_and_a_seed_makes_the_same_again() {
        let records = make(&source(0.0, 0, 0.0));
        assert_eq!(records, make(&source(0.0, 0, 0.0)));
        let mut values: Vec<_> = records.iter().map(|record| record.value.clone()).collect();
        values.sort();
        values.dedup();
        assert_eq!(values.len(), records.len());
    }

    #[test]
    fn skewed_keys_follow_zipfs_law() {
        let skewed = make(&source(0.0, 4, 1.0));
        let first = skewed.iter().filter(|record| record.key.as_deref() == Some(b"key-00000000")).count();
        // 1 / (1 + 1/2 + 1/3 + 1/4) = 48 % of 400 is 192; the standard deviation is 10.
        assert!((150..235).contains(&first), "{first}");
    }
}
