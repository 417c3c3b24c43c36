//! What follows from a trial's measurements.

use super::{Measured, Outcome, RunResult, VerdictKind};

/// How much of a run counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Countable {
    /// Something went wrong, the harness was the limit, or the figures are of a moment only: no number is the system's.
    Nothing,
    /// The system did not keep up: what it took is its throughput, and its latencies measure the length of the run.
    Throughput,
    /// There is no verdict.
    Everything,
}

impl RunResult {
    /// Whether everything counts that was measured: else the program exits with 5.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.trials.iter().all(|trial| match &trial.outcome {
            Outcome::Measured(measured) => measured.countable() == Countable::Everything,
            Outcome::Refused { .. } | Outcome::Failed { .. } => true,
        })
    }
}

impl Measured {
    /// How many copies of each record were kept in the end. Older results tell only how many an ack promised.
    #[must_use]
    pub fn copies_kept(&self) -> u32 {
        self.copies.unwrap_or(self.durability.replicas)
    }

    /// How much of it counts, by its verdicts: for reports, exports, sweeps and exit codes alike.
    #[must_use]
    pub fn countable(&self) -> Countable {
        let of = |kind: VerdictKind| match kind {
            VerdictKind::Backlogged => Countable::Throughput,
            VerdictKind::Invalid | VerdictKind::GeneratorBound | VerdictKind::NotSteady => Countable::Nothing,
        };
        self.verdicts.iter().map(|verdict| of(verdict.kind)).min().unwrap_or(Countable::Everything)
    }

    /// Whether its latencies say nothing, because they grow with the run.
    #[must_use]
    pub fn is_backlogged(&self) -> bool {
        self.verdicts.iter().any(|verdict| verdict.kind == VerdictKind::Backlogged)
    }

    /// Over how many seconds batches, requests, counters and usage were counted; of older results only the measured part's are known.
    #[must_use]
    pub fn counted_seconds(&self) -> f64 {
        self.counted_ns.unwrap_or(self.measured_ns) as f64 / 1e9
    }

    /// Bytes of the measured records' keys and values; `None` if none was acknowledged.
    #[must_use]
    pub fn measured_bytes(&self) -> Option<f64> {
        let each = self.achieved_bytes_per_second / self.achieved_per_second;
        Some(each * self.records.measured as f64).filter(|bytes| bytes.is_finite() && *bytes > 0.0)
    }
}
