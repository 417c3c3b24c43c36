//! How many records were acknowledged over time: the base of achieved rates and of the backlog.

use logdyno_engine::record::Nanos;

/// The width of an interval.
const WIDTH_NS: u64 = 10_000_000;

/// Counts per 10 ms since a start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Series {
    start: Nanos,
    counts: Vec<u64>,
}

impl Series {
    /// An empty one. What happens before `start` counts to its first interval.
    #[must_use]
    pub fn starting_at(start: Nanos) -> Series {
        Series { start, counts: Vec::new() }
    }

    /// `count` records at `at`.
    pub fn add(&mut self, at: Nanos, count: u64) {
        let index = (at.0.saturating_sub(self.start.0) / WIDTH_NS) as usize;
        if self.counts.len() <= index {
            self.counts.resize(index + 1, 0);
        }
        self.counts[index] += count;
    }

    /// How many until `at`, counting whole intervals and the last one's share.
    #[must_use]
    pub fn until(&self, at: Nanos) -> u64 {
        let since = at.0.saturating_sub(self.start.0);
        let whole = (since / WIDTH_NS) as usize;
        let before: u64 = self.counts.iter().take(whole).sum();
        let part = self.counts.get(whole).map_or(0, |count| count * (since % WIDTH_NS) / WIDTH_NS);
        before + part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_until_a_moment_within_an_interval() {
        let mut series = Series::starting_at(Nanos(1_000));
        series.add(Nanos(1_000), 4);
        series.add(Nanos(1_000 + WIDTH_NS), 10);
        assert_eq!(series.until(Nanos(1_000 + WIDTH_NS)), 4);
        assert_eq!(series.until(Nanos(1_000 + WIDTH_NS * 3 / 2)), 9);
        assert_eq!(series.until(Nanos(1_000 + WIDTH_NS * 9)), 14);
    }
}
