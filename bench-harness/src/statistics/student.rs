//! Student's distribution.

use std::f64::consts::FRAC_PI_2;

/// Halvings after which an angle is known to the last bit.
const HALVINGS: u32 = 60;

/// What a value of Student's distribution is at least as far from 0 as with this chance, on either side.
#[must_use]
pub fn student_beyond(degrees: usize, chance: f64) -> f64 {
    let (mut low, mut high) = (0.0, FRAC_PI_2);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if 1.0 - within(degrees, middle) > chance { low = middle } else { high = middle }
    }
    (degrees.max(1) as f64).sqrt() * high.tan()
}

/// The chance that a value is not as far from 0 as `√degrees · tan(angle)`, on either side: a finite sum (Abramowitz and Stegun, 26.7.3
/// and 26.7.4).
fn within(degrees: usize, angle: f64) -> f64 {
    let (sine, cosine) = angle.sin_cos();
    let is_odd = degrees % 2 == 1;
    let (mut term, mut sum) = if is_odd { (cosine, 0.0) } else { (1.0, 0.0) };
    for power in (usize::from(is_odd)..degrees.saturating_sub(1)).step_by(2) {
        sum += term;
        term *= cosine * cosine * (power + 1) as f64 / (power + 2) as f64;
    }
    if is_odd { (angle + sine * sum) / FRAC_PI_2 } else { sine * sum }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Abramowitz and Stegun, table 26.10.
    #[test]
    fn quantiles_as_in_the_table() {
        for (degrees, chance, value) in [
            (1, 0.05, 12.706),
            (2, 0.05, 4.303),
            (3, 0.05, 3.182),
            (10, 0.05, 2.228),
            (30, 0.05, 2.042),
            (120, 0.05, 1.980),
            (1, 0.001, 636.619),
            (2, 0.001, 31.599),
            (3, 0.01, 5.841),
            (5, 0.001, 6.869),
            (29, 0.01, 2.756),
        ] {
            let found = student_beyond(degrees, chance);
            assert!((found - value).abs() <= 0.001, "{degrees} degrees, {chance}: {found}, not {value}");
        }
    }

    /// Of ever more degrees it is the normal distribution.
    #[test]
    fn many_degrees_are_normal() {
        assert!((student_beyond(100_000, 0.05) - 1.959_96).abs() < 1e-4);
    }
}
