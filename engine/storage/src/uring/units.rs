//! Which units of the pool are taken: runs of neighbours, first fit.

use std::ops::Range;

const WORD: usize = u64::BITS as usize;

/// Free and taken units, by index: with a pool of some thousand, a look at each would cost an append more than its copy.
pub(super) struct Units {
    /// A bit for each taken one, and for those of the last word that there are not.
    taken: Vec<u64>,
}

impl Units {
    /// `count` units, all free.
    pub(super) fn new(count: usize) -> Units {
        let mut units = Units { taken: vec![0; count.div_ceil(WORD)] };
        let end = units.taken.len() * WORD;
        units.set(count..end, true);
        units
    }

    /// Takes `count` neighbours and returns the first.
    ///
    /// A run whose size is a power of two starts at a multiple of it, so that small chunks gather in
    /// few places and leave room for large ones.
    pub(super) fn take(&mut self, count: usize) -> Option<usize> {
        let stride = if count.is_power_of_two() { count } else { 1 };
        let mut first = self.next_free(0)?.next_multiple_of(stride);
        while first + count <= self.taken.len() * WORD {
            let Some(obstacle) = self.last_taken(first..first + count) else {
                self.set(first..first + count, true);
                return Some(first);
            };
            first = self.next_free(obstacle + 1)?.next_multiple_of(stride);
        }
        None
    }

    /// Gives a run back.
    pub(super) fn give(&mut self, first: usize, count: usize) {
        let run = first..first + count;
        let all_taken = parts(&run).all(|(word, mask)| self.taken[word] & mask == mask);
        assert!(all_taken, "units {first}+{count} given back twice");
        self.set(run, false);
    }

    /// The first free unit from `from` on.
    fn next_free(&self, from: usize) -> Option<usize> {
        let (word, bit) = (from / WORD, from % WORD);
        // What lies before `from` counts as taken.
        let of_first = self.taken.get(word)? | ((1 << bit) - 1);
        let words = std::iter::once(of_first).chain(self.taken[word + 1..].iter().copied());
        let (skipped, free) = words.enumerate().find(|(_, taken)| *taken != u64::MAX)?;
        Some((word + skipped) * WORD + free.trailing_ones() as usize)
    }

    fn last_taken(&self, run: Range<usize>) -> Option<usize> {
        let taken = |(word, mask)| Some((word, self.taken[word] & mask)).filter(|(_, taken)| *taken != 0);
        let (word, taken) = parts(&run).filter_map(taken).last()?;
        Some(word * WORD + taken.ilog2() as usize)
    }

    fn set(&mut self, run: Range<usize>, is_taken: bool) {
        for (word, mask) in parts(&run) {
            if is_taken {
                self.taken[word] |= mask;
            } else {
                self.taken[word] &= !mask;
            }
        }
    }
}

/// The words that hold a run, each with the bits that are the run's.
fn parts(run: &Range<usize>) -> impl Iterator<Item = (usize, u64)> + use<> {
    let Range { start, end } = run.clone();
    (start / WORD..end.div_ceil(WORD)).map(move |word| {
        let (from, to) = (start.saturating_sub(word * WORD), (end - word * WORD).min(WORD));
        let below = |bit: usize| if bit == WORD { u64::MAX } else { (1 << bit) - 1 };
        (word, below(to) & !below(from))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_full_pool_has_nothing_until_something_comes_back() {
        let mut units = Units::new(32);
        assert_eq!((units.take(16), units.take(16), units.take(1)), (Some(0), Some(16), None));
        units.give(16, 16);
        assert_eq!(units.take(17), None);
        assert_eq!(units.take(4), Some(16));
    }

    #[test]
    fn small_runs_do_not_spoil_the_places_of_large_ones() {
        let mut units = Units::new(32);
        assert_eq!(units.take(1), Some(0));
        assert_eq!(units.take(16), Some(16));
        assert_eq!(units.take(4), Some(4));
        assert_eq!(units.take(1), Some(1));
    }

    /// The first run at a multiple of its stride that is free, looked for unit by unit.
    fn first_fit(taken: &[bool], count: usize) -> Option<usize> {
        let stride = if count.is_power_of_two() { count } else { 1 };
        (0..taken.len())
            .step_by(stride)
            .find(|first| taken.get(*first..first + count).is_some_and(|run| !run.contains(&true)))
    }

    proptest! {
        /// First fit, whatever was given back in between: so no unit belongs to two runs, and none is lost.
        #[test]
        fn it_is_the_first_run_that_fits(
            units_max in 1_usize..300,
            steps in prop::collection::vec((1_usize..=70, any::<bool>()), 1..200),
        ) {
            let (mut units, mut taken) = (Units::new(units_max), vec![false; units_max]);
            let mut held: Vec<(usize, usize)> = Vec::new();
            for (count, give) in steps {
                if give && !held.is_empty() {
                    let (first, count) = held.swap_remove(count % held.len());
                    units.give(first, count);
                    taken[first..first + count].fill(false);
                    continue;
                }
                let first = units.take(count);
                prop_assert_eq!(first, first_fit(&taken, count));
                if let Some(first) = first {
                    taken[first..first + count].fill(true);
                    held.push((first, count));
                }
            }
        }
    }
}
