//! A segment that need not be walked: its indexes say all that is known of it, and its last batches that they do not lie.

use std::collections::VecDeque;
use std::sync::Arc;

use logdyno_record::Offset;
use logdyno_record::batch::Batch;
use logdyno_record::batch::control::{ControlType, EndTransactionMarker};
use logdyno_storage::Reader;

use super::{Loaded, Loader};
use crate::error::LogError;
use crate::index::{AbortedTransaction, OffsetIndex, TimeIndex, TransactionIndex};
use crate::log::walk::Walk;
use crate::names::{self, Kind};
use crate::segment::Contents;

/// Segments whose ends are being read while that of another is looked at, and as many more whose indexes are.
const AHEAD: usize = 8;

/// What a segment's indexes say of it.
pub(super) struct Claim {
    base: Offset,
    reader: Arc<dyn Reader>,
    offsets: OffsetIndex,
    times: TimeIndex,
    aborted: TransactionIndex,
    aborted_file: bool,
}

impl Claim {
    /// An empty file needs no indexes.
    fn of_nothing(base: Offset, reader: Arc<dyn Reader>) -> Claim {
        let (offsets, times, aborted) = Default::default();
        Claim { base, reader, offsets, times, aborted, aborted_file: false }
    }
}

/// Claims of the segments that come next.
#[derive(Default)]
pub(super) struct Claims {
    ahead: VecDeque<Result<Option<Claim>, LogError>>,
    /// So many segments' indexes are being read, or have been.
    prefetched: usize,
}

impl Claims {
    /// The claim of the first of `bases`, which is left out the next time; `None` if its segment has to be walked.
    pub(super) fn next(&mut self, loader: &Loader, bases: &[Offset]) -> Result<Option<Claim>, LogError> {
        let may_trust = |at: usize| loader.may_trust(bases.get(at + 1).copied());
        let prefetched = bases.len().min(2 * AHEAD);
        (self.prefetched..prefetched).filter(|at| may_trust(*at)).for_each(|at| loader.prefetch(bases[at]));
        self.prefetched = prefetched.saturating_sub(1);
        for (at, base) in bases.iter().enumerate().take(AHEAD).skip(self.ahead.len()) {
            // What is wrong with one is said when it is its turn: a segment before it may end the log.
            self.ahead.push_back(if may_trust(at) { loader.claim(*base) } else { Ok(None) });
        }
        self.ahead.pop_front().unwrap_or(Ok(None))
    }
}

impl Loader<'_> {
    /// Whether a segment that ends at `next` was brought to its end before the log's.
    fn may_trust(&self, next: Option<Offset>) -> bool {
        self.recovery.clean_shutdown || next.is_some_and(|next| next <= self.recovery.recovery_point)
    }

    /// Has a segment's indexes read.
    fn prefetch(&self, base: Offset) {
        [Kind::OffsetIndex, Kind::TimeIndex]
            .into_iter()
            .for_each(|kind| self.storage.prefetch(&names::file(base, kind)));
    }

    /// Loads the indexes of a segment, and has what lies behind their last entry read. `None` if they say nothing.
    fn claim(&self, base: Offset) -> Result<Option<Claim>, LogError> {
        let error = |source| self.storage_error(source);
        let reader = self.storage.reader(&names::file(base, Kind::Log)).map_err(error)?;
        if reader.is_empty() {
            return Ok(Some(Claim::of_nothing(base, reader)));
        }
        let load = |kind| self.storage.load(&names::file(base, kind)).map_err(error);
        let (Some(offsets), Some(times)) = (load(Kind::OffsetIndex)?, load(Kind::TimeIndex)?) else { return Ok(None) };
        let aborted = load(Kind::TransactionIndex)?;
        let aborted_file = aborted.is_some();
        let aborted = TransactionIndex::decode(&aborted.unwrap_or_default(), base);
        let (Ok(offsets), Ok(times), Ok(aborted)) =
            (OffsetIndex::decode(&offsets, reader.len()), TimeIndex::decode(&times), aborted)
        else {
            tracing::warn!(partition = %self.partition, segment = base.0, "an index is damaged: rebuilding it");
            return Ok(None);
        };
        reader.prefetch(offsets.last_position(), (reader.len() - offsets.last_position()) as usize);
        Ok(Some(Claim { base, reader, offsets, times, aborted, aborted_file }))
    }

    /// A segment whose file ends where it says and whose indexes are sound: only what lies behind the last index
    /// entry is read.
    pub(super) fn trust(&mut self, claim: Claim) -> Result<Option<Loaded>, LogError> {
        let Claim { base, reader, offsets, times, aborted, aborted_file } = claim;
        let len = reader.len();
        let mut contents = Contents::new(base, self.config, self.now_ms);
        contents.aborted_file = aborted_file;
        if len == 0 {
            return Ok(Some(Loaded { contents, reader: Some(reader), cut: false }));
        }
        let Some((max, max_offset)) = times.last(base) else { return Ok(None) };
        let mut walk = Walk::new(Arc::clone(&reader), offsets.last_position(), len);
        let mut greatest = max;
        let mut indexed = offsets.last(base);
        while let Some(batch) = walk.next() {
            let Ok(batch) = batch else { return Ok(None) };
            if indexed.take().is_some_and(|last| last != batch.header().last_offset()) {
                return Ok(None);
            }
            if !self.recovery.clean_shutdown && is_abort(&batch) && !aborted.has_marker(batch.header().base_offset) {
                // The indexes are those of an earlier close.
                return Ok(None);
            }
            self.report.bytes_read += batch.size() as u64;
            if batch.header().count > 0 {
                greatest = greatest.max(batch.header().max_timestamp);
            }
            contents.next = batch.header().next_offset();
        }
        let beyond = |entry: &AbortedTransaction| entry.last_offset >= contents.next;
        if max_offset >= contents.next || greatest > max || aborted.entries().last().is_some_and(beyond) {
            return Ok(None);
        }
        contents.aborted = aborted;
        contents.resume(offsets, times, len);
        Ok(Some(Loaded { contents, reader: Some(reader), cut: false }))
    }
}

/// Whether a batch is a marker that aborts a transaction.
fn is_abort(batch: &Batch) -> bool {
    let marker = EndTransactionMarker::of(batch).ok().flatten();
    marker.is_some_and(|marker| marker.control_type == ControlType::Abort)
}
