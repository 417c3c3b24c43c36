//! Faults that are planted in the null target: each is found, and named by partition and offset.

use std::path::Path;
use std::time::Duration;

use logdyno::load::Schedule;
use logdyno::records::RecordSet;
use logdyno::result::{SteadyMetric, VerdictKind};
use logdyno::target::{Fault, NullTarget};
use logdyno::trial::schedule;
use logdyno::workload::{Overrides, parse};

use crate::scene::{Scene, verdicts};

const STEADY: &str = "
[records]
size = 32
entropy = 2
distinct = 50
count = 600
[topic]
partitions = 2
[load]
rate = 4000
[run]
target = \"null\"
";

/// What the run said about faults; lateness of a busy machine is another matter.
fn invalid(faults: Vec<Fault>) -> Vec<String> {
    let ended = Scene::new(STEADY).run(NullTarget::with_faults(faults), &[]);
    assert_eq!(ended.result.trials.len(), 1);
    let logdyno::result::Outcome::Measured(measured) = &ended.result.trials[0].outcome else { panic!("{ended:?}") };
    let found: Vec<String> = verdicts(measured).into_iter().filter(|text| text.starts_with("INVALID")).collect();
    assert!(found.is_empty() || ended.is_invalid());
    found
}

#[test]
fn a_sound_run_has_no_fault_and_measures_every_record() {
    let measured = Scene::new(STEADY).measure(NullTarget::default(), &[]);
    assert!(!verdicts(&measured).iter().any(|text| text.starts_with("INVALID")), "{:?}", verdicts(&measured));
    let records = measured.records;
    assert_eq!((records.sent, records.acknowledged, records.delivered, records.measured), (600, 600, 600, 600));
    assert_eq!((measured.to_acknowledgement.total.count(), measured.to_delivery.total.count()), (600, 600));
}

/// What a workload says of its arrivals is what its trial is driven by, and what its result tells.
#[test]
fn poisson_arrivals_are_kept_to_checked_and_named() {
    let text = STEADY.replace("rate = 4000", "rate = 4000\narrivals = \"poisson\"");
    let ended = Scene::new(&text).run(NullTarget::default(), &[]);
    assert!(
        ended.result.workload.load.ends_with("4000/s in the mean, Poisson arrivals"),
        "{}",
        ended.result.workload.load
    );
    let logdyno::result::Outcome::Measured(measured) = &ended.result.trials[0].outcome else { panic!("{ended:?}") };
    assert!(!verdicts(measured).iter().any(|text| text.starts_with("INVALID")), "{:?}", verdicts(measured));
    assert_eq!((measured.records.acknowledged, measured.records.delivered), (600, 600));
    let plan = parse(Path::new("scene.toml"), &text, &Overrides::default()).unwrap();
    let records = RecordSet::load(&plan).unwrap();
    assert_eq!(schedule(&plan, &records), Schedule::poisson("4000".parse().unwrap()));
}

/// Record 200 of two partitions by turns is offset 100 of partition 0.
#[test]
fn a_loss_is_named() {
    assert_eq!(
        invalid(vec![Fault::Loss(200)]),
        ["INVALID: LOST: partition 0, offset 100: acknowledged and never delivered"]
    );
}

/// Nothing follows it that would show the gap.
#[test]
fn a_loss_at_the_end_is_named() {
    assert_eq!(
        invalid(vec![Fault::Loss(599)]),
        ["INVALID: LOST: partition 1, offset 299: acknowledged and never delivered"]
    );
}

#[test]
fn a_duplicate_is_named() {
    let found = invalid(vec![Fault::Duplicate(301)]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("INVALID: DUPLICATE: partition 1, offset 151: delivered, but no acknowledged record"));
}

#[test]
fn a_swap_is_named_at_both_offsets() {
    assert_eq!(
        invalid(vec![Fault::Swap(100)]),
        [
            "INVALID: REORDERED: partition 0, offset 50: holds the record that was acknowledged at offset 51",
            "INVALID: REORDERED: partition 0, offset 51: holds the record that was acknowledged at offset 50",
        ]
    );
}

#[test]
fn a_flipped_bit_is_named() {
    assert_eq!(
        invalid(vec![Fault::Flip(7)]),
        ["INVALID: ALTERED: partition 1, offset 3: content or timestamp differ from what was sent"]
    );
}

#[test]
fn faults_of_several_kinds_are_all_named() {
    let found = invalid(vec![Fault::Loss(10), Fault::Flip(21), Fault::Duplicate(400), Fault::Swap(500)]);
    assert_eq!(found.len(), 5, "{found:?}");
}

/// A stall of 2 s in the middle of 10 s at a steady rate: a fifth of the records are due in it and wait, evenly spread,
/// from 2 s down to none. So the slowest record waits 2 s, and one in a hundred waits longer than 2 s × (1 − 0.01 / 0.2).
/// A generator that measured from the call of `send` would show one slow record of ten thousand.
#[test]
fn a_stall_shows_in_the_maximum_and_in_the_expected_p99() {
    let text = "
[records]
size = 16
entropy = 1
distinct = 10
[load]
rate = 1000
[run]
target = \"null\"
duration = \"10s\"
";
    let stall = Duration::from_secs(2);
    let measured = Scene::new(text).measure(NullTarget::with_faults(vec![Fault::Stall(4_000, stall)]), &[]);
    let seconds = |ns: u64| ns as f64 / 1e9;
    let total = &measured.to_acknowledgement.total;
    let (max, p99) = (seconds(total.max_ns()), seconds(total.quantile_ns(0.99)));
    assert!((max - 2.0).abs() <= 0.1, "the maximum is {max} s");
    let expected = 2.0 * (1.0 - 0.01 / 0.2);
    assert!((p99 - expected).abs() <= 0.1, "p99 is {p99} s, expected {expected} s");
    let service = seconds(measured.service.quantile_ns(0.99));
    assert!(service < 0.5, "from the call of send, p99 hides the stall: {service} s");
    // The wait is the target's, not the generator's, and it is over long before the end.
    assert!(
        measured.verdicts.iter().all(|verdict| verdict.kind != VerdictKind::Backlogged),
        "{:?}",
        verdicts(&measured)
    );
    assert!(seconds(measured.generator_lag.quantile_ns(0.99)) < 0.5);
}

/// A target that holds up the load twice a second, each time by 32 ms longer, which no noise of a busy machine hides: no moment of the run
/// stands for the next one. It is never behind for good.
#[test]
fn a_run_that_never_comes_to_rest_is_not_steady() {
    let text = "
[records]
size = 16
entropy = 1
distinct = 10
[load]
rate = 1000
[run]
target = \"null\"
duration = \"6s\"
";
    let stalls: Vec<Fault> = (0..12).map(|n| Fault::Stall(n * 500, Duration::from_millis(32 * (n + 1)))).collect();
    let measured = Scene::new(text).measure(NullTarget::with_faults(stalls), &[]);
    let found = verdicts(&measured);
    assert!(found.iter().any(|text| text.starts_with("NOT-STEADY: ") && text.contains("p99 to ack")), "{found:?}");
    let p99 = measured.steady.iter().find(|state| state.metric == SteadyMetric::AckP99).unwrap();
    assert!(p99.drift_per_minute.unwrap() > 1.0 && p99.p_value.unwrap() < 0.005, "{p99:?}");
}
