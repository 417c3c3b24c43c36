//! The Mann–Kendall test: whether a series rises or falls, whatever its distribution (Mann, Econometrica 13, 1945; Kendall,
//! Rank Correlation Methods, 1975; as Gilbert, Statistical Methods for Environmental Pollution Monitoring, 1987, 16.4).

use super::normal::two_sided;

/// Series up to this length without ties are tested exactly, longer ones by the normal approximation.
const EXACT_MAX: usize = 40;

/// What the test says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MannKendall {
    /// Pairs that rise less pairs that fall.
    pub s: i64,
    /// The variance of `s` without a trend, with the correction for ties.
    pub variance: f64,
    /// The chance of an `s` at least as far from 0 without a trend, of independent values.
    pub p_value: f64,
}

/// Tests a series in the order of time.
#[must_use]
pub fn mann_kendall(values: &[f64]) -> MannKendall {
    let sign = |one: f64, other: f64| i64::from(other > one) - i64::from(other < one);
    let after = |(index, one): (usize, &f64)| values[index + 1..].iter().map(|other| sign(*one, *other)).sum::<i64>();
    let s: i64 = values.iter().enumerate().map(after).sum();
    let ties = ties(values);
    let weight = |n: usize| (n * n.saturating_sub(1) * (2 * n + 5)) as f64;
    let variance = (weight(values.len()) - ties.iter().copied().map(weight).sum::<f64>()) / 18.0;
    let p_value = if ties.is_empty() && values.len() <= EXACT_MAX {
        exact(values.len(), s)
    } else if variance > 0.0 {
        // One less, because `s` is whole and the normal distribution is not (Kendall's correction for continuity).
        two_sided((s.unsigned_abs() as f64 - 1.0).max(0.0) / variance.sqrt())
    } else {
        1.0
    };
    MannKendall { s, variance, p_value }
}

/// How many values share each value that more than one has.
fn ties(values: &[f64]) -> Vec<usize> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.chunk_by(|one, other| one == other).map(<[f64]>::len).filter(|length| *length > 1).collect()
}

/// Counts the orders of `n` different values by their inversions: each further value may stand before 0 … all of those
/// before it. In shares of all orders, so that nothing overflows.
fn exact(n: usize, s: i64) -> f64 {
    let mut shares = vec![1.0];
    for places in 2..=n {
        let mut next = vec![0.0; shares.len() + places - 1];
        for (inversions, share) in shares.iter().enumerate() {
            next[inversions..inversions + places].iter_mut().for_each(|slot| *slot += share / places as f64);
        }
        shares = next;
    }
    let pairs = (n * n.saturating_sub(1) / 2) as u64;
    let inversions_max = (pairs - s.unsigned_abs()) / 2;
    let tail: f64 = shares.iter().take(inversions_max as usize + 1).sum();
    (2.0 * tail).min(1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one_sided(values: &[f64]) -> (i64, f64) {
        let test = mann_kendall(values);
        (test.s, (test.p_value / 2.0 * 1_000.0).round() / 1_000.0)
    }

    /// Gilbert 1987, 16.4.1: S = 4, and table A18 gives 0.167. EPA QA/G-9, box 4-16 (2000): S = 6, and table A-11 gives 0.117.
    #[test]
    fn short_series_are_exact() {
        assert_eq!(one_sided(&[10.0, 15.0, 14.0, 20.0]), (4, 0.167));
        assert_eq!(one_sided(&[5.0, 6.0, 11.0, 8.0, 10.0]), (6, 0.117));
    }

    /// EPA QA/G-9S (2006), page 109: two groups of ties, of 4 and of 2; S = 22, its variance 155.33, Z = 1.685.
    #[test]
    fn ties_lessen_the_variance() {
        let test = mann_kendall(&[10.0, 10.0, 10.0, 5.0, 10.0, 20.0, 18.0, 17.0, 15.0, 24.0, 15.0]);
        assert_eq!((test.s, (test.variance * 100.0).round() / 100.0), (22, 155.33));
        assert!((test.p_value - two_sided(1.685)).abs() < 1e-4, "{}", test.p_value);
    }

    #[test]
    fn a_series_without_change_has_no_trend() {
        for values in [vec![], vec![1.0], vec![3.0; 50]] {
            assert_eq!(mann_kendall(&values).p_value, 1.0, "{values:?}");
        }
    }

    /// The exact test and the approximation agree where both apply.
    #[test]
    fn the_approximation_meets_the_exact_test() {
        for s in [40_i64, 120, 200] {
            let variance: f64 = (EXACT_MAX * (EXACT_MAX - 1) * (2 * EXACT_MAX + 5)) as f64 / 18.0;
            let approximate = two_sided((s as f64 - 1.0) / variance.sqrt());
            assert!((exact(EXACT_MAX, s) - approximate).abs() < 0.0025, "{s}");
        }
    }

    proptest! {
        /// Only the order of values counts, and a series that goes the other way says the opposite as surely.
        #[test]
        fn it_is_a_test_of_ranks(values in prop::collection::vec(-1e3..1e3_f64, 2..60)) {
            let test = mann_kendall(&values);
            let stretched: Vec<f64> = values.iter().map(|value| value.powi(3) * 2.0 + 5.0).collect();
            prop_assert_eq!(mann_kendall(&stretched).s, test.s);
            let reversed: Vec<f64> = values.iter().rev().copied().collect();
            prop_assert_eq!(mann_kendall(&reversed).s, -test.s);
            prop_assert!((mann_kendall(&reversed).p_value - test.p_value).abs() < 1e-12);
            prop_assert!((0.0..=1.0).contains(&test.p_value));
        }
    }
}
