//! An exact positive number: rates and scales are read from their digits and never become a float.

use std::fmt;
use std::str::FromStr;

/// `numerator / denominator`, both above 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio {
    /// Above the line.
    pub numerator: u64,
    /// Below the line.
    pub denominator: u64,
}

/// What was given is no positive number, or has more digits than fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it takes a number above 0 of at most 18 digits, such as 2500, 0.5 or 1/3600")]
pub struct NoRatio;

impl Ratio {
    /// `value × self`, rounded down; saturates.
    #[must_use]
    pub fn times(self, value: u64) -> u64 {
        let product = u128::from(value) * u128::from(self.numerator) / u128::from(self.denominator);
        u64::try_from(product).unwrap_or(u64::MAX)
    }

    /// `value ÷ self`, rounded down; saturates.
    #[must_use]
    pub fn divide(self, value: u128) -> u64 {
        let quotient = value.saturating_mul(u128::from(self.denominator)) / u128::from(self.numerator);
        u64::try_from(quotient).unwrap_or(u64::MAX)
    }

    /// For printing.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }
}

impl FromStr for Ratio {
    type Err = NoRatio;

    fn from_str(text: &str) -> Result<Ratio, NoRatio> {
        let (above, below) = text.split_once('/').unwrap_or((text, "1"));
        let ((above, scale), (below, other_scale)) = (decimal(above)?, decimal(below)?);
        let (numerator, denominator) = (above.checked_mul(other_scale), below.checked_mul(scale));
        let (Some(numerator @ 1..), Some(denominator @ 1..)) = (numerator, denominator) else { return Err(NoRatio) };
        let common = gcd(numerator, denominator);
        Ok(Ratio { numerator: numerator / common, denominator: denominator / common })
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.denominator == 1 {
            write!(f, "{}", self.numerator)
        } else {
            write!(f, "{}/{}", self.numerator, self.denominator)
        }
    }
}

/// The digits of a decimal number, and the power of ten that its fraction divides by.
fn decimal(text: &str) -> Result<(u64, u64), NoRatio> {
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || digits.len() > 18 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NoRatio);
    }
    Ok((digits.parse().map_err(|_| NoRatio)?, 10_u64.pow(fraction.len() as u32)))
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_exactly() {
        let ratio = |text: &str| text.parse::<Ratio>().map(|ratio| (ratio.numerator, ratio.denominator));
        assert_eq!(ratio("2500"), Ok((2500, 1)));
        assert_eq!(ratio("0.3"), Ok((3, 10)));
        assert_eq!(ratio("1/3600"), Ok((1, 3600)));
        assert_eq!(ratio("2.5/10"), Ok((1, 4)));
        for wrong in ["", "0", "-1", "1/0", "1e3", "x", ".", "1234567890123456789"] {
            assert_eq!(ratio(wrong), Err(NoRatio), "{wrong}");
        }
    }
}
