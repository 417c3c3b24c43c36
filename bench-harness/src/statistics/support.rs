//! How many independent samples a quantile needs.

/// The chance that the interval of a quantile leaves it out.
const MISSED: f64 = 0.05;

/// How many independent samples it takes until a 95 % interval of `quantile` has both ends inside the sample.
///
/// The upper end is an order statistic: all `n` values lie below the quantile with a chance of `quantileⁿ`, which must not
/// exceed half of what the interval may miss. For a quantile below the median it is the lower end that counts
/// (Conover, Practical Nonparametric Statistics, 3.2).
#[must_use]
pub fn samples_needed(quantile: f64) -> u64 {
    let tail = quantile.max(1.0 - quantile);
    ((MISSED / 2.0).ln() / tail.ln()).ceil() as u64
}

/// The highest quantile that `samples` independent ones support; at least the median.
#[must_use]
pub fn quantile_supported(samples: u64) -> f64 {
    ((MISSED / 2.0).ln() / samples.max(1) as f64).exp().max(0.5)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nines_are_dear() {
        assert_eq!([0.5, 0.9, 0.99, 0.999, 0.9999].map(samples_needed), [6, 36, 368, 3_688, 36_887]);
        assert!(quantile_supported(368) >= 0.99 && quantile_supported(367) < 0.99);
        assert_eq!(samples_needed(0.1), samples_needed(0.9));
    }

    proptest! {
        /// One sample fewer, and all of them would lie on one side too often.
        #[test]
        fn it_is_the_least_number(quantile in 0.5..0.9999_f64) {
            let needed = samples_needed(quantile) as f64;
            prop_assert!(quantile.powf(needed) <= MISSED / 2.0 + 1e-12);
            prop_assert!(quantile.powf(needed - 1.0) > MISSED / 2.0 - 1e-12);
        }
    }
}
