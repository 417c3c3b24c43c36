//! What OpenMessaging Benchmark writes of a test (`TestResult`): an object for a run, a list of them for several.
//!
//! Its words and units: publish latency is from the call of `send` and in milliseconds, publish delay is how late the generator was and in
//! microseconds, end-to-end latency is here from the intended time. What a run does not support is left out, which its reader takes for 0.

use serde_json::{Map, Value, json};

use super::Reporter;
use super::name::{system, workload};
use super::numbers::{Run, sound_runs};
use crate::measure::{Distribution, Interval};
use crate::result::{Measured, Quantile, RunResult};

/// Quantiles by the name that a field has for them.
const QUANTILES: [Quantile; 7] = [
    Quantile { name: "50pct", share: 0.5 },
    Quantile { name: "75pct", share: 0.75 },
    Quantile { name: "95pct", share: 0.95 },
    Quantile { name: "99pct", share: 0.99 },
    Quantile { name: "999pct", share: 0.999 },
    Quantile { name: "9999pct", share: 0.9999 },
    Quantile { name: "99999pct", share: 0.99999 },
];

/// Points of a spectrum between a share and the one that halves what is left.
const TICKS_PER_HALF: u32 = 5;

const MILLISECOND: f64 = 1e6;
const MICROSECOND: f64 = 1e3;

pub(super) struct Omb;

impl Reporter for Omb {
    fn name(&self) -> &'static str {
        "omb"
    }

    fn render(&self, results: &[RunResult]) -> String {
        let mut all: Vec<Value> = sound_runs(results).iter().map(test_result).collect();
        let document = if all.len() == 1 { all.remove(0) } else { Value::Array(all) };
        format!("{document:#}\n")
    }
}

fn test_result(run: &Run<'_>) -> Value {
    let Run { result, trial, measured, .. } = run;
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    put("workload", json!(workload(result)));
    put("driver", json!(system(trial)));
    put("messageSize", json!((measured.achieved_bytes_per_second / measured.achieved_per_second).round() as u64));
    put("topics", json!(result.workload.topics));
    put("partitions", json!(result.workload.partitions));
    put("producersPerTopic", json!(result.workload.producers));
    put("consumersPerTopic", json!(1));
    for (name, values) in over_time(measured) {
        put(name, json!(values));
    }
    let aggregated = [
        ("PublishLatency", &measured.service, MILLISECOND),
        ("PublishDelayLatency", &measured.generator_lag, MICROSECOND),
        ("EndToEndLatency", &measured.to_delivery.total, MILLISECOND),
    ];
    for (name, distribution, unit_ns) in aggregated {
        for (field, value) in quantities(measured, distribution, unit_ns) {
            put(&format!("aggregated{name}{field}"), value);
        }
    }
    Value::Object(fields)
}

/// Lists with an entry for each interval of the measured part, but for a remnant at its end.
fn over_time(measured: &Measured) -> [(&'static str, Vec<f64>); 4] {
    let over = measured.over_time.iter();
    let whole = over.flat_map(|over| over.intervals.iter().filter(|at| at.length_ns >= over.interval_ns / 2));
    let intervals: Vec<&Interval> = whole.collect();
    let each = |value: fn(&Interval) -> f64| intervals.iter().map(|at| value(at)).collect::<Vec<f64>>();
    let latency = |value: fn(&Interval) -> f64| if measured.is_backlogged() { Vec::new() } else { each(value) };
    [
        ("publishRate", each(|at| at.acknowledged as f64 * 1e9 / at.length_ns.max(1) as f64)),
        ("publishLatency50pct", latency(|at| at.p50_ns as f64 / MILLISECOND)),
        ("publishLatency99pct", latency(|at| at.p99_ns as f64 / MILLISECOND)),
        ("publishLatencyMax", latency(|at| at.max_ns as f64 / MILLISECOND)),
    ]
}

/// Mean, quantiles, maximum and spectrum of a distribution. Delays are whole numbers there.
fn quantities(measured: &Measured, distribution: &Distribution, unit_ns: f64) -> Vec<(String, Value)> {
    if distribution.count() == 0 || measured.is_backlogged() {
        return Vec::new();
    }
    let whole = unit_ns == MICROSECOND;
    let told = |ns: u64| if whole { json!((ns as f64 / unit_ns).round() as u64) } else { json!(ns as f64 / unit_ns) };
    let mut all = vec![
        ("Avg".to_owned(), json!(distribution.mean_ns() / unit_ns)),
        ("Max".to_owned(), told(distribution.max_ns())),
    ];
    let supported = |quantile: Quantile| measured.quantile_ns(distribution, quantile).ok();
    all.extend(QUANTILES.iter().filter_map(|one| Some((one.name.to_owned(), told(supported(*one)?)))));
    let spectrum: Map<String, Value> = distribution
        .to_histogram()
        .iter_quantiles(TICKS_PER_HALF)
        .filter_map(|point| {
            let share = point.quantile_iterated_to();
            let ns = if share < 1.0 { supported(Quantile { name: "", share })? } else { distribution.max_ns() };
            Some(((share * 100.0).to_string(), told(ns)))
        })
        .collect();
    all.push(("Quantiles".to_owned(), Value::Object(spectrum)));
    all
}
