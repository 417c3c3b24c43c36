//! The log's front: what retention and DeleteRecords take away.
//!
//! A segment leaves the list under the `writing` lock, and what waits for the disk comes after: its files are renamed,
//! and removed once `file.delete.delay.ms` has passed. What fails is tried again in the next round. Its readers keep what they have open.
//! `upkeep` is held all the while: nothing else renames or makes files of the log.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use logdyno_record::{Nanos, Offset};
use logdyno_storage::StorageError;

use super::{Closing, Log, Result, Writing};
use crate::error::LogError;
use crate::names::{self, Kind};
use crate::retention::{RetentionMoment, RetentionPlan, SegmentFacts, plan_retention};
use crate::segment::Segment;

/// What has left the list and is still on the disk.
#[derive(Default)]
pub(super) struct Doomed {
    /// Bases of segments whose files have their names yet.
    named: Vec<Offset>,
    /// Files that wait for their removal, and from when on they may go.
    files: Vec<(Nanos, String)>,
}

impl Log {
    /// Moves the log's start up to `offset` (DeleteRecords), durably where the log lies in a data directory; returns
    /// the start then. Whole segments below it go with the next [`Log::enforce_retention`].
    ///
    /// # Errors
    /// [`LogError::OutOfRange`] above `high_watermark`: what is not committed cannot be deleted.
    pub fn delete_records_before(&self, offset: Offset, high_watermark: Offset) -> Result<Offset> {
        let (start, end) = (self.start_offset(), self.end_offset().min(high_watermark));
        if offset > end {
            return Err(LogError::OutOfRange { partition: self.partition.clone(), offset, start, end });
        }
        if offset <= start {
            return Ok(start);
        }
        let _upkeep = self.upkeep();
        if offset > self.start_offset() {
            if let Some(checkpoints) = self.checkpoints.get() {
                checkpoints.start_raised(offset)?;
            }
            self.start.fetch_max(offset.0, Ordering::AcqRel);
            self.cut_epochs_front();
        }
        Ok(self.start_offset())
    }

    /// Deletes the segments that the settings and the log's start give up, and says which reasons it had.
    ///
    /// Waits for the disk, but no append waits with it.
    pub fn enforce_retention(&self, high_watermark: Offset) -> Result<RetentionPlan> {
        let _upkeep = self.upkeep();
        // Those of a round before whose files could not be renamed.
        let doomed = self.doom();
        let (plan, closing) = {
            let mut writing = self.writing();
            let Some(plan) = self.retention_due(&writing, high_watermark) else {
                return doomed.map(|()| RetentionPlan::default());
            };
            self.take_front(&mut writing, plan.segments());
            (plan, std::mem::take(&mut writing.closing))
        };
        self.await_closed(closing);
        self.doom()?;
        self.cut_epochs_front();
        Ok(plan)
    }

    /// Whether files of segments that have left the list still have their names: after a crash now, they would be in it.
    pub(super) fn has_named_files_before_start(&self) -> bool {
        !self.doomed().named.is_empty()
    }

    /// Removes the files of deleted segments whose `file.delete.delay.ms` is over; returns how many.
    pub fn remove_deleted(&self) -> Result<usize> {
        let now = self.clock.now();
        let mut due: Vec<(Nanos, String)> = self.doomed().files.extract_if(.., |(at, _)| *at <= now).collect();
        if due.is_empty() {
            return Ok(0);
        }
        let present = self.storage.list().map_err(|source| {
            self.doomed().files.append(&mut due);
            self.storage_error(source)
        })?;
        let (count, mut outcome) = (due.len(), Ok(()));
        let mut kept = Vec::new();
        for (at, name) in due {
            // A removal may fail when the name is gone already.
            if present.contains(&name)
                && let Err(source) = self.storage.remove(&name)
            {
                outcome = outcome.and(Err(self.storage_error(source)));
                kept.push((at, name));
            }
        }
        let removed = count - kept.len();
        self.doomed().files.extend(kept);
        outcome.map(|()| removed)
    }

    fn retention_due(&self, writing: &Writing, high_watermark: Offset) -> Option<RetentionPlan> {
        if writing.writer.is_none() || writing.broken.is_some() {
            return None;
        }
        let now_ms = self.clock.wall_ms();
        let moment = RetentionMoment { now_ms, high_watermark, log_start: self.start_offset() };
        let plan = plan_retention(&self.segment_facts(&self.segments()), &self.config(), moment);
        (plan.segments() > 0).then_some(plan)
    }

    /// Waits for rolled segments whose files are being cut to their length, and whose indexes are being written.
    pub(super) fn await_closed(&self, closing: Vec<Closing>) {
        for handle in closing {
            if let Err(error) = self.joined(handle) {
                self.break_off(&mut self.writing(), error);
            }
        }
    }

    /// What decisions need to know of these segments, of which the last is the active one.
    pub(super) fn segment_facts(&self, segments: &[Arc<Segment>]) -> Vec<SegmentFacts> {
        let end = self.end_offset();
        let ends = segments.iter().skip(1).map(|next| next.base).chain([end]);
        let facts = segments.iter().zip(ends).map(|(segment, end)| {
            let contents = segment.contents();
            SegmentFacts {
                base: segment.base,
                end,
                bytes: contents.size,
                index_bytes: contents.offsets.size().max(contents.times.size()),
                first_timestamp_ms: None,
                largest_timestamp_ms: contents.largest_timestamp_ms(),
            }
        });
        facts.collect()
    }

    /// Takes the first `count` segments out of the list. The start goes first: whoever sees the new list sees the new start.
    fn take_front(&self, writing: &mut Writing, count: usize) {
        let mut count = count;
        if count == self.segments().len()
            && let Err(error) = self.roll(writing)
        {
            // A full disk must not keep retention from freeing it.
            tracing::warn!(partition = %self.partition, "the active segment cannot be rolled for its deletion, and stays: {error}");
            count -= 1;
        }
        let segments = self.segments();
        self.start.fetch_max(segments[count].base.0, Ordering::AcqRel);
        segments[..count].iter().for_each(|segment| segment.retire());
        self.doomed().named.extend(segments[..count].iter().map(|segment| segment.base));
        self.set_segments(segments[count..].to_vec());
    }

    /// Renames the files of segments that have left the list; they are removed later.
    fn doom(&self) -> Result<()> {
        let due = self.clock.now().after(Duration::from_millis(self.config().file_delete_delay_ms));
        let error = |source| self.storage_error(source);
        let named = self.doomed().named.clone();
        if named.is_empty() {
            return Ok(());
        }
        let (present, mut outcome) = (self.storage.list().map_err(error)?, Ok(()));
        for base in named {
            match self.doom_segment(base, &present, due) {
                Ok(()) => self.doomed().named.retain(|other| *other != base),
                Err(source) => outcome = outcome.and(Err(error(source))),
            }
        }
        outcome
    }

    fn doom_segment(&self, base: Offset, present: &[String], due: Nanos) -> std::result::Result<(), StorageError> {
        for name in Kind::ALL.map(|kind| names::file(base, kind)) {
            let deleted = names::deleted(&name);
            if present.contains(&name) {
                self.storage.rename(&name, &deleted)?;
            }
            // A renaming may fail when it has been done, and is to become durable.
            let mut doomed = self.doomed();
            let is_there = present.contains(&name) || present.contains(&deleted);
            if is_there && !doomed.files.iter().any(|(_, known)| *known == deleted) {
                doomed.files.push((due, deleted));
            }
        }
        Ok(())
    }

    /// The checkpoint may go on saying more than is true here: the next start cuts what it reads there.
    fn cut_epochs_front(&self) {
        if let Err(error) = self.change_epochs(|epochs| epochs.truncate_front(self.start_offset())) {
            tracing::warn!(partition = %self.partition, "the epochs before the log's start are still written down: {error}");
        }
    }

    /// Held by whatever takes segments away: deletions, truncations, swaps. Before `writing`, never after it.
    pub(super) fn upkeep(&self) -> MutexGuard<'_, ()> {
        self.upkeep.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn doomed(&self) -> MutexGuard<'_, Doomed> {
        self.doomed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
