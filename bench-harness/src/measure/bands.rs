//! Where records' time went, by how slow they were: what the median waits for is seldom what one in a thousand waits for.
//!
//! All records count: their steps are summed by latency, in buckets of 3 %. Of each bucket the slowest records are kept whole, one of a
//! batch, because what a batch waited for explains all of its records.
//! Memory is bounded by the number of buckets, whatever the run's length.

use super::buckets::bucket_around;
use super::join::Counted;
use super::path::{OwnTimes, Step, StepTimes};
use super::slowest::Slow;

/// Buckets of each power of two, as a power of two.
const BITS: u32 = 5;

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
    /// Adds records of one batch that share some of their times.
    pub(super) fn record(&mut self, records: &[Counted], shared: &StepTimes, partition: i32) {
        let tail = shared.total();
        let mut rest = records;
        while let Some(first) = rest.first() {
            let bucket = bucket_around::<BITS>(first.total + tail);
            let alike = rest.iter().take_while(|record| bucket.holds(record.total + tail)).count();
            let (alike, behind) = rest.split_at(alike);
            if self.buckets.len() <= bucket.index {
                self.buckets.resize_with(bucket.index + 1, Band::default);
            }
            self.buckets[bucket.index].record(alike, shared, partition);
            rest = behind;
        }
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
    fn record(&mut self, records: &[Counted], shared: &StepTimes, partition: i32) {
        let Some(mut slowest) = records.first() else { return };
        let (mut fastest, mut own) = (u64::MAX, OwnTimes::default());
        for record in records {
            fastest = fastest.min(record.total);
            slowest = if record.total > slowest.total { record } else { slowest };
            own.add(&record.own);
        }
        let (tail, count) = (shared.total(), records.len() as u64);
        self.add(count, fastest + tail, slowest.total + tail, &shared.times(count).with(&own));
        if self.has_place_for(slowest.total + tail) {
            self.keep(&slowest.whole(shared, partition));
        }
    }

    fn add(&mut self, records: u64, min_ns: u64, max_ns: u64, times: &StepTimes) {
        self.min_ns = if self.records == 0 { min_ns } else { self.min_ns.min(min_ns) };
        self.max_ns = self.max_ns.max(max_ns);
        self.records += records;
        self.times.add(times);
    }

    /// Whether one that took so long is among the slowest that are kept.
    fn has_place_for(&self, total: u64) -> bool {
        self.slowest.len() < WHOLE || self.slowest.last().is_some_and(|last| last.times.total() < total)
    }

    fn keep(&mut self, slow: &Slow) {
        let total = slow.times.total();
        if !self.has_place_for(total) {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(bands: &mut Bands, offset: i64, batch: u64, disk: u64) {
        let mut shared = StepTimes::default();
        shared.set(Step::Disk, disk);
        bands.record(&[Counted::new(offset, OwnTimes([0, 0, batch]))], &shared, 0);
    }

    /// 990 records wait for their batch, ten for the disk: the mean hides the disk, the band above p99 does not.
    #[test]
    fn the_slow_wait_for_something_else() {
        let mut bands = Bands::default();
        (0..990).for_each(|n| record(&mut bands, n, 1_000, 10));
        (990..1_000).for_each(|n| record(&mut bands, n, 1_000, 90_000 + n as u64));
        let cut = bands.cut_at(&[0.5, 0.99]);
        assert_eq!(cut.iter().map(|band| band.records).collect::<Vec<_>>(), [0, 990, 10]);
        assert_eq!(cut[1].steps().collect::<Vec<_>>(), [(Step::Batch, 990_000), (Step::Disk, 9_900)]);
        assert_eq!(cut[2].steps().collect::<Vec<_>>(), [(Step::Batch, 10_000), (Step::Disk, 909_945)]);
        assert_eq!((cut[2].min_ns, cut[2].max_ns), (91_990, 91_999));
        assert_eq!(cut[2].slowest.iter().map(|slow| slow.offset).collect::<Vec<_>>(), [999, 998, 997, 996]);
    }

    /// A batch's records are counted each, and only the slowest of those of a bucket is kept.
    #[test]
    fn records_of_a_batch_are_counted_together() {
        let (mut together, mut apart) = (Bands::default(), Bands::default());
        let records: Vec<Counted> =
            (0..100).map(|n| Counted::new(n, OwnTimes([1, 0, 9_000 - 50 * n as u64]))).collect();
        let mut shared = StepTimes::default();
        shared.set(Step::Disk, 700);
        together.record(&records, &shared, 0);
        records.iter().for_each(|record| apart.record(std::slice::from_ref(record), &shared, 0));
        let [mut together, mut apart] = [together, apart].map(|bands| bands.cut_at(&[0.5, 0.9]));
        assert_eq!(together[2].slowest[0].offset, 0);
        assert!(together.iter().zip(&apart).all(|(one, other)| one.slowest[0] == other.slowest[0]));
        together.iter_mut().chain(&mut apart).for_each(|band| band.slowest.clear());
        assert_eq!(together, apart);
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
                record(&mut bands, offset, *batch, *disk);
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
