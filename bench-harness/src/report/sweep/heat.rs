//! A heat map as values: what the levels of two factors, or of one, make of a metric.

use std::collections::BTreeMap;

use super::classes::marks;
use crate::result::Countable;
use crate::sweep::effects::Effects;
use crate::sweep::{CellResult, Factor, Metric, RunSummary};

/// Cells that differ by less than this ratio are all alike: colour would show noise.
const WORTH_COLOUR: f64 = 1.01;

/// The mark of runs that count and yet do not tell the metric: a percentile wants more batches than they had.
const TOO_FEW: &str = "TOO FEW BATCHES";

/// The map of a metric.
pub(in crate::report) struct HeatMap<'a> {
    pub(in crate::report) metric: Metric,
    pub(in crate::report) across: &'a Factor,
    /// `None` where only one factor was varied.
    pub(in crate::report) down: Option<&'a Factor>,
    /// By level of `down`, then of `across`.
    pub(in crate::report) rows: Vec<Vec<HeatCell<'a>>>,
}

/// All runs with the same two levels.
pub(in crate::report) struct HeatCell<'a> {
    /// The geometric mean of those that count.
    pub(in crate::report) mean: Option<f64>,
    /// From 0, the best of the map, to 1. `None` where it must not be compared: one run lost something, or as many count for nothing as count.
    pub(in crate::report) badness: Option<f64>,
    /// Why runs do not count, with how many.
    pub(in crate::report) marks: BTreeMap<&'a str, usize>,
    /// How many runs there are.
    pub(in crate::report) runs: usize,
}

/// Which factors are worth a map, those that move the metric most first: pairs, or a single one.
pub(in crate::report) fn choices(effects: &Effects) -> Vec<(usize, Option<usize>)> {
    let share = |factor: usize| effects.factors[factor].as_ref().map_or(0.0, |effect| effect.share);
    let mut known: Vec<usize> = (0..effects.factors.len()).filter(|at| effects.factors[*at].is_some()).collect();
    known.sort_by(|one, other| share(*other).total_cmp(&share(*one)));
    if let [only] = known[..] {
        return vec![(only, None)];
    }
    let mut pairs: Vec<(usize, usize)> = Vec::new();
    for (at, across) in known.iter().enumerate() {
        pairs.extend(known[at + 1..].iter().map(|down| (*across, *down)));
    }
    let both = |(across, down): &(usize, usize)| share(*across) + share(*down);
    pairs.sort_by(|one, other| both(other).total_cmp(&both(one)));
    pairs.into_iter().map(|(across, down)| (across, Some(down))).collect()
}

/// The map of these factors, over all levels of the others.
pub(in crate::report) fn heat_map<'a>(
    factors: &'a [Factor],
    cells: &'a [CellResult],
    metric: Metric,
    (across, down): (usize, Option<usize>),
) -> HeatMap<'a> {
    let down_levels: Vec<Option<usize>> =
        down.map_or(vec![None], |down| (0..factors[down].levels.len()).map(Some).collect());
    let cell = |row: Option<usize>, column: usize| {
        let here = cells.iter().filter(|cell| {
            let levels = &cell.cell.levels;
            levels[across] == Some(column) && down.is_none_or(|down| levels[down] == row)
        });
        heat_cell(metric, here.flat_map(|cell| &cell.runs).collect())
    };
    let row = |row: &Option<usize>| (0..factors[across].levels.len()).map(|column| cell(*row, column)).collect();
    let mut rows: Vec<Vec<HeatCell<'_>>> = down_levels.iter().map(row).collect();
    colour(metric, &mut rows);
    HeatMap { metric, across: &factors[across], down: down.map(|down| &factors[down]), rows }
}

fn heat_cell<'a>(metric: Metric, runs: Vec<&'a RunSummary>) -> HeatCell<'a> {
    let counted = runs.iter().filter(|run| run.counts()).filter_map(|run| metric.of(run));
    let logs: Vec<f64> = counted.map(f64::ln).collect();
    let mean = (!logs.is_empty()).then(|| (logs.iter().sum::<f64>() / logs.len() as f64).exp());
    let mut marks = marks(runs.iter().copied());
    let is_silent = |run: &&&RunSummary| run.countable() == Countable::Everything && metric.of(run).is_none();
    let silent = runs.iter().filter(is_silent).count();
    if silent > 0 {
        marks.insert(TOO_FEW, silent);
    }
    let is_broken = marks.keys().any(|kind| ["INVALID", "FAILED"].contains(kind));
    let may_compare = !is_broken && marks.values().sum::<usize>() * 2 < runs.len();
    HeatCell { mean, badness: mean.filter(|_| may_compare), marks, runs: runs.len() }
}

/// From values to places between the best and the worst, on a logarithmic scale.
fn colour(metric: Metric, rows: &mut [Vec<HeatCell<'_>>]) {
    let values = || rows.iter().flatten().filter_map(|cell| cell.badness);
    let (least, most) = (values().fold(f64::MAX, f64::min), values().fold(0.0, f64::max));
    for cell in rows.iter_mut().flatten() {
        cell.badness = cell.badness.map(|value| {
            if most < least * WORTH_COLOUR {
                return 0.0;
            }
            let place = (value / least).ln() / (most / least).ln();
            if metric.more_is_better() { 1.0 - place } else { place }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::effects::{FactorEffect, Ratio};

    fn run(throughput: f64, verdict: Option<&str>) -> RunSummary {
        let mut run = RunSummary::broken(1, String::new(), String::new());
        run.records_per_second = throughput;
        run.verdicts = verdict.map(str::to_owned).into_iter().collect();
        run.is_sound = verdict.is_none();
        run
    }

    #[test]
    fn what_does_not_count_is_marked_and_has_no_colour() {
        let steady = heat_cell(Metric::Throughput, vec![]);
        assert_eq!((steady.mean, steady.badness), (None, None), "no run");
        let (good, drifts, lost) =
            (run(100.0, None), run(300.0, Some("NOT-STEADY: it rose")), run(300.0, Some("INVALID: LOST")));
        let mostly = heat_cell(Metric::Throughput, vec![&good, &good, &drifts]);
        assert!((mostly.mean.unwrap() - 100.0).abs() < 1e-9 && mostly.badness.is_some());
        assert_eq!(mostly.marks, BTreeMap::from([("NOT-STEADY", 1)]));
        for runs in [vec![&good, &drifts], vec![&drifts], vec![&good, &good, &good, &lost]] {
            assert_eq!(heat_cell(Metric::Throughput, runs).badness, None);
        }
    }

    /// One run of two that tells a p99 says nothing of the other.
    #[test]
    fn a_run_that_tells_nothing_is_marked() {
        let told = RunSummary { ack_p99_ns: Some(5e6), ..run(100.0, None) };
        let silent = run(100.0, None);
        let cell = heat_cell(Metric::AckP99, vec![&told, &silent]);
        assert_eq!((cell.marks, cell.badness), (BTreeMap::from([(TOO_FEW, 1)]), None));
    }

    #[test]
    fn the_best_is_pale_and_noise_is_not_coloured() {
        let (slow, fast) = (run(100.0, None), run(200.0, None));
        let mut rows =
            vec![vec![heat_cell(Metric::Throughput, vec![&slow]), heat_cell(Metric::Throughput, vec![&fast])]];
        colour(Metric::Throughput, &mut rows);
        assert_eq!(rows[0].iter().map(|cell| cell.badness).collect::<Vec<_>>(), [Some(1.0), Some(0.0)]);
        let near = run(100.4, None);
        let mut rows =
            vec![vec![heat_cell(Metric::Throughput, vec![&slow]), heat_cell(Metric::Throughput, vec![&near])]];
        colour(Metric::Throughput, &mut rows);
        assert!(rows[0].iter().all(|cell| cell.badness == Some(0.0)));
    }

    #[test]
    fn the_strongest_factors_come_first() {
        let ratio = Ratio { ratio: 1.5, interval: None };
        let effect = |share| Some(FactorEffect { share, levels: Vec::new(), extremes: (0, 1), span: ratio });
        let mut effects = Effects {
            factors: vec![effect(0.1), None, effect(0.6), effect(0.2)],
            pairs: Vec::new(),
            rest: 0.1,
            runs: 9,
            repetitions: 3,
        };
        assert_eq!(choices(&effects), [(2, Some(3)), (2, Some(0)), (3, Some(0))]);
        effects.factors = vec![effect(0.1), None];
        assert_eq!(choices(&effects), [(0, None)]);
        effects.factors = vec![None];
        assert_eq!(choices(&effects), []);
    }
}
