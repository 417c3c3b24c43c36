//! Rates that change at known moments: stretches of one rate each, and a ramp between two rates, all of it exact.
//!
//! A stretch begins at its own moment with its first record, so no rounding of the one before it reaches it.

use std::sync::Arc;
use std::time::Duration;

use super::ratio::Ratio;

const SECOND_NS: u128 = 1_000_000_000;

/// A step of a load: one rate for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadStep {
    /// Records a second.
    pub rate: Ratio,
    /// For how long.
    pub duration: Duration,
}

/// A rate that rises or falls evenly, and then stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ramp {
    from: Ratio,
    to: Ratio,
    over_ns: u64,
}

/// Stretches that follow each other; the last one has no end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretches {
    /// Ascending by record and by moment; never empty.
    all: Arc<[Stretch]>,
    /// How many of them, from the first on, can never be measured because their rate changes.
    lead_in: usize,
    /// Where each stretch begins that is measured on its own, in nanoseconds.
    begins_ns: Arc<[u64]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stretch {
    /// Its first record.
    first: u64,
    /// The moment of that record.
    begin_ns: u64,
    course: Course,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    Even(Ratio),
    Ramp(Ramp),
}

/// What is sent before the first step, at its rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// For this long.
    Time(Duration),
    /// So many records.
    Records(u64),
}

impl Ramp {
    /// `None` if the numbers have more digits than exact arithmetic in 128 bits can take.
    #[must_use]
    pub fn new(from: Ratio, to: Ratio, over: Duration) -> Option<Ramp> {
        let ramp = Ramp { from, to, over_ns: nanos(over) };
        let over_ns = u128::from(ramp.over_ns);
        let (begin, end, below) = ramp.scaled()?;
        // The largest values of `passed` and of what it is compared with.
        over_ns.checked_mul(2)?.checked_mul(over_ns)?.checked_mul(begin.max(end))?;
        over_ns.checked_mul(2)?.checked_mul(below)?.checked_mul(SECOND_NS)?;
        Some(ramp)
    }

    /// The rate at its begin.
    #[must_use]
    pub fn from(&self) -> Ratio {
        self.from
    }

    /// How long it takes.
    #[must_use]
    pub fn over(&self) -> Duration {
        Duration::from_nanos(self.over_ns)
    }

    /// The rate at its end.
    #[must_use]
    pub fn to(&self) -> Ratio {
        self.to
    }

    /// Both rates over one denominator, and that.
    fn scaled(&self) -> Option<(u128, u128, u128)> {
        let product = |a: u64, b: u64| u128::from(a).checked_mul(u128::from(b));
        Some((
            product(self.from.numerator, self.to.denominator)?,
            product(self.to.numerator, self.from.denominator)?,
            product(self.from.denominator, self.to.denominator)?,
        ))
    }

    /// Records until `at_ns`, times [`Ramp::unit`].
    ///
    /// After t of T nanoseconds, a rate that goes from a to b a second has had (a·t + (b − a)·t² / 2T) / 10⁹ records; times 2T·10⁹,
    /// that is t·(a·(2T − t) + b·t), of which no term is negative.
    fn passed(&self, at_ns: u64) -> u128 {
        let (begin, end, _) = self.scaled().unwrap_or_default();
        let at_ns = u128::from(at_ns);
        at_ns * (begin * (2 * u128::from(self.over_ns) - at_ns) + end * at_ns)
    }

    /// What one record comes to in [`Ramp::passed`].
    fn unit(&self) -> u128 {
        let (_, _, below) = self.scaled().unwrap_or_default();
        2 * u128::from(self.over_ns) * below * SECOND_NS
    }

    /// How many records are due before its end.
    fn records(&self) -> u64 {
        whole(self.passed(self.over_ns).div_ceil(self.unit().max(1)))
    }

    /// The moment of a record of it: the last nanosecond by which not more than `number` records have passed.
    fn since_ns(&self, number: u64) -> u64 {
        let wanted = u128::from(number).saturating_mul(self.unit());
        let (mut low, mut high) = (0, self.over_ns);
        while low < high {
            let middle = high - (high - low) / 2;
            if self.passed(middle) <= wanted { low = middle } else { high = middle - 1 }
        }
        low
    }
}

impl Stretches {
    /// Steps, after as much at the first one's rate as `before` says. Each step is measured on its own.
    ///
    /// `steps` is not empty.
    #[must_use]
    pub fn steps(before: Before, steps: &[LoadStep]) -> Stretches {
        let mut all = Vec::new();
        let mut begins_ns = Vec::new();
        let (mut first, mut begin_ns) = (0_u64, 0_u64);
        let mut push = |rate: Ratio, records: u64, length_ns: u64| {
            all.push(Stretch { first, begin_ns, course: Course::Even(rate) });
            first = first.saturating_add(records);
            begin_ns = begin_ns.saturating_add(length_ns);
            begin_ns
        };
        let mut next_ns = 0;
        if let Some(step) = steps.first() {
            let (records, length_ns) = match before {
                Before::Time(time) => (due_within(step.rate, nanos(time)), nanos(time)),
                Before::Records(records) => (records, step.rate.divide(u128::from(records) * SECOND_NS)),
            };
            if records > 0 {
                next_ns = push(step.rate, records, length_ns);
            }
        }
        for step in steps {
            begins_ns.push(next_ns);
            let length_ns = nanos(step.duration);
            next_ns = push(step.rate, due_within(step.rate, length_ns), length_ns);
        }
        if let Some(step) = steps.last() {
            push(step.rate, 0, 0);
        }
        Stretches { all: all.into(), lead_in: 0, begins_ns: begins_ns.into() }
    }

    /// A ramp, and then its last rate.
    #[must_use]
    pub fn ramp(ramp: Ramp) -> Stretches {
        let after = Stretch { first: ramp.records(), begin_ns: ramp.over_ns, course: Course::Even(ramp.to) };
        let rising = Stretch { first: 0, begin_ns: 0, course: Course::Ramp(ramp) };
        Stretches { all: Arc::from([rising, after]), lead_in: 1, begins_ns: Arc::from([]) }
    }

    /// The moment of a record.
    #[must_use]
    pub fn intended_ns(&self, number: u64) -> u64 {
        let at = self.all.partition_point(|stretch| stretch.first <= number).saturating_sub(1);
        self.all.get(at).map_or(0, |stretch| stretch.begin_ns.saturating_add(stretch.since_ns(number)))
    }

    /// Records and nanoseconds before the first moment from which on the rate stays.
    #[must_use]
    pub fn lead_in(&self) -> (u64, u64) {
        self.all.get(self.lead_in).map_or((0, 0), |stretch| (stretch.first, stretch.begin_ns))
    }

    /// Where each stretch begins that is measured on its own; empty if the whole run is one.
    #[must_use]
    pub fn begins_ns(&self) -> &[u64] {
        &self.begins_ns
    }
}

impl Stretch {
    fn since_ns(&self, number: u64) -> u64 {
        let within = number - self.first;
        match self.course {
            Course::Even(rate) => rate.divide(u128::from(within) * SECOND_NS),
            Course::Ramp(ramp) => ramp.since_ns(within),
        }
    }
}

/// How many records are due in a time that begins with one.
fn due_within(rate: Ratio, length_ns: u64) -> u64 {
    let passed = u128::from(length_ns) * u128::from(rate.numerator);
    whole(passed.div_ceil(u128::from(rate.denominator) * SECOND_NS))
}

fn nanos(time: Duration) -> u64 {
    whole(time.as_nanos())
}

fn whole(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::schedule::Schedule;
    use super::*;

    fn step(rate: &str, ms: u64) -> LoadStep {
        LoadStep { rate: rate.parse().unwrap(), duration: Duration::from_millis(ms) }
    }

    /// Three records of the first step are due within 833 ms, at 0, 1/3 and 2/3 s; the fourth waits for nobody: the next step begins.
    #[test]
    fn steps_begin_at_their_own_moments() {
        let stretches =
            Stretches::steps(Before::Time(Duration::ZERO), &[step("3", 833), step("1000", 2), step("1", 3_000)]);
        let moments: Vec<u64> = (0..9).map(|number| stretches.intended_ns(number)).collect();
        let second = 835_000_000;
        assert_eq!(
            moments,
            [
                0,
                333_333_333,
                666_666_666,
                833_000_000,
                834_000_000,
                second,
                second + 1_000_000_000,
                second + 2_000_000_000,
                second + 3_000_000_000
            ]
        );
        assert_eq!(stretches.begins_ns(), [0, 833_000_000, second]);
    }

    #[test]
    fn what_comes_before_the_steps_has_the_first_ones_rate() {
        for before in [Before::Time(Duration::from_millis(50)), Before::Records(5)] {
            let stretches = Stretches::steps(before, &[step("100", 20), step("7", 500)]);
            assert_eq!(stretches.begins_ns(), [50_000_000, 70_000_000]);
            assert_eq!([4, 5, 7].map(|number| stretches.intended_ns(number)), [40_000_000, 50_000_000, 70_000_000]);
        }
    }

    /// From 0.5 to 1.5 a second within 10 s there are 10 records; the n-th is due at 10·(√(0.25 + 0.2·n) − 0.5) s.
    #[test]
    fn a_ramp_is_where_the_square_root_says() {
        let ramp = Ramp::new("0.5".parse().unwrap(), "1.5".parse().unwrap(), Duration::from_secs(10)).unwrap();
        let stretches = Stretches::ramp(ramp);
        assert_eq!(stretches.lead_in(), (10, 10_000_000_000));
        for number in 0..10 {
            let exact = 1e10 * ((0.25 + 0.2 * f64::from(number)).sqrt() - 0.5);
            let moment = stretches.intended_ns(number as u64) as f64;
            assert!((moment - exact).abs() < 2.0, "{number}: {moment} and {exact}");
        }
        assert_eq!(stretches.intended_ns(13), 12_000_000_000, "after it the rate is 1.5 a second");
    }

    #[test]
    fn a_ramp_with_too_many_digits_is_refused_and_not_rounded() {
        let ramp = |from: &str, hours: u64| {
            Ramp::new(from.parse().unwrap(), "1000000".parse().unwrap(), Duration::from_secs(3_600 * hours))
        };
        assert!(ramp("1", 24).is_some());
        assert!(ramp("123456789.123456789", 24).is_none());
        assert!(ramp("1/999999999999999999", 24).is_none());
    }

    fn rate() -> impl Strategy<Value = Ratio> {
        (1_u64..5_000_000, 1_u64..1_000).prop_map(|(above, below)| format!("{above}/{below}").parse().unwrap())
    }

    proptest! {
        /// Each step has exactly the records that its rate times its length says, rounded up for the one at its begin, whatever
        /// steps stood before; and each of them is at its exact moment, rounded down to a nanosecond.
        #[test]
        fn counts_and_moments_of_steps_are_exact(
            steps in prop::collection::vec((rate(), 1_u64..2_000_000_000), 1..6),
            warm_up_ns in 0_u64..1_000_000_000,
            picks in prop::collection::vec(any::<u64>(), 8),
        ) {
            let steps: Vec<LoadStep> = steps
                .into_iter()
                .map(|(rate, ns)| LoadStep { rate, duration: Duration::from_nanos(ns) })
                .collect();
            let schedule =
                Schedule::Stretches(Stretches::steps(Before::Time(Duration::from_nanos(warm_up_ns)), &steps));
            let due_before = |ns: u64| if ns == 0 { 0 } else { schedule.due(ns - 1).unwrap() };
            let mut begin = warm_up_ns;
            for step in &steps {
                let end = begin + step.duration.as_nanos() as u64;
                let exact = |ns: u64| u128::from(ns) * u128::from(step.rate.numerator);
                let unit = u128::from(step.rate.denominator) * SECOND_NS;
                let first = due_before(begin);
                let count = due_before(end) - first;
                prop_assert_eq!(u128::from(count), exact(end - begin).div_ceil(unit));
                for pick in &picks {
                    let number = pick % count;
                    let since = schedule.intended_ns(first + number).unwrap() - begin;
                    prop_assert!(exact(since) <= u128::from(number) * unit, "not late");
                    prop_assert!(exact(since + 1) > u128::from(number) * unit, "not early by a nanosecond");
                }
                begin = end;
            }
        }

        /// A ramp has as many records as the mean of its rates says; moments never fall, and by each of them not more than the
        /// records before it have passed, but a nanosecond later more.
        #[test]
        fn counts_and_moments_of_a_ramp_are_exact(
            from in rate(),
            to in rate(),
            over_ns in 1_u64..20_000_000_000,
            picks in prop::collection::vec(any::<u64>(), 8),
        ) {
            let ramp = Ramp::new(from, to, Duration::from_nanos(over_ns)).unwrap();
            let stretches = Stretches::ramp(ramp);
            let (records, end_ns) = stretches.lead_in();
            prop_assert_eq!(end_ns, over_ns);
            let (a, b) = (u128::from(from.numerator), u128::from(from.denominator));
            let (c, d) = (u128::from(to.numerator), u128::from(to.denominator));
            let mean = (a * d + c * b) * u128::from(over_ns);
            prop_assert_eq!(u128::from(records), mean.div_ceil(2 * b * d * SECOND_NS));
            for pick in picks {
                let number = pick % records;
                let moment = stretches.intended_ns(number);
                let passed = |t: u64| {
                    let t = u128::from(t);
                    // In another form than the code's: the area of a trapezium.
                    let rise = i128::try_from(c * b).unwrap() - i128::try_from(a * d).unwrap();
                    let t_i = i128::try_from(t).unwrap();
                    2 * i128::from(over_ns) * i128::try_from(a * d).unwrap() * t_i + rise * t_i * t_i
                };
                let wanted = i128::from(number) * 2 * i128::from(over_ns) * i128::try_from(b * d * SECOND_NS).unwrap();
                prop_assert!(passed(moment) <= wanted && moment < over_ns);
                prop_assert!(moment + 1 > over_ns || passed(moment + 1) > wanted);
                prop_assert!(stretches.intended_ns(number + 1) >= moment);
            }
            prop_assert_eq!(stretches.intended_ns(records), over_ns);
        }
    }
}
