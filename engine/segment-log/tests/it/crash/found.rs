//! What a start finds, in values that can be compared.

use std::collections::BTreeMap;

use logdyno_record::batch::{Batch, batches};
use logdyno_record::{LeaderEpoch, Offset};

use logdyno_segment_log::AbortedTransaction;

use super::machine::Running;

#[derive(Clone, PartialEq)]
pub(super) struct Found {
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) high_watermark: i64,
    /// For each epoch from 0 on.
    pub(super) epoch_ends: Vec<Option<(i32, i64)>>,
    /// Epoch and last sequence.
    pub(super) producers: BTreeMap<i64, (i16, i32)>,
    pub(super) batches: Vec<Batch>,
}

impl std::fmt::Debug for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ranges = self.batches.iter().map(|batch| (batch.header().base_offset.0, batch.header().last_offset().0));
        write!(f, "{}..{}, high watermark {}, ", self.start, self.end, self.high_watermark)?;
        write!(f, "epochs end at {:?}, producers {:?}, ", self.epoch_ends, self.producers)?;
        write!(f, "batches {:?}", ranges.collect::<Vec<_>>())
    }
}

/// What a `read_committed` consumer is told.
pub(super) struct Decided {
    pub(super) stable: i64,
    pub(super) aborted: Vec<AbortedTransaction>,
}

impl Decided {
    pub(super) fn of(running: &Running) -> Decided {
        let (start, end) = (running.log.start_offset(), running.log.end_offset());
        let aborted = running.log.aborted_transactions(start, end);
        Decided { stable: running.log.last_stable_offset(end).0, aborted }
    }
}

impl Found {
    /// Reads all there is. `Err` where a read does not give what is next.
    pub(super) fn of(running: &Running, epoch_max: i32) -> Result<Found, String> {
        let log = &running.log;
        let ends = (0..=epoch_max).map(|epoch| log.end_offset_for_epoch(LeaderEpoch(epoch)));
        let producers = log.active_producers().into_iter().map(|known| (known.id, (known.epoch, known.last_sequence)));
        Ok(Found {
            start: log.start_offset().0,
            end: log.end_offset().0,
            high_watermark: running.directory.high_watermark(log.partition()).0,
            epoch_ends: ends.map(|end| end.map(|end| (end.epoch.0, end.end.0))).collect(),
            producers: producers.collect(),
            batches: read(running)?,
        })
    }

    /// The same, but for producers of which nothing can be said.
    pub(super) fn without_producers(mut self, unsaid: impl Fn(i64, i64) -> bool) -> Found {
        self.producers.retain(|id, _| !unsaid(*id, self.end));
        self
    }
}

fn read(running: &Running) -> Result<Vec<Batch>, String> {
    let (log, mut found) = (&running.log, Vec::<Batch>::new());
    let mut at = log.start_offset();
    while at < log.end_offset() {
        let slice = log.read_blocking(at, log.end_offset(), 2_000, true).map_err(|error| error.to_string())?;
        if slice.size() == 0 {
            return Err(format!("nothing can be read at {at} of {log:?}"));
        }
        for batch in batches(slice.batches.concat().into()) {
            let batch = batch.and_then(|batch| batch.verify_crc().map(|()| batch));
            let batch = batch.map_err(|error| format!("at {at}: {error}"))?;
            if batch.header().next_offset() <= at || found.last().is_some_and(|last| ends_behind(last, &batch)) {
                return Err(format!("{} comes at {at}", batch.header().base_offset));
            }
            at = batch.header().next_offset();
            found.push(batch);
        }
    }
    Ok(found)
}

fn ends_behind(last: &Batch, next: &Batch) -> bool {
    last.header().next_offset() > Offset(next.header().base_offset.0)
}
