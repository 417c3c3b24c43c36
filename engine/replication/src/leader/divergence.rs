//! Whether a follower's log is a prefix of the leader's (KIP-101, KIP-279, KIP-595's diverging epoch).

use logdyno_record::{LeaderEpoch, Offset};

use crate::EpochEnd;

/// What a leader finds when it compares a follower's position with its own epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Divergence {
    /// The follower's log is a prefix of ours: it gets data.
    None,
    /// The logs part at or before this end of this epoch: the follower truncates and asks again.
    At(EpochEnd),
    /// We know no epoch as old as the follower's: it must start over from our log start.
    OutOfRange,
}

/// Compares a follower that has everything before `from`, the last of it written in `last_fetched_epoch`,
/// with `ours`: the leader's largest epoch not above that one, and where it ends.
///
/// A follower that sends no epoch (an empty log, or a consumer) has nothing to compare.
pub fn divergence(from: Offset, last_fetched_epoch: LeaderEpoch, ours: Option<EpochEnd>) -> Divergence {
    if last_fetched_epoch == LeaderEpoch::NONE {
        return Divergence::None;
    }
    match ours {
        None => Divergence::OutOfRange,
        Some(ours) if ours.epoch < last_fetched_epoch || ours.end < from => Divergence::At(ours),
        Some(_) => Divergence::None,
    }
}
