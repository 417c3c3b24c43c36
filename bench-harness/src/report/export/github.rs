//! What github-action-benchmark reads as `customBiggerIsBetter` and `customSmallerIsBetter`: a list for each direction.

use serde_json::{Value, json};

use super::Reporter;
use super::numbers::{Better, sound};
use crate::result::RunResult;

pub(super) struct Github {
    pub(super) better: Better,
}

impl Reporter for Github {
    fn name(&self) -> &'static str {
        match self.better {
            Better::Higher => "github-bigger",
            Better::Lower => "github-smaller",
        }
    }

    fn render(&self, results: &[RunResult]) -> String {
        let mut entries: Vec<Value> = Vec::new();
        for (name, numbers) in sound(results) {
            for number in numbers.into_iter().filter(|number| number.better == self.better) {
                entries.push(
                    json!({ "name": format!("{name} {}", number.name), "unit": number.unit, "value": number.value }),
                );
            }
        }
        format!("{:#}\n", Value::Array(entries))
    }
}
