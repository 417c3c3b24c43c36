//! Mistakes that other benchmarks of logs make, as tests: README.md has the list.

use std::path::Path;

use logdyno::load::Schedule;
use logdyno::measure::Distribution;
use logdyno::records::RecordSet;
use logdyno::trial::schedule;
use logdyno::workload::{Overrides, parse};
use tempfile::TempDir;

use crate::program::logdyno;

fn schedule_of(load: &str) -> Schedule {
    let text = format!("[records]\nsize = 16\nentropy = 2\ndistinct = 10\n[load]\n{load}\n[run]\nduration = \"1s\"\n");
    let plan = parse(Path::new("mistakes.toml"), &text, &Overrides::default()).unwrap();
    schedule(&plan, &RecordSet::load(&plan).unwrap())
}

/// Intervals of 333,333.3… ns, of a bit more than a nanosecond, of 1.7 s: after a million records the schedule is where the rate
/// says, to the nanosecond. Whole nanoseconds that are added up would be 333 µs off at the first, and at half the rate at the second.
#[test]
fn the_rounding_of_intervals_does_not_change_the_mean_rate() {
    for (rate, number, at_ns) in [
        ("3000", 3_000_000, 1_000_000_000_000_u64),
        ("900000000", 900_000_000, 1_000_000_000),
        ("0.6", 600_000, 1_000_000_000_000_000),
    ] {
        let schedule = schedule_of(&format!("rate = {rate}"));
        assert_eq!(schedule.intended_ns(number), Some(at_ns), "{rate}/s");
    }
}

#[test]
fn poisson_arrivals_hit_the_mean_rate() {
    let schedule = schedule_of("rate = 50000\narrivals = \"poisson\"");
    for number in [200_000_u64, 500_000, 1_000_000, 3_000_000] {
        let rate = number as f64 / (schedule.intended_ns(number).unwrap() as f64 / 1e9);
        assert!((rate / 50_000.0 - 1.0).abs() < 0.005, "{rate}/s after {number} records");
    }
}

/// The rate of a run is one rate from its first record to its last: each tenth of a second has as many records as any other.
#[test]
fn a_window_has_one_rate_throughout() {
    let schedule = schedule_of("rate = 12345");
    let due = |tenth: u64| schedule.due(tenth * 100_000_000).unwrap();
    for tenth in 0..10_000 {
        let count = due(tenth + 1) - due(tenth);
        assert!((1_234..=1_235).contains(&count), "{count} records in tenth {tenth}");
    }
}

/// Zeros and values below a millisecond count as they are, also in what is saved and read again.
#[test]
fn samples_of_zero_and_below_a_millisecond_are_kept() {
    let mut distribution = Distribution::new();
    distribution.record_n(0, 600);
    distribution.record_n(1_500, 399);
    distribution.record(700_000);
    let saved = serde_json::to_string(&distribution).unwrap();
    let read: Distribution = serde_json::from_str(&saved).unwrap();
    assert_eq!((read.count(), read.sum_ns(), read.max_ns()), (1_000, 399 * 1_500 + 700_000, 700_000));
    assert_eq!([0.5, 0.6, 0.61, 0.99].map(|quantile| read.quantile_ns(quantile)), [0, 0, 1_500, 1_500]);
}

/// What breaks exits with 1, what is wrong from the start with 2, what does not count with 5; never with 0.
#[test]
fn a_failed_workload_exits_with_an_error() {
    let dir = TempDir::new().unwrap();
    let text = "[records]\nsize = 32\nentropy = 4\ndistinct = 50\ncount = 50\n[load]\nrate = 4000\n";
    std::fs::write(dir.path().join("small.toml"), text).unwrap();
    std::fs::write(dir.path().join("repeats.toml"), text.replace("distinct = 50", "distinct = 1")).unwrap();
    std::fs::write(dir.path().join("wrong.toml"), text.replace("rate", "rat")).unwrap();
    std::fs::write(dir.path().join("file"), "no folder").unwrap();
    let code = |arguments: &[&str]| logdyno(&dir, &[&["run", "--target", "null"], arguments].concat()).code;
    assert_eq!(code(&["small.toml", "--out", "file"]), 1, "results that cannot be saved");
    assert_eq!(code(&["missing.toml"]), 2);
    assert_eq!(code(&["wrong.toml"]), 2);
    assert_eq!(code(&["repeats.toml", "--out", "out"]), 5);
}
