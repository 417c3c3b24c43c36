//! A sweep as a page: verdicts, heat maps of which any can be chosen without a script, the ranking within each promise, effects.

use askama::Template;

use super::super::cells::NOTHING;
use super::super::crashes::words;
use super::super::sweep::classes::{Class, classes, marks, marks_text, ranking};
use super::super::sweep::heat::{HeatCell, HeatMap};
use super::super::sweep::{PICKED, heat_maps, matters, mean, moves, nothing_moves, remarks, settings, value_text};
use super::classes::meaning;
use super::grid::Grid;
use super::{Card, machine_facts};
use crate::result::Countable;
use crate::sweep::effects::Effects;
use crate::sweep::{Metric, Sweep};

/// Shades of the style sheet.
const SHADES: f64 = 5.0;

/// The whole page of one or several sweeps.
pub fn render_sweeps_html(sweeps: &[Sweep]) -> Result<String, askama::Error> {
    let names: Vec<&str> = sweeps.iter().map(|sweep| sweep.workload.as_str()).collect();
    let title = format!("Sweep of {}", names.join(", "));
    Page { title, picked: PICKED, sweeps: sweeps.iter().map(section).collect() }.render()
}

#[derive(Template)]
#[template(path = "sweep.html")]
struct Page {
    title: String,
    picked: &'static str,
    sweeps: Vec<Section>,
}

struct Section {
    name: String,
    command: String,
    facts: Vec<(&'static str, String)>,
    is_debug: bool,
    verdict: Card,
    /// Runs that do not count, each with its reason.
    unsound: Vec<String>,
    classes: Vec<ClassSection>,
    effects: Vec<(&'static str, Option<Grid>, String)>,
    workload: String,
}

/// What can be compared, because an acknowledgement promises the same.
struct ClassSection {
    promise: String,
    meaning: &'static str,
    metrics: Vec<MetricTab>,
    ranking: Grid,
}

struct MetricTab {
    name: &'static str,
    is_chosen: bool,
    maps: Vec<Map>,
}

struct Map {
    name: String,
    caption: String,
    corner: String,
    header: Vec<String>,
    rows: Vec<(String, Vec<Cell>)>,
}

struct Cell {
    /// A class of the style sheet.
    shade: String,
    /// For tests and tools: the exact value.
    value: String,
    text: String,
    marks: String,
}

fn section(sweep: &Sweep) -> Section {
    Section {
        name: sweep.workload.clone(),
        command: sweep.environment.command.clone(),
        facts: facts(sweep),
        is_debug: sweep.environment.build == "debug",
        verdict: verdict(sweep),
        unsound: unsound(sweep),
        classes: classes(sweep).iter().map(|class| class_section(sweep, class)).collect(),
        effects: effects(sweep),
        workload: sweep.text.clone(),
    }
}

fn facts(sweep: &Sweep) -> Vec<(&'static str, String)> {
    let mut facts: Vec<(&'static str, String)> = vec![(
        "runs",
        format!(
            "{} of {}: {} cells × {} repetitions, in random order (seed {}), each in a process and a folder of its own",
            sweep.runs(),
            sweep.runs_wanted(),
            sweep.cells.len(),
            sweep.repetitions,
            sweep.seed
        ),
    )];
    facts.extend(sweep.factors.iter().map(|factor| ("varied", factor.to_string())));
    if !sweep.settings.is_empty() {
        facts.push(("all have", sweep.settings.join(" ")));
    }
    facts.extend(sweep.target.iter().map(|target| ("target", target.clone())));
    facts.extend(machine_facts(&sweep.environment));
    facts
}

/// How many runs count.
fn verdict(sweep: &Sweep) -> Card {
    let runs = || sweep.cells.iter().flat_map(|cell| &cell.runs);
    let sound = runs().filter(|run| run.countable() == Countable::Everything).count();
    let (there, wanted) = (sweep.runs(), sweep.runs_wanted());
    let marks = marks(runs());
    let mut reasons =
        vec![format!("{sound} of {there} runs are verified: nothing lost, doubled, out of order or altered")];
    reasons.extend(Some(marks_text(&marks, there)).filter(|text| !text.is_empty()));
    if there < wanted {
        reasons.push(format!("{} runs are missing", wanted - there));
    }
    let (tone, word) = match (sound == there, there == wanted) {
        (true, true) if there > 0 => ("good", "VERIFIED"),
        (true, _) => ("doubtful", "NOT COMPLETE"),
        (false, _) => ("bad", "NOT ALL COUNT"),
    };
    Card { label: "All runs".to_owned(), tone, word, reasons }
}

fn unsound(sweep: &Sweep) -> Vec<String> {
    let runs = sweep.cells.iter().flat_map(|cell| cell.runs.iter().map(move |run| (cell, run)));
    let unsound = runs.filter(|(_, run)| run.countable() < Countable::Everything);
    unsound
        .map(|(cell, run)| format!("{}, repetition {}: {}", settings(cell), run.repetition, run.verdicts.join("; ")))
        .collect()
}

fn class_section(sweep: &Sweep, class: &Class) -> ClassSection {
    let all = Metric::ALL.into_iter().map(|metric| (metric, heat_maps(sweep, class, metric)));
    let told: Vec<(Metric, Vec<HeatMap<'_>>)> = all.filter(|(_, maps)| !maps.is_empty()).collect();
    // Latency is what settings are chosen for, where it is known.
    let chosen = told.iter().position(|(metric, _)| *metric == Metric::AckP99).unwrap_or(0);
    let tab = |(index, (metric, maps)): (usize, &(Metric, Vec<HeatMap<'_>>))| MetricTab {
        name: metric.name(),
        is_chosen: index == chosen,
        maps: maps.iter().map(map).collect(),
    };
    ClassSection {
        promise: class.promise.clone(),
        meaning: meaning(&class.level),
        metrics: told.iter().enumerate().map(tab).collect(),
        ranking: ranked(sweep, class),
    }
}

fn map(map: &HeatMap<'_>) -> Map {
    let across = map.across.name();
    let down = map.down.map(|down| down.name());
    let told = map.rows.iter().flatten().filter(|cell| cell.badness.is_some()).filter_map(|cell| cell.mean);
    let (least, most) = told.fold((f64::MAX, 0.0_f64), |(least, most), value| (least.min(value), most.max(value)));
    let (best, worst) = if map.metric.more_is_better() { (most, least) } else { (least, most) };
    let range = if most > 0.0 {
        format!(", from {} at the best to {}", value_text(map.metric, best), value_text(map.metric, worst))
    } else {
        String::new()
    };
    Map {
        name: down.as_ref().map_or(across.clone(), |down| format!("{across} × {down}")),
        caption: format!(
            "{}, the geometric mean over all other settings and repetitions{range}. The stronger the colour, the worse; without colour and hatched: not to be compared, because too few runs count.",
            map.metric.name()
        ),
        corner: down.map_or(String::new(), |down| format!("{down} ↓")),
        header: (0..map.across.levels.len()).map(|column| format!("{across}={}", map.across.level(column))).collect(),
        rows: map
            .rows
            .iter()
            .enumerate()
            .map(|(row, cells)| {
                let name = map.down.map_or_else(|| map.metric.name().to_owned(), |down| down.level(row));
                (name, cells.iter().map(|cell| heat_cell(map.metric, cell)).collect())
            })
            .collect(),
    }
}

fn heat_cell(metric: Metric, cell: &HeatCell<'_>) -> Cell {
    let shade = |badness: f64| format!("h{}", (badness * SHADES).min(SHADES - 1.0) as usize);
    let none = if cell.runs == 0 { "" } else { "void" };
    Cell {
        shade: cell.badness.map_or(none.to_owned(), shade),
        value: cell.mean.map_or(String::new(), |value| value.to_string()),
        text: cell.mean.map_or(NOTHING.to_owned(), |value| value_text(metric, value)),
        marks: marks_text(&cell.marks, cell.runs),
    }
}

/// All cells of a class with their verdicts, the lowest p99 first.
fn ranked(sweep: &Sweep, class: &Class) -> Grid {
    let factors = sweep.factors.iter().map(|factor| factor.name());
    let metrics = Metric::ALL.map(|metric| metric.name().to_owned());
    let row = |ranked: &super::super::sweep::classes::Ranked<'_>| {
        let cell = ranked.cell;
        let level = |(factor, level): (&crate::sweep::Factor, &Option<usize>)| {
            level.map_or(NOTHING.to_owned(), |level| factor.level(level))
        };
        let mut row = vec![ranked.rank.map_or(NOTHING.to_owned(), |rank| rank.to_string())];
        row.extend(sweep.factors.iter().zip(&cell.cell.levels).map(level));
        row.extend(
            Metric::ALL.map(|metric| mean(cell, metric).map_or(NOTHING.to_owned(), |one| value_text(metric, one))),
        );
        row.push(ranked.verdict.clone());
        row.extend(sweep.verify_crash.map(|_| words(&cell.crashes)));
        row
    };
    Grid {
        header: std::iter::once("rank".to_owned())
            .chain(factors)
            .chain(metrics)
            .chain(["verdict".to_owned()])
            .chain(sweep.verify_crash.map(|_| "lost when made to crash".to_owned()))
            .collect(),
        rows: ranking(&class.cells).iter().map(row).collect(),
    }
}

/// Each metric's table, if something moves it, and what pairs do and nobody explains.
fn effects(sweep: &Sweep) -> Vec<(&'static str, Option<Grid>, String)> {
    let told = |(metric, effects): &(Metric, Effects)| {
        if !moves(effects) {
            return (metric.name(), None, nothing_moves(*metric));
        }
        let remarks: Vec<String> = remarks(sweep, effects).lines().map(|line| line.trim().to_owned()).collect();
        let text = format!("{} runs; {}", effects.runs, remarks.join("; "));
        (metric.name(), Some(matters(sweep, effects).into()), text)
    };
    sweep.effects.iter().map(told).collect()
}
