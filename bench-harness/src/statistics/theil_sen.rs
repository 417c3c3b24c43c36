//! The Theil–Sen slope: the median of the slopes between all pairs of points (Theil 1950; Sen, Journal of the American
//! Statistical Association 63, 1968). Nearly a third of the points may be anything without moving it far.

/// The slope of `y` over `x`; `None` where no two points differ in `x`.
#[must_use]
pub fn theil_sen(points: &[(f64, f64)]) -> Option<f64> {
    let pairs =
        points.iter().enumerate().flat_map(|(index, one)| points[index + 1..].iter().map(move |other| (one, other)));
    let slopes =
        pairs.filter(|(one, other)| one.0 != other.0).map(|(one, other)| (other.1 - one.1) / (other.0 - one.0));
    median(slopes.collect())
}

/// The median: of an even number the mean of the two in the middle; `None` of nothing.
#[must_use]
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        length if length % 2 == 1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbered(values: &[f64]) -> Vec<(f64, f64)> {
        values.iter().enumerate().map(|(index, value)| (index as f64 + 1.0, *value)).collect()
    }

    /// Helsel and Hirsch, Statistical Methods in Water Resources (USGS 2002), 10.1: of 21 slopes the median is 1, although
    /// one of the seven values lies far off.
    #[test]
    fn one_value_far_off_does_not_move_it() {
        assert_eq!(theil_sen(&numbered(&[1.0, 2.0, 3.0, 4.0, 5.0, 16.0, 7.0])), Some(1.0));
    }

    #[test]
    fn nothing_has_no_slope() {
        assert_eq!(theil_sen(&[]), None);
        assert_eq!(theil_sen(&[(1.0, 2.0), (1.0, 3.0)]), None);
        assert_eq!(median(vec![4.0, 1.0, 3.0, 2.0]), Some(2.5));
    }

    proptest! {
        /// A line has its own slope, wherever its points are, and a fifth of them may be anything.
        #[test]
        fn a_line_keeps_its_slope(slope in -100.0..100.0_f64, shift in -1e6..1e6_f64, wild in -1e9..1e9_f64) {
            let mut points: Vec<(f64, f64)> = (0..30).map(|n| (f64::from(n), shift + slope * f64::from(n))).collect();
            points.iter_mut().step_by(6).for_each(|point| point.1 = wild);
            let found = theil_sen(&points).unwrap();
            prop_assert!((found - slope).abs() < 1e-6, "{found}, not {slope}");
        }
    }
}
