//! ListOffsets and OffsetForLeaderEpoch.

use logdyno_record::{LeaderEpoch, Offset};
use logdyno_segment_log::TimestampOffset;

use super::{Isolation, Replica};
use crate::EpochEnd;
use crate::error::ReplicaError;

/// Which offset is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetSpec {
    /// The log start offset (-2).
    Earliest,
    /// The end (-1).
    Latest,
    /// Of the record with the largest timestamp (-3).
    MaxTimestamp,
    /// Of the first record that is not older, in milliseconds.
    Time(i64),
    /// The end of what is in tiered storage (-5): there is none.
    LatestTiered,
}

/// Who asks: a consumer sees what is committed, a replica everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// A client.
    Consumer(Isolation),
    /// Another broker that has a replica.
    Replica,
}

impl Replica {
    /// The offset asked for; `None` where no record matches (errors 6, 74, 75, 78).
    ///
    /// Searching by time reads batches and may wait for the disk: call it where that is fine.
    pub fn list_offset(
        &self,
        spec: OffsetSpec,
        asker: Asker,
        current_epoch: Option<LeaderEpoch>,
    ) -> Result<Option<TimestampOffset>, ReplicaError> {
        let (high_watermark, current, known) = {
            let state = self.state();
            let leader = self.leader_in(&state.role, current_epoch)?;
            let known = leader.high_watermark() >= leader.epoch_start();
            let not_known =
                || ReplicaError::OffsetNotAvailable { partition: self.partition.clone(), epoch: leader.epoch() };
            (leader.high_watermark(), leader.epoch(), if known { Ok(()) } else { Err(not_known()) })
        };
        let (end, known) = match asker {
            Asker::Consumer(isolation) => (self.visible_end(high_watermark, isolation), known),
            Asker::Replica => (self.log.end_offset(), Ok(())),
        };
        let position = |offset, epoch: Option<LeaderEpoch>| {
            Some(TimestampOffset { timestamp: -1, offset, epoch: epoch.unwrap_or(LeaderEpoch::NONE) })
        };
        match spec {
            OffsetSpec::LatestTiered => Ok(None),
            OffsetSpec::Earliest => Ok(position(self.log.start_offset(), self.log.epoch_of_start())),
            OffsetSpec::Latest => known.map(|()| position(end, Some(current))),
            OffsetSpec::MaxTimestamp => known.and_then(|()| Ok(self.log.offset_of_max_timestamp(end)?)),
            // What is found below the high watermark is certain, whether or not more is committed.
            OffsetSpec::Time(timestamp) => match self.log.offset_for_time(timestamp, end)? {
                Some(found) => Ok(Some(found)),
                None => known.map(|()| None),
            },
        }
    }

    /// Where the largest epoch not above `epoch` ends here (OffsetForLeaderEpoch; errors 6, 74, 75).
    pub fn end_offset_for_epoch(
        &self,
        epoch: LeaderEpoch,
        current_epoch: Option<LeaderEpoch>,
    ) -> Result<Option<EpochEnd>, ReplicaError> {
        self.leader_in(&self.state().role, current_epoch)?;
        Ok(self.log.end_offset_for_epoch(epoch))
    }

    /// The offset after the newest that a consumer may read, if this leader is sure of it (error 78 if not).
    pub fn latest_offset(&self, current_epoch: Option<LeaderEpoch>) -> Result<Offset, ReplicaError> {
        let latest =
            self.list_offset(OffsetSpec::Latest, Asker::Consumer(Isolation::ReadUncommitted), current_epoch)?;
        Ok(latest.map_or(self.high_watermark(), |found| found.offset))
    }
}
