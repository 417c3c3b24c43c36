//! The closing line of Apache Kafka's `ProducerPerformance`, for what already reads that: a comment with the run's name, then the line.
//!
//! As there, latency is from the call of `send` to the acknowledgement and a MB is 2²⁰ bytes. What the run does not support is left out.

use super::Reporter;
use super::numbers::{Run, sound_runs};
use crate::result::{Measured, Quantile, RunResult};

/// Of all quantiles, those of that line.
const QUANTILES: [Quantile; 4] = [
    Quantile { name: "50th", share: 0.5 },
    Quantile { name: "95th", share: 0.95 },
    Quantile { name: "99th", share: 0.99 },
    Quantile { name: "99.9th", share: 0.999 },
];

pub(super) struct PerfTest;

impl Reporter for PerfTest {
    fn name(&self) -> &'static str {
        "perf-test"
    }

    fn render(&self, results: &[RunResult]) -> String {
        sound_runs(results)
            .iter()
            .map(|Run { name, measured, .. }| format!("# {name}\n{}.\n", line(measured)))
            .collect()
    }
}

fn line(measured: &Measured) -> String {
    let mebibytes = measured.achieved_bytes_per_second / f64::from(1 << 20);
    let mut parts = vec![
        format!("{} records sent", measured.records.measured),
        format!("{:.1} records/sec ({mebibytes:.2} MB/sec)", measured.achieved_per_second),
    ];
    if !measured.is_backlogged() {
        parts.push(format!("{:.2} ms avg latency", measured.service.mean_ns() / 1e6));
        parts.push(format!("{:.2} ms max latency", measured.service.max_ns() as f64 / 1e6));
    }
    parts.extend(QUANTILES.iter().filter_map(|quantile| {
        let ns = measured.quantile_ns(&measured.service, *quantile).ok()?;
        Some(format!("{:.0} ms {}", ns as f64 / 1e6, quantile.name))
    }));
    parts.join(", ")
}
