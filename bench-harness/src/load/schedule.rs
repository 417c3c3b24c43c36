//! The moments at which records are to be sent, as pure arithmetic in integer nanoseconds.
//!
//! Each moment is computed from the record's number alone, not from the one before: no rounding adds up, and a stall
//! leaves no trace but the backlog itself.

use std::sync::Arc;

use super::ratio::Ratio;

const SECOND_NS: u128 = 1_000_000_000;

/// When the n-th record is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// Open loop: `rate` records a second.
    Rate(Ratio),
    /// Open loop: at the records' own times.
    Times {
        /// The time of each record of a pass after the first, in nanoseconds, ascending.
        since_first_ns: Arc<[u64]>,
        /// From the first record of a pass to the first of the next.
        cycle_ns: u64,
        /// What times are multiplied by.
        scale: Ratio,
    },
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

    /// Nanoseconds from the start to the moment of record `number`; `None` in a closed loop, where nobody knows.
    #[must_use]
    pub fn intended_ns(&self, number: u64) -> Option<u64> {
        match self {
            Schedule::Rate(rate) => Some(rate.divide(u128::from(number) * SECOND_NS)),
            Schedule::Times { since_first_ns, cycle_ns, scale } => {
                let records = since_first_ns.len() as u64;
                let within = since_first_ns[(number % records) as usize];
                Some(scale.times((number / records).saturating_mul(*cycle_ns).saturating_add(within)))
            }
            Schedule::Closed { .. } => None,
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

    #[test]
    fn what_is_due_agrees_with_the_moments() {
        for schedule in [rate("3"), Schedule::of_times(&[0, 7, 7, 9], "3".parse().unwrap())] {
            for number in 0..50 {
                let moment = schedule.intended_ns(number).unwrap();
                assert!(schedule.due(moment).unwrap() > number);
                assert!(moment == 0 || schedule.due(moment - 1).unwrap() <= number);
            }
        }
        assert_eq!(Schedule::Closed { in_flight: 1 }.due(5), None);
    }
}
