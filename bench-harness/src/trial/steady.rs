//! Whether a run had come to rest, as pure code: MSER-5 cuts off what is left of the beginning, then the Mann–Kendall test and
//! the Theil–Sen slope say whether the rest goes on rising or falling.

use crate::measure::{Interval, OverTime};
use crate::result::{Rest, SteadyMetric, SteadyState, Verdict, VerdictKind};
use crate::statistics::{batch_means, mann_kendall, median, mser, theil_sen};

/// With fewer points, a half of them could not show a trend for certain enough.
const POINTS_MIN: usize = 10;

/// How often a metric without a trend may be said to have one. Its intervals are averaged by fives, so that what one of them
/// hands on to the next counts little.
pub(crate) const CHANCE_MAX: f64 = 0.005;

/// Looks at throughput and at the 99th percentile. `is_even`: whether the load stays the same throughout; if it follows times of
/// its own, so do they.
pub(crate) fn steady_states(over: &OverTime, is_even: bool) -> Vec<SteadyState> {
    let rate = |interval: &Interval| Some(interval.acknowledged as f64 / interval.length_ns as f64);
    let p99 = |interval: &Interval| (interval.records > 0).then_some(interval.p99_ns as f64);
    let series = |value: &dyn Fn(&Interval) -> Option<f64>| {
        let mut from_ns = 0;
        let mut series = Series::default();
        for interval in &over.intervals {
            let middle_ns = from_ns + interval.length_ns / 2;
            from_ns += interval.length_ns;
            // What is left at the end is too short to be compared.
            if let Some(value) = value(interval).filter(|_| interval.length_ns == over.interval_ns) {
                series.at_ns.push(middle_ns as f64);
                series.values.push(value);
            }
        }
        series
    };
    let both = [(SteadyMetric::Throughput, series(&rate)), (SteadyMetric::AckP99, series(&p99))];
    both.into_iter().map(|(metric, series)| judge(metric, &series, over.interval_ns, is_even)).collect()
}

/// Says what has not come to rest; `None` if all has, as far as it can be told.
pub(crate) fn steady_verdict(states: &[SteadyState]) -> Option<Verdict> {
    let said: Vec<String> = states.iter().filter_map(sentence).collect();
    let reason = || {
        format!(
            "{}: warm up for longer, or find out what changes; the figures are those of this window only",
            said.join("; ")
        )
    };
    (!said.is_empty()).then(|| Verdict { kind: VerdictKind::NotSteady, reason: reason() })
}

/// A metric over time.
#[derive(Default)]
struct Series {
    /// Middles of the intervals, since the begin of the measured part.
    at_ns: Vec<f64>,
    values: Vec<f64>,
}

fn judge(metric: SteadyMetric, series: &Series, interval_ns: u64, is_even: bool) -> SteadyState {
    let means = batch_means(&series.values);
    let at_ns = batch_means(&series.at_ns);
    let state = SteadyState {
        metric,
        rest: Rest::NotJudged,
        reason: None,
        points: means.len() as u64,
        from_ns: None,
        drift_per_minute: None,
        p_value: None,
    };
    let not_judged = |reason: String| SteadyState { reason: Some(reason), ..state.clone() };
    if !is_even {
        return not_judged("the load follows times of its own".to_owned());
    }
    if means.len() < POINTS_MIN {
        let seconds = POINTS_MIN as f64 * 5.0 * interval_ns as f64 / 1e9;
        return not_judged(format!(
            "too short: it takes {seconds} s with records in every {} ms",
            interval_ns / 1_000_000
        ));
    }
    let points: Vec<(f64, f64)> = at_ns.iter().map(|ns| ns / 60e9).zip(means.iter().copied()).collect();
    let cut = mser(&means);
    // What is left may be too short to show a trend that the whole shows.
    let (whole, rest) = (Trend::of(&points), Trend::of(&points[cut.cut..]));
    let (found, trend) = match () {
        () if (cut.is_at_limit || means.len() - cut.cut < POINTS_MIN) && whole.matters(metric) => (Rest::Never, whole),
        () if rest.matters(metric) => (Rest::Drifting, rest),
        () => (Rest::Reached, rest),
    };
    SteadyState {
        rest: found,
        from_ns: (found != Rest::Never).then_some(cut.cut as u64 * 5 * interval_ns),
        drift_per_minute: Some(trend.per_minute),
        p_value: Some(trend.p_value),
        ..state
    }
}

/// How a series goes on.
struct Trend {
    /// Its slope, as a share of its median a minute.
    per_minute: f64,
    /// What that comes to over its length.
    change: f64,
    p_value: f64,
}

impl Trend {
    /// Of points in minutes.
    fn of(points: &[(f64, f64)]) -> Trend {
        let values: Vec<f64> = points.iter().map(|(_, value)| *value).collect();
        let p_value = mann_kendall(&values).p_value;
        let median = median(values).filter(|median| *median > 0.0);
        let per_minute = theil_sen(points).zip(median).map_or(0.0, |(slope, median)| slope / median);
        let length = points.last().zip(points.first()).map_or(0.0, |(last, first)| last.0 - first.0);
        Trend { per_minute, change: per_minute * length, p_value }
    }

    /// Whether it is both certain and large enough to change what is reported: the margins are those that comparisons use.
    fn matters(&self, metric: SteadyMetric) -> bool {
        let margin = match metric {
            SteadyMetric::Throughput => 0.03,
            SteadyMetric::AckP99 => 0.10,
        };
        self.p_value < CHANCE_MAX && self.change.abs() > margin
    }
}

fn sentence(state: &SteadyState) -> Option<String> {
    let how = match state.rest {
        Rest::Reached | Rest::NotJudged => return None,
        Rest::Drifting => "keeps drifting",
        Rest::Never => "never came to rest",
    };
    let percent = state.drift_per_minute.unwrap_or_default() * 100.0;
    Some(format!(
        "{} {how}, by {percent:+.0} % a minute (p = {:.4})",
        state.metric.name(),
        state.p_value.unwrap_or(1.0)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The measured part with a p99 of each 100 ms, at 1,000 records in each.
    fn over(p99: impl Fn(u64) -> u64, intervals: u64) -> OverTime {
        let interval = |n: u64| Interval {
            length_ns: 100_000_000,
            acknowledged: 1_000,
            records: 1_000,
            p50_ns: 1,
            p99_ns: p99(n),
            max_ns: p99(n),
        };
        OverTime { interval_ns: 100_000_000, intervals: (0..intervals).map(interval).collect() }
    }

    /// Numbers without order, from 0 to 99.
    fn noise(n: u64) -> u64 {
        (n + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 32
            & 0xffff_ffff
    }

    fn p99_of(over: &OverTime) -> SteadyState {
        let states = steady_states(over, true);
        assert_eq!((states[0].metric, states[0].rest), (SteadyMetric::Throughput, Rest::Reached));
        states[1].clone()
    }

    #[test]
    fn noise_is_at_rest() {
        let found = p99_of(&over(|n| 1_000_000 + noise(n) % 500_000, 100));
        assert_eq!((found.rest, found.points), (Rest::Reached, 20), "{found:?}");
        assert!(steady_verdict(&[found]).is_none());
    }

    /// A beginning of 2 s at five times the rest: it is said how long it took, and the rest is at rest.
    #[test]
    fn a_beginning_is_cut_off() {
        let found = p99_of(&over(|n| if n < 20 { 5_000_000 } else { 1_000_000 + noise(n) % 100_000 }, 100));
        assert_eq!(found.rest, Rest::Reached, "{found:?}");
        assert!((2_000_000_000..=4_000_000_000).contains(&found.from_ns.unwrap()), "{found:?}");
    }

    #[test]
    fn what_rises_throughout_never_rests() {
        let found = p99_of(&over(|n| 1_000_000 + n * 20_000 + noise(n) % 100_000, 100));
        assert_eq!((found.rest, found.from_ns), (Rest::Never, None), "{found:?}");
        let verdict = steady_verdict(&[found]).unwrap();
        assert_eq!(verdict.kind, VerdictKind::NotSteady);
        // 20 µs every 100 ms are 12 ms a minute, of a median of 2.04 ms.
        assert!(verdict.reason.starts_with("p99 to ack never came to rest, by +588 % a minute"), "{}", verdict.reason);
    }

    /// It steps up in the first second and rises from then on.
    #[test]
    fn what_rises_after_its_beginning_drifts() {
        let found =
            p99_of(&over(|n| if n < 10 { 50_000_000 } else { 1_000_000 + n * 4_000 + noise(n) % 200_000 }, 100));
        assert_eq!(found.rest, Rest::Drifting, "{found:?}");
        assert!(found.from_ns.unwrap() >= 1_000_000_000 && found.drift_per_minute.unwrap() > 0.5, "{found:?}");
        assert!(steady_verdict(&[found]).unwrap().reason.starts_with("p99 to ack keeps drifting"));
    }

    /// However certain it is: a rise of 1 % changes nothing that is reported.
    #[test]
    fn a_small_drift_does_not_matter() {
        let found = p99_of(&over(|n| 1_000_000 + n * 100, 100));
        assert_eq!(found.rest, Rest::Reached, "{found:?}");
        assert!(found.p_value.unwrap() < 0.001, "{found:?}");
    }

    #[test]
    fn what_cannot_be_told_is_not_judged() {
        for (over, is_even, why) in
            [(over(|n| n, 40), true, "too short: it takes 5 s"), (over(|n| n, 100), false, "times of its own")]
        {
            for state in steady_states(&over, is_even) {
                assert_eq!(state.rest, Rest::NotJudged);
                assert!(state.reason.as_ref().unwrap().contains(why), "{state:?}");
            }
        }
    }

    /// A rate that falls by a tenth is told from one that stays, without a single latency.
    #[test]
    fn throughput_is_looked_at_too() {
        let mut falling = over(|_| 1_000_000, 100);
        (0..).zip(&mut falling.intervals).for_each(|(n, interval)| interval.acknowledged -= n);
        let states = steady_states(&falling, true);
        assert_eq!([states[0].rest, states[1].rest], [Rest::Never, Rest::Reached], "{states:?}");
    }

    /// Of 2,000 runs that are nothing but noise, at most a few are accused.
    #[test]
    fn noise_is_rarely_accused() {
        let accused = (0..2_000_u64).filter(|run| {
            let series = over(|n| 1_000_000 + noise(n + run * 1_000) % 3_000_000, 60);
            steady_verdict(&steady_states(&series, true)).is_some()
        });
        let count = accused.count();
        assert!(count <= 30, "{count} of 2,000");
    }
}
