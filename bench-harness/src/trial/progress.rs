//! How far a trial is, while it runs: read from what its joining thread has joined, so that it costs the path nothing.

use std::time::Duration;

use crate::limits::Share;
use crate::measure::{Distribution, JoinedPart, PathJoined, Step};
use crate::result::{QUANTILES, Quantile};
use crate::statistics::samples_needed;

/// How far a trial is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// Since the start.
    pub elapsed: Duration,
    /// Records handed to `send`.
    pub sent: u64,
    /// Acknowledged.
    pub acknowledged: u64,
    /// Whose `send` failed.
    pub failed: u64,
    /// Delivered.
    pub delivered: u64,
    /// Bytes of produce requests; of a target that hides its requests 0.
    pub request_bytes: u64,
    /// How many copies are kept of what is sent.
    pub copies: u32,
    /// Whether it goes over connections.
    pub has_network: bool,
    /// Whether the warm-up is over.
    pub is_measuring: bool,
    /// What was measured of the part under way, if anything was.
    pub so_far: Option<SoFar>,
    /// The limit of which the bytes so far took most, where limits are known.
    pub limit: Option<Share>,
}

impl Progress {
    /// Records that were sent and have neither been acknowledged nor failed.
    #[must_use]
    pub fn backlog(&self) -> u64 {
        self.sent.saturating_sub(self.acknowledged + self.failed)
    }

    /// Records that were acknowledged and not yet delivered.
    #[must_use]
    pub fn undelivered(&self) -> u64 {
        self.acknowledged.saturating_sub(self.delivered)
    }
}

/// What was measured of a part so far.
#[derive(Clone, Debug, PartialEq)]
pub struct SoFar {
    /// Which part of those that are measured on their own, from 1.
    pub part: usize,
    /// To the acknowledgement.
    pub to_acknowledgement: PathSoFar,
    /// To the delivery.
    pub to_delivery: PathSoFar,
}

/// Latencies from the intended time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PathSoFar {
    /// Records.
    pub count: u64,
    /// Of all of them.
    pub sum_ns: u64,
    /// The longest.
    pub max_ns: u64,
    /// Those that the batches so far support.
    pub quantiles: Vec<(Quantile, u64)>,
    /// What all records together spent on each step that took time.
    pub steps: Vec<(Step, u64)>,
}

impl SoFar {
    /// Of the last part that has a record.
    pub(super) fn of(parts: &[JoinedPart]) -> Option<SoFar> {
        let at = parts.iter().rposition(|part| part.to_acknowledgement.total.count() > 0)?;
        let batches = parts[at].panel.batches;
        Some(SoFar {
            part: at + 1,
            to_acknowledgement: PathSoFar::of(&parts[at].to_acknowledgement, &parts[at].own, batches),
            to_delivery: PathSoFar::of(&parts[at].to_delivery, &parts[at].own, batches),
        })
    }
}

impl PathSoFar {
    fn of(path: &PathJoined, own: &[Distribution], batches: u64) -> PathSoFar {
        let total = &path.total;
        let supported = QUANTILES.into_iter().filter(|quantile| batches >= samples_needed(quantile.share));
        // The first steps of records that are on both paths stand apart as long as records come.
        let own = own.iter().map(Distribution::sum_ns).chain(std::iter::repeat(0));
        let sums = path.steps.iter().zip(own).map(|(durations, own)| durations.sum_ns() + own);
        let steps = Step::ALL.into_iter().zip(sums);
        PathSoFar {
            count: total.count(),
            sum_ns: total.sum_ns(),
            max_ns: total.max_ns(),
            quantiles: match total.count() {
                0 => Vec::new(),
                _ => supported.map(|quantile| (quantile, total.quantile_ns(quantile.share))).collect(),
            },
            steps: steps.filter(|(_, ns)| *ns > 0).collect(),
        }
    }
}
