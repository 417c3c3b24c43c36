//! Which records of a schedule are warm-up, which are measured, and which is the last.

use std::time::Duration;

use super::schedule::Schedule;
use crate::workload::{Extent, RunPlan};

/// Where measuring begins and sending ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The first measured record: by number, or the first that is sent this long after the start.
    pub begin: Limit,
    /// The first record that is not sent any more: by number, or the first that would be sent this long after the begin.
    pub end: Limit,
}

/// A point of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// At this record.
    Number(u64),
    /// After this time: only in a closed loop, where no schedule turns times into numbers.
    Elapsed(Duration),
}

impl Bounds {
    /// The bounds of a run over `records` records a pass.
    pub fn of(run: &RunPlan, schedule: &Schedule, records: u64) -> Result<Bounds, String> {
        let (lead_records, lead_ns) = schedule.lead_in();
        let begin = match (run.warm_up, limit(run.warm_up, schedule, records, lead_ns)) {
            (Extent::Records(_) | Extent::Passes(_), Limit::Number(first)) => {
                Limit::Number(first.saturating_add(lead_records))
            }
            (_, begin) => begin,
        };
        let end = match begin {
            Limit::Number(first) => limit(run.extent, schedule, records, schedule.intended_ns(first).unwrap_or(0)),
            Limit::Elapsed(_) => limit(run.extent, schedule, records, 0),
        };
        match (begin, end) {
            (Limit::Number(first), Limit::Number(end)) if end <= first => {
                Err(format!("nothing is left to measure: the warm-up takes {first} records and the run has {end}"))
            }
            (_, Limit::Elapsed(Duration::ZERO)) => Err("nothing is measured: run.duration is 0".to_owned()),
            bounds => Ok(Bounds { begin: bounds.0, end: bounds.1 }),
        }
    }
}

impl Bounds {
    /// From the first record to the last by the schedule alone; `None` where only the run itself decides when that is.
    #[must_use]
    pub fn length(&self, schedule: &Schedule) -> Option<Duration> {
        match (self.begin, self.end) {
            (_, Limit::Number(end)) => Some(Duration::from_nanos(schedule.intended_ns(end.checked_sub(1)?)?)),
            (Limit::Elapsed(warm_up), Limit::Elapsed(measured)) => Some(warm_up + measured),
            (Limit::Number(_), Limit::Elapsed(measured)) => Some(measured),
        }
    }
}

/// The end of a stretch that begins at `since_ns` of the schedule, if it is a time; numbers count from the start.
fn limit(extent: Extent, schedule: &Schedule, records: u64, since_ns: u64) -> Limit {
    match extent {
        Extent::Records(count) => Limit::Number(count),
        Extent::Passes(passes) => Limit::Number(passes.saturating_mul(records)),
        Extent::Time(time) => {
            let end_ns = since_ns.saturating_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
            let due = if end_ns == 0 { Some(0) } else { schedule.due(end_ns - 1) };
            match due {
                Some(_) if time.is_zero() && since_ns == 0 => Limit::Number(0),
                Some(due) => Limit::Number(due),
                None if time.is_zero() && since_ns == 0 => Limit::Elapsed(Duration::ZERO),
                None => Limit::Elapsed(time),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::stretches::{Ramp, Stretches};
    use super::*;

    fn run(warm_up: Extent, extent: Extent) -> RunPlan {
        RunPlan {
            warm_up,
            extent,
            backends: Vec::new(),
            backends_named: false,
            brokers: 1,
            producers: 1,
            shard: super::super::Shard::WHOLE,
            start_unix_ms: None,
            waiting: crate::workload::Waiting::Sleep,
            repetitions: 1,
            targets: vec!["null".to_owned()],
        }
    }

    #[test]
    fn times_become_numbers_on_a_schedule() {
        let rate = Schedule::Rate("1000".parse().unwrap());
        let second = Extent::Time(Duration::from_secs(1));
        let bounds = |warm_up, extent| Bounds::of(&run(warm_up, extent), &rate, 300);
        let numbers = |begin, end| Ok(Bounds { begin: Limit::Number(begin), end: Limit::Number(end) });
        assert_eq!(bounds(second, second), numbers(1000, 2000));
        assert_eq!(bounds(Extent::Records(500), second), numbers(500, 1500));
        assert_eq!(bounds(Extent::Time(Duration::ZERO), Extent::Passes(2)), numbers(0, 600));
        assert!(bounds(second, Extent::Passes(3)).unwrap_err().contains("takes 1000 records and the run has 900"));
    }

    /// A ramp of 1.5 s from 1,000 to 3,000 a second has 3,000 records, and none of them is measured.
    #[test]
    fn a_ramp_comes_before_the_warm_up() {
        let ramp = Ramp::new("1000".parse().unwrap(), "3000".parse().unwrap(), Duration::from_millis(1_500));
        let ramp = Schedule::Stretches(Stretches::ramp(ramp.unwrap()));
        let second = Extent::Time(Duration::from_secs(1));
        let bounds = |warm_up, extent| Bounds::of(&run(warm_up, extent), &ramp, 300);
        let numbers = |begin, end| Ok(Bounds { begin: Limit::Number(begin), end: Limit::Number(end) });
        assert_eq!(bounds(second, second), numbers(6_000, 9_000));
        assert_eq!(bounds(Extent::Records(0), second), numbers(3_000, 6_000));
        assert_eq!(bounds(Extent::Records(30), Extent::Passes(11)), numbers(3_030, 3_300));
        assert!(
            bounds(Extent::Records(0), Extent::Passes(9))
                .unwrap_err()
                .contains("takes 3000 records and the run has 2700")
        );
    }

    #[test]
    fn a_closed_loop_keeps_times() {
        let closed = Schedule::Closed { in_flight: 4 };
        let second = Extent::Time(Duration::from_secs(1));
        let elapsed = Limit::Elapsed(Duration::from_secs(1));
        let timed = Bounds::of(&run(second, second), &closed, 9).unwrap();
        assert_eq!(timed, Bounds { begin: elapsed, end: elapsed });
        assert_eq!(timed.length(&closed), Some(Duration::from_secs(2)));
        let counted = Bounds::of(&run(Extent::Records(5), Extent::Passes(1)), &closed, 9).unwrap();
        assert_eq!(counted, Bounds { begin: Limit::Number(5), end: Limit::Number(9) });
        assert_eq!(counted.length(&closed), None, "who knows how fast the system takes nine records");
    }

    #[test]
    fn a_schedule_knows_its_length() {
        let rate = Schedule::Rate("1000".parse().unwrap());
        let second = Extent::Time(Duration::from_secs(1));
        let length = |extent| Bounds::of(&run(second, extent), &rate, 300).unwrap().length(&rate);
        assert_eq!(length(second), Some(Duration::from_millis(1_999)));
        assert_eq!(length(Extent::Passes(10)), Some(Duration::from_millis(2_999)));
    }
}
