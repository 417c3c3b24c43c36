//! Transactions as a log sees them: where the first that is not decided begins, and which were aborted (Kafka's UnifiedLog,
//! ProducerStateManager).
//!
//! The log knows no high watermark; who asks brings it along. A transaction counts as decided once its marker lies below it.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};

use logdyno_record::batch::control::EndTransactionMarker;
use logdyno_record::{LeaderEpoch, Offset};

use super::{Appended, Log, Result, Slice};
use crate::error::LogError;
use crate::index::AbortedTransaction;
use crate::producers::Producers;

/// Says that no transaction is undecided.
pub(super) const ALL_STABLE: i64 = i64::MAX;

/// The transactions that are not decided.
#[derive(Default)]
pub(super) struct Undecided {
    /// Where the first of those without a marker begins.
    open: Option<Offset>,
    /// Those whose marker need not be below the high watermark yet: first offsets, and those of the markers.
    ended: BTreeMap<Offset, Offset>,
}

impl Undecided {
    fn first(&self) -> Option<Offset> {
        let ended = self.ended.keys().next().copied();
        self.open.into_iter().chain(ended).min()
    }
}

impl Log {
    /// The last stable offset (LSO): everything before it is committed, and of no transaction that is still undecided.
    pub fn last_stable_offset(&self, high_watermark: Offset) -> Offset {
        self.note_high_watermark(high_watermark);
        let first = Offset(self.first_undecided.load(Ordering::Acquire));
        first.max(self.start_offset()).min(high_watermark)
    }

    /// Transactions that ended below the high watermark are decided from here on. Costs nothing where there are none.
    pub fn note_high_watermark(&self, high_watermark: Offset) {
        if self.first_undecided.load(Ordering::Acquire) == ALL_STABLE {
            return;
        }
        let mut undecided = self.undecided();
        undecided.ended.retain(|_, marker| *marker >= high_watermark);
        self.publish(&undecided);
    }

    /// The aborted transactions that have records in `from..up_to`, in the order of their markers, of which none is at or behind `up_to`
    /// if that is the last stable offset.
    pub fn aborted_transactions(&self, from: Offset, up_to: Offset) -> Vec<AbortedTransaction> {
        let segments = self.segments();
        let at = segments.partition_point(|segment| segment.base <= from).saturating_sub(1);
        let mut found = Vec::new();
        for segment in &segments[at.min(segments.len())..] {
            if segment.contents().aborted.collect(from, up_to, &mut found) {
                break;
            }
        }
        found
    }

    /// As [`Log::aborted_transactions`], of what was read from `from` on.
    pub fn aborted_in(&self, from: Offset, read: &Slice) -> Vec<AbortedTransaction> {
        // Most logs have none: then nobody need look for the end.
        let any = self.segments().iter().any(|segment| !segment.contents().aborted.entries().is_empty());
        match read.end().filter(|_| any) {
            Some(end) => self.aborted_transactions(from, end),
            None => Vec::new(),
        }
    }

    /// Ends a producer's transaction as leader: appends its marker (WriteTxnMarkers).
    ///
    /// # Errors
    /// [`LogError::ProducerFenced`] and [`LogError::CoordinatorFenced`] if a later epoch of either was seen.
    pub fn append_marker(
        &self,
        producer_id: i64,
        producer_epoch: i16,
        marker: EndTransactionMarker,
        epoch: LeaderEpoch,
    ) -> Result<Appended> {
        let batch = marker.batch(producer_id, producer_epoch, self.clock.wall_ms());
        let batch = batch.map_err(|source| LogError::Batch { partition: self.partition.clone(), source })?;
        self.append_as_leader(&batch, epoch)
    }

    /// Takes over from the producers what is open and what has ended since.
    pub(super) fn note_transactions(&self, producers: &mut Producers) {
        let mut undecided = self.undecided();
        undecided.open = producers.first_open();
        undecided.ended.extend(producers.take_ended());
        self.publish(&undecided);
    }

    /// As [`Log::note_transactions`] of a log that is not what it was.
    pub(super) fn reset_transactions(&self, producers: &mut Producers) {
        *self.undecided() = Undecided::default();
        self.note_transactions(producers);
    }

    fn publish(&self, undecided: &Undecided) {
        let first = undecided.first().map_or(ALL_STABLE, |first| first.0);
        self.first_undecided.store(first, Ordering::Release);
    }

    fn undecided(&self) -> MutexGuard<'_, Undecided> {
        self.undecided.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
