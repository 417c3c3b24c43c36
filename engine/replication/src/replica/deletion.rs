//! What is taken away from a replica's front: DeleteRecords and retention. Only what is committed ever goes.

use std::sync::PoisonError;

use logdyno_record::{LeaderEpoch, Offset};
use logdyno_segment_log::{LogError, RetentionPlan};

use super::Replica;
use crate::error::ReplicaError;

impl Replica {
    /// Deletes the records before `offset` (DeleteRecords), or all that are committed if it is `None` (-1 on the wire);
    /// returns the log's start then. Followers learn of it from their next fetch (errors 1, 6, 74, 75).
    ///
    /// Writes the start down before it returns: call it where waiting for the disk is allowed.
    pub fn delete_records_before(
        &self,
        offset: Option<Offset>,
        current_epoch: Option<LeaderEpoch>,
    ) -> Result<Offset, ReplicaError> {
        // No role change meanwhile.
        let _transition = self.transitions.read().unwrap_or_else(PoisonError::into_inner);
        let high_watermark = self.leader_in(&self.state().role, current_epoch)?.high_watermark();
        Ok(self.log.delete_records_before(offset.unwrap_or(high_watermark), high_watermark)?)
    }

    /// Deletes what retention and the log's start give up, on a leader and on a follower alike. Waits for the disk.
    pub fn enforce_retention(&self) -> Result<RetentionPlan, LogError> {
        self.log.enforce_retention(self.high_watermark())
    }

    /// A follower gives up what its leader has given up, as far as it knows it to be committed.
    pub(super) fn follow_leaders_start(&self, leader_start: Offset) -> Result<(), ReplicaError> {
        let high_watermark = self.high_watermark();
        self.log.delete_records_before(leader_start.min(high_watermark), high_watermark)?;
        Ok(())
    }
}
