//! Where the time went.

use std::collections::BTreeMap;

use comfy_table::{CellAlignment, Table, presets};

use super::cells::{align, duration_cell, quantile_cell};
use super::format::{percent, whole};
use crate::measure::Step;
use crate::result::{BandResult, Measured, PathResult, QUANTILES, SlowRecord};

pub(super) fn steps(trials: &[(String, &Measured)], path: impl Fn(&Measured) -> &PathResult) -> Table {
    let mut table = Table::new();
    let mut header = vec![String::new()];
    for (label, _) in trials {
        header.extend([format!("{label} p50"), "p99".to_owned(), "mean".to_owned(), "share".to_owned()]);
    }
    header.push(String::new());
    let columns = header.len();
    table.load_preset(presets::NOTHING).set_header(header);
    align(&mut table);
    if let Some(column) = table.column_mut(columns - 1) {
        column.set_cell_alignment(CellAlignment::Left);
    }
    let shown = Step::ALL.into_iter().filter(|step| trials.iter().any(|(_, m)| has_step(path(m), *step)));
    for step in shown {
        let mut row = vec![step.name().to_owned()];
        for (_, measured) in trials {
            row.extend(step_cells(measured, path(measured), step));
        }
        row.push(step.meaning().to_owned());
        table.add_row(row);
    }
    for (name, cells) in
        [("sum of the means", sum_cells as fn(&Measured, &PathResult) -> [String; 4]), ("whole path", total_cells)]
    {
        let mut row = vec![name.to_owned()];
        for (_, measured) in trials {
            row.extend(cells(measured, path(measured)));
        }
        table.add_row(row);
    }
    table
}

fn has_step(path: &PathResult, step: Step) -> bool {
    path.steps.iter().any(|result| result.step == step)
}

fn step_cells(measured: &Measured, path: &PathResult, step: Step) -> [String; 4] {
    let Some(result) = path.steps.iter().find(|result| result.step == step) else {
        return [const { String::new() }; 4];
    };
    let durations = &result.durations;
    let share = durations.sum_ns() as f64 / path.total.sum_ns().max(1) as f64;
    [
        quantile_cell(measured, durations, QUANTILES[0]),
        quantile_cell(measured, durations, QUANTILES[1]),
        duration_cell(measured, durations.mean_ns()),
        percent(share),
    ]
}

fn sum_cells(measured: &Measured, path: &PathResult) -> [String; 4] {
    let sum: f64 = path.steps.iter().map(|step| step.durations.mean_ns()).sum();
    [String::new(), String::new(), duration_cell(measured, sum), String::new()]
}

fn total_cells(measured: &Measured, path: &PathResult) -> [String; 4] {
    [
        quantile_cell(measured, &path.total, QUANTILES[0]),
        quantile_cell(measured, &path.total, QUANTILES[1]),
        duration_cell(measured, path.total.mean_ns()),
        String::new(),
    ]
}

pub(super) fn slowest(text: &mut String, trials: &[(String, &Measured)]) {
    text.push_str("\nWhat the slowest records waited for\n");
    for line in slowest_of(trials) {
        text.push_str(&format!("  {line}\n"));
    }
}

/// A line for each trial and path.
pub(super) fn slowest_of(trials: &[(String, &Measured)]) -> Vec<String> {
    let lines = |(label, measured): &(String, &Measured)| {
        let paths = [("ack", &measured.to_acknowledgement), ("delivery", &measured.to_delivery)];
        paths.map(|(name, path)| slowest_of_path(&format!("{label}, to {name}"), measured, path)).concat()
    };
    trials.iter().flat_map(lines).collect()
}

/// The bands from p99 on, or the last one; of results of before there were bands, the slowest records.
fn slowest_of_path(name: &str, measured: &Measured, path: &PathResult) -> Vec<String> {
    let first = path.bands.iter().position(|band| band.from.starts_with("p99"));
    let first = first.unwrap_or(path.bands.len().saturating_sub(1));
    let line = |band: &BandResult| {
        let ns = [band.min_ns, band.max_ns].map(|ns| duration_cell(measured, ns as f64));
        let (records, waits) = (whole(band.records), composition(shares_of_band(band)));
        format!("{name}, {} ({records} records, {} to {}): {waits}", band_name(band), ns[0], ns[1])
    };
    if path.bands.is_empty() {
        return vec![format!("{name}, {} records: {}", path.slowest.len(), composition(shares_of(&path.slowest)))];
    }
    path.bands[first..].iter().map(line).collect()
}

/// Such as `p99 to p99.9`.
pub(super) fn band_name(band: &BandResult) -> String {
    format!("{} to {}", band.from, band.to)
}

/// The steps that make up the records' time, largest first.
fn composition(shares: Vec<(Step, f64)>) -> String {
    let shares = shares.iter().take_while(|(_, share)| *share >= 0.01);
    shares.map(|(step, share)| format!("{} {}", percent(*share), step.name())).collect::<Vec<_>>().join(", ")
}

/// Each step's share of the records' time, largest first.
pub(super) fn shares_of(records: &[SlowRecord]) -> Vec<(Step, f64)> {
    let mut sums: BTreeMap<Step, u64> = BTreeMap::new();
    for (step, ns) in records.iter().flat_map(|record| &record.steps_ns) {
        *sums.entry(*step).or_default() += ns;
    }
    shares_of_sums(&sums)
}

/// Each step's share of a band's time, largest first.
pub(super) fn shares_of_band(band: &BandResult) -> Vec<(Step, f64)> {
    shares_of_sums(&band.steps_ns)
}

fn shares_of_sums(sums: &BTreeMap<Step, u64>) -> Vec<(Step, f64)> {
    let total: u64 = sums.values().sum();
    let mut shares: Vec<(Step, f64)> =
        sums.iter().map(|(step, ns)| (*step, *ns as f64 / total.max(1) as f64)).collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1));
    shares
}
