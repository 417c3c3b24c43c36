//! When a partition passed a stage, by offset.

use std::collections::VecDeque;

use logdyno_engine::record::{BrokerId, Nanos, Offset, Stage};

/// The stamps of one stage: everything before an offset had passed at a moment. Both rise.
#[derive(Debug, Default)]
pub(super) struct Line(VecDeque<(Offset, Nanos)>);

impl Line {
    /// Takes a stamp; the first one that covers an offset counts.
    fn push(&mut self, end: Offset, at: Nanos) {
        if self.0.back().is_none_or(|(last, _)| *last < end) {
            self.0.push_back((end, at));
        }
    }

    /// When `offset` had passed; `None` if no stamp covers it yet.
    pub(super) fn covering(&self, offset: Offset) -> Option<Nanos> {
        let index = self.0.partition_point(|(end, _)| *end <= offset);
        self.0.get(index).map(|(_, at)| *at)
    }

    /// As [`covering`](Line::covering), with the first offset that had not passed then; none if all that come had not.
    pub(super) fn covering_until(&self, offset: Offset) -> (Option<Nanos>, Option<Offset>) {
        let index = self.0.partition_point(|(end, _)| *end <= offset);
        self.0.get(index).map(|(end, at)| (*at, *end)).unzip()
    }

    fn forget_before(&mut self, offset: Offset) {
        while self.0.front().is_some_and(|(end, _)| *end <= offset) {
            self.0.pop_front();
        }
    }
}

/// All stages of a partition.
#[derive(Debug, Default)]
pub(super) struct Marks {
    pub(super) appended: Line,
    pub(super) written: Line,
    pub(super) high_watermark: Line,
    pub(super) fetched: Line,
    pub(super) delivered: Line,
    replicated: Vec<(BrokerId, Line)>,
    /// Nobody asks for offsets before this any more.
    settled: Offset,
}

impl Marks {
    pub(super) fn push(&mut self, stage: Stage, end: Offset, at: Nanos) {
        if end <= self.settled {
            return;
        }
        let line = match stage {
            Stage::Appended => &mut self.appended,
            Stage::Written => &mut self.written,
            Stage::HighWatermark => &mut self.high_watermark,
            Stage::Fetched => &mut self.fetched,
            Stage::Delivered => &mut self.delivered,
            Stage::Replicated(follower) => self.follower(follower),
        };
        line.push(end, at);
    }

    fn follower(&mut self, follower: BrokerId) -> &mut Line {
        let known = self.replicated.iter().position(|(id, _)| *id == follower);
        let index = known.unwrap_or_else(|| {
            self.replicated.push((follower, Line::default()));
            self.replicated.len() - 1
        });
        &mut self.replicated[index].1
    }

    /// When the last follower had `offset`, of those that had it when the high watermark passed it, at `passed`: one that
    /// came later was not waited for.
    pub(super) fn replicated(&self, offset: Offset, passed: Option<Nanos>) -> Option<Nanos> {
        let moments = self.replicated.iter().filter_map(|(_, line)| line.covering(offset));
        moments.filter(|at| passed.is_none_or(|passed| *at <= passed)).max()
    }

    pub(super) fn forget_before(&mut self, offset: Offset) {
        self.settled = offset;
        let own =
            [&mut self.appended, &mut self.written, &mut self.high_watermark, &mut self.fetched, &mut self.delivered];
        own.into_iter()
            .chain(self.replicated.iter_mut().map(|(_, line)| line))
            .for_each(|line| line.forget_before(offset));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_stamp_that_covers_an_offset_counts() {
        let mut line = Line::default();
        for (end, at) in [(3, 10), (3, 11), (2, 12), (7, 20)] {
            line.push(Offset(end), Nanos(at));
        }
        let moments: Vec<_> = (0..8).map(|offset| line.covering(Offset(offset)).map(|at| at.0)).collect();
        assert_eq!(moments, [Some(10), Some(10), Some(10), Some(20), Some(20), Some(20), Some(20), None]);
        line.forget_before(Offset(3));
        assert_eq!(line.0.len(), 1);
    }

    #[test]
    fn the_slowest_follower_that_was_waited_for_counts() {
        let mut marks = Marks::default();
        marks.push(Stage::Replicated(BrokerId(1)), Offset(5), Nanos(30));
        marks.push(Stage::Replicated(BrokerId(2)), Offset(5), Nanos(50));
        marks.push(Stage::Replicated(BrokerId(3)), Offset(5), Nanos(900));
        assert_eq!(marks.replicated(Offset(4), Some(Nanos(60))), Some(Nanos(50)));
        assert_eq!(marks.replicated(Offset(5), Some(Nanos(60))), None);
    }
}
