//! Records from a seed, with a stated entropy: no two are alike, and the same seed makes the same.

use bytes::Bytes;

use super::zipf::Zipf;
use super::{Record, file};
use crate::random::Random;
use crate::workload::{DataFile, Keys, RecordSource, Sizes, WorkloadError};

/// The byte that fills values where chance does not.
const FILL: u8 = b'.';

/// Each value begins with its number in so many bytes, so none is shorter.
const NUMBER_BYTES: usize = 8;

/// Makes the records of a synthetic source; none of another.
pub(super) fn make(source: &RecordSource) -> Result<Vec<Record>, WorkloadError> {
    let RecordSource::Synthetic { size, entropy, keys, distinct, seed } = source else { return Ok(Vec::new()) };
    let mut random = Random::of_seed(*seed);
    let (sizes, keys) = (SizeLaw::of(size)?, KeyLaw::of(keys)?);
    let share = share_of_chance(*entropy);
    let make = |index| {
        let key = keys.draw(&mut random);
        let size = sizes.draw(&mut random);
        Record { key, value: value(index, size, share, &mut random) }
    };
    Ok((0..*distinct).map(make).collect())
}

/// How large values are.
enum SizeLaw {
    Fixed(usize),
    Uniform {
        least: usize,
        count: u64,
    },
    Zipf {
        least: usize,
        law: Zipf,
    },
    /// One of these, each as often as it stands here.
    Data(Vec<usize>),
}

impl SizeLaw {
    fn of(sizes: &Sizes) -> Result<SizeLaw, WorkloadError> {
        Ok(match sizes {
            Sizes::Fixed(size) => SizeLaw::Fixed(*size),
            Sizes::Between { least, most, skew } if *skew == 0.0 => {
                SizeLaw::Uniform { least: *least, count: (most - least) as u64 + 1 }
            }
            Sizes::Between { least, most, skew } => {
                SizeLaw::Zipf { least: *least, law: Zipf::new((most - least) as u32 + 1, *skew) }
            }
            Sizes::OfFile(DataFile { path, format }) => {
                let (records, _) = file::read(path, *format, None, None)?;
                SizeLaw::Data(records.iter().map(|record| record.value.len().max(NUMBER_BYTES)).collect())
            }
        })
    }

    fn draw(&self, random: &mut Random) -> usize {
        match self {
            SizeLaw::Fixed(size) => *size,
            SizeLaw::Uniform { least, count } => least + random.below(*count) as usize,
            SizeLaw::Zipf { least, law } => least + law.draw(random),
            SizeLaw::Data(sizes) => sizes[random.below(sizes.len() as u64) as usize],
        }
    }
}

/// Which keys there are.
enum KeyLaw {
    Null,
    Zipf(Zipf),
    /// One of these, each as often as it stands here.
    Data(Vec<Option<Bytes>>),
}

impl KeyLaw {
    fn of(keys: &Keys) -> Result<KeyLaw, WorkloadError> {
        Ok(match keys {
            Keys::Null => KeyLaw::Null,
            Keys::Made { count, skew } => KeyLaw::Zipf(Zipf::new(*count, *skew)),
            Keys::OfFile { file: DataFile { path, format }, field } => {
                let (records, _) = file::read(path, *format, Some(field), None)?;
                // Copies, so that the file's other bytes are not kept.
                let copied = |record: Record| record.key.map(|key| Bytes::copy_from_slice(&key));
                KeyLaw::Data(records.into_iter().map(copied).collect())
            }
        })
    }

    fn draw(&self, random: &mut Random) -> Option<Bytes> {
        match self {
            KeyLaw::Null => None,
            KeyLaw::Zipf(law) => Some(format!("key-{:08}", law.draw(random)).into()),
            KeyLaw::Data(keys) => keys[random.below(keys.len() as u64) as usize].clone(),
        }
    }
}

/// The record's number in 8 bytes, so that no two are alike, then bytes of which a share is drawn from all 256.
fn value(index: u32, size: usize, share: f64, random: &mut Random) -> Bytes {
    let mut value = format!("{index:08x}").into_bytes();
    value.resize(size, FILL);
    // A byte is chance if 32 bits of the generator fall below this; another 8 bits say which.
    let threshold = (share * f64::from(u32::MAX)) as u64;
    for byte in &mut value[NUMBER_BYTES..] {
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

#[cfg(test)]
mod tests {
    use super::super::zipf::deviations;
    use super::*;

    fn source(entropy: f64, size: Sizes, keys: Keys, distinct: u32) -> RecordSource {
        RecordSource::Synthetic { size, entropy, keys, distinct, seed: 7 }
    }

    fn plain(entropy: f64) -> Vec<Record> {
        make(&source(entropy, Sizes::Fixed(1_000), Keys::Null, 400)).unwrap()
    }

    /// How often each size from `least` to `most` was made in 40,000 records.
    fn counts_of_sizes(least: usize, most: usize, skew: f64) -> Vec<u64> {
        let mut counts = vec![0_u64; most - least + 1];
        let records = make(&source(0.0, Sizes::Between { least, most, skew }, Keys::Null, 40_000)).unwrap();
        records.iter().for_each(|record| counts[record.value.len() - least] += 1);
        counts
    }

    /// Measured on the values themselves, past the number that each begins with.
    #[test]
    fn values_have_the_stated_entropy() {
        for entropy in [0.0, 1.5, 4.0, 6.5, 8.0] {
            let mut counts = [0_u64; 256];
            let records = plain(entropy);
            records.iter().flat_map(|record| &record.value[8..]).for_each(|byte| counts[usize::from(*byte)] += 1);
            let total: u64 = counts.iter().sum();
            let shares = counts.iter().filter(|count| **count > 0).map(|count| *count as f64 / total as f64);
            let measured: f64 = shares.map(|share| -share * share.log2()).sum();
            assert!((measured - entropy).abs() < 0.03, "asked for {entropy}, got {measured}");
        }
    }

    #[test]
    fn no_two_records_are_alike_and_a_seed_makes_the_same_again() {
        let records = plain(0.0);
        assert_eq!(records, plain(0.0));
        let mut values: Vec<_> = records.iter().map(|record| record.value.clone()).collect();
        values.sort();
        values.dedup();
        assert_eq!(values.len(), records.len());
    }

    /// 40,000 draws and a fixed seed; `zipf` has the bounds and what they tell apart.
    #[test]
    fn sizes_are_uniform_or_follow_zipfs_law_exactly() {
        let uniform = counts_of_sizes(8, 57, 0.0);
        assert!(deviations(&uniform, [1.0 / 50.0; 50]).abs() < 4.0, "{uniform:?}");
        let skewed = counts_of_sizes(8, 57, 1.2);
        let harmonic: f64 = (1..=50).map(|k| f64::from(k).powf(-1.2)).sum();
        let law = (1..=50).map(|k| f64::from(k).powf(-1.2) / harmonic);
        assert!(deviations(&skewed, law).abs() < 4.0, "{skewed:?}");
        assert!(deviations(&skewed, [1.0 / 50.0; 50]) > 100.0);
    }

    #[test]
    fn keys_are_null_uniform_or_follow_zipfs_law_exactly() {
        let counts = |count, skew| {
            let mut counts = vec![0_u64; count as usize];
            let keys = Keys::Made { count, skew };
            for record in make(&source(0.0, Sizes::Fixed(8), keys, 40_000)).unwrap() {
                let name = String::from_utf8(record.key.unwrap().to_vec()).unwrap();
                counts[name.strip_prefix("key-").unwrap().parse::<usize>().unwrap()] += 1;
            }
            counts
        };
        assert!(deviations(&counts(20, 0.0), [0.05; 20]).abs() < 4.0);
        let harmonic: f64 = (1..=20).map(|k| 1.0 / f64::from(k)).sum();
        assert!(deviations(&counts(20, 1.0), (1..=20).map(|k| 1.0 / f64::from(k) / harmonic)).abs() < 4.0);
        assert!(plain(0.0).iter().all(|record| record.key.is_none()));
    }

    /// A file with three sizes and two keys and a null: each occurs as often as there, and nothing else does. Sizes below 8 count as 8.
    #[test]
    fn sizes_and_keys_of_a_file_occur_as_often_as_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data.jsonl");
        let long = format!("{{\"k\":\"b\",\"more\":\"{}\"}}", "x".repeat(40));
        std::fs::write(&path, format!("{{\"k\":1}}\n{{\"k\":null}}\n{{\"k\":1}}\n{long}\n")).unwrap();
        let file = DataFile { path, format: crate::workload::FileFormat::JsonLines };
        let keys = Keys::OfFile { file: file.clone(), field: "k".to_owned() };
        let records = make(&source(2.0, Sizes::OfFile(file), keys, 40_000)).unwrap();
        let count = |is: &dyn Fn(&Record) -> bool| records.iter().filter(|record| is(record)).count() as u64;
        let sizes = [8, 10, long.len()].map(|size| count(&|record| record.value.len() == size));
        let keys =
            [Some("1"), None, Some("b")].map(|key| count(&|record| record.key.as_deref() == key.map(str::as_bytes)));
        for counts in [sizes, keys] {
            assert_eq!(counts.iter().sum::<u64>(), 40_000);
            assert!(deviations(&counts, [0.5, 0.25, 0.25]).abs() < 4.0, "{counts:?}");
        }
    }

    /// Whatever the laws, a seed makes the same records again, and another seed makes others.
    #[test]
    fn laws_are_reproducible() {
        let law = |seed| RecordSource::Synthetic {
            size: Sizes::Between { least: 20, most: 900, skew: 0.8 },
            entropy: 3.0,
            keys: Keys::Made { count: 30, skew: 1.1 },
            distinct: 500,
            seed,
        };
        assert_eq!(make(&law(5)).unwrap(), make(&law(5)).unwrap());
        assert_ne!(make(&law(5)).unwrap(), make(&law(6)).unwrap());
    }
}
