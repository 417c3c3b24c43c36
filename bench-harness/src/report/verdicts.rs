//! Proof of effect, and whether each trial counts.

use std::fmt::Write;

use super::format::whole;
use super::label;
use crate::result::{Countable, Measured, Outcome, RunResult};

pub(super) fn proof(text: &mut String, trials: &[(String, &Measured)]) {
    if trials.iter().all(|(_, measured)| measured.proof.is_empty()) {
        return;
    }
    text.push_str("\nProof of effect\n");
    for (label, measured) in trials {
        for evidence in &measured.proof {
            let mark = if evidence.holds { "yes" } else { "NO " };
            text.push_str(&format!("  {mark} {label}, {}: {}\n", evidence.name, evidence.detail));
        }
    }
}

pub(super) fn verdicts(text: &mut String, result: &RunResult) {
    text.push('\n');
    for trial in &result.trials {
        let label = label(result, trial);
        let mut line = |content: String| {
            // Writing to a string cannot fail.
            writeln!(text, "{label}: {content}").unwrap_or_default();
        };
        match &trial.outcome {
            Outcome::Refused { reason } => line(format!("REFUSED: {reason}")),
            Outcome::Failed { reason } => line(format!("FAILED: {reason}")),
            Outcome::Measured(measured) if measured.countable() == Countable::Everything => {
                line(sound(result, measured))
            }
            Outcome::Measured(measured) => {
                for verdict in &measured.verdicts {
                    line(format!("{}: {}", verdict.kind.name(), verdict.reason));
                }
            }
        }
    }
}

/// What was verified of a trial without a verdict.
pub(super) fn sound(result: &RunResult, measured: &Measured) -> String {
    let records = &measured.records;
    let source = result.workload.records;
    let what = match (records.passes, records.sent % source.max(1)) {
        (passes, 0) if passes > 1 => format!("all {} records in each of {passes} passes", whole(source)),
        (1, 0) => format!("all {} records", whole(source)),
        _ => format!("{} records", whole(records.sent)),
    };
    format!("{what} verified: none lost, doubled, out of order or altered")
}
