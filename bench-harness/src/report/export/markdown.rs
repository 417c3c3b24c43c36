//! Tables as GitHub, GitLab and others draw them, for a pull request or a page: what the text report says first.

use comfy_table::{Table, presets};

use super::Reporter;
use super::name::workload;
use crate::report::crashes::{CRASHES_TITLE, crashes};
use crate::report::figures::{absent, latency, throughput};
use crate::report::measured_of;
use crate::report::promises::by_promise;
use crate::result::{Measured, Outcome, RunResult};

pub(super) struct Markdown;

impl Reporter for Markdown {
    fn name(&self) -> &'static str {
        "markdown"
    }

    fn render(&self, results: &[RunResult]) -> String {
        results.iter().map(section).collect::<Vec<_>>().join("\n")
    }
}

fn section(result: &RunResult) -> String {
    let environment = &result.environment;
    let mut text = format!("### {}\n\n{}\n", workload(result), result.workload.load);
    let measured: Vec<(String, &Measured)> = measured_of(result);
    let classes = by_promise(&measured);
    for class in &classes {
        if classes.len() > 1 {
            text.push_str(&format!("\n{}:\n", class.title("Throughput", classes.len())));
        }
        let title = class.title("Latency from the intended time", classes.len());
        text.push_str(&format!("\n{}\n", drawn(throughput(&class.trials))));
        text.push_str(&format!("\n{title}:\n\n{}\n", drawn(latency(&class.trials))));
    }
    if let Some(table) = crashes(result) {
        text.push_str(&format!("\n{CRASHES_TITLE}:\n\n{}\n", drawn(table)));
    }
    let notes: Vec<String> = absent(&measured).into_iter().chain(outcomes(result)).collect();
    if !notes.is_empty() {
        text.push_str(&format!("\n{}", notes.iter().map(|note| format!("- {note}\n")).collect::<String>()));
    }
    let machine = format!("{}, {} cores, {}", environment.processor, environment.cores, environment.file_system);
    text.push_str(&format!("\nlogdyno {} on {machine}, {}\n", environment.version, environment.began));
    text
}

fn drawn(mut table: Table) -> String {
    table.load_preset(presets::ASCII_MARKDOWN);
    table.to_string()
}

/// What became of trials other than numbers.
fn outcomes(result: &RunResult) -> Vec<String> {
    let told = result.trials.iter().flat_map(|trial| {
        let name = result.name_of(trial);
        match &trial.outcome {
            Outcome::Measured(measured) => {
                let verdicts = measured.verdicts.iter();
                verdicts.map(|one| format!("{name}: **{}**: {}", one.kind.name(), one.reason)).collect::<Vec<_>>()
            }
            Outcome::Refused { reason } => vec![format!("{name}: refused: {reason}")],
            Outcome::Failed { reason } => vec![format!("{name}: failed: {reason}")],
        }
    });
    told.collect()
}
