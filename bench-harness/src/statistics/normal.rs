//! The normal distribution's tails.

/// The chance that a standard normal value is at least as far from 0 as `z`, on either side.
#[must_use]
pub fn two_sided(z: f64) -> f64 {
    erfc(z.abs() / std::f64::consts::SQRT_2)
}

/// The complementary error function of a value that is not negative: its Taylor series where that converges fast, the
/// continued fraction beyond (Abramowitz and Stegun, 7.1.6 and 7.1.14).
fn erfc(x: f64) -> f64 {
    const SERIES_UP_TO: f64 = 2.5;
    const FRACTION_DEPTH: u32 = 80;
    let scale = (-x * x).exp() / std::f64::consts::PI.sqrt();
    if x < SERIES_UP_TO {
        let (mut term, mut sum, mut n) = (2.0 * x, 0.0, 0.0);
        while term > sum * f64::EPSILON {
            sum += term;
            n += 1.0;
            term *= 2.0 * x * x / (2.0 * n + 1.0);
        }
        return 1.0 - scale * sum;
    }
    let fraction = (1..=FRACTION_DEPTH).rev().fold(0.0, |below, n| f64::from(n) / 2.0 / (x + below));
    scale / (x + fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two-sided chances of a standard normal value: Abramowitz and Stegun, tables 26.1 and 26.2.
    #[test]
    fn tails_as_in_the_tables() {
        let table =
            [(0.0, 1.0), (0.5, 0.617_075_077), (1.0, 0.317_310_508), (1.959_963_985, 0.05), (3.0, 0.002_699_796)];
        for (z, chance) in table {
            assert!((two_sided(z) - chance).abs() < 1e-9, "{z}: {}", two_sided(z));
            assert_eq!(two_sided(-z), two_sided(z));
        }
        assert!((two_sided(5.0) / 5.733_031_4e-7 - 1.0).abs() < 1e-7, "{}", two_sided(5.0));
    }

    /// Series and fraction meet.
    #[test]
    fn it_falls_without_a_step() {
        let tails: Vec<f64> = (0..1_000).map(|n| two_sided(f64::from(n) / 100.0)).collect();
        assert!(tails.windows(2).all(|pair| pair[1] < pair[0] && pair[1] > pair[0] * 0.85), "{tails:?}");
    }
}
