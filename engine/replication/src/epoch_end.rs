//! Where an epoch ends.

use logdyno_record::{LeaderEpoch, Offset};

/// The largest epoch not above the one asked for, and the offset at which the next one starts (or the log ends).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEnd {
    /// The epoch.
    pub epoch: LeaderEpoch,
    /// Exclusive.
    pub end: Offset,
}
