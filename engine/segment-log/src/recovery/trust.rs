//! A segment that need not be walked: its indexes say all that is known of it.

use std::sync::Arc;

use logdyno_record::Offset;
use logdyno_record::batch::Batch;
use logdyno_record::batch::control::{ControlType, EndTransactionMarker};

use super::Loader;
use crate::error::LogError;
use crate::index::{AbortedTransaction, OffsetIndex, TimeIndex, TransactionIndex};
use crate::log::walk::Walk;
use crate::names::{self, Kind};
use crate::segment::Contents;

impl Loader<'_> {
    /// A segment whose file ends where it says and whose indexes are sound: only what lies behind the last index
    /// entry is read.
    pub(super) fn trust(&mut self, base: Offset) -> Result<Option<Contents>, LogError> {
        let reader = self.storage.reader(&names::file(base, Kind::Log)).map_err(|source| self.storage_error(source))?;
        let len = reader.len();
        let mut contents = Contents::new(base, self.config, self.now_ms);
        if len == 0 {
            return Ok(Some(contents));
        }
        let load = |kind| self.storage.load(&names::file(base, kind)).map_err(|source| self.storage_error(source));
        let (Some(offsets), Some(times)) = (load(Kind::OffsetIndex)?, load(Kind::TimeIndex)?) else { return Ok(None) };
        let aborted = load(Kind::TransactionIndex)?;
        contents.aborted_file = aborted.is_some();
        let aborted = TransactionIndex::decode(&aborted.unwrap_or_default(), base);
        let (Ok(offsets), Ok(times), Ok(aborted)) =
            (OffsetIndex::decode(&offsets, len), TimeIndex::decode(&times), aborted)
        else {
            tracing::warn!(partition = %self.partition, segment = base.0, "an index is damaged: rebuilding it");
            return Ok(None);
        };
        let Some((max, max_offset)) = times.last(base) else { return Ok(None) };
        let Some(first) = Walk::new(Arc::clone(&reader), 0, len).next().and_then(Result::ok) else { return Ok(None) };
        let mut walk = Walk::new(reader, offsets.last_position(), len);
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
        contents.resume(offsets, times, len, first.header().max_timestamp);
        Ok(Some(contents))
    }
}

/// Whether a batch is a marker that aborts a transaction.
fn is_abort(batch: &Batch) -> bool {
    let marker = EndTransactionMarker::of(batch).ok().flatten();
    marker.is_some_and(|marker| marker.control_type == ControlType::Abort)
}
