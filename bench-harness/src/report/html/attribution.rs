//! Where the time went: a bar for each trial's mean, its steps stacked; and one for each band of
//! its latencies, because what is slow seldom waits for what the mean waits for.

use super::super::format::{duration, percent, whole};
use super::super::steps::{band_name, shares_of, shares_of_band};
use super::Plot;
use super::grid::Grid;
use super::stack::{self, Bar, Part};
use crate::measure::Step;
use crate::result::{Measured, PathResult};

/// What a bar shows: its name, and steps with their shares of the whole.
struct Stack {
    name: String,
    /// Also in nanoseconds, for a mean.
    parts: Vec<(Step, f64, Option<f64>)>,
}

pub(super) fn plot(
    trials: &[(String, &Measured)],
    title: &'static str,
    of: impl Fn(&Measured) -> &PathResult,
) -> Option<Plot> {
    let stacks: Vec<Stack> = trials.iter().flat_map(|(label, measured)| stacks(label, of(measured))).collect();
    if stacks.is_empty() {
        return None;
    }
    let is_shown =
        |step: &Step| stacks.iter().any(|stack| stack.parts.iter().any(|(s, share, _)| s == step && *share > 0.0));
    let shown: Vec<Step> = Step::ALL.into_iter().filter(is_shown).collect();
    let bars: Vec<Bar> = stacks.iter().map(bar).collect();
    Some(Plot {
        title,
        caption: "Each record's steps add up to its latency, so their means add up to the mean. Below: all records by how slow they were, as far as batches support it.",
        legend: shown.iter().map(|step| (colour(*step), format!("{}: {}", step.name(), step.meaning()))).collect(),
        svg: stack::draw(title, &bars),
        values: values(&stacks, &shown),
    })
}

fn stacks(label: &str, path: &PathResult) -> Vec<Stack> {
    if path.total.count() == 0 {
        return Vec::new();
    }
    let sum = path.total.sum_ns().max(1) as f64;
    let part = |step: &crate::result::StepResult| {
        (step.step, step.durations.sum_ns() as f64 / sum, Some(step.durations.mean_ns()))
    };
    let mut stacks = vec![Stack {
        name: format!("{label}, mean {}", duration(path.total.mean_ns())),
        parts: path.steps.iter().map(part).collect(),
    }];
    let stacked = |name: String, mut shares: Vec<(Step, f64)>| {
        shares.sort_by_key(|(step, _)| *step);
        Stack { name, parts: shares.into_iter().map(|(step, share)| (step, share, None)).collect() }
    };
    for band in &path.bands {
        let (from, to) = (duration(band.min_ns as f64), duration(band.max_ns as f64));
        let name = format!("{label}, {}: {} records of {from} to {to}", band_name(band), whole(band.records));
        stacks.push(stacked(name, shares_of_band(band)));
    }
    // Results of before there were bands.
    if path.bands.is_empty() && !path.slowest.is_empty() {
        stacks.push(stacked(format!("{label}, the {} slowest", path.slowest.len()), shares_of(&path.slowest)));
    }
    stacks
}

fn bar(stack: &Stack) -> Bar {
    let part = |(step, share, mean_ns): &(Step, f64, Option<f64>)| {
        let mean = mean_ns.map_or(String::new(), |ns| format!(", {} on average", duration(ns)));
        let named = ("data-step", step.name().to_owned());
        let data = std::iter::once(named).chain(mean_ns.map(|ns| ("data-ns", ns.to_string())));
        Part {
            class: colour(*step),
            share: *share,
            data: data.collect(),
            title: format!("{}: {}{mean} ({})", step.name(), percent(*share), step.meaning()),
        }
    };
    Bar { name: stack.name.clone(), parts: stack.parts.iter().map(part).collect() }
}

fn values(stacks: &[Stack], shown: &[Step]) -> Grid {
    let row = |stack: &Stack| {
        let share =
            |step: &Step| stack.parts.iter().find(|(known, ..)| known == step).map_or(0.0, |(_, share, _)| *share);
        std::iter::once(stack.name.clone()).chain(shown.iter().map(|step| percent(share(step)))).collect()
    };
    Grid {
        header: std::iter::once("records").chain(shown.iter().map(|step| step.name())).map(str::to_owned).collect(),
        rows: stacks.iter().map(row).collect(),
    }
}

fn colour(step: Step) -> String {
    format!("s{}", step as usize)
}
