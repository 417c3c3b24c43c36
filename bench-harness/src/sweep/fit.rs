//! The additive model by least squares: what each level of each term adds to a value, also where some combinations are missing, so that
//! a level is not blamed for the company it keeps.

/// What the levels of a term add counts as known if the order in which terms are fitted changes it by less than this.
const KNOWN: f64 = 1e-6;

/// Fitting has come to rest when nothing moves by more than this.
const AT_REST: f64 = 1e-12;
const ROUNDS_MAX: usize = 20_000;

/// A part of the model: for each observation which of its levels, `None` where it does not count.
#[derive(Clone, Debug)]
pub(super) struct Term {
    levels: Vec<Option<usize>>,
    count: usize,
}

impl Term {
    /// One with `count` levels.
    pub(super) fn new(levels: Vec<Option<usize>>, count: usize) -> Term {
        Term { levels, count }
    }

    /// Each combination of two terms' levels is a level.
    pub(super) fn together(&self, other: &Term) -> Term {
        let level = |(one, other_level): (&Option<usize>, &Option<usize>)| {
            // A level that does not count is one more.
            Some(one.unwrap_or(self.count) * (other.count + 1) + other_level.unwrap_or(other.count))
        };
        let levels = self.levels.iter().zip(&other.levels).map(level).collect();
        Term { levels, count: (self.count + 1) * (other.count + 1) }
    }

    /// Of some observations only.
    pub(super) fn of(&self, observations: &[usize]) -> Term {
        Term { levels: observations.iter().map(|at| self.levels[*at]).collect(), count: self.count }
    }

    /// The mean of values by level; `None` for a level without one.
    fn means(&self, values: &[f64]) -> Vec<Option<f64>> {
        let mut sums = vec![(0.0, 0_u32); self.count];
        for (level, value) in self.levels.iter().zip(values) {
            if let Some(level) = level {
                sums[*level].0 += value;
                sums[*level].1 += 1;
            }
        }
        sums.into_iter().map(|(sum, count)| (count > 0).then(|| sum / f64::from(count))).collect()
    }
}

/// By term and level what is added, and the squares of what is left.
struct Fit {
    added: Vec<Vec<Option<f64>>>,
    left: f64,
}

/// Fits terms in this order, each to what the others leave, until that changes nothing any more: coordinate descent on the normal equations.
fn fit(values: &[f64], terms: &[&Term]) -> Fit {
    let everything = Term::new(vec![Some(0); values.len()], 1);
    let terms: Vec<&Term> = std::iter::once(&everything).chain(terms.iter().copied()).collect();
    let mut left = values.to_vec();
    let mut added: Vec<Vec<Option<f64>>> = terms.iter().map(|term| vec![None; term.count]).collect();
    for _ in 0..ROUNDS_MAX {
        let mut moved = 0.0_f64;
        for (term, added) in terms.iter().zip(&mut added) {
            let means = term.means(&left);
            for (sum, mean) in added.iter_mut().zip(&means) {
                if let Some(mean) = mean {
                    *sum = Some(sum.unwrap_or(0.0) + mean);
                    moved = moved.max(mean.abs());
                }
            }
            for (level, left) in term.levels.iter().zip(&mut left) {
                *left -= level.and_then(|level| means[level]).unwrap_or(0.0);
            }
        }
        if moved < AT_REST {
            break;
        }
    }
    added.remove(0);
    Fit { added, left: left.iter().map(|value| value * value).sum() }
}

/// The squares of what these terms leave unexplained.
pub(super) fn squares_left(values: &[f64], terms: &[&Term]) -> f64 {
    fit(values, terms).left
}

/// By term: what each level adds above the mean of the term's levels, `None` for a level without an observation; nothing for a term that
/// has fewer than two levels, or that the observations do not tell from another one.
pub(super) fn contrasts(values: &[f64], terms: &[&Term]) -> Vec<Option<Vec<Option<f64>>>> {
    let backwards: Vec<&Term> = terms.iter().rev().copied().collect();
    let (forth, mut back) = (fit(values, terms).added, fit(values, &backwards).added);
    back.reverse();
    let known = |(one, other): (Vec<Option<f64>>, Vec<Option<f64>>)| {
        let (one, other) = (centred(&one)?, centred(&other)?);
        let is_near =
            |(one, other): (&Option<f64>, &Option<f64>)| (one.unwrap_or(0.0) - other.unwrap_or(0.0)).abs() < KNOWN;
        one.iter().zip(&other).all(is_near).then_some(one)
    };
    forth.into_iter().zip(back).map(known).collect()
}

fn centred(added: &[Option<f64>]) -> Option<Vec<Option<f64>>> {
    let present: Vec<f64> = added.iter().flatten().copied().collect();
    let mean = present.iter().sum::<f64>() / present.len() as f64;
    (present.len() > 1).then(|| added.iter().map(|level| Some((*level)? - mean)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A grid of two factors that add 0, 1, 2 and 0, 10, without these cells.
    fn grid(missing: &[(usize, usize)]) -> (Vec<f64>, Term, Term) {
        let cells = (0..3).flat_map(|one| (0..2).map(move |other| (one, other)));
        let cells: Vec<_> = cells.filter(|cell| !missing.contains(cell)).collect();
        let values = cells.iter().map(|(one, other)| *one as f64 + 10.0 * *other as f64).collect();
        let one = Term::new(cells.iter().map(|cell| Some(cell.0)).collect(), 3);
        let other = Term::new(cells.iter().map(|cell| Some(cell.1)).collect(), 2);
        (values, one, other)
    }

    fn rounded(contrasts: &[Option<f64>]) -> Vec<Option<i64>> {
        contrasts.iter().map(|one| one.map(|one| (one * 1e6).round() as i64)).collect()
    }

    /// Without the last cell, the plain mean of the first factor's last level would be 5 too low.
    #[test]
    fn a_missing_cell_blames_nobody() {
        for missing in [&[][..], &[(2, 1)], &[(0, 0), (2, 1)]] {
            let (values, one, other) = grid(missing);
            let found = contrasts(&values, &[&one, &other]);
            assert_eq!(
                rounded(found[0].as_ref().unwrap()),
                [Some(-1_000_000), Some(0), Some(1_000_000)],
                "{missing:?}"
            );
            assert_eq!(rounded(found[1].as_ref().unwrap()), [Some(-5_000_000), Some(5_000_000)], "{missing:?}");
            assert!(squares_left(&values, &[&one, &other]) < 1e-9);
        }
    }

    #[test]
    fn what_cannot_be_told_apart_is_not_known() {
        // Wherever the second factor is at its last level, so is the first.
        let (values, one, other) = grid(&[(0, 1), (1, 1), (2, 0)]);
        assert_eq!(contrasts(&values, &[&one, &other]), [None, None]);
        let alone = Term::new(vec![Some(0); values.len()], 2);
        assert_eq!(contrasts(&values, &[&alone]), [None], "one level");
    }

    #[test]
    fn two_terms_together_explain_what_neither_does_alone() {
        let (mut values, one, other) = grid(&[]);
        values[5] += 7.0;
        assert!(squares_left(&values, &[&one, &other]) > 1.0);
        assert!(squares_left(&values, &[&one.together(&other)]) < 1e-9);
    }
}
