//! The whole path over real brokers: every record verified, every nanosecond of it charged to a step.

use logdyno::result::{Measured, PathResult};
use logdyno::target::EmbeddedTarget;
use logdyno::usage::Role;
use logdyno_engine::storage::kinds;

use crate::scene::{Scene, verdicts};

fn workload(backend: &str, acks: &str, more: &str) -> String {
    format!(
        "
[records]
size = 120
entropy = 3
keys = 20
count = 3000
[topic]
partitions = 2
replication.factor = 3
min.insync.replicas = 2
[producer]
acks={acks}
{more}
[load]
rate = 3000
[run]
backends = [\"{backend}\"]
warm.up.records = 1000
"
    )
}

fn check_sums(path: &PathResult, records: u64) {
    assert_eq!(path.total.count(), records);
    let sum: u64 = path.steps.iter().map(|step| step.durations.sum_ns()).sum();
    assert_eq!(sum, path.total.sum_ns(), "the steps add up to the path exactly");
    assert!(path.steps.iter().all(|step| step.durations.count() == records), "each step weighs all records");
    assert_eq!(path.bands.iter().map(|band| band.records).sum::<u64>(), records, "each record is in one band");
    for step in &path.steps {
        let sum: u64 = path.bands.iter().filter_map(|band| band.steps_ns.get(&step.step)).sum();
        assert_eq!(sum, step.durations.sum_ns(), "{} by band", step.step.name());
    }
    for band in &path.bands {
        assert_eq!(band.steps_ns.values().sum::<u64>(), band.total_ns);
        let slowest = band.slowest.first().expect("a record that is kept whole");
        assert_eq!(slowest.steps_ns.values().sum::<u64>(), band.max_ns, "the slowest record, whole");
    }
}

/// Every role that a path over brokers has took some time, and their times are those of the process, which keeps books of its own.
fn check_usage(measured: &Measured) {
    let usage = measured.usage.as_ref().unwrap();
    let of = |role| usage.roles.iter().find(|taken| taken.role == role).map_or(0, |taken| taken.cpu_ns);
    for role in [Role::Generator, Role::Producer, Role::Broker, Role::Consumer, Role::Checks] {
        assert!(of(role) > 0, "{role:?}: {usage:?}");
    }
    let sum: u64 = usage.roles.iter().map(|taken| taken.cpu_ns).sum();
    assert!(sum.abs_diff(usage.process.cpu_ns()) <= 20_000_000 + sum / 10, "{usage:?}");
    assert!(usage.process.resident_bytes_max.unwrap() > 1 << 20 && usage.process.switches_voluntary > 0, "{usage:?}");
}

fn check(measured: &Measured) {
    let invalid: Vec<_> = verdicts(measured).into_iter().filter(|text| text.starts_with("INVALID")).collect();
    assert!(invalid.is_empty(), "{invalid:?}");
    let records = measured.records;
    assert_eq!((records.sent, records.acknowledged, records.delivered, records.measured), (3000, 3000, 3000, 2000));
    check_sums(&measured.to_acknowledgement, 2000);
    check_sums(&measured.to_delivery, 2000);
    assert!(measured.batches.records >= 2000);
    check_usage(measured);
    assert!(measured.proof.iter().all(|evidence| evidence.holds), "{:?}", measured.proof);
}

/// Row 4.
#[test]
fn steps_add_up_and_the_proof_holds_on_every_backend() {
    for kind in kinds() {
        let measured = Scene::new(&workload(kind.name, "all", "compression.type=lz4")).measure(EmbeddedTarget, &[kind]);
        check(&measured);
        assert_eq!((measured.durability.level.as_str(), measured.durability.replicas), ("written", 3));
    }
}

/// With acks=1 an acknowledgement does not wait for followers, with acks=0 not even for the leader: neither is on its path.
#[test]
fn what_is_not_waited_for_is_not_charged() {
    let steps = |measured: &Measured| -> Vec<&str> {
        measured.to_acknowledgement.steps.iter().map(|step| step.step.name()).collect()
    };
    let leader = Scene::new(&workload("buffered", "1", "")).measure(EmbeddedTarget, &kinds());
    check(&leader);
    assert!(!steps(&leader).contains(&"replicate") && steps(&leader).contains(&"disk"), "{:?}", steps(&leader));
    assert_eq!(leader.durability.replicas, 1);
    let nobody = Scene::new(&workload("buffered", "0", "")).measure(EmbeddedTarget, &kinds());
    check(&nobody);
    assert!(!steps(&nobody).contains(&"append"), "{:?}", steps(&nobody));
    assert_eq!(nobody.durability.level, "none");
}
