//! Look-ups by time. They read batches and may look inside compressed ones: call them where waiting is allowed.

use std::sync::Arc;

use logdyno_record::batch::{Batch, TimestampType};
use logdyno_record::{LeaderEpoch, Offset};

use super::walk::{Walk, WalkError};
use super::{Log, Result};
use crate::error::LogError;
use crate::segment::Segment;

/// A record found by its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampOffset {
    /// Its timestamp, in ms since 1970.
    pub timestamp: i64,
    /// Its offset.
    pub offset: Offset,
    /// The epoch of the leader that wrote it, [`LeaderEpoch::NONE`] where that is not known.
    pub epoch: LeaderEpoch,
}

impl Log {
    /// The first record before `up_to` that is as young as `timestamp` or younger (ListOffsets by time).
    pub fn offset_for_time(&self, timestamp: i64, up_to: Offset) -> Result<Option<TimestampOffset>> {
        for segment in self.segments() {
            let young = segment.contents().max_timestamp.is_some_and(|(max, _)| max >= timestamp);
            if !young {
                continue;
            }
            let from = segment.contents().times.floor(segment.base, timestamp).unwrap_or(segment.base);
            let from = from.max(self.start_offset());
            if let Some(found) = self.first_in(&segment, from, up_to, |time| time >= timestamp)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The first of the youngest records before `up_to` (ListOffsets' MAX_TIMESTAMP, KIP-734).
    pub fn offset_of_max_timestamp(&self, up_to: Offset) -> Result<Option<TimestampOffset>> {
        let mut youngest: Option<(i64, Arc<Segment>)> = None;
        for segment in self.segments().into_iter().filter(|segment| segment.base < up_to) {
            let Some(max) = self.max_timestamp(&segment, up_to)? else { continue };
            if youngest.as_ref().is_none_or(|(before, _)| max > *before) {
                youngest = Some((max, segment));
            }
        }
        match youngest {
            Some((max, segment)) => {
                let from = segment.base.max(self.start_offset());
                self.first_in(&segment, from, up_to, |time| time == max)
            }
            None => Ok(None),
        }
    }

    /// The greatest timestamp of a segment's batches before `up_to`.
    fn max_timestamp(&self, segment: &Segment, up_to: Offset) -> Result<Option<i64>> {
        let (next, max, start) = (segment.contents().next, segment.contents().max_timestamp, self.start_offset());
        if next <= up_to && segment.base >= start {
            return Ok(max.map(|(timestamp, _)| timestamp));
        }
        let mut greatest = None;
        let mut walk = self.walk(segment, start.max(segment.base));
        while let Some(batch) = walk.next() {
            let batch = batch.map_err(|error| self.walk_error(segment, error))?;
            if batch.header().next_offset() > up_to {
                break;
            }
            if batch.header().last_offset() < start || batch.header().count == 0 {
                continue;
            }
            let whole = batch.header().base_offset >= start;
            let within = if whole { Some(batch.header().max_timestamp) } else { self.max_in(&batch, start)? };
            greatest = greatest.max(within);
        }
        Ok(greatest)
    }

    /// The greatest timestamp of a batch's records from `start` on.
    fn max_in(&self, batch: &Batch, start: Offset) -> Result<Option<i64>> {
        let mut greatest = None;
        self.first_record(batch, start, &mut |time| {
            greatest = greatest.max(Some(time));
            false
        })?;
        Ok(greatest)
    }

    /// The first record of a segment, in batches from the one that holds `from`, whose time is `wanted`.
    fn first_in(
        &self,
        segment: &Segment,
        from: Offset,
        up_to: Offset,
        mut wanted: impl FnMut(i64) -> bool,
    ) -> Result<Option<TimestampOffset>> {
        let mut walk = self.walk(segment, from);
        while let Some(batch) = walk.next() {
            let batch = batch.map_err(|error| self.walk_error(segment, error))?;
            if batch.header().base_offset >= up_to {
                return Ok(None);
            }
            // Markers count, as in Kafka: the youngest record of a topic may be one.
            if batch.header().last_offset() < from || batch.header().count == 0 {
                continue;
            }
            if let Some(found) = self.first_record(&batch, from, &mut wanted)?.filter(|found| found.offset < up_to) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The first record of a batch at or behind `from` whose time is `wanted`.
    fn first_record(
        &self,
        batch: &Batch,
        from: Offset,
        wanted: &mut impl FnMut(i64) -> bool,
    ) -> Result<Option<TimestampOffset>> {
        let (header, epoch) = (batch.header(), batch.header().leader_epoch);
        if header.timestamp_type() == TimestampType::LogAppendTime {
            let (timestamp, offset) = (header.max_timestamp, header.base_offset.max(from));
            return Ok(wanted(timestamp).then_some(TimestampOffset { timestamp, offset, epoch }));
        }
        let bad = |source| LogError::Batch { partition: self.partition.clone(), source };
        let records = batch.records().map_err(bad)?;
        for record in &records {
            let record = record.map_err(bad)?;
            if record.offset >= from && wanted(record.timestamp) {
                return Ok(Some(TimestampOffset { timestamp: record.timestamp, offset: record.offset, epoch }));
            }
        }
        Ok(None)
    }

    /// A walk from the index entry before `from`.
    pub(super) fn walk(&self, segment: &Segment, from: Offset) -> Walk {
        let contents = segment.contents();
        Walk::new(Arc::clone(&segment.reader), contents.offsets.floor(segment.base, from), contents.size)
    }

    pub(super) fn walk_error(&self, segment: &Segment, error: WalkError) -> LogError {
        let (position, why) = match error {
            WalkError::Storage(source) => return self.storage_error(source),
            WalkError::Batch { position, source } => (position, source.to_string()),
            WalkError::Zeros { position } => (position, "only zeros".to_owned()),
        };
        let (partition, recovery_point) = (self.partition.clone(), self.recovery_point());
        LogError::Corrupt { partition, file: segment.file(), position, why, recovery_point }
    }
}
