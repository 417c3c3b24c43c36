//! The slowest records, kept whole: what a high quantile is made of. Of a batch, or of the part of it that was handed out together, only
//! the slowest is offered.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::path::StepTimes;

/// How many are kept.
const KEPT: usize = 100;

/// One slow record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slow {
    /// Its partition's index over all topics.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Where its time went.
    pub times: StepTimes,
}

/// The slowest records seen.
#[derive(Clone, Debug, Default)]
pub struct Slowest(BinaryHeap<Reverse<Ranked>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ranked(u64, Slow);

impl Ord for Ranked {
    fn cmp(&self, other: &Ranked) -> std::cmp::Ordering {
        let key = |ranked: &Ranked| (ranked.0, ranked.1.partition, ranked.1.offset);
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Ranked) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Slowest {
    /// Keeps the record if it is among the slowest.
    pub fn offer(&mut self, total_ns: u64, slow: impl FnOnce() -> Slow) {
        if self.0.len() < KEPT {
            self.0.push(Reverse(Ranked(total_ns, slow())));
        } else if self.0.peek().is_some_and(|least| least.0.0 < total_ns) {
            self.0.pop();
            self.0.push(Reverse(Ranked(total_ns, slow())));
        }
    }

    /// Slowest first.
    #[must_use]
    pub fn into_sorted(self) -> Vec<Slow> {
        self.0.into_sorted_vec().into_iter().map(|Reverse(ranked)| ranked.1).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_stay() {
        let mut slowest = Slowest::default();
        for n in 0..1_000_u64 {
            let total = n * 7919 % 1_000;
            let slow = || Slow { partition: 0, offset: total as i64, times: StepTimes::default() };
            slowest.offer(total, slow);
        }
        let kept: Vec<i64> = slowest.into_sorted().iter().map(|slow| slow.offset).collect();
        assert_eq!(kept, (900..1_000).rev().collect::<Vec<_>>());
    }
}
