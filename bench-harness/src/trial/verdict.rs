//! What a run is not good for, as pure code.

use crate::measure::Distribution;
use crate::result::{Verdict, VerdictKind};

/// The backlog may grow over the run by this share of what was offered meanwhile.
const GROWTH_SHARE_MAX: f64 = 0.05;

/// A backlog smaller than what is offered in this time is no backlog but records under way.
const UNDER_WAY_SECONDS: f64 = 0.25;

/// The generator's own lag at p99 may be a tenth of what is reported at p99, or this if that is more.
const LAG_NS_MIN: u64 = 1_000_000;

/// Records that were due and not acknowledged, at moments that are evenly spread over the measured part.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Backlog {
    /// In the order of time.
    pub(crate) samples: Vec<i64>,
    /// Records that were offered in the measured part.
    pub(crate) offered: u64,
    /// Its length.
    pub(crate) seconds: f64,
}

/// Whether the system fell behind: compares the last quarter's backlog with the first one's.
///
/// A burst that is worked off leaves no trace in the last quarter; a rate that is too high does.
pub(crate) fn backlog_verdict(backlog: &Backlog) -> Option<Verdict> {
    let quarter = backlog.samples.len() / 4;
    if quarter == 0 {
        return None;
    }
    let mean = |samples: &[i64]| samples.iter().sum::<i64>() as f64 / samples.len() as f64;
    let first = mean(&backlog.samples[..quarter]);
    let last = mean(&backlog.samples[backlog.samples.len() - quarter..]);
    let growth = last - first;
    // Between the middles of the two quarters lie three quarters of the run.
    let offered_between = backlog.offered as f64 * 0.75;
    let under_way = backlog.offered as f64 / backlog.seconds.max(1e-9) * UNDER_WAY_SECONDS;
    (growth > offered_between * GROWTH_SHARE_MAX && last > under_way).then(|| Verdict {
        kind: VerdictKind::Backlogged,
        reason: format!(
            "records due and not acknowledged grew from {first:.0} to {last:.0} over the run: the system takes less than is offered, so latencies would measure the length of the run"
        ),
    })
}

/// Whether a step began with what an earlier step had left: `waiting` records were due before it and not acknowledged when it began.
pub(crate) fn inherited_verdict(waiting: i64, before: &Backlog) -> Option<Verdict> {
    let under_way = before.offered as f64 / before.seconds.max(1e-9) * UNDER_WAY_SECONDS;
    (waiting as f64 > under_way).then(|| Verdict {
        kind: VerdictKind::Backlogged,
        reason: format!(
            "{waiting} records of the steps before were not acknowledged when the step began: its latencies would measure how long they take"
        ),
    })
}

/// Whether the generator, not the system, explains what is reported.
pub(crate) fn generator_verdict(lag: &Distribution, to_acknowledgement: &Distribution) -> Option<Verdict> {
    let (lag_ns, reported_ns) = (lag.quantile_ns(0.99), to_acknowledgement.quantile_ns(0.99));
    (lag_ns > LAG_NS_MIN.max(reported_ns / 10)).then(|| Verdict {
        kind: VerdictKind::GeneratorBound,
        reason: format!(
            "the load generator was itself late by {:.1} ms at p99, of {:.1} ms reported to the acknowledgement: lower the rate, or give it a core of its own",
            lag_ns as f64 / 1e6,
            reported_ns as f64 / 1e6
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backlog(samples: impl IntoIterator<Item = i64>) -> bool {
        let backlog = Backlog { samples: samples.into_iter().collect(), offered: 10_000, seconds: 10.0 };
        backlog_verdict(&backlog).is_some()
    }

    #[test]
    fn a_growing_backlog_is_told_from_a_burst_and_from_records_under_way() {
        assert!(backlog((0..20).map(|i| i * 100)));
        assert!(!backlog((0..20).map(|i| if (5..9).contains(&i) { 4_000 } else { 20 })));
        assert!(!backlog((0..20).map(|_| 900)));
        assert!(!backlog((0..20).map(|i| i * 3)));
    }

    /// After 1,000 records a second, 250 may be under way.
    #[test]
    fn what_a_step_inherits_is_told_from_records_under_way() {
        let before = Backlog { samples: Vec::new(), offered: 10_000, seconds: 10.0 };
        assert!(inherited_verdict(250, &before).is_none());
        assert!(inherited_verdict(-3, &before).is_none());
        assert_eq!(inherited_verdict(251, &before).map(|verdict| verdict.kind), Some(VerdictKind::Backlogged));
    }

    #[test]
    fn a_generator_may_explain_a_tenth() {
        let all = |ns: u64| {
            let mut distribution = Distribution::new();
            distribution.record_n(ns, 1000);
            distribution
        };
        assert!(generator_verdict(&all(900_000), &all(1_000_000)).is_none());
        assert!(generator_verdict(&all(1_200_000), &all(5_000_000)).is_some());
        assert!(generator_verdict(&all(1_200_000), &all(50_000_000)).is_none());
    }
}
