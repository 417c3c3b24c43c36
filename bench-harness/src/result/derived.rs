//! What follows from a trial's measurements.

use super::{Measured, VerdictKind};

impl Measured {
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
