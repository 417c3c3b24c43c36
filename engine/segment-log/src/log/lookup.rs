//! Look-ups by time. They read batches and may look inside compressed ones: call them where waiting is allowed.

use std::sync::Arc;

use logdyno_record::Offset;
use logdyno_record::batch::{Batch, TimestampType};

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
            Some((max, segment)) => self.first_in(&segment, segment.base, up_to, |time| time == max),
            None => Ok(None),
        }
    }

    /// The greatest timestamp of a segment's batches before `up_to`.
    fn max_timestamp(&self, segment: &Segment, up_to: Offset) -> Result<Option<i64>> {
        let (next, max) = (segment.contents().next, segment.contents().max_timestamp);
        if next <= up_to {
            return Ok(max.map(|(timestamp, _)| timestamp));
        }
        let mut greatest = None;
        let mut walk = self.walk(segment, segment.base);
        while let Some(batch) = walk.next() {
            let batch = batch.map_err(|error| self.walk_error(segment, error))?;
            if batch.header().next_offset() > up_to {
                break;
            }
            greatest = greatest.max(Some(batch.header().max_timestamp));
        }
        Ok(greatest)
    }

    /// The first record of a segment, in batches from the one that holds `from`, whose time is `wanted`.
    fn first_in(
        &self,
        segment: &Segment,
        from: Offset,
        up_to: Offset,
        wanted: impl Fn(i64) -> bool,
    ) -> Result<Option<TimestampOffset>> {
        let mut walk = self.walk(segment, from);
        while let Some(batch) = walk.next() {
            let batch = batch.map_err(|error| self.walk_error(segment, error))?;
            if batch.header().base_offset >= up_to {
                return Ok(None);
            }
            if batch.header().last_offset() < from || batch.header().is_control() {
                continue;
            }
            if let Some(found) = self.first_record(&batch, &wanted)?.filter(|found| found.offset < up_to) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn first_record(&self, batch: &Batch, wanted: &impl Fn(i64) -> bool) -> Result<Option<TimestampOffset>> {
        let header = batch.header();
        if header.timestamp_type() == TimestampType::LogAppendTime {
            let (timestamp, offset) = (header.max_timestamp, header.base_offset);
            return Ok(wanted(timestamp).then_some(TimestampOffset { timestamp, offset }));
        }
        let bad = |source| LogError::Batch { partition: self.partition.clone(), source };
        let records = batch.records().map_err(bad)?;
        for record in &records {
            let record = record.map_err(bad)?;
            if wanted(record.timestamp) {
                return Ok(Some(TimestampOffset { timestamp: record.timestamp, offset: record.offset }));
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
