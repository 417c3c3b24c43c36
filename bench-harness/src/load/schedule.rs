//! The moments at which records are to be sent, as pure arithmetic in integer nanoseconds.
//!
//! Each moment is computed from the record's number alone, not from the one before: no rounding adds up, and a stall
//! leaves no trace but the backlog itself.

use std::sync::Arc;

use super::ratio::Ratio;
use super::stretches::Stretches;
use crate::random::Random;

const SECOND_NS: u128 = 1_000_000_000;

/// After so many records Poisson arrivals begin again: counts over spans of about as many records no longer vary.
const POISSON_CYCLE: u64 = 1 << 20;

/// All runs get the same arrivals, so that they can be compared.
const POISSON_SEED: u64 = 0x504F_4953_534F_4E31;

/// When the n-th record is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// Open loop: `rate` records a second.
    Rate(Ratio),
    /// Open loop: `rate` records a second in the mean, each independent of the others.
    Poisson {
        /// The mean rate, exact over each cycle.
        rate: Ratio,
        /// The moments of one cycle after its first, in billionths of the mean interval, ascending.
        since_first: Arc<[u64]>,
    },
    /// Open loop: at the records' own times.
    Times {
        /// The time of each record of a pass after the first, in nanoseconds, ascending.
        since_first_ns: Arc<[u64]>,
        /// From the first record of a pass to the first of the next.
        cycle_ns: u64,
        /// What times are multiplied by.
        scale: Ratio,
    },
    /// Open loop: at rates that change at known moments.
    Stretches(Stretches),
    /// Closed loop: when fewer than this many are under way.
    Closed {
        /// How many may be under way.
        in_flight: u64,
    },
}

impl Schedule {
    /// The schedule of the records' own times. A pass ends one mean gap after its last record.
    ///
    /// `times_ns` is ascending and not empty.
    #[must_use]
    pub fn of_times(times_ns: &[u64], scale: Ratio) -> Schedule {
        let first = times_ns.first().copied().unwrap_or_default();
        let span = times_ns.last().copied().unwrap_or_default() - first;
        let gaps = (times_ns.len() as u64).saturating_sub(1).max(1);
        let since_first_ns = times_ns.iter().map(|time| time - first).collect();
        Schedule::Times { since_first_ns, cycle_ns: span + (span / gaps).max(1), scale }
    }

    /// Poisson arrivals, whose gaps are exponentially distributed.
    ///
    /// Given how many arrivals a span holds, a Poisson process has them independent and uniform in it (Kingman, Poisson
    /// Processes, 1993, section 2.4): drawn so and sorted, the moments are whole numbers and their mean rate is exact.
    #[must_use]
    pub fn poisson(rate: Ratio) -> Schedule {
        let mut random = Random::of_seed(POISSON_SEED);
        let cycle = POISSON_CYCLE * SECOND_NS as u64;
        let drawn = (1..POISSON_CYCLE).map(|_| random.below(cycle));
        let mut since_first: Vec<u64> = std::iter::once(0).chain(drawn).collect();
        since_first.sort_unstable();
        Schedule::Poisson { rate, since_first: since_first.into() }
    }

    /// Nanoseconds from the start to the moment of record `number`; `None` in a closed loop, where nobody knows.
    #[must_use]
    pub fn intended_ns(&self, number: u64) -> Option<u64> {
        match self {
            Schedule::Rate(rate) => Some(rate.divide(u128::from(number) * SECOND_NS)),
            Schedule::Poisson { rate, since_first } => {
                let within = number % since_first.len() as u64;
                let intervals = u128::from(number - within) * SECOND_NS + u128::from(since_first[within as usize]);
                Some(rate.divide(intervals))
            }
            Schedule::Times { since_first_ns, cycle_ns, scale } => {
                let records = since_first_ns.len() as u64;
                let within = since_first_ns[(number % records) as usize];
                Some(scale.times((number / records).saturating_mul(*cycle_ns).saturating_add(within)))
            }
            Schedule::Stretches(stretches) => Some(stretches.intended_ns(number)),
            Schedule::Closed { .. } => None,
        }
    }

    /// Records and nanoseconds of the beginning that cannot be measured, because the rate changes in it.
    #[must_use]
    pub fn lead_in(&self) -> (u64, u64) {
        match self {
            Schedule::Stretches(stretches) => stretches.lead_in(),
            _ => (0, 0),
        }
    }

    /// Where each part begins that is measured on its own, in nanoseconds; empty if the measured part is one.
    #[must_use]
    pub fn begins_ns(&self) -> &[u64] {
        match self {
            Schedule::Stretches(stretches) => stretches.begins_ns(),
            _ => &[],
        }
    }

    /// How many records are due up to and including `elapsed_ns` after the start; `None` in a closed loop.
    #[must_use]
    pub fn due(&self, elapsed_ns: u64) -> Option<u64> {
        self.intended_ns(0)?;
        // Moments never fall, so the first number beyond `elapsed_ns` is found by halving.
        let (mut low, mut high) = (0_u64, 1_u64 << 48);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.intended_ns(middle)? <= elapsed_ns { low = middle + 1 } else { high = middle }
        }
        Some(low)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::stretches::Ramp;
    use super::*;

    fn rate(text: &str) -> Schedule {
        Schedule::Rate(text.parse().unwrap())
    }

    /// An interval of 333,333.33… ns: rounded to whole nanoseconds and added up it would be off by a second in 35 days.
    #[test]
    fn rounding_does_not_change_the_mean_rate() {
        for (text, number, expected) in [
            ("3000", 3000 * 86_400 * 365, 86_400 * 365 * 1_000_000_000_u64),
            ("7", 7 * 1_000_000, 1_000_000 * 1_000_000_000),
            ("333333.333", 333_333_333, 1_000 * 1_000_000_000),
        ] {
            assert_eq!(rate(text).intended_ns(number), Some(expected), "{text}/s");
        }
    }

    #[test]
    fn moments_are_within_a_nanosecond_of_the_exact_ones_and_never_fall() {
        let schedule = rate("700000");
        let mut before = 0;
        for number in 0..100_000_u64 {
            let moment = schedule.intended_ns(number).unwrap();
            let exact = number as f64 * 1e9 / 700_000.0;
            assert!((moment as f64 - exact).abs() <= 1.0 && moment >= before, "{number}: {moment}");
            before = moment;
        }
    }

    #[test]
    fn own_times_are_scaled_and_a_pass_follows_one_mean_gap_after_the_last() {
        let schedule = Schedule::of_times(&[5_000, 6_000, 6_000, 11_000], "1/2".parse().unwrap());
        let moments: Vec<_> = (0..6).map(|number| schedule.intended_ns(number).unwrap()).collect();
        assert_eq!(moments, [0, 500, 500, 3_000, 4_000, 4_500]);
    }

    /// Exponential gaps have a standard deviation as long as their mean and a share of 1/e above it; counts in spans of
    /// 50 mean gaps have a variance as large as their mean. Even gaps would give 0, 0 and 0.
    #[test]
    fn poisson_gaps_are_exponential_and_counts_vary_as_much_as_their_mean() {
        let schedule = Schedule::poisson("40000".parse().unwrap());
        let moments: Vec<u64> = (0..400_000).map(|number| schedule.intended_ns(number).unwrap()).collect();
        assert!(moments.is_sorted());
        let gaps: Vec<f64> = moments.windows(2).map(|pair| (pair[1] - pair[0]) as f64).collect();
        let (mean, variance) = mean_and_variance(&gaps);
        assert!((mean / 25_000.0 - 1.0).abs() < 0.005, "mean gap {mean} ns");
        assert!((variance.sqrt() / mean - 1.0).abs() < 0.02, "{variance}");
        let above = gaps.iter().filter(|gap| **gap > mean).count() as f64 / gaps.len() as f64;
        assert!((above - (-1.0_f64).exp()).abs() < 0.005, "{above}");
        let mut counts = vec![0.0; 7_900];
        for moment in moments {
            if let Some(count) = counts.get_mut((moment / 1_250_000) as usize) {
                *count += 1.0;
            }
        }
        let (mean, variance) = mean_and_variance(&counts);
        assert!((variance / mean - 1.0).abs() < 0.1, "Fano factor {}", variance / mean);
    }

    #[test]
    fn poisson_keeps_its_mean_rate_to_the_nanosecond_over_any_number_of_cycles() {
        for text in ["40000", "7", "333333.333"] {
            let (poisson, even) = (Schedule::poisson(text.parse().unwrap()), rate(text));
            for cycles in [0, 1, 2, 1_000, 10_000] {
                let number = cycles * POISSON_CYCLE;
                assert_eq!(poisson.intended_ns(number), even.intended_ns(number), "{text}/s");
            }
        }
    }

    fn mean_and_variance(values: &[f64]) -> (f64, f64) {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        (mean, values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64)
    }

    #[test]
    fn what_is_due_agrees_with_the_moments() {
        for schedule in [
            rate("3"),
            Schedule::poisson("3".parse().unwrap()),
            Schedule::of_times(&[0, 7, 7, 9], "3".parse().unwrap()),
            Schedule::Stretches(Stretches::ramp(
                Ramp::new("30".parse().unwrap(), "1/3".parse().unwrap(), Duration::from_secs(2)).unwrap(),
            )),
        ] {
            for number in 0..50 {
                let moment = schedule.intended_ns(number).unwrap();
                assert!(schedule.due(moment).unwrap() > number);
                assert!(moment == 0 || schedule.due(moment - 1).unwrap() <= number);
            }
        }
        assert_eq!(Schedule::Closed { in_flight: 1 }.due(5), None);
    }
}
