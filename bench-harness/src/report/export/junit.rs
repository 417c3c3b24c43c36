//! JUnit XML: a suite for each workload, a case for each run; one of which not everything counts has failed.

use super::Reporter;
use super::name::{changes, system, workload};
use crate::result::{Countable, Outcome, RunResult, Trial};

pub(super) struct JUnit;

impl Reporter for JUnit {
    fn name(&self) -> &'static str {
        "junit"
    }

    fn render(&self, results: &[RunResult]) -> String {
        let suites: String = results.iter().map(suite).collect();
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n{suites}</testsuites>\n")
    }
}

fn suite(result: &RunResult) -> String {
    let count = |is: fn(&Outcome) -> bool| result.trials.iter().filter(|trial| is(&trial.outcome)).count();
    let failures =
        count(|outcome| matches!(outcome, Outcome::Measured(measured) if measured.countable() < Countable::Everything));
    let errors = count(|outcome| matches!(outcome, Outcome::Failed { .. }));
    let skipped = count(|outcome| matches!(outcome, Outcome::Refused { .. }));
    let name = escape(&workload(result));
    let cases: String = result.trials.iter().map(|trial| case(result, trial)).collect();
    format!(
        "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\">\n{cases}  </testsuite>\n",
        result.trials.len()
    )
}

fn case(result: &RunResult, trial: &Trial) -> String {
    let (seconds, inner) = match &trial.outcome {
        Outcome::Measured(measured) => {
            let reasons: Vec<String> = measured
                .verdicts
                .iter()
                .map(|verdict| format!("{}: {}", verdict.kind.name(), verdict.reason))
                .collect();
            let inner = if reasons.is_empty() { String::new() } else { element("failure", &reasons.join("; ")) };
            (measured.measured_ns as f64 / 1e9, inner)
        }
        Outcome::Refused { reason } => (0.0, element("skipped", reason)),
        Outcome::Failed { reason } => (0.0, element("error", reason)),
    };
    // A class's last dot divides its package from it, so settings are with the name.
    let class = escape(&result.workload.name);
    let repetition = if trial.repetition == 1 { String::new() } else { format!(" #{}", trial.repetition) };
    let name = escape(&format!("{}{}{repetition}", system(trial), changes(result)));
    format!("    <testcase classname=\"{class}\" name=\"{name}\" time=\"{seconds:.3}\">{inner}</testcase>\n")
}

fn element(name: &str, message: &str) -> String {
    format!("<{name} message=\"{}\"/>", escape(message))
}

/// As XML wants it in an attribute; control characters, which XML 1.0 cannot hold, become spaces.
fn escape(text: &str) -> String {
    let text = text.replace(char::is_control, " ");
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
