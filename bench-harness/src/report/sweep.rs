//! A sweep as text for people: which setting matters, a heat map of the two that matter most, the best cells.

use comfy_table::Table;

use super::cells::{NOTHING, align, section, table};
use super::format::{duration, number, percent};
use crate::sweep::effects::{Effects, FactorEffect, Ratio};
use crate::sweep::{CellResult, Factor, Metric, RunSummary, Sweep, observations};

/// Pairs that are named: those with at least this share of the variation.
const PAIR_SHARE: f64 = 0.05;
/// What moves less than by this ratio gets no table.
const WORTH_A_TABLE: f64 = 1.01;
/// Cells that are listed.
const BEST: usize = 5;
/// From the best to the worst.
const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];

/// The whole report.
#[must_use]
pub fn render_sweep(sweep: &Sweep) -> String {
    let mut text = format!("{}\n", sweep.workload);
    for factor in &sweep.factors {
        text.push_str(&format!("  {factor}\n"));
    }
    let (runs, wanted) = (sweep.runs(), sweep.runs_wanted());
    text.push_str(&format!(
        "  {} cells × {} repetitions, in random order (seed {}): {runs} of {wanted} runs\n",
        sweep.cells.len(),
        sweep.repetitions,
        sweep.seed
    ));
    for (metric, effects) in &sweep.effects {
        let spans = effects.factors.iter().flatten().map(|effect| effect.span.ratio);
        if spans.fold(1.0, f64::max) < WORTH_A_TABLE {
            text.push_str(&format!(
                "\nNothing moves {} by more than {}\n",
                metric.name(),
                percent(WORTH_A_TABLE - 1.0)
            ));
            continue;
        }
        section(&mut text, &format!("What moves {} ({} runs)", metric.name(), effects.runs), &matters(sweep, effects));
        text.push_str(&remarks(sweep, effects));
    }
    for metric in [Metric::AckP99, Metric::Throughput] {
        if let Some((_, effects)) = sweep.effects.iter().find(|(known, _)| *known == metric) {
            heat(&mut text, sweep, metric, effects);
        }
    }
    section(&mut text, "Cells with the lowest p99 to ack", &best(sweep));
    unsound(&mut text, sweep);
    text
}

/// Factors by how much they matter.
fn matters(sweep: &Sweep, effects: &Effects) -> Table {
    let mut found: Vec<(&Factor, &FactorEffect)> = sweep
        .factors
        .iter()
        .zip(&effects.factors)
        .filter_map(|(factor, effect)| Some((factor, effect.as_ref()?)))
        .collect();
    found.sort_by(|one, other| other.1.share.total_cmp(&one.1.share));
    let mut table = table(["setting", "share", "least at", "most at", "most ÷ least", "95 % interval"]);
    for (factor, effect) in found {
        table.add_row([
            factor.name(),
            percent(effect.share),
            factor.level(effect.extremes.0),
            factor.level(effect.extremes.1),
            format!("{:.2}", effect.span.ratio),
            interval(effect.span),
        ]);
    }
    table
}

fn interval(ratio: Ratio) -> String {
    let hint = |low, high| if low <= 1.0 && 1.0 <= high { ", may be none" } else { "" };
    ratio.interval.map_or(NOTHING.to_owned(), |(low, high)| format!("{low:.2} to {high:.2}{}", hint(low, high)))
}

/// Pairs worth a word, and what nobody explains.
fn remarks(sweep: &Sweep, effects: &Effects) -> String {
    let mut text = String::new();
    for pair in effects.pairs.iter().filter(|pair| pair.share >= PAIR_SHARE) {
        let (first, second) = (sweep.factors[pair.factors.0].name(), sweep.factors[pair.factors.1].name());
        text.push_str(&format!("  {first} and {second} together: a further {}\n", percent(pair.share)));
    }
    text.push_str(&format!("  not explained: {}\n", percent(effects.rest)));
    text
}

/// The geometric mean of a metric over the two factors that move it most.
fn heat(text: &mut String, sweep: &Sweep, metric: Metric, effects: &Effects) {
    let mut by_share: Vec<(usize, f64)> =
        (0..sweep.factors.len()).filter_map(|at| Some((at, effects.factors.get(at)?.as_ref()?.share))).collect();
    by_share.sort_by(|one, other| other.1.total_cmp(&one.1));
    let [(across, _), (down, _), ..] = by_share[..] else { return };
    let seen = observations(&sweep.cells, metric);
    let mean = |row: usize, column: usize| {
        let here = seen.iter().filter(|one| one.levels[down] == Some(row) && one.levels[across] == Some(column));
        let (sum, count) = here.fold((0.0, 0.0), |(sum, count), one| (sum + one.value.ln(), count + 1.0));
        (count > 0.0).then(|| f64::exp(sum / count))
    };
    let (rows, columns) = (&sweep.factors[down], &sweep.factors[across]);
    let grid: Vec<Vec<Option<f64>>> =
        (0..rows.levels.len()).map(|row| (0..columns.levels.len()).map(|column| mean(row, column)).collect()).collect();
    let all = || grid.iter().flatten().flatten().copied();
    let (least, most) = (all().fold(f64::MAX, f64::min), all().fold(0.0, f64::max));
    let mut table = Table::new();
    table.load_preset(comfy_table::presets::NOTHING);
    let heads = (0..columns.levels.len()).map(|column| columns.level(column));
    table.set_header([String::new()].into_iter().chain(heads));
    for (row, cells) in grid.iter().enumerate() {
        let cells = cells.iter().map(|cell| {
            cell.map_or(NOTHING.to_owned(), |value| {
                format!("{} {}", shade(metric, value, least, most), value_text(metric, value))
            })
        });
        table.add_row([rows.level(row)].into_iter().chain(cells));
    }
    align(&mut table);
    section(
        text,
        &format!("{}: {} across, {} down; darker is worse", metric.name(), columns.name(), rows.name()),
        &table,
    );
}

fn shade(metric: Metric, value: f64, least: f64, most: f64) -> char {
    if most <= least {
        return SHADES[0];
    }
    let place = (value / least).ln() / (most / least).ln();
    let badness = if metric.more_is_better() { 1.0 - place } else { place };
    SHADES[((badness * SHADES.len() as f64) as usize).min(SHADES.len() - 1)]
}

fn value_text(metric: Metric, value: f64) -> String {
    match metric {
        Metric::Throughput => format!("{}/s", number(value)),
        Metric::AckP50 | Metric::AckP99 | Metric::DeliveryP99 => duration(value),
        Metric::BytesSent => number(value),
    }
}

/// Geometric means over a cell's runs.
fn mean(cell: &CellResult, metric: Metric) -> Option<f64> {
    let values: Vec<f64> =
        cell.runs.iter().filter(|run| run.counts()).filter_map(|run: &RunSummary| metric.of(run)).collect();
    (!values.is_empty()).then(|| (values.iter().map(|value| value.ln()).sum::<f64>() / values.len() as f64).exp())
}

fn best(sweep: &Sweep) -> Table {
    let mut cells: Vec<(&CellResult, f64)> =
        sweep.cells.iter().filter_map(|cell| Some((cell, mean(cell, Metric::AckP99)?))).collect();
    cells.sort_by(|one, other| one.1.total_cmp(&other.1));
    let mut table = table(["settings", "p99 to ack", "p99 to delivery", "throughput", "runs"]);
    for (cell, p99) in cells.into_iter().take(BEST) {
        let told = |metric| mean(cell, metric).map_or(NOTHING.to_owned(), |value| value_text(metric, value));
        table.add_row([
            settings(cell),
            duration(p99),
            told(Metric::DeliveryP99),
            told(Metric::Throughput),
            cell.runs.iter().filter(|run| run.counts()).count().to_string(),
        ]);
    }
    table
}

fn settings(cell: &CellResult) -> String {
    let pairs = cell.cell.settings.iter().map(|(key, value)| format!("{key}={value}"));
    pairs.collect::<Vec<_>>().join(" ")
}

/// Runs that do not count, and why.
fn unsound(text: &mut String, sweep: &Sweep) {
    for cell in &sweep.cells {
        for run in cell.runs.iter().filter(|run| !run.verdicts.is_empty()) {
            text.push_str(&format!("\n{}, repetition {}: {}", settings(cell), run.repetition, run.verdicts.join("; ")));
        }
    }
}
