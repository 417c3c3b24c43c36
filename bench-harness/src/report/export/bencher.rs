//! Bencher Metric Format (<https://bencher.dev/docs/reference/bencher-metric-format/>): by benchmark and measure the mean over
//! repetitions, with the least and the greatest.

use std::collections::BTreeMap;

use serde_json::json;

use super::Reporter;
use super::numbers::sound;
use crate::result::RunResult;

pub(super) struct Bencher;

impl Reporter for Bencher {
    fn name(&self) -> &'static str {
        "bencher"
    }

    fn render(&self, results: &[RunResult]) -> String {
        let mut values: BTreeMap<String, BTreeMap<String, Vec<f64>>> = BTreeMap::new();
        for (name, numbers) in sound(results) {
            let measures = values.entry(name).or_default();
            for number in numbers {
                // A measure is named by a slug.
                measures.entry(number.name.replace('.', "-")).or_default().push(number.value);
            }
        }
        let metric = |values: Vec<f64>| {
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            let greatest = values.iter().copied().fold(0.0, f64::max);
            json!({
                "value": values.iter().sum::<f64>() / values.len() as f64,
                "lower_value": least,
                "upper_value": greatest,
            })
        };
        let document: BTreeMap<String, BTreeMap<String, serde_json::Value>> = values
            .into_iter()
            .map(|(name, measures)| (name, measures.into_iter().map(|(slug, all)| (slug, metric(all))).collect()))
            .collect();
        format!("{:#}\n", json!(document))
    }
}
