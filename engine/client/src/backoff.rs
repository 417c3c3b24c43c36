//! How long to pause before trying again.

use std::time::Duration;

/// Kafka's `ExponentialBackoff`: doubles from `first` to `most`, ±20 %.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    /// The first pause.
    pub(crate) first: Duration,
    /// The longest pause, before jitter.
    pub(crate) most: Duration,
}

const JITTER: f64 = 0.2;

impl Backoff {
    /// The pause after `failures` failures (≥ 1). `random` is any number from 0 to 2³¹ − 1.
    pub(crate) fn pause(self, failures: u32, random: u32) -> Duration {
        let most = self.most.max(self.first);
        let doubled = self.first.saturating_mul(1_u32 << failures.saturating_sub(1).min(30)).min(most);
        if self.first.is_zero() {
            return Duration::ZERO;
        }
        let jitter = 1.0 - JITTER + 2.0 * JITTER * f64::from(random) / f64::from(i32::MAX);
        doubled.mul_f64(jitter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_most_and_stray_by_a_fifth() {
        let backoff = Backoff { first: Duration::from_millis(100), most: Duration::from_millis(1000) };
        let middle = 1 << 30;
        let pauses: Vec<u128> =
            (1..=6).map(|n| (backoff.pause(n, middle) + Duration::from_micros(500)).as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1000, 1000]);
        assert_eq!(backoff.pause(1, 0), Duration::from_millis(80));
        assert_eq!(backoff.pause(u32::MAX, i32::MAX as u32), Duration::from_millis(1200));
        let none = Backoff { first: Duration::ZERO, most: Duration::ZERO };
        assert_eq!(none.pause(5, middle), Duration::ZERO);
    }
}
