//! Every reason for which a run does not count is provoked: what cannot be provoked cannot be trusted to be seen.

use std::time::Duration;

use logdyno::result::VerdictKind;
use logdyno::target::{EmbeddedTarget, Fault, NullTarget, Target};
use logdyno_engine::storage::kinds;
use tempfile::TempDir;

use crate::scene::{Scene, verdicts};
use crate::twisted::{Twist, Twisted};

const SMALL: &str = "
[records]
size = 32
entropy = 4
distinct = 50
count = 200
[load]
rate = 4000
[run]
target = \"null\"
";

fn invalid_of(text: &str, target: impl Target + 'static) -> Vec<String> {
    let kinds = kinds();
    let buffered: Vec<_> = kinds.into_iter().filter(|kind| kind.name == "buffered").collect();
    let found = verdicts(&Scene::new(text).measure(target, &buffered));
    found.into_iter().filter(|text| text.starts_with("INVALID: ")).collect()
}

fn twisted(twist: Twist) -> Vec<String> {
    invalid_of(SMALL, Twisted(twist))
}

#[test]
fn a_record_of_which_nobody_hears_is_missed() {
    let found = twisted(Twist::Silence(40));
    assert!(found.iter().any(|text| text.ends_with("1 records were neither acknowledged nor failed")), "{found:?}");
    assert!(
        found[0].starts_with("INVALID: DUPLICATE: partition 0, offset 40: delivered, but no acknowledged"),
        "{found:?}"
    );
}

#[test]
fn two_records_at_one_offset_are_named() {
    let found = twisted(Twist::SharedOffset(40));
    assert!(
        found.contains(&"INVALID: OVERWRITTEN: partition 0, offset 39: acknowledged for two records".to_owned()),
        "{found:?}"
    );
}

#[test]
fn records_that_changed_places_are_named() {
    let found = twisted(Twist::CrossedOffsets(40));
    let named = "INVALID: REORDERED: partition 0, offset 41: sent before the record at the offset before it".to_owned();
    assert!(found.contains(&named), "{found:?}");
}

#[test]
fn a_record_that_comes_out_twice_is_named() {
    assert_eq!(twisted(Twist::Again(40)), ["INVALID: DUPLICATE: partition 0, offset 40: delivered again"]);
}

/// What the consumer's own check finds is a finding of the run, not a failure to run.
#[test]
fn corrupt_bytes_are_named() {
    let found = twisted(Twist::Corrupt(40));
    assert!(found.contains(&"INVALID: CORRUPT: t-0 at offset 40: the CRC does not fit".to_owned()), "{found:?}");
}

#[test]
fn records_without_their_stamps_are_not_measured_and_it_is_said() {
    let found = twisted(Twist::NoStamps);
    assert_eq!(found, ["INVALID: 200 records have no complete set of stamps and are not in the figures"]);
}

/// Brokers that take no batch as large as this one.
#[test]
fn records_that_fail_are_counted_with_the_first_reason() {
    let text = "
[records]
size = 2000
entropy = 8
count = 20
[topic]
max.message.bytes = 500
[load]
rate = 1000
";
    let found = invalid_of(text, EmbeddedTarget);
    assert!(found.iter().any(|text| text.starts_with("INVALID: 20 records failed; the first: ")), "{found:?}");
}

/// A codec makes of one value that repeats what it makes of no real data.
#[test]
fn a_payload_that_repeats_is_invalid() {
    let expected =
        "INVALID: all values are the same: what codecs, caches and checks make of them says nothing of real records";
    let text = SMALL.replace("distinct = 50", "distinct = 1");
    assert_eq!(invalid_of(&text, NullTarget::default()), [expected]);
    // Keys that differ do not help.
    assert_eq!(invalid_of(&text.replace("distinct = 1", "distinct = 1\nkeys = 20"), NullTarget::default()), [expected]);
}

/// Every record takes 5 ms and one is due each millisecond: four of five are left behind.
#[test]
fn a_system_that_falls_behind_is_backlogged() {
    let text = SMALL.replace("count = 200", "count = 1000").replace("rate = 4000", "rate = 1000");
    let stalls: Vec<Fault> = (0..1_000).map(|number| Fault::Stall(number, Duration::from_millis(5))).collect();
    let measured = Scene::new(&text).measure(NullTarget::with_faults(stalls), &[]);
    assert!(
        measured.verdicts.iter().any(|verdict| verdict.kind == VerdictKind::Backlogged),
        "{:?}",
        verdicts(&measured)
    );
    assert!(measured.to_acknowledgement.quantiles.iter().all(|quantile| quantile.ns.is_none()), "no latency is told");
}

/// A process that is stopped again and again is late by its own fault, and none of its latencies is the system's.
#[test]
fn a_generator_that_is_held_up_is_said_to_be() {
    let dir = TempDir::new().unwrap();
    let text = SMALL.replace("count = 200", "count = 2000").replace("rate = 4000", "rate = 1000");
    std::fs::write(dir.path().join("small.toml"), text).unwrap();
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("logdyno"))
        .current_dir(dir.path())
        .args(["run", "small.toml", "--out", "out"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let signal = |child: &std::process::Child, signal| {
        // SAFETY: a signal to a child that has not been waited for, so that its number is still its own.
        assert_eq!(unsafe { libc::kill(child.id().cast_signed(), signal) }, 0);
    };
    // One record in twenty-five is the first after a stop.
    while child.try_wait().unwrap().is_none() {
        signal(&child, libc::SIGSTOP);
        std::thread::sleep(Duration::from_millis(20));
        signal(&child, libc::SIGCONT);
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("null: GENERATOR-BOUND: the load generator was itself late by "), "{printed}");
    assert_eq!(output.status.code(), Some(5));
}
