//! Counts of durations in buckets that widen with what falls into them: each power of two is cut into equally many, as HdrHistogram
//! does it, so its tools read what is counted here.

/// The bucket of a value, where each power of two has 2^`BITS` of them. Up to 2^(`BITS` + 1) each value has one of its own.
pub(super) fn bucket_of<const BITS: u32>(value: u64) -> usize {
    bucket_around::<BITS>(value).index
}

/// A bucket.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bucket {
    /// Its number.
    pub(super) index: usize,
    first: u64,
    /// By how much its last value is larger than its first.
    width: u64,
}

impl Bucket {
    /// Whether a value belongs to it.
    pub(super) fn holds(&self, value: u64) -> bool {
        value.wrapping_sub(self.first) <= self.width
    }
}

/// As [`bucket_of`], with what else belongs to it.
pub(super) fn bucket_around<const BITS: u32>(value: u64) -> Bucket {
    let octave = (value | (1 << BITS)).ilog2() - BITS;
    let index = (u64::from(octave) << BITS) as usize + (value >> octave) as usize;
    Bucket { index, first: value >> octave << octave, width: (1 << octave) - 1 }
}

/// The largest value of a bucket.
fn last_of<const BITS: u32>(bucket: usize) -> u64 {
    let octave = (bucket >> BITS).saturating_sub(1);
    let within = (bucket - (octave << BITS)) as u64;
    // Of the last bucket that there is, the sum is 2^64.
    ((within + 1) << octave).wrapping_sub(1)
}

/// How many values fell into each bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts<const BITS: u32> {
    /// Up to the last bucket that holds something.
    counts: Vec<u64>,
    total: u64,
}

impl<const BITS: u32> Counts<BITS> {
    /// Counts each value. Values that follow each other are often in the same bucket, so it is looked for once for all of them.
    pub(super) fn record_all(&mut self, values: impl Iterator<Item = u64>) {
        // That of 0, with none in it.
        let (mut bucket, mut alike) = (Bucket::default(), 0);
        values.for_each(|value| {
            if !bucket.holds(value) {
                self.add_to(bucket.index, alike);
                (bucket, alike) = (bucket_around::<BITS>(value), 0);
            }
            alike += 1;
        });
        self.add_to(bucket.index, alike);
    }

    /// Counts a value.
    pub(super) fn record(&mut self, value: u64) {
        let bucket = bucket_of::<BITS>(value);
        match self.counts.get_mut(bucket) {
            Some(count) => {
                *count += 1;
                self.total += 1;
            }
            None => self.add_to(bucket, 1),
        }
    }

    /// Counts a value `count` times.
    pub(super) fn record_n(&mut self, value: u64, count: u64) {
        self.add_to(bucket_of::<BITS>(value), count);
    }

    fn add_to(&mut self, bucket: usize, count: u64) {
        if count == 0 {
            return;
        }
        if bucket >= self.counts.len() {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] = self.counts[bucket].saturating_add(count);
        self.total = self.total.saturating_add(count);
    }

    /// Adds what others counted.
    pub(super) fn add(&mut self, other: &Counts<BITS>) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        self.counts.iter_mut().zip(&other.counts).for_each(|(sum, count)| *sum = sum.saturating_add(*count));
        self.total = self.total.saturating_add(other.total);
    }

    /// How many values.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// The largest value of the first bucket by which a share `quantile` of all values, but at least one, has been counted; 0 of none.
    pub(super) fn quantile(&self, quantile: f64) -> u64 {
        let wanted = ((quantile.min(1.0) * self.total as f64).ceil() as u64).max(1);
        let mut counted = 0_u64;
        let reached = |(_, count): &(u64, u64)| {
            counted = counted.saturating_add(*count);
            counted >= wanted
        };
        self.recorded().find(reached).map_or(0, |(last, _)| last)
    }

    /// Each bucket that holds something: its largest value and its count, ascending.
    pub(super) fn recorded(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let filled = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        filled.map(|(bucket, count)| (last_of::<BITS>(bucket), *count))
    }
}

#[cfg(test)]
mod tests {
    use hdrhistogram::Histogram;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn buckets_follow_each_other_without_gap() {
        let mut from = 0_u64;
        for bucket in 0..bucket_of::<5>(u64::MAX) {
            let last = last_of::<5>(bucket);
            assert_eq!((bucket_of::<5>(from), bucket_of::<5>(last)), (bucket, bucket));
            assert!(last - from <= from / 32, "{from} to {last}");
            from = last + 1;
        }
        assert_eq!(last_of::<5>(bucket_of::<5>(u64::MAX)), u64::MAX);
    }

    proptest! {
        /// Three and two significant digits: the same buckets, counts and quantiles.
        #[test]
        fn as_hdr_histogram_counts(
            values in prop::collection::vec((0..40_u32, any::<u64>(), 1..9_u64), 0..200),
            quantile in 0.000_1..1.0_f64,
        ) {
            let values: Vec<(u64, u64)> =
                values.into_iter().map(|(bits, noise, count)| (noise >> (63 - bits), count)).collect();
            let (mut fine, mut coarse) = (Counts::<10>::default(), Counts::<7>::default());
            let [mut three, mut two] =
                [3, 2].map(|digits| Histogram::<u64>::new_with_bounds(1, 1 << 42, digits).unwrap());
            for &(value, count) in &values {
                fine.record_n(value, count);
                coarse.record_n(value, count);
                three.record_n(value, count).unwrap();
                two.record_n(value, count).unwrap();
            }
            let recorded = |of: &Histogram<u64>| of.iter_recorded()
                .map(|point| (of.highest_equivalent(point.value_iterated_to()), point.count_since_last_iteration()))
                .collect::<Vec<_>>();
            prop_assert_eq!(fine.recorded().collect::<Vec<_>>(), recorded(&three));
            prop_assert_eq!(coarse.recorded().collect::<Vec<_>>(), recorded(&two));
            prop_assert_eq!(fine.quantile(quantile), three.value_at_quantile(quantile));
            prop_assert_eq!(coarse.quantile(quantile), two.value_at_quantile(quantile));
            prop_assert_eq!((fine.total(), coarse.total()), (three.len(), two.len()));
            let each = values.iter().flat_map(|(value, count)| std::iter::repeat_n(*value, *count as usize));
            let [mut one_by_one, mut together] = [(); 2].map(|()| Counts::<10>::default());
            each.clone().for_each(|value| one_by_one.record(value));
            together.record_all(each);
            prop_assert_eq!(&one_by_one, &fine);
            prop_assert_eq!(together, fine);
        }
    }
}
