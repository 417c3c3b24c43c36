//! Which units of the pool are taken: runs of neighbours, first fit.

/// Free and taken units, by index.
pub(super) struct Units {
    taken: Vec<bool>,
}

impl Units {
    /// `count` units, all free.
    pub(super) fn new(count: usize) -> Units {
        Units { taken: vec![false; count] }
    }

    /// Takes `count` neighbours and returns the first.
    ///
    /// A run whose size is a power of two starts at a multiple of it, so that small chunks gather in
    /// few places and leave room for large ones.
    pub(super) fn take(&mut self, count: usize) -> Option<usize> {
        let stride = if count.is_power_of_two() { count } else { 1 };
        let mut first = 0;
        while let Some(run) = self.taken.get(first..first + count) {
            let Some(obstacle) = run.iter().rposition(|taken| *taken) else {
                self.taken[first..first + count].fill(true);
                return Some(first);
            };
            first = (first + obstacle + 1).next_multiple_of(stride);
        }
        None
    }

    /// Gives a run back.
    pub(super) fn give(&mut self, first: usize, count: usize) {
        let run = &mut self.taken[first..first + count];
        assert!(run.iter().all(|taken| *taken), "units {first}+{count} given back twice");
        run.fill(false);
    }
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

    proptest! {
        /// No unit belongs to two runs, and what was given back can be taken again.
        #[test]
        fn runs_never_overlap(steps in prop::collection::vec((1_usize..=17, any::<bool>()), 1..200)) {
            let mut units = Units::new(64);
            let mut held: Vec<(usize, usize)> = Vec::new();
            for (count, give) in steps {
                if give && !held.is_empty() {
                    let (first, count) = held.swap_remove(count % held.len());
                    units.give(first, count);
                } else if let Some(first) = units.take(count) {
                    prop_assert!(first + count <= 64);
                    prop_assert!(held.iter().all(|(other, len)| first + count <= *other || other + len <= first));
                    held.push((first, count));
                }
            }
            for (first, count) in held {
                units.give(first, count);
            }
            prop_assert_eq!(units.take(64), Some(0));
        }
    }
}
