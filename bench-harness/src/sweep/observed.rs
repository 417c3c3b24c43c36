//! From runs to the values that are analysed.

use serde::{Deserialize, Serialize};

use super::document::{CellResult, RunSummary};
use super::effects::{Effects, Observation, effects};

/// What of a run is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Records acknowledged in a second.
    Throughput,
    /// The median to the acknowledgement.
    AckP50,
    /// The 99th percentile to the acknowledgement.
    AckP99,
    /// The 99th percentile to the delivery.
    DeliveryP99,
    /// Bytes of requests for each byte of keys and values.
    BytesSent,
}

impl Metric {
    /// All of them, in the order in which they are told.
    pub const ALL: [Metric; 5] =
        [Metric::Throughput, Metric::AckP50, Metric::AckP99, Metric::DeliveryP99, Metric::BytesSent];

    /// What it is called in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Metric::Throughput => "throughput",
            Metric::AckP50 => "p50 to ack",
            Metric::AckP99 => "p99 to ack",
            Metric::DeliveryP99 => "p99 to delivery",
            Metric::BytesSent => "bytes sent per byte",
        }
    }

    /// Whether more is better.
    #[must_use]
    pub fn more_is_better(self) -> bool {
        self == Metric::Throughput
    }

    /// Its value; `None` where the run does not tell it: latencies of a backlog grow with the run, and too few batches
    /// support no 99th percentile.
    #[must_use]
    pub fn of(self, run: &RunSummary) -> Option<f64> {
        match self {
            Metric::Throughput => Some(run.records_per_second),
            Metric::AckP50 => run.ack_p50_ns,
            Metric::AckP99 => run.ack_p99_ns,
            Metric::DeliveryP99 => run.delivery_p99_ns,
            Metric::BytesSent => run.bytes_sent_per_byte,
        }
        .filter(|value| *value > 0.0)
    }
}

/// The runs of a sweep that count, as values of a metric. What is INVALID counts for nothing.
#[must_use]
pub fn observations(cells: &[CellResult], metric: Metric) -> Vec<Observation> {
    let runs = cells.iter().flat_map(|cell| cell.runs.iter().map(move |run| (cell, run)));
    let counted = runs.filter(|(_, run)| run.counts()).filter_map(|(cell, run)| {
        let levels = cell.cell.levels.clone();
        Some(Observation { levels, repetition: run.repetition, value: metric.of(run)? })
    });
    counted.collect()
}

/// The effects on a metric.
#[must_use]
pub fn analyse(cells: &[CellResult], levels: &[usize], metric: Metric) -> Option<Effects> {
    effects(&observations(cells, metric), levels)
}
