//! A round of compaction: what is read and written goes on beside appends, reads, retention and truncation; only the
//! swaps keep the latter two out.

use std::collections::HashMap;
use std::sync::{Arc, MutexGuard, PoisonError};

use logdyno_record::Offset;
use logdyno_storage::StorageError;

use super::{Log, Result};
use crate::compaction::filter::{Filter, LastOfProducer};
use crate::compaction::plan::{CompactionMoment, group_segments, plan_compaction};
use crate::compaction::rewrite::{Throttle, Unwritten, rewrite};
use crate::compaction::{Compaction, CompactionLimits, CompactionPlan, OffsetMap, Transactions, swap};
use crate::config::LogConfig;
use crate::names::{self, Kind};
use crate::producers::loading;
use crate::segment::{Contents, Segment};

/// What is remembered from one round to the next.
#[derive(Default)]
pub(super) struct Cleaner {
    cleaned: Option<Offset>,
    is_at_work: bool,
}

impl Cleaner {
    /// Takes over what was written down.
    pub(super) fn resume(&mut self, cleaned: Option<Offset>) {
        self.cleaned = cleaned;
    }

    /// The log ends at `end` now.
    pub(super) fn lower(&mut self, end: Offset) {
        self.cleaned = self.cleaned.map(|cleaned| cleaned.min(end));
    }
}

impl Log {
    /// What a round would clean now, if one is due. Nothing at or behind the last stable offset is touched.
    pub fn compaction_due(&self, high_watermark: Offset) -> Option<CompactionPlan> {
        self.plan_of(&self.segments(), self.last_stable_offset(high_watermark))
    }

    /// Compacts the log if that is due, and says what it did. Waits for the disk; appends, reads and deletions go on.
    ///
    /// A round that a truncation or deletion comes across is given up: the next one starts anew. One at a time: a second
    /// call while one is at work does nothing.
    pub fn compact(&self, high_watermark: Offset, limits: &CompactionLimits) -> Result<Option<Compaction>> {
        if std::mem::replace(&mut self.cleaner().is_at_work, true) {
            return Ok(None);
        }
        let done = self.round(self.last_stable_offset(high_watermark), limits);
        self.cleaner().is_at_work = false;
        done
    }

    fn round(&self, stable: Offset, limits: &CompactionLimits) -> Result<Option<Compaction>> {
        self.await_rolled();
        let segments = self.segments();
        let Some(plan) = self.plan_of(&segments, stable) else { return Ok(None) };
        let mut throttle = Throttle::new(Arc::clone(&self.clock), limits.io_bytes_per_second);
        let cleanable: Vec<_> =
            segments.iter().take_while(|segment| segment.base < plan.first_uncleanable).cloned().collect();
        let (latest, end) = match self.map_keys(&cleanable, &plan, limits, &mut throttle) {
            Ok(mapped) => mapped,
            Err(unwritten) => return self.given_up(unwritten),
        };
        let mut touched: Vec<_> = cleanable.into_iter().filter(|segment| segment.base < end).collect();
        let facts = self.segment_facts(&segments[..(touched.len() + 1).min(segments.len())]);
        // What a swap removes stays open as long as somebody holds it.
        drop(segments);
        let config = self.config();
        let filter = Filter {
            latest: &latest,
            end,
            now_ms: self.clock.wall_ms(),
            delete_retention_ms: config.delete_retention_ms,
            last_of_producers: &self.last_of_producers(),
        };
        let begin = touched.first().map_or(plan.first_dirty, |first| first.base);
        let mut transactions = Transactions::new(self.aborted_transactions(begin, plan.first_uncleanable));
        let bytes = |segments: &[Arc<Segment>]| segments.iter().map(|segment| segment.contents().size).sum::<u64>();
        let (segments_before, bytes_before, mut bytes_after, mut segments_after) =
            (touched.len(), bytes(&touched), 0, 0);
        for group in group_segments(&facts[..touched.len()], &config) {
            let group: &[_] = &touched.drain(..group.len()).collect::<Vec<_>>();
            let goes_on = || self.writing().writer.is_some();
            let contents =
                match rewrite(&*self.storage, &config, group, &filter, &mut transactions, &mut throttle, &goes_on) {
                    Ok(contents) => contents,
                    Err(unwritten) => return self.given_up(unwritten),
                };
            bytes_after += contents.size;
            segments_after += 1;
            if !self.swap_in(group, contents)? {
                return Ok(None);
            }
        }
        self.note_cleaned(end)?;
        Ok(Some(Compaction { cleaned_to: end, bytes_before, bytes_after, segments_before, segments_after }))
    }

    fn plan_of(&self, segments: &[Arc<Segment>], stable: Offset) -> Option<CompactionPlan> {
        let moment = CompactionMoment {
            now_ms: self.clock.wall_ms(),
            stable,
            log_start: self.start_offset(),
            log_end: self.end_offset(),
            checkpoint: self.cleaner().cleaned,
        };
        let (config, mut facts) = (self.config(), self.segment_facts(segments));
        if config.cleanup_policy.compact && config.max_compaction_lag_ms < LogConfig::default().max_compaction_lag_ms {
            let dirty = segments.iter().zip(&mut facts).filter(|(_, facts)| facts.end > moment.first_dirty());
            dirty.for_each(|(segment, facts)| facts.first_timestamp_ms = self.first_timestamp(segment));
        }
        plan_compaction(&facts, &config, moment)
    }

    /// Of a segment's first batch; a round that reads the segment will say what is wrong with it.
    fn first_timestamp(&self, segment: &Segment) -> Option<i64> {
        let read = segment.first_timestamp().map_err(|error| self.walk_error(segment, error));
        read.unwrap_or_else(|error| {
            tracing::warn!(partition = %self.partition, "{} has no age for max.compaction.lag.ms: {error}", segment.file());
            None
        })
    }

    /// Rolled segments whose files are at their length may be read as a whole.
    fn await_rolled(&self) {
        let _upkeep = self.upkeep();
        let closing = std::mem::take(&mut self.writing().closing);
        self.await_closed(closing);
    }

    /// The last offset of each key in the dirty part, and the offset up to which they fit into memory.
    fn map_keys(
        &self,
        segments: &[Arc<Segment>],
        plan: &CompactionPlan,
        limits: &CompactionLimits,
        throttle: &mut Throttle,
    ) -> std::result::Result<(OffsetMap, Offset), Unwritten> {
        let offsets = u64::try_from(plan.first_uncleanable - plan.first_dirty).unwrap_or(0);
        let mut map = OffsetMap::new(limits.map_bytes, offsets);
        let mut transactions = Transactions::new(self.aborted_transactions(plan.first_dirty, plan.first_uncleanable));
        for segment in segments.iter().filter(|segment| segment.contents().next > plan.first_dirty) {
            let mut walk = self.walk(segment, plan.first_dirty.max(segment.base));
            while let Some(batch) = walk.next() {
                let unreadable = |error| Unwritten::Walk(Arc::clone(segment), error);
                let batch = batch.map_err(unreadable)?;
                throttle.took(batch.size());
                let header = batch.header();
                let position = walk.position() - batch.size() as u64;
                let damaged = |source| unreadable(crate::log::walk::WalkError::Batch { position, source });
                // What an aborted transaction wrote must not hide what was there before it.
                let is_aborted = if header.is_control() {
                    transactions.is_marker_of_nothing(&batch).map(|_| true).map_err(damaged)?
                } else {
                    transactions.is_aborted(header)
                };
                if is_aborted || header.next_offset() <= plan.first_dirty {
                    continue;
                }
                for record in &batch.records().map_err(damaged)? {
                    let record = record.map_err(damaged)?;
                    let Some(key) = record.key.filter(|_| record.offset >= plan.first_dirty) else { continue };
                    if !map.put(key, record.offset) {
                        return Ok((map, record.offset));
                    }
                }
            }
        }
        Ok((map, plan.first_uncleanable))
    }

    fn last_of_producers(&self) -> HashMap<i64, LastOfProducer> {
        let writing = self.writing();
        let last = writing.producers.iter().map(|(id, producer)| {
            let marker = LastOfProducer::Marker { epoch: producer.epoch };
            (id, producer.last().map_or(marker, |last| LastOfProducer::Data(last.last_offset)))
        });
        last.collect()
    }

    /// Puts what is left of a group in its place; `false` if the group is not what the log consists of any more.
    fn swap_in(&self, group: &[Arc<Segment>], contents: Contents) -> Result<bool> {
        let _upkeep = self.upkeep();
        let error = |source| self.storage_error(source);
        let (base, end) = (contents.base, contents.next);
        let segments = self.segments();
        let at = segments.iter().position(|segment| segment.base == base).unwrap_or(segments.len());
        let still = segments
            .get(at..at + group.len())
            .is_some_and(|now| now.iter().zip(group).all(|(now, then)| Arc::ptr_eq(now, then)));
        if !still || self.writing().writer.is_none() {
            self.storage.remove(&names::cleaned(base)).map_err(error)?;
            return Ok(false);
        }
        drop(segments);
        // They may speak of a transaction whose marker is gone with this swap: who started from one would wait for that for ever.
        loading::remove_open_before(&*self.storage, end).map_err(error)?;
        swap::decide(&*self.storage, base).map_err(error)?;
        swap::finish(&*self.storage, base, end).map_err(error)?;
        let reader = self.storage.reader(&names::file(base, Kind::Log)).map_err(error)?;
        let segment = Arc::new(Segment::new(base, reader, contents));
        match segment.write_indexes(&*self.storage) {
            // They are rebuilt at the next start; until then they are in memory.
            Err(StorageError::NoSpace { path }) => tracing::warn!("no space for {}", path.display()),
            written => written.map_err(error)?,
        }
        group.iter().for_each(|old| old.retire());
        let mut segments = self.segments.write().unwrap_or_else(PoisonError::into_inner);
        segments.splice(at..at + group.len(), [segment]);
        Ok(true)
    }

    fn note_cleaned(&self, end: Offset) -> Result<()> {
        // Not across a truncation, which lowers it.
        let _upkeep = self.upkeep();
        let end = end.min(self.end_offset());
        self.cleaner().cleaned = Some(end);
        self.checkpoints.get().map_or(Ok(()), |checkpoints| checkpoints.cleaned_to(end))
    }

    fn given_up(&self, unwritten: Unwritten) -> Result<Option<Compaction>> {
        match unwritten {
            Unwritten::Stopped => Ok(None),
            Unwritten::Storage(source) => Err(self.storage_error(source)),
            // Bytes under a segment that left the log meanwhile may be anything.
            Unwritten::Walk(segment, _) if !self.has(&segment) => Ok(None),
            Unwritten::Walk(segment, error) => Err(self.walk_error(&segment, error)),
        }
    }

    fn has(&self, segment: &Arc<Segment>) -> bool {
        self.segments().iter().any(|known| Arc::ptr_eq(known, segment))
    }

    pub(super) fn cleaner(&self) -> MutexGuard<'_, Cleaner> {
        self.cleaner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
