//! Which leader epoch wrote which offsets (Kafka's LeaderEpochFileCache, KIP-101).

use logdyno_record::{LeaderEpoch, Offset};

/// Where an epoch ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEnd {
    /// The largest epoch known that is not above the one asked for.
    pub epoch: LeaderEpoch,
    /// Exclusive: the start of the next epoch, or the log end offset.
    pub end: Offset,
}

/// Epochs and their start offsets; both rise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Epochs {
    entries: Vec<(LeaderEpoch, Offset)>,
}

impl Epochs {
    pub(crate) fn new(entries: Vec<(LeaderEpoch, Offset)>) -> Epochs {
        let mut epochs = Epochs::default();
        for (epoch, start) in entries {
            epochs.assign(epoch, start);
        }
        epochs
    }

    pub(crate) fn entries(&self) -> &[(LeaderEpoch, Offset)] {
        &self.entries
    }

    pub(crate) fn latest(&self) -> Option<LeaderEpoch> {
        self.entries.last().map(|(epoch, _)| *epoch)
    }

    /// Notes that `epoch` writes from `start` on; true if that is news.
    ///
    /// Entries that say otherwise (a later epoch, or a start behind this one) are dropped, as Kafka does.
    pub(crate) fn assign(&mut self, epoch: LeaderEpoch, start: Offset) -> bool {
        if epoch.0 < 0 || self.latest() == Some(epoch) {
            return false;
        }
        while self.entries.pop_if(|(entry, at)| *entry >= epoch || *at >= start).is_some() {}
        self.entries.push((epoch, start));
        true
    }

    /// Where `asked` ends in a log that ends at `log_end`.
    ///
    /// `None` if nothing is known, or nothing of so late an epoch. An epoch before the first known one ends where
    /// that one starts.
    pub(crate) fn end_of(&self, asked: LeaderEpoch, log_end: Offset) -> Option<EpochEnd> {
        let latest = self.latest()?;
        if asked > latest || asked.0 < 0 {
            return None;
        }
        if asked == latest {
            return Some(EpochEnd { epoch: asked, end: log_end });
        }
        let next = self.entries.partition_point(|(epoch, _)| *epoch <= asked);
        let epoch = next.checked_sub(1).map_or(asked, |at| self.entries[at].0);
        Some(EpochEnd { epoch, end: self.entries[next].1 })
    }

    /// Whether these epochs, which were written down before any of their batches, speak against a batch of `epoch` at `base`. Where
    /// nothing is known, nothing speaks against it.
    pub(crate) fn contradict(&self, epoch: LeaderEpoch, base: Offset) -> bool {
        let at = self.entries.partition_point(|(_, start)| *start <= base);
        match (at.checked_sub(1), self.entries.first()) {
            (Some(at), _) => self.entries[at].0 != epoch,
            // What the log's start has cut off may be of any epoch up to the first that is left.
            (None, Some((first, _))) => epoch > *first,
            (None, None) => false,
        }
    }

    /// Drops epochs that start at or behind `end`; true if there were any.
    pub(crate) fn truncate(&mut self, end: Offset) -> bool {
        let before = self.entries.len();
        self.entries.retain(|(_, start)| *start < end);
        self.entries.len() != before
    }

    /// Drops epochs that end at or before `start`, and has the one that goes on there start there (Kafka's
    /// truncateFromStart); true if anything changed.
    pub(crate) fn truncate_front(&mut self, start: Offset) -> bool {
        let behind = self.entries.partition_point(|(_, at)| *at <= start);
        let Some(last) = behind.checked_sub(1) else { return false };
        if last == 0 && self.entries[0].1 == start {
            return false;
        }
        self.entries.drain(..last);
        self.entries[0].1 = start;
        true
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(entries: &[(i32, i64)]) -> Epochs {
        Epochs::new(entries.iter().map(|(epoch, start)| (LeaderEpoch(*epoch), Offset(*start))).collect())
    }

    /// Kafka's LeaderEpochFileCacheTest: the end of each kind of epoch.
    #[test]
    fn ends_of_epochs() {
        let known = epochs(&[(2, 10), (4, 20), (7, 30)]);
        let cases: [(i32, Option<(i32, i64)>); 7] = [
            (1, Some((1, 10))),
            (2, Some((2, 20))),
            (3, Some((2, 20))),
            (4, Some((4, 30))),
            (6, Some((4, 30))),
            (7, Some((7, 35))),
            (8, None),
        ];
        for (asked, expected) in cases {
            let found = known.end_of(LeaderEpoch(asked), Offset(35)).map(|end| (end.epoch.0, end.end.0));
            assert_eq!(found, expected, "epoch {asked}");
        }
        assert_eq!(Epochs::default().end_of(LeaderEpoch(0), Offset(35)), None);
    }

    #[test]
    fn what_is_written_down_speaks_against_a_batch_of_another_epoch() {
        let known = epochs(&[(2, 10), (4, 20)]);
        for (epoch, base, contradicted) in [
            (2, 10, false),
            (2, 19, false),
            (3, 19, true),
            (4, 19, true),
            (4, 20, false),
            (6, 30, true),
            (2, 5, false),
            (1, 5, false),
            (3, 5, true),
            (-1, 5, false),
            (-1, 15, true),
        ] {
            assert_eq!(known.contradict(LeaderEpoch(epoch), Offset(base)), contradicted, "epoch {epoch} at {base}");
        }
        assert!(!Epochs::default().contradict(LeaderEpoch(7), Offset(0)));
    }

    #[test]
    fn an_epoch_without_records_gives_way() {
        let mut known = epochs(&[(0, 0), (1, 10)]);
        assert!(known.assign(LeaderEpoch(2), Offset(10)));
        assert_eq!(known, epochs(&[(0, 0), (2, 10)]));
        assert!(!known.assign(LeaderEpoch(2), Offset(15)), "known already");
    }

    /// Kafka's LeaderEpochFileCacheTest: the epoch that goes on across the new start is kept, with that start.
    #[test]
    fn a_cut_at_the_front_keeps_the_epoch_that_goes_on() {
        for (start, changed, left) in [
            (0, false, vec![(2, 6), (3, 8), (4, 11)]),
            (6, false, vec![(2, 6), (3, 8), (4, 11)]),
            (7, true, vec![(2, 7), (3, 8), (4, 11)]),
            (8, true, vec![(3, 8), (4, 11)]),
            (10, true, vec![(3, 10), (4, 11)]),
            (15, true, vec![(4, 15)]),
        ] {
            let mut known = epochs(&[(2, 6), (3, 8), (4, 11)]);
            assert_eq!(known.truncate_front(Offset(start)), changed, "start {start}");
            assert_eq!(known, epochs(&left), "start {start}");
        }
        assert!(!Epochs::default().truncate_front(Offset(5)));
    }

    #[test]
    fn truncation_drops_what_starts_behind() {
        let mut known = epochs(&[(0, 0), (1, 10), (2, 20)]);
        assert!(known.truncate(Offset(20)));
        assert_eq!(known, epochs(&[(0, 0), (1, 10)]));
        assert!(!known.truncate(Offset(20)));
    }
}
