//! The effective-batch panel: how large batches really were, and why they were closed.

use std::collections::BTreeMap;

use logdyno_engine::record::{CloseReason, ProducedBatch};
use serde::{Deserialize, Serialize};

/// Sums over the producers' batches of a measured window.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchPanel {
    /// How many batches.
    pub batches: u64,
    /// Their records.
    pub records: u64,
    /// Their bytes before compression, headers included.
    pub bytes_uncompressed: u64,
    /// Their bytes as sent, headers included.
    pub bytes_sent: u64,
    /// How often a batch was sent again.
    pub retries: u64,
    /// How many were closed for which reason.
    pub close_reasons: BTreeMap<String, u64>,
}

impl BatchPanel {
    /// Adds a batch.
    pub fn add(&mut self, batch: &ProducedBatch) {
        self.batches += 1;
        self.records += u64::from(batch.records);
        self.bytes_uncompressed += u64::from(batch.bytes_uncompressed);
        self.bytes_sent += u64::from(batch.bytes_sent);
        self.retries += u64::from(batch.retries);
        let reason = match batch.close_reason {
            CloseReason::Size => "size",
            CloseReason::Linger => "linger",
            CloseReason::Flush => "flush",
            CloseReason::MemoryPressure => "memory pressure",
            CloseReason::TakenAlong => "taken along",
        };
        *self.close_reasons.entry(reason.to_owned()).or_default() += 1;
    }
}
