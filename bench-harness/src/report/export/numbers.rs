//! The numbers of a run that other tools get: only those that the report would print too.

use super::name::name;
use crate::result::{Countable, Measured, Outcome, QUANTILES, RunResult, Trial};

/// Which way is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Better {
    Higher,
    Lower,
}

/// One number of a run.
pub(super) struct Number {
    /// Such as `ack-p99`.
    pub(super) name: String,
    pub(super) unit: &'static str,
    pub(super) value: f64,
    pub(super) better: Better,
}

/// A run of which at least the throughput counts.
pub(super) struct Run<'a> {
    /// Repetitions share it.
    pub(super) name: String,
    pub(super) result: &'a RunResult,
    pub(super) trial: &'a Trial,
    pub(super) measured: &'a Measured,
}

/// The runs of which at least the throughput counts, each with its name and its numbers; where only that does, it has no latencies.
pub(super) fn sound(results: &[RunResult]) -> Vec<(String, Vec<Number>)> {
    sound_runs(results).into_iter().map(|run| (run.name, numbers(run.measured))).collect()
}

/// The runs of which at least the throughput counts.
pub(super) fn sound_runs(results: &[RunResult]) -> Vec<Run<'_>> {
    let trials = results.iter().flat_map(|result| result.trials.iter().map(move |trial| (result, trial)));
    let sound = trials.filter_map(|(result, trial)| match &trial.outcome {
        Outcome::Measured(measured) if measured.countable() >= Countable::Throughput => {
            Some(Run { name: name(result, trial, measured), result, trial, measured })
        }
        _ => None,
    });
    sound.collect()
}

fn numbers(measured: &Measured) -> Vec<Number> {
    let higher = |name: &str, unit, value| Number { name: name.to_owned(), unit, value, better: Better::Higher };
    let mut all = vec![
        higher("records", "records/s", measured.achieved_per_second),
        higher("bytes", "B/s", measured.achieved_bytes_per_second),
    ];
    let paths = [("ack", &measured.to_acknowledgement.total), ("delivery", &measured.to_delivery.total)];
    for (path, distribution) in paths {
        // What the run does not support is left out.
        let supported = QUANTILES.into_iter().filter_map(|quantile| {
            let value = measured.quantile_ns(distribution, quantile).ok()? as f64;
            Some(Number { name: format!("{path}-{}", quantile.name), unit: "ns", value, better: Better::Lower })
        });
        all.extend(supported);
    }
    all
}
