//! The Hodges–Lehmann estimate of paired differences with the exact interval of Wilcoxon's signed-rank test (Hodges and Lehmann,
//! Annals of Mathematical Statistics 34, 1963; Hollander and Wolfe, Nonparametric Statistical Methods, 3.2 and 3.3).

/// How often the interval leaves the true difference out, at most.
const MISSED: f64 = 0.05;

/// A difference and its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shift {
    /// The median of all means of two differences, each with itself too.
    pub estimate: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// The chance that such an interval holds the true difference: at least 95 %.
    pub confidence: f64,
}

/// The difference that lies behind paired ones; `None` of fewer than six, which support no interval of 95 %.
#[must_use]
pub fn hodges_lehmann(differences: &[f64]) -> Option<Shift> {
    let (left_out, tail) = left_out(differences.len())?;
    let pairs = differences
        .iter()
        .enumerate()
        .flat_map(|(index, one)| differences[index..].iter().map(move |other| (one + other) / 2.0));
    let mut means: Vec<f64> = pairs.collect();
    means.sort_by(f64::total_cmp);
    let estimate = super::median(means.clone())?;
    let (low, high) = (means[left_out], means[means.len() - 1 - left_out]);
    Some(Shift { estimate, low, high, confidence: 1.0 - 2.0 * tail })
}

/// How many of the sorted means are left out on either side, and the chance that this is too many: that the sum of the ranks of
/// positive differences is at most as large, if there is no difference.
fn left_out(pairs: usize) -> Option<(usize, f64)> {
    // Each rank is in the sum or not, with equal chance.
    let mut chances = vec![1.0];
    for rank in 1..=pairs {
        let mut next = vec![0.0; chances.len() + rank];
        for (sum, chance) in chances.iter().enumerate() {
            next[sum] += chance / 2.0;
            next[sum + rank] += chance / 2.0;
        }
        chances = next;
    }
    let mut tail = 0.0;
    let mut found = None;
    for (sum, chance) in chances.iter().enumerate() {
        tail += chance;
        if tail > MISSED / 2.0 {
            break;
        }
        found = Some((sum, tail));
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Hollander and Wolfe, table 3.1 and examples 3.1 to 3.4: nine patients' depression before and after; −0.46, and
    /// (−0.786, −0.010) at 96.1 %.
    #[test]
    #[expect(clippy::approx_constant, reason = "3.14 is a patient's score")]
    fn depression_falls_by_as_much_as_in_the_book() {
        let before = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30];
        let after = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29];
        let differences: Vec<f64> = before.iter().zip(after).map(|(before, after)| after - before).collect();
        let shift = hodges_lehmann(&differences).unwrap();
        let rounded =
            [shift.estimate, shift.low, shift.high, shift.confidence].map(|value| (value * 1_000.0).round() / 1_000.0);
        assert_eq!(rounded, [-0.46, -0.786, -0.010, 0.961]);
    }

    /// Critical values of the signed-rank test, two-sided at 5 % (Wilcoxon 1945, table II): so many of the rank sums reject.
    #[test]
    fn critical_values_as_in_the_table() {
        assert_eq!(left_out(5), None);
        let critical: Vec<usize> = [6, 8, 10, 15, 20].iter().map(|pairs| left_out(*pairs).unwrap().0).collect();
        assert_eq!(critical, [0, 3, 8, 25, 52]);
    }

    proptest! {
        /// A shift moves the estimate and both ends by as much, and the estimate lies between them.
        #[test]
        fn it_moves_with_the_differences(differences in prop::collection::vec(-1.0..1.0_f64, 6..40), by in -10.0..10.0_f64) {
            let found = hodges_lehmann(&differences).unwrap();
            prop_assert!(found.low <= found.estimate && found.estimate <= found.high && found.confidence >= 0.95);
            let moved: Vec<f64> = differences.iter().map(|difference| difference + by).collect();
            let moved = hodges_lehmann(&moved).unwrap();
            for (one, other) in [(found.estimate, moved.estimate), (found.low, moved.low), (found.high, moved.high)] {
                prop_assert!((other - one - by).abs() < 1e-9);
            }
        }
    }
}
