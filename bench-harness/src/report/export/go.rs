//! The Go benchmark format, which benchstat reads (<https://go.dev/design/14313-benchmark-format>): a line for each run, so that
//! repetitions are its samples.

use std::collections::BTreeSet;

use super::Reporter;
use super::numbers::{Better, Number, sound};
use crate::result::RunResult;

pub(super) struct Go;

impl Reporter for Go {
    fn name(&self) -> &'static str {
        "go"
    }

    fn render(&self, results: &[RunResult]) -> String {
        let runs = sound(results);
        let units: BTreeSet<String> = runs.iter().flat_map(|(_, numbers)| numbers).map(declared).collect();
        let mut text: String = units.into_iter().collect();
        for (name, numbers) in runs {
            text.push_str(&format!("BenchmarkLogdyno/{name} 1"));
            for number in numbers {
                text.push_str(&format!(" {} {}", number.value, unit(&number)));
            }
            text.push('\n');
        }
        text
    }
}

/// A number's unit tells it from the others of its line.
fn unit(number: &Number) -> String {
    if number.unit == "ns" { format!("{}-ns", number.name) } else { number.unit.to_owned() }
}

/// Which way is good, which benchstat cannot know of our units.
fn declared(number: &Number) -> String {
    let better = if number.better == Better::Higher { "higher" } else { "lower" };
    format!("Unit {} better={better}\n", unit(number))
}
