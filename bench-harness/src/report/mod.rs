//! A result as text for people. Drawn from the saved result alone: the same result gives the same text, whenever.

mod cells;
mod crashes;
mod export;
mod figures;
pub(crate) mod format;
mod heading;
mod html;
mod limits;
mod overhead;
mod promises;
mod rest;
mod steps;
mod sweep;
mod taken;
mod verdicts;
mod work;

use self::cells::section;
use self::crashes::{CRASHES_TITLE, crashes};
pub use self::export::{Reporter, reporters};
use self::figures::{absent, latency, throughput};
use self::heading::heading;
pub use self::html::{render_html, render_sweeps_html};
use self::limits::parts;
pub use self::limits::render_limits;
pub use self::overhead::render_overhead;
use self::promises::by_promise;
use self::rest::rest;
use self::steps::{slowest, steps};
pub use self::sweep::render_sweep;
use self::taken::taken;
use self::verdicts::{proof, verdicts};
use self::work::{batches, counters};
use crate::result::{Measured, Outcome, RunResult, Trial};

/// What stands above the table of steady states.
const REST_TITLE: &str = "Steady state: by MSER-5, then Mann–Kendall and Theil–Sen";

/// What stands above the table of what was taken.
const TAKEN_TITLE: &str = "What this process took, from the begin of the measured part to the end of the drain";

/// What stands above the table of limits.
const PARTS_TITLE: &str = "Part of the physical limits that was used";

/// The whole report.
#[must_use]
pub fn render(result: &RunResult) -> String {
    let mut text = String::new();
    heading(&mut text, result);
    let measured: Vec<(String, &Measured)> = measured_of(result);
    if !measured.is_empty() {
        let classes = by_promise(&measured);
        for class in &classes {
            section(&mut text, &class.title("Throughput", classes.len()), &throughput(&class.trials));
            section(&mut text, &class.title("Latency from the intended time", classes.len()), &latency(&class.trials));
        }
        absent(&measured).iter().for_each(|line| text.push_str(&format!("  {line}\n")));
        if let Some(table) = rest(&measured) {
            section(&mut text, REST_TITLE, &table);
        }
        section(&mut text, "Where the time went: to the acknowledgement", &steps(&measured, |m| &m.to_acknowledgement));
        section(&mut text, "Where the time went: to the delivery", &steps(&measured, |m| &m.to_delivery));
        slowest(&mut text, &measured);
        section(&mut text, "Batches", &batches(&measured));
        section(&mut text, "Work for each record acknowledged or delivered in the measured part", &counters(&measured));
        if let Some(table) = parts(&measured) {
            section(&mut text, PARTS_TITLE, &table);
        }
        if let Some(table) = taken(&measured) {
            section(&mut text, TAKEN_TITLE, &table);
        }
        if let Some(table) = crashes(result) {
            section(&mut text, CRASHES_TITLE, &table);
        }
        proof(&mut text, &measured);
    }
    verdicts(&mut text, result);
    text
}

fn measured_of(result: &RunResult) -> Vec<(String, &Measured)> {
    let named = |trial| Some((label(result, trial), measurements(trial)?));
    result.trials.iter().filter_map(named).collect()
}

fn measurements(trial: &Trial) -> Option<&Measured> {
    match &trial.outcome {
        Outcome::Measured(measured) => Some(measured),
        Outcome::Refused { .. } | Outcome::Failed { .. } => None,
    }
}

/// What it ran on and, from the second on, repetition.
fn label(result: &RunResult, trial: &Trial) -> String {
    let name = result.name_of(trial);
    if trial.repetition == 1 { name } else { format!("{name} #{}", trial.repetition) }
}
