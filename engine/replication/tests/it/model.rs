//! A partition's log as a vector, with the epoch cache and the ack level of the real one.

use logdyno_record::{LeaderEpoch, Offset};
use logdyno_replication::EpochEnd;

/// A record: the leadership that wrote it, and its content.
pub(crate) type Entry = (i32, u64);

#[derive(Clone, Debug, Default)]
pub(crate) struct ModelLog {
    pub(crate) entries: Vec<Entry>,
    /// How many entries survive a crash.
    pub(crate) ack_end: usize,
    /// Where epochs start, as the epoch checkpoint has it.
    epochs: Vec<(i32, usize)>,
}

impl ModelLog {
    pub(crate) fn of(entries: &[Entry]) -> ModelLog {
        let mut log = ModelLog::default();
        log.extend(entries);
        log.settle();
        log
    }

    pub(crate) fn end(&self) -> Offset {
        Offset(i64::try_from(self.entries.len()).expect("a small log"))
    }

    pub(crate) fn ack_end(&self) -> Offset {
        Offset(i64::try_from(self.ack_end).expect("a small log"))
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.ack_end == self.entries.len()
    }

    pub(crate) fn settle(&mut self) {
        self.ack_end = self.entries.len();
    }

    /// A leader takes office.
    pub(crate) fn start_epoch(&mut self, epoch: i32) {
        if self.epochs.last().is_none_or(|(latest, _)| *latest < epoch) {
            self.epochs.push((epoch, self.entries.len()));
        }
    }

    pub(crate) fn extend(&mut self, entries: &[Entry]) {
        for entry in entries {
            self.start_epoch(entry.0);
            self.entries.push(*entry);
        }
    }

    pub(crate) fn truncate(&mut self, end: Offset) {
        let end = usize::try_from(end.0).expect("an offset of this log");
        self.entries.truncate(end);
        self.ack_end = self.ack_end.min(end);
        self.epochs.retain(|(_, start)| *start < end);
    }

    pub(crate) fn latest_epoch(&self) -> LeaderEpoch {
        self.epochs.last().map_or(LeaderEpoch::NONE, |(epoch, _)| LeaderEpoch(*epoch))
    }

    /// The largest epoch not above `epoch`, and where the next starts. If all known epochs are newer, the one
    /// asked for ended where they begin.
    pub(crate) fn epoch_end(&self, epoch: LeaderEpoch) -> Option<EpochEnd> {
        let next = self.epochs.iter().position(|(other, _)| *other > epoch.0).unwrap_or(self.epochs.len());
        let start_of_next = self.epochs.get(next).map(|(_, start)| *start);
        let found = match self.epochs[..next].last() {
            Some((found, _)) => LeaderEpoch(*found),
            None => start_of_next.map(|_| epoch)?,
        };
        let end = start_of_next.unwrap_or(self.entries.len());
        Some(EpochEnd { epoch: found, end: Offset(i64::try_from(end).expect("a small log")) })
    }
}
