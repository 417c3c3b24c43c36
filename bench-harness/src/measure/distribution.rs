//! A distribution of durations: counted buckets for quantiles beside exact sum, minimum and maximum.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::buckets::Counts;

/// The largest duration that has a place of its own: an hour. Longer ones are counted as clipped.
const LIMIT_NS: u64 = 3_600_000_000_000;

/// Significant digits of a quantile, and the buckets of a power of two that they need, as a power of two.
const DIGITS: u8 = 3;
const BITS: u32 = 10;

/// Durations in nanoseconds. Zero counts as zero. Saved as counted buckets, from which it is rebuilt unchanged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct Distribution {
    counts: Counts<BITS>,
    sum_ns: u64,
    min_ns: u64,
    max_ns: u64,
    clipped: u64,
}

/// How a distribution stands in a result file.
#[derive(Serialize, Deserialize)]
struct Saved {
    count: u64,
    sum_ns: u64,
    min_ns: u64,
    max_ns: u64,
    clipped: u64,
    /// `upper:count` for each bucket that holds something, apart by spaces: its upper end in nanoseconds, and how many
    /// durations fell into it. As text, because a thousand pairs would be two thousand lines.
    buckets: String,
}

/// What several durations come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spread {
    pub(super) sum_ns: u64,
    pub(super) min_ns: u64,
    pub(super) max_ns: u64,
}

impl Spread {
    /// Of none.
    pub(super) const EMPTY: Spread = Spread { sum_ns: 0, min_ns: u64::MAX, max_ns: 0 };

    /// Adds one.
    pub(super) fn add(&mut self, ns: u64) {
        self.sum_ns = self.sum_ns.saturating_add(ns);
        self.min_ns = self.min_ns.min(ns);
        self.max_ns = self.max_ns.max(ns);
    }

    /// Of `count` that are each longer by `ns`.
    pub(super) fn longer_by(self, ns: u64, count: usize) -> Spread {
        Spread {
            sum_ns: self.sum_ns.saturating_add(ns.saturating_mul(count as u64)),
            min_ns: self.min_ns.saturating_add(ns),
            max_ns: self.max_ns + ns,
        }
    }
}

impl Default for Distribution {
    fn default() -> Distribution {
        Distribution::new()
    }
}

impl Distribution {
    /// An empty one.
    #[must_use]
    pub fn new() -> Distribution {
        Distribution { counts: Counts::default(), sum_ns: 0, min_ns: u64::MAX, max_ns: 0, clipped: 0 }
    }

    /// Adds a duration.
    pub fn record(&mut self, ns: u64) {
        self.counts.record(ns.min(LIMIT_NS));
        self.clipped += u64::from(ns > LIMIT_NS);
        self.sum_ns = self.sum_ns.saturating_add(ns);
        self.min_ns = self.min_ns.min(ns);
        self.max_ns = self.max_ns.max(ns);
    }

    /// Adds several durations, of which it is known what they come to.
    pub(super) fn record_all(&mut self, durations: impl Iterator<Item = u64> + Clone, spread: Spread) {
        if spread.max_ns <= LIMIT_NS {
            self.counts.record_all(durations);
        } else {
            self.clipped += durations.clone().filter(|ns| *ns > LIMIT_NS).count() as u64;
            self.counts.record_all(durations.map(|ns| ns.min(LIMIT_NS)));
        }
        self.sum_ns = self.sum_ns.saturating_add(spread.sum_ns);
        self.min_ns = self.min_ns.min(spread.min_ns);
        self.max_ns = self.max_ns.max(spread.max_ns);
    }

    /// Adds a duration that `count` records share.
    pub fn record_n(&mut self, ns: u64, count: u64) {
        if count == 0 {
            return;
        }
        self.counts.record_n(ns.min(LIMIT_NS), count);
        self.clipped += if ns > LIMIT_NS { count } else { 0 };
        self.sum_ns = self.sum_ns.saturating_add(ns.saturating_mul(count));
        self.min_ns = self.min_ns.min(ns);
        self.max_ns = self.max_ns.max(ns);
    }

    /// Adds all of another one.
    pub fn merge(&mut self, other: &Distribution) {
        self.counts.add(&other.counts);
        self.clipped += other.clipped;
        self.sum_ns = self.sum_ns.saturating_add(other.sum_ns);
        self.min_ns = self.min_ns.min(other.min_ns);
        self.max_ns = self.max_ns.max(other.max_ns);
    }

    /// How many durations.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.total()
    }

    /// Their sum, exact.
    #[must_use]
    pub fn sum_ns(&self) -> u64 {
        self.sum_ns
    }

    /// Their mean, exact; 0 of none.
    #[must_use]
    pub fn mean_ns(&self) -> f64 {
        if self.count() == 0 { 0.0 } else { self.sum_ns as f64 / self.count() as f64 }
    }

    /// The longest, exact.
    #[must_use]
    pub fn max_ns(&self) -> u64 {
        self.max_ns
    }

    /// How many were too long for the histogram.
    #[must_use]
    pub fn clipped(&self) -> u64 {
        self.clipped
    }

    /// The value that a share `quantile` of all durations does not exceed, within 0.1 %.
    #[must_use]
    pub fn quantile_ns(&self, quantile: f64) -> u64 {
        self.counts.quantile(quantile).min(self.max_ns)
    }

    /// As HdrHistogram's, for writers of other formats.
    #[must_use]
    pub fn to_histogram(&self) -> Histogram<u64> {
        let mut histogram = Histogram::new_with_bounds(1, LIMIT_NS, DIGITS)
            .unwrap_or_else(|_| unreachable!("bounds and digits are constants within HdrHistogram's limits"));
        self.counts.recorded().for_each(|(upper, count)| histogram.saturating_record_n(upper, count));
        histogram
    }
}

impl TryFrom<Saved> for Distribution {
    type Error = String;

    fn try_from(saved: Saved) -> Result<Distribution, String> {
        let mut distribution = Distribution::new();
        for bucket in saved.buckets.split_ascii_whitespace() {
            let numbers =
                bucket.split_once(':').and_then(|(upper, count)| Some((upper.parse().ok()?, count.parse().ok()?)));
            let (upper, count) = numbers.ok_or_else(|| format!("a bucket is `{bucket}`, not upper:count"))?;
            distribution.counts.record_n(upper, count);
        }
        if distribution.count() != saved.count {
            return Err(format!("the buckets hold {} durations, and count is {}", distribution.count(), saved.count));
        }
        let (sum_ns, min_ns, max_ns, clipped) = (saved.sum_ns, saved.min_ns, saved.max_ns, saved.clipped);
        Ok(Distribution { sum_ns, min_ns, max_ns, clipped, ..distribution })
    }
}

impl From<Distribution> for Saved {
    fn from(distribution: Distribution) -> Saved {
        let buckets = distribution.counts.recorded().map(|(upper, count)| format!("{upper}:{count}"));
        Saved {
            count: distribution.count(),
            sum_ns: distribution.sum_ns,
            min_ns: distribution.min_ns,
            max_ns: distribution.max_ns,
            clipped: distribution.clipped,
            buckets: buckets.collect::<Vec<_>>().join(" "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batchs_duration_weighs_as_many_records_as_it_has() {
        let mut weighted = Distribution::new();
        weighted.record_n(1_000, 98);
        weighted.record_n(5_000_000, 2);
        let mut single = Distribution::new();
        (0..98).for_each(|_| single.record(1_000));
        (0..2).for_each(|_| single.record(5_000_000));
        assert_eq!(weighted, single);
        assert_eq!(weighted.quantile_ns(0.98), 1_000);
        assert!(weighted.quantile_ns(0.99).abs_diff(5_000_000) < 5_000);
    }

    #[test]
    fn zeros_are_counted_and_what_is_too_long_is_clipped_but_summed() {
        let mut distribution = Distribution::new();
        distribution.record_n(0, 3);
        distribution.record(LIMIT_NS + 1);
        assert_eq!((distribution.count(), distribution.clipped(), distribution.quantile_ns(0.75)), (4, 1, 0));
        assert_eq!((distribution.max_ns(), distribution.sum_ns()), (LIMIT_NS + 1, LIMIT_NS + 1));
    }

    #[test]
    fn it_is_saved_and_rebuilt_unchanged() {
        let mut distribution = Distribution::new();
        (0..2_000_u64).for_each(|n| distribution.record_n(n * n * 37, n % 5));
        let saved = serde_json::to_string(&distribution).unwrap();
        let rebuilt: Distribution = serde_json::from_str(&saved).unwrap();
        assert_eq!(rebuilt, distribution);
        assert_eq!(serde_json::to_string(&rebuilt).unwrap(), saved);
    }
}
