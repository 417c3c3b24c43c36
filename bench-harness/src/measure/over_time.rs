//! How latency went over the measured part: a small histogram for each interval, and a bounded number of intervals.

use std::ops::RangeInclusive;

use logdyno_engine::record::Nanos;
use serde::{Deserialize, Serialize};

use super::buckets::Counts;
use super::series::Series;

/// The width of an interval at first.
const WIDTH_NS: u64 = 100_000_000;

/// With more intervals than this, neighbours are merged and intervals are twice as long.
const INTERVALS_MAX: usize = 240;

/// Longer latencies count as this: an hour.
const LIMIT_NS: u64 = 3_600_000_000_000;

/// Buckets of a power of two, as a power of two: two significant digits, enough for a plot.
const BITS: u32 = 7;

/// Latencies by the interval of the record's intended time.
#[derive(Clone, Debug)]
pub struct Timeline {
    width_ns: u64,
    intervals: Vec<Counts<BITS>>,
}

/// The measured part cut into intervals.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverTime {
    /// Length of an interval.
    pub interval_ns: u64,
    /// The intervals in order; the last one may be cut by the end.
    pub intervals: Vec<Interval>,
}

/// An interval of the measured part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    /// How long it is within the measured part.
    pub length_ns: u64,
    /// Records that were acknowledged in it.
    pub acknowledged: u64,
    /// Measured records that were to be sent in it.
    pub records: u64,
    /// Their median from the intended time to the acknowledgement, within 1 %; 0 without records.
    pub p50_ns: u64,
    /// Their 99th percentile.
    pub p99_ns: u64,
    /// Their longest.
    pub max_ns: u64,
}

impl Default for Timeline {
    fn default() -> Timeline {
        Timeline { width_ns: WIDTH_NS, intervals: Vec::new() }
    }
}

impl Timeline {
    /// Records that were due so many nanoseconds after the begin of the measured part, and took so many; `due` are the first and the
    /// last of these moments.
    pub fn record_all(&mut self, due: RangeInclusive<u64>, records: impl Iterator<Item = (u64, u64)>) {
        // The last first: it may make intervals longer.
        let last = self.interval_of(*due.end());
        if self.interval_of(*due.start()) == last {
            return self.intervals[last].record_all(records.map(|(_, ns)| ns.min(LIMIT_NS)));
        }
        for (since_ns, ns) in records {
            let interval = self.interval_of(since_ns);
            self.intervals[interval].record_n(ns.min(LIMIT_NS), 1);
        }
    }

    /// The place of the interval with a moment, once there are intervals up to it.
    fn interval_of(&mut self, since_ns: u64) -> usize {
        while since_ns / self.width_ns >= INTERVALS_MAX as u64 {
            self.merge_neighbours();
        }
        let index = (since_ns / self.width_ns) as usize;
        if self.intervals.len() <= index {
            self.intervals.resize_with(index + 1, Counts::default);
        }
        index
    }

    /// The measured part from `begin` to `end`, with what was acknowledged in each interval.
    #[must_use]
    pub fn over(&self, begin: Nanos, end: Nanos, acknowledged: &Series) -> OverTime {
        let length = end.0.saturating_sub(begin.0);
        let interval = |index: u64| {
            let (from, to) = (begin.0 + index * self.width_ns, end.0.min(begin.0 + (index + 1) * self.width_ns));
            let counts = self.intervals.get(index as usize);
            let quantile = |q| counts.map_or(0, |counts| counts.quantile(q));
            Interval {
                length_ns: to - from,
                acknowledged: acknowledged.until(Nanos(to)).saturating_sub(acknowledged.until(Nanos(from))),
                records: counts.map_or(0, Counts::total),
                p50_ns: quantile(0.5),
                p99_ns: quantile(0.99),
                max_ns: quantile(1.0),
            }
        };
        let intervals = (0..length.div_ceil(self.width_ns)).map(interval).collect();
        OverTime { interval_ns: self.width_ns, intervals }
    }

    fn merge_neighbours(&mut self) {
        self.width_ns *= 2;
        let mut halves = std::mem::take(&mut self.intervals).into_iter();
        while let Some(mut whole) = halves.next() {
            halves.next().iter().for_each(|other| whole.add(other));
            self.intervals.push(whole);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    #[test]
    fn intervals_are_cut_at_the_end_and_gaps_stay() {
        let mut timeline = Timeline::default();
        timeline.record_all(0..=250_000_000, [(0, 1_000), (250_000_000, 9_000)].into_iter());
        let mut acknowledged = Series::starting_at(Nanos(S));
        acknowledged.add(Nanos(S + 5), 1);
        acknowledged.add(Nanos(S + 250_000_000), 1);
        let over = timeline.over(Nanos(S), Nanos(S + 280_000_000), &acknowledged);
        let seen: Vec<_> = over.intervals.iter().map(|i| (i.length_ns, i.acknowledged, i.records)).collect();
        assert_eq!(seen, [(100_000_000, 1, 1), (100_000_000, 0, 0), (80_000_000, 1, 1)]);
        assert_eq!((over.intervals[0].p99_ns / 100, over.intervals[1].p99_ns), (10, 0));
        assert_eq!(over.intervals[2].max_ns / 100, 90);
    }

    /// An hour has no more intervals than a minute, and no record is forgotten in merging.
    #[test]
    fn a_long_run_merges_its_intervals() {
        let mut timeline = Timeline::default();
        (0..3_600).for_each(|second| {
            timeline.record_all(second * S..=second * S, std::iter::once((second * S, 1_000 + second)))
        });
        let over = timeline.over(Nanos(0), Nanos(3_600 * S), &Series::starting_at(Nanos(0)));
        assert!((INTERVALS_MAX / 2..=INTERVALS_MAX).contains(&over.intervals.len()), "{}", over.intervals.len());
        assert_eq!(over.intervals.iter().map(|interval| interval.records).sum::<u64>(), 3_600);
    }
}
