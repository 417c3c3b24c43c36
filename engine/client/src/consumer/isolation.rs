//! Which batches of a fetched run surface: not control batches, and with `read_committed` not aborted ones.

use std::collections::{HashSet, VecDeque};

use logdyno_record::batch::control::ControlType;
use logdyno_record::{Batch, Offset};

/// The transactions that a broker says were aborted within a fetched run of batches.
#[derive(Debug, Default)]
pub(crate) struct Aborted {
    /// (first offset, producer id), ascending.
    to_come: VecDeque<(Offset, i64)>,
    open: HashSet<i64>,
}

/// Whether the application sees a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Visibility {
    /// It does.
    Shown,
    /// It does not: only the position moves on.
    Skipped,
}

impl Aborted {
    /// With `read_committed`: the answer's list of (producer id, first offset). Else pass an empty list.
    pub(crate) fn new(list: impl IntoIterator<Item = (i64, i64)>) -> Aborted {
        let mut to_come: Vec<(Offset, i64)> = list.into_iter().map(|(id, first)| (Offset(first), id)).collect();
        to_come.sort_unstable();
        Aborted { to_come: to_come.into(), open: HashSet::new() }
    }

    /// Judges the batches of the run, one after another.
    pub(crate) fn judge(&mut self, batch: &Batch) -> Visibility {
        let header = batch.header();
        while let Some((first, producer)) = self.to_come.front().copied() {
            if first > header.last_offset() {
                break;
            }
            self.open.insert(producer);
            self.to_come.pop_front();
        }
        if header.is_control() {
            if is_abort_marker(batch) {
                self.open.remove(&header.producer_id);
            }
            return Visibility::Skipped;
        }
        if header.is_transactional() && self.open.contains(&header.producer_id) {
            return Visibility::Skipped;
        }
        Visibility::Shown
    }
}

fn is_abort_marker(batch: &Batch) -> bool {
    let Ok(records) = batch.records() else { return false };
    let Some(Ok(marker)) = records.iter().next() else { return false };
    ControlType::parse(marker.key).is_ok_and(|control| control == ControlType::Abort)
}
