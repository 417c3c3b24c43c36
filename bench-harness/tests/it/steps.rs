//! Loads whose rate changes: each step is measured on its own, and a ramp is not measured at all.

use std::time::Duration;

use logdyno::campaign::Ended;
use logdyno::report;
use logdyno::result::{Measured, Outcome, Trial, VerdictKind};
use logdyno::target::{Fault, NullTarget};
use tempfile::TempDir;

use crate::program::logdyno;
use crate::scene::{Scene, verdicts};

const STEPS: &str = "
[records]
size = 32
entropy = 2
distinct = 50
[topic]
partitions = 2
[producer]
batch.size=0
[load]
steps = [
  { rate = 1000, duration = \"150ms\" },
  { rate = 4000, duration = \"100ms\" },
  { rate = \"500/3\", duration = \"310ms\" },
]
[run]
target = \"null\"
warm.up = \"50ms\"
";

fn parts_of(ended: &Ended) -> Vec<&Measured> {
    fn measured(trial: &Trial) -> &Measured {
        match &trial.outcome {
            Outcome::Measured(measured) => measured,
            other => panic!("{other:?}"),
        }
    }
    ended.result.trials.iter().map(measured).collect()
}

/// Every step has exactly its own records, its own rate and its own length; the warm-up, at the first step's rate, is in none.
#[test]
fn a_load_of_steps_has_figures_for_each_step_and_none_of_all() {
    for producers in [1, 3] {
        let text = format!("{STEPS}producers = {producers}\n");
        let ended = Scene::new(&text).run(NullTarget::default(), &[]);
        let parts = parts_of(&ended);
        let counts: Vec<_> = parts.iter().map(|part| (part.records.measured, part.measured_ns)).collect();
        // 500/3 a second for 310 ms: 51.67, so the last of 52 is due just before the end.
        assert_eq!(counts, [(150, 150_000_000), (400, 100_000_000), (52, 310_000_000)]);
        let offered: Vec<_> = parts.iter().map(|part| part.offered_per_second.unwrap().round()).collect();
        assert_eq!(offered, [1_000.0, 4_000.0, 168.0]);
        for part in &parts {
            assert_eq!(part.to_delivery.total.count(), part.records.measured);
            assert_eq!((part.records.sent, part.records.delivered), (652, 652), "of the whole run");
            assert_eq!(part.generator_lag.count(), part.records.measured);
            assert_eq!(part.batches.batches, part.records.measured, "each record is a batch");
            let steps: u64 = part.to_acknowledgement.steps.iter().map(|step| step.durations.sum_ns()).sum();
            assert_eq!(steps, part.to_acknowledgement.total.sum_ns());
        }
        let text = report::render(&ended.result);
        for name in ["null step 1 at 1000/s", "null step 2 at 4000/s", "null step 3 at 500/3/s"] {
            assert!(text.matches(name).count() >= 3, "{name} in {text}");
        }
    }
}

/// The records of a stall are in the step in which they were due, and those it keeps waiting make the next step one whose latencies
/// are not its own: 0.5 s at 1,000 records a second are more than may be under way.
#[test]
fn what_a_step_leaves_behind_is_said_of_the_next_one() {
    let text = STEPS.replace("150ms", "600ms");
    let stall = Fault::Stall(50 + 100, Duration::from_millis(700));
    let ended = Scene::new(&text).run(NullTarget::with_faults([stall]), &[]);
    let parts = parts_of(&ended);
    assert!(parts[0].to_acknowledgement.total.max_ns() >= 700_000_000);
    assert!(parts[0].records.measured == 600, "they were due in it, whenever they were sent");
    let backlogged = |part: &Measured| {
        let of_before = |reason: &str| reason.contains("of the steps before");
        part.verdicts.iter().any(|v| v.kind == VerdictKind::Backlogged && of_before(&v.reason))
    };
    assert!(backlogged(parts[1]), "{:?}", verdicts(parts[1]));
    assert!(!backlogged(parts[0]));
}

/// From 500 to 1,500 a second within 200 ms there are 200 records: sent, checked, and not measured.
#[test]
fn a_ramp_leads_to_its_rate_and_only_that_is_measured() {
    let text = "
[records]
size = 32
entropy = 2
distinct = 50
[load]
ramp = { from = 500, to = 1500, over = \"200ms\" }
[run]
target = \"null\"
warm.up.records = 30
duration = \"100ms\"
";
    let measured = Scene::new(text).measure(NullTarget::default(), &[]);
    assert_eq!((measured.records.sent, measured.records.measured), (380, 150));
    assert_eq!((measured.measured_ns, measured.offered_per_second), (100_000_000, Some(1_500.0)));
}

/// A sweep compares a figure of each run.
#[test]
fn a_sweep_of_steps_is_refused_with_the_line() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("steps.toml"), STEPS).unwrap();
    let ran = logdyno(&dir, &["sweep", "steps.toml", "--vary", "producer.linger.ms=0,5", "--out", "out"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("steps.toml:11: a sweep compares one figure of each run"), "{}", ran.stderr);
}
