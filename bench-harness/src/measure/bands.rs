//! Where records' time went, by how slow they were: what the median waits for is seldom what one in a thousand waits for.
//!
//! All records count: their steps are summed by latency, in buckets of 3 %. Of each bucket the slowest records are kept whole.
//! Memory is bounded by the number of buckets, whatever the run's length.

use super::path::{Step, StepTimes};
use super::slowest::Slow;

/// Buckets of each power of two.
const PER_OCTAVE: u64 = 32;

/// Records that are kept whole, of each bucket and then of each band.
const WHOLE: usize = 4;

/// Sums by latency.
#[derive(Clone, Debug, Default)]
pub struct Bands {
    buckets: Vec<Band>,
}

/// Records of about the same latency, or of a band of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Band {
    /// How many.
    pub records: u64,
    /// The fastest.
    pub min_ns: u64,
    /// The slowest.
    pub max_ns: u64,
    /// The sum of their times, by step.
    pub times: StepTimes,
    /// The slowest of them, slowest first.
    pub slowest: Vec<Slow>,
}

impl Bands {
    /// Adds a record.
    pub fn record(&mut self, slow: &Slow) {
        let total = slow.times.total();
        let index = index(total);
        if self.buckets.len() <= index {
            self.buckets.resize_with(index + 1, Band::default);
        }
        let bucket = &mut self.buckets[index];
        bucket.add(1, total, total, &slow.times);
        bucket.keep(slow);
    }

    /// Cuts the records at quantiles, which rise: a band each below, between and above them. A record that is as slow as a quantile is
    /// in the band above it, and so is what shares its bucket; a band may be empty.
    #[must_use]
    pub fn cut_at(&self, quantiles: &[f64]) -> Vec<Band> {
        let mut bands = vec![Band::default(); quantiles.len() + 1];
        let whole: u64 = self.buckets.iter().map(|bucket| bucket.records).sum();
        let mut before = 0;
        for bucket in self.buckets.iter().filter(|bucket| bucket.records > 0) {
            before += bucket.records;
            let band = quantiles.iter().take_while(|quantile| before as f64 > *quantile * whole as f64).count();
            bands[band].add(bucket.records, bucket.min_ns, bucket.max_ns, &bucket.times);
            bucket.slowest.iter().for_each(|slow| bands[band].keep(slow));
        }
        bands
    }
}

impl Band {
    fn add(&mut self, records: u64, min_ns: u64, max_ns: u64, times: &StepTimes) {
        self.min_ns = if self.records == 0 { min_ns } else { self.min_ns.min(min_ns) };
        self.max_ns = self.max_ns.max(max_ns);
        self.records += records;
        self.times.add(times);
    }

    fn keep(&mut self, slow: &Slow) {
        let total = slow.times.total();
        if self.slowest.len() == WHOLE && self.slowest.last().is_some_and(|last| last.times.total() >= total) {
            return;
        }
        let place = self.slowest.partition_point(|kept| kept.times.total() >= total);
        self.slowest.insert(place, *slow);
        self.slowest.truncate(WHOLE);
    }

    /// Each step that took time, with the sum of its times.
    pub fn steps(&self) -> impl Iterator<Item = (Step, u64)> + '_ {
        Step::ALL.into_iter().map(|step| (step, self.times.get(step))).filter(|(_, ns)| *ns > 0)
    }
}

/// The bucket of a latency: by its highest bit and the five below it.
fn index(ns: u64) -> usize {
    if ns < PER_OCTAVE {
        return ns as usize;
    }
    let octave = u64::from(ns.ilog2() - PER_OCTAVE.ilog2());
    (octave * PER_OCTAVE + (ns >> octave)) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn slow(offset: i64, batch: u64, disk: u64) -> Slow {
        let mut times = StepTimes::default();
        times.set(Step::Batch, batch);
        times.set(Step::Disk, disk);
        Slow { partition: 0, offset, times }
    }

    /// 990 records wait for their batch, ten for the disk: the mean hides the disk, the band above p99 does not.
    #[test]
    fn the_slow_wait_for_something_else() {
        let mut bands = Bands::default();
        (0..990).for_each(|n| bands.record(&slow(n, 1_000, 10)));
        (990..1_000).for_each(|n| bands.record(&slow(n, 1_000, 90_000 + n as u64)));
        let cut = bands.cut_at(&[0.5, 0.99]);
        assert_eq!(cut.iter().map(|band| band.records).collect::<Vec<_>>(), [0, 990, 10]);
        assert_eq!(cut[1].steps().collect::<Vec<_>>(), [(Step::Batch, 990_000), (Step::Disk, 9_900)]);
        assert_eq!(cut[2].steps().collect::<Vec<_>>(), [(Step::Batch, 10_000), (Step::Disk, 909_945)]);
        assert_eq!((cut[2].min_ns, cut[2].max_ns), (91_990, 91_999));
        assert_eq!(cut[2].slowest.iter().map(|slow| slow.offset).collect::<Vec<_>>(), [999, 998, 997, 996]);
    }

    #[test]
    fn buckets_are_narrow_and_few() {
        let edges = (0..64).flat_map(|bit| [1_u64 << bit, (1 << bit) + (1 << bit >> 1), (1 << bit) - 1]);
        assert!(edges.map(index).max().unwrap() < 2_048);
        for ns in [40_u64, 999, 123_456, 5_000_000_000] {
            assert!(index(ns + ns / 16) > index(ns) && index(ns + ns / 64) <= index(ns) + 1, "{ns}");
        }
    }

    proptest! {
        /// Whatever the cuts: no record and no nanosecond is lost or counted twice, and bands do not overlap.
        #[test]
        fn bands_add_up_exactly(
            records in prop::collection::vec((0..1u64 << 40, 0..1u64 << 33), 1..200),
            mut quantiles in prop::collection::vec(0.0..1.0_f64, 0..6),
        ) {
            quantiles.sort_by(f64::total_cmp);
            let mut bands = Bands::default();
            for (offset, (batch, disk)) in (0..).zip(&records) {
                bands.record(&slow(offset, *batch, *disk));
            }
            let cut = bands.cut_at(&quantiles);
            prop_assert_eq!(cut.iter().map(|band| band.records).sum::<u64>(), records.len() as u64);
            for (step, sum) in [
                (Step::Batch, records.iter().map(|(batch, _)| batch).sum::<u64>()),
                (Step::Disk, records.iter().map(|(_, disk)| disk).sum()),
            ] {
                prop_assert_eq!(cut.iter().map(|band| band.times.get(step)).sum::<u64>(), sum);
            }
            let filled: Vec<&Band> = cut.iter().filter(|band| band.records > 0).collect();
            prop_assert!(filled.windows(2).all(|pair| pair[0].max_ns < pair[1].min_ns));
            prop_assert!(filled.iter().all(|band| band.slowest[0].times.total() == band.max_ns));
            // Whoever is slower than a quantile is above its cut.
            let mut totals: Vec<u64> = records.iter().map(|(batch, disk)| batch + disk).collect();
            totals.sort_unstable();
            for (index, quantile) in quantiles.iter().enumerate() {
                let at = totals[(quantile * totals.len() as f64) as usize];
                let above: u64 = cut[index + 1..].iter().map(|band| band.records).sum();
                prop_assert!(above >= totals.iter().filter(|total| **total >= at).count() as u64);
            }
        }
    }
}
