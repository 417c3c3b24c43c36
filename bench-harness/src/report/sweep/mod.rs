//! A sweep as text for people: which setting matters, a heat map of the two that matter most, the best cells.
//!
//! What it shows is chosen here as values ([`classes`], [`heat`]), which the page draws, too.

pub(super) mod classes;
pub(super) mod heat;

use comfy_table::Table;

use self::classes::{Class, classes, marks_text, ranking};
use self::heat::{HeatCell, HeatMap, choices, heat_map};
use super::cells::{NOTHING, align, section, table};
use super::crashes::{CRASHES_TITLE, words};
use super::format::{duration, number, percent};
use crate::result::Countable;
use crate::sweep::effects::{Effects, FactorEffect, Ratio};
use crate::sweep::{CellResult, Factor, Metric, RunSummary, Sweep, analyse};

/// Pairs that are named: those with at least this share of the variation.
const PAIR_SHARE: f64 = 0.05;
/// What moves less than by this ratio gets no table.
const WORTH_A_TABLE: f64 = 1.01;
/// Intervals whose ends are further apart than this ratio say nothing.
const INTERVAL_MAX: f64 = 100.0;
/// What the interval of a setting's effect is.
pub(super) const PICKED: &str = "Of a setting's values the two that differ most are picked, so the interval is one that holds for all pairs of them at once.";
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
        if !moves(effects) {
            text.push_str(&format!("\n{}\n", nothing_moves(*metric)));
            continue;
        }
        section(&mut text, &format!("What moves {} ({} runs)", metric.name(), effects.runs), &matters(sweep, effects));
        text.push_str(&remarks(sweep, effects));
    }
    if sweep.effects.iter().any(|(_, effects)| moves(effects)) {
        text.push_str(&format!("\n{PICKED}\n"));
    }
    let classes = classes(sweep);
    for class in &classes {
        let of = if classes.len() > 1 { format!(", where an ack promises {}", class.promise) } else { String::new() };
        for metric in [Metric::AckP99, Metric::Throughput] {
            if let Some(map) = heat_maps(sweep, class, metric).first() {
                heat(&mut text, map, &of);
            }
        }
        section(&mut text, &format!("Cells with the lowest p99 to ack{of}"), &best(class));
    }
    if sweep.verify_crash.is_some() {
        section(&mut text, CRASHES_TITLE, &crashed(sweep));
    }
    unsound(&mut text, sweep);
    text
}

/// The maps of a metric within a class, the most telling first.
pub(super) fn heat_maps<'a>(sweep: &'a Sweep, class: &'a Class, metric: Metric) -> Vec<HeatMap<'a>> {
    let levels: Vec<usize> = sweep.factors.iter().map(|factor| factor.levels.len()).collect();
    let choices = analyse(&class.cells, &levels, metric).map(|effects| choices(&effects)).unwrap_or_default();
    choices.into_iter().map(|choice| heat_map(&sweep.factors, &class.cells, metric, choice)).collect()
}

/// Whether some factor moves the metric by enough to speak of.
pub(super) fn moves(effects: &Effects) -> bool {
    effects.factors.iter().flatten().any(|effect| effect.span.ratio >= WORTH_A_TABLE)
}

/// What is said where none does.
pub(super) fn nothing_moves(metric: Metric) -> String {
    format!("Nothing moves {} by more than {}", metric.name(), percent(WORTH_A_TABLE - 1.0))
}

/// Factors by how much they matter.
pub(super) fn matters(sweep: &Sweep, effects: &Effects) -> Table {
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
    ratio.interval.map_or(NOTHING.to_owned(), |(low, high)| {
        if high / low > INTERVAL_MAX {
            return "unknown: repetitions differ too much".to_owned();
        }
        format!("{low:.2} to {high:.2}{}", hint(low, high))
    })
}

/// Pairs worth a word, and what nobody explains.
pub(super) fn remarks(sweep: &Sweep, effects: &Effects) -> String {
    let mut text = String::new();
    for (factor, effect) in sweep.factors.iter().zip(&effects.factors) {
        if effect.is_none() && factor.levels.len() > 1 {
            let name = factor.name();
            text.push_str(&format!("  {name}: the runs that count do not tell it from other settings\n"));
        }
    }
    for pair in effects.pairs.iter().filter(|pair| pair.share >= PAIR_SHARE) {
        let (first, second) = (sweep.factors[pair.factors.0].name(), sweep.factors[pair.factors.1].name());
        text.push_str(&format!("  {first} and {second} together: a further {}\n", percent(pair.share)));
    }
    text.push_str(&format!("  not explained: {}\n", percent(effects.rest)));
    text
}

/// The geometric means of a metric over the two factors that move it most.
fn heat(text: &mut String, map: &HeatMap<'_>, of: &str) {
    let mut table = Table::new();
    table.load_preset(comfy_table::presets::NOTHING);
    let heads = (0..map.across.levels.len()).map(|column| map.across.level(column));
    table.set_header([String::new()].into_iter().chain(heads));
    for (row, cells) in map.rows.iter().enumerate() {
        let name = map.down.map_or(String::new(), |down| down.level(row));
        table.add_row([name].into_iter().chain(cells.iter().map(|cell| heat_text(map.metric, cell))));
    }
    align(&mut table);
    let down = map.down.map_or(String::new(), |down| format!(", {} down", down.name()));
    let title = format!("{}: {} across{down}{of}; darker is worse", map.metric.name(), map.across.name());
    section(text, &title, &table);
}

/// A shade, the value, and what does not count.
fn heat_text(metric: Metric, cell: &HeatCell<'_>) -> String {
    let marks = marks_text(&cell.marks, cell.runs);
    let marks = if marks.is_empty() { marks } else { format!(" ({marks})") };
    let value = cell.mean.map_or(NOTHING.to_owned(), |value| value_text(metric, value));
    cell.badness.map_or_else(|| format!("{value}{marks}"), |badness| format!("{} {value}{marks}", shade(badness)))
}

fn shade(badness: f64) -> char {
    SHADES[((badness * SHADES.len() as f64) as usize).min(SHADES.len() - 1)]
}

pub(super) fn value_text(metric: Metric, value: f64) -> String {
    match metric {
        Metric::Throughput => format!("{}/s", number(value)),
        Metric::AckP50 | Metric::AckP99 | Metric::DeliveryP99 => duration(value),
        Metric::BytesSent => number(value),
    }
}

/// Geometric means over a cell's runs.
pub(super) fn mean(cell: &CellResult, metric: Metric) -> Option<f64> {
    let values: Vec<f64> =
        cell.runs.iter().filter(|run| run.counts()).filter_map(|run: &RunSummary| metric.of(run)).collect();
    (!values.is_empty()).then(|| (values.iter().map(|value| value.ln()).sum::<f64>() / values.len() as f64).exp())
}

fn best(class: &Class) -> Table {
    let mut table = table(["settings", "p99 to ack", "p99 to delivery", "throughput", "runs"]);
    for ranked in ranking(&class.cells).iter().filter(|ranked| ranked.rank.is_some()).take(BEST) {
        let told = |metric| mean(ranked.cell, metric).map_or(NOTHING.to_owned(), |value| value_text(metric, value));
        table.add_row([
            ranked.settings(),
            told(Metric::AckP99),
            told(Metric::DeliveryP99),
            told(Metric::Throughput),
            ranked.cell.runs.len().to_string(),
        ]);
    }
    table
}

fn crashed(sweep: &Sweep) -> Table {
    let mut table = table(["settings", "lost of what was acknowledged", "an ack promised"]);
    for cell in sweep.cells.iter().filter(|cell| !cell.crashes.is_empty()) {
        let promised = cell.crashes.iter().filter(|crashes| crashes.promised).map(|crashes| crashes.kind.name());
        let promised = promised.collect::<Vec<_>>().join(", ");
        let promised = if promised.is_empty() { NOTHING.to_owned() } else { format!("no loss by {promised}") };
        table.add_row([settings(cell), words(&cell.crashes), promised]);
    }
    table
}

pub(super) fn settings(cell: &CellResult) -> String {
    let pairs = cell.cell.settings.iter().map(|(key, value)| format!("{key}={value}"));
    pairs.collect::<Vec<_>>().join(" ")
}

/// Runs of which not everything counts, and why.
fn unsound(text: &mut String, sweep: &Sweep) {
    for cell in &sweep.cells {
        for run in cell.runs.iter().filter(|run| run.countable() < Countable::Everything) {
            text.push_str(&format!("\n{}, repetition {}: {}", settings(cell), run.repetition, run.verdicts.join("; ")));
        }
    }
}
