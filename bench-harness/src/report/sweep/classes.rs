//! A sweep's cells by what an acknowledgement promised: only within one promise are they ranked or coloured.

use std::collections::BTreeMap;

use super::super::figures::promise;
use super::{mean, settings};
use crate::result::{Countable, Durability};
use crate::sweep::{CellResult, Metric, RunSummary, Sweep};

/// What stands for the promise in sweeps of before it was saved.
const NOT_SAVED: &str = "what was not saved, so that these cells may not be comparable";

/// Cells with those of their runs that promised the same.
pub(in crate::report) struct Class {
    pub(in crate::report) promise: String,
    /// `durable`, `written` …; empty where it was not saved.
    pub(in crate::report) level: String,
    pub(in crate::report) cells: Vec<CellResult>,
}

/// The classes that there are. Runs that broke promise nothing, so all classes have them.
pub(in crate::report) fn classes(sweep: &Sweep) -> Vec<Class> {
    let runs = || sweep.cells.iter().flat_map(|cell| &cell.runs);
    let mut promises: BTreeMap<String, Option<Durability>> = BTreeMap::new();
    for run in runs().filter(|run| run.counts() || run.durability.is_some()) {
        promises.insert(run.durability.as_ref().map_or(NOT_SAVED.to_owned(), promise), run.durability.clone());
    }
    let class = |(promise, durability): (String, Option<Durability>)| Class {
        promise,
        level: durability.as_ref().map_or(String::new(), |durability| durability.level.clone()),
        cells: sweep.cells.iter().filter_map(|cell| restricted(cell, durability.as_ref())).collect(),
    };
    promises.into_iter().map(class).collect()
}

fn restricted(cell: &CellResult, durability: Option<&Durability>) -> Option<CellResult> {
    let belongs =
        |run: &&RunSummary| run.durability.as_ref() == durability || (!run.counts() && run.durability.is_none());
    let runs: Vec<RunSummary> = cell.runs.iter().filter(belongs).cloned().collect();
    (!runs.is_empty()).then(|| CellResult { cell: cell.cell.clone(), runs, crashes: cell.crashes.clone() })
}

/// Why runs do not count: how many for which reason.
pub(in crate::report) fn marks<'a>(runs: impl Iterator<Item = &'a RunSummary>) -> BTreeMap<&'a str, usize> {
    let mut marks = BTreeMap::new();
    for run in runs {
        if let Some(verdict) = run.verdicts.first() {
            *marks.entry(kind(verdict)).or_default() += 1;
        }
    }
    marks
}

/// What stands before the reason.
fn kind(verdict: &str) -> &str {
    let before = verdict.split(':').next().unwrap_or_default();
    if before.chars().all(|sign| sign.is_ascii_uppercase() || sign == '-') { before } else { "FAILED" }
}

/// Such as `NOT-STEADY 1 of 3`; empty if all runs are sound.
pub(in crate::report) fn marks_text(marks: &BTreeMap<&str, usize>, runs: usize) -> String {
    marks.iter().map(|(kind, count)| format!("{kind} {count} of {runs}")).collect::<Vec<_>>().join(", ")
}

/// A cell among those of its class.
pub(in crate::report) struct Ranked<'a> {
    pub(in crate::report) cell: &'a CellResult,
    /// From 1; `None` where some run does not count or has no p99: nothing to rank by.
    pub(in crate::report) rank: Option<usize>,
    /// `VERIFIED 3 of 3`, or why not.
    pub(in crate::report) verdict: String,
}

impl Ranked<'_> {
    pub(in crate::report) fn settings(&self) -> String {
        settings(self.cell)
    }
}

/// By p99 to the acknowledgement; those without a rank last.
pub(in crate::report) fn ranking(cells: &[CellResult]) -> Vec<Ranked<'_>> {
    let rankable = |cell: &CellResult| {
        let is_sound = cell.runs.iter().all(|run| run.countable() == Countable::Everything && run.ack_p99_ns.is_some());
        mean(cell, Metric::AckP99).filter(|_| is_sound)
    };
    let mut order: Vec<(&CellResult, Option<f64>)> = cells.iter().map(|cell| (cell, rankable(cell))).collect();
    order.sort_by(|(_, one), (_, other)| {
        one.is_none().cmp(&other.is_none()).then(one.unwrap_or(0.0).total_cmp(&other.unwrap_or(0.0)))
    });
    let ranked = order.into_iter().enumerate().map(|(index, (cell, p99))| Ranked {
        cell,
        rank: p99.map(|_| index + 1),
        verdict: verdict(cell),
    });
    ranked.collect()
}

fn verdict(cell: &CellResult) -> String {
    let runs = cell.runs.len();
    match marks_text(&marks(cell.runs.iter()), runs) {
        text if text.is_empty() => format!("VERIFIED {runs} of {runs}"),
        text => text,
    }
}
