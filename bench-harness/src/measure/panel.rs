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
    /// What the producer did with them; `None` and absent in a result if the target does not show it.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub work: Option<BatchWork>,
}

/// What producers did with their batches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchWork {
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
    /// One of a target that shows what its producers do with batches, or of one that does not.
    #[must_use]
    pub fn new(shows_work: bool) -> BatchPanel {
        BatchPanel { work: shows_work.then(BatchWork::default), ..BatchPanel::default() }
    }

    /// Adds all batches of another panel.
    pub fn merge(&mut self, other: &BatchPanel) {
        self.batches += other.batches;
        self.records += other.records;
        if let Some(work) = &other.work {
            self.work.get_or_insert_default().merge(work);
        }
    }

    /// Adds a batch.
    pub fn add(&mut self, batch: &ProducedBatch) {
        self.batches += 1;
        self.records += u64::from(batch.records);
        if let Some(work) = &mut self.work {
            work.add(batch);
        }
    }
}

impl BatchWork {
    fn merge(&mut self, other: &BatchWork) {
        self.bytes_uncompressed += other.bytes_uncompressed;
        self.bytes_sent += other.bytes_sent;
        self.retries += other.retries;
        for (reason, count) in &other.close_reasons {
            *self.close_reasons.entry(reason.clone()).or_default() += count;
        }
    }

    fn add(&mut self, batch: &ProducedBatch) {
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
