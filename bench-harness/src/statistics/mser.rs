//! MSER-5: where the initial transient of a series ends (White, Simulation 69, 1997; White, Cobb and Spratt, Winter Simulation
//! Conference 2000). The values are averaged by fives; then as many of the first averages are cut off as make the standard error
//! of the mean of the rest smallest.

/// How many values make one of the averages that MSER-5 looks at.
pub const MSER_BATCH: usize = 5;

/// Where a series is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truncation {
    /// How many of the first values are cut off.
    pub cut: usize,
    /// Whether that is as many as may be: then the series has not come to rest within it (White 1997: at most half).
    pub is_at_limit: bool,
}

/// The means of [`MSER_BATCH`] values each; what is left at the end is dropped.
#[must_use]
pub fn batch_means(values: &[f64]) -> Vec<f64> {
    values.chunks_exact(MSER_BATCH).map(|batch| batch.iter().sum::<f64>() / MSER_BATCH as f64).collect()
}

/// Cuts a series of batch means, at most half of it.
#[must_use]
pub fn mser(means: &[f64]) -> Truncation {
    let limit = means.len() / 2;
    let (mut cut, mut least) = (0, f64::INFINITY);
    // From the end on, so that count, mean and squares of each rest are those of the rest before and one value more (Welford).
    let (mut count, mut mean, mut squares) = (0.0, 0.0, 0.0);
    for (index, value) in means.iter().enumerate().rev() {
        count += 1.0;
        let apart = value - mean;
        mean += apart / count;
        squares += apart * (value - mean);
        let error = squares / (count * count);
        if index <= limit && error <= least {
            (cut, least) = (index, error);
        }
    }
    Truncation { cut, is_at_limit: limit > 0 && cut == limit }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// By hand: with 9 cut off nothing, 1 and 2 of 9, 4, 1, 1, 1, 1, 1, 1 the squared errors are 57.88/64 …, 7.71/49, 0.
    #[test]
    fn what_falls_at_first_is_cut_off() {
        assert_eq!(mser(&[9.0, 4.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]), Truncation { cut: 2, is_at_limit: false });
    }

    #[test]
    fn what_never_rests_is_cut_at_the_limit() {
        let rising: Vec<f64> = (0..20).map(f64::from).collect();
        assert_eq!(mser(&rising), Truncation { cut: 10, is_at_limit: true });
        assert_eq!(mser(&[7.0; 20]), Truncation { cut: 0, is_at_limit: false });
        assert_eq!(mser(&[]), Truncation { cut: 0, is_at_limit: false });
    }

    #[test]
    fn means_are_of_five() {
        let values: Vec<f64> = (1..=12).map(f64::from).collect();
        assert_eq!(batch_means(&values), [3.0, 8.0]);
    }

    /// The definition: the squared distances of the rest from its mean, by the square of its length.
    fn error(rest: &[f64]) -> f64 {
        let mean = rest.iter().sum::<f64>() / rest.len() as f64;
        rest.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (rest.len() as f64).powi(2)
    }

    proptest! {
        #[test]
        fn no_other_cut_has_a_smaller_error(values in prop::collection::vec(0.0..1e3_f64, 2..80)) {
            let found = error(&values[mser(&values).cut..]);
            for cut in 0..=values.len() / 2 {
                prop_assert!(found <= error(&values[cut..]) + 1e-9, "{cut}");
            }
        }
    }
}
