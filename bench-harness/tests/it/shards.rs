//! A load that several machines share, and what is made of their results.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use logdyno::campaign::{Campaign, Jobs};
use logdyno::measure::Distribution;
use logdyno::merge::merge;
use logdyno::result::{self, Measured, Outcome, RunResult, VerdictKind};
use logdyno::signal::Stop;
use logdyno::target::{NullTarget, Target};
use logdyno::workload::{Overrides, parse};
use tempfile::TempDir;

use crate::program::logdyno;
use crate::scene::Silent;

const SHARED: &str = "
[records]
size = 32
entropy = 2
keys = 9
distinct = 50
passes = 14
[topic]
partitions = 2
[load]
rate = 1400
[run]
target = \"null\"
producers = 2
warm.up.records = 101
";

/// Runs a shard; the first record is due at `start_unix_ms`.
fn shard(dir: &Path, text: &str, name: &str, start_unix_ms: i64) -> RunResult {
    let targets: Vec<Box<dyn Target>> = vec![Box::new(NullTarget::default())];
    let shard = Some(name.parse().unwrap());
    let overrides = Overrides { shard, start_unix_ms: Some(start_unix_ms), ..Overrides::default() };
    let plan = parse(&dir.join("shared.toml"), text, &overrides).unwrap();
    let campaign = Campaign::prepare(Arc::new(plan), &Jobs { kinds: &[], targets: &targets }).unwrap();
    let folder = dir.join(name.replace('/', "-of-"));
    let campaign = campaign.patience(Duration::from_millis(500));
    campaign.run(&folder, &Stop::default(), &mut Silent).unwrap().result
}

/// All shards, at the same time, as machines of their own would.
fn shards(dir: &Path, text: &str) -> Vec<RunResult> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    std::thread::scope(|scope| {
        let run = |name| scope.spawn(move || shard(dir, text, name, now + 1_500));
        ["1/3", "2/3", "3/3"].map(run).map(|thread| thread.join().unwrap()).to_vec()
    })
}

fn measured(result: &RunResult) -> &Measured {
    match &result.trials[0].outcome {
        Outcome::Measured(measured) => measured,
        other => panic!("{other:?}"),
    }
}

/// What is wrong with some of them, in the order in which a merge looks.
fn refusal(shards: &[RunResult], change: impl Fn(&mut Vec<RunResult>)) -> String {
    let mut shards = shards.to_vec();
    change(&mut shards);
    merge(shards).unwrap_err()
}

fn change(result: &mut RunResult) -> &mut Measured {
    match &mut result.trials[0].outcome {
        Outcome::Measured(measured) => measured,
        other => panic!("{other:?}"),
    }
}

/// Three machines with two producers each send every record of the workload once, at its moment; their histograms add up bucket by
/// bucket, and nothing else is merged than the shards of one load.
#[test]
fn shards_are_the_whole_load_and_merge_without_loss() {
    let dir = TempDir::new().unwrap();
    let shards = shards(dir.path(), SHARED);
    let counts: Vec<_> = shards.iter().map(|shard| measured(shard).records).map(|r| (r.sent, r.measured)).collect();
    // 700 records in turns of six: 116 whole turns and 4 more. The warm-up's 101 are 16 turns and 5 more.
    assert_eq!(counts, [(234, 200), (234, 200), (232, 199)]);
    let merged = merge(shards.iter().rev().cloned().collect()).unwrap();
    let whole = measured(&merged);
    let records = whole.records;
    assert_eq!((records.sent, records.acknowledged, records.delivered), (700, 700, 700));
    assert_eq!((records.measured, records.passes), (599, 14));
    let offered = whole.offered_per_second.unwrap();
    assert!((offered - 1_400.0).abs() < 0.01, "{offered}");
    let of: [fn(&Measured) -> &Distribution; 4] = [
        |m| &m.to_acknowledgement.total,
        |m| &m.to_delivery.total,
        |m| &m.service,
        |m| &m.to_delivery.steps[0].durations,
    ];
    for distribution in of {
        let mut sum = Distribution::new();
        shards.iter().for_each(|shard| sum.merge(distribution(measured(shard))));
        assert_eq!(distribution(whole), &sum);
        assert_eq!(sum.count(), 599);
    }
    let batches: u64 = shards.iter().map(|shard| measured(shard).batches.batches).sum();
    assert_eq!((whole.batches.batches, whole.batches.records), (batches, 599));
    assert_eq!((merged.merged.len(), merged.shard.clone()), (3, None));
    refused(&shards);
    merged_by_the_program(&dir, &merged);
}

/// Each shard fills every topic of its own, and what each has measured of them is one result.
#[test]
fn shards_of_several_topics_merge_into_one_result() {
    let dir = TempDir::new().unwrap();
    let shards = shards(dir.path(), &SHARED.replace("partitions = 2", "partitions = 2\ncount = 3"));
    let merged = merge(shards).unwrap();
    let whole = measured(&merged);
    assert_eq!((merged.workload.topics, whole.records.acknowledged, whole.records.delivered), (3, 700, 700));
    assert!(whole.proof.len() == 3 && whole.proof.iter().all(|evidence| evidence.holds), "{:?}", whole.proof);
    let is_invalid = whole.verdicts.iter().any(|verdict| verdict.kind == VerdictKind::Invalid);
    assert!(!is_invalid, "{:?}", whole.verdicts);
    let topics: BTreeSet<_> = whole.to_delivery.slowest.iter().filter_map(|slow| slow.topic.as_deref()).collect();
    assert_eq!(Vec::from_iter(topics), ["shared-0", "shared-1", "shared-2"]);
}

fn refused(shards: &[RunResult]) {
    let missing = refusal(shards, |all| drop(all.remove(1)));
    assert_eq!(missing, "shard 2 of 3 is missing: without it the load is not the workload's");
    let twice = refusal(shards, |all| all[2] = all[0].clone());
    assert_eq!(twice, "shard 1 of 3 is given twice");
    let none = refusal(shards, |all| all[1].shard = None);
    assert!(none.contains("is no shard: it was not run with --shard, or it was merged already"), "{none}");
    let overrides = refusal(shards, |all| all[1].workload.overrides.push("load.rate=9".to_owned()));
    assert_eq!(overrides, "shards 1 and 2 differ in workload.overrides: [] and [\"load.rate=9\"]");
    let program = refusal(shards, |all| all[2].environment.commit = "0000".to_owned());
    assert!(program.starts_with("shards 1 and 3 differ in program: "), "{program}");
    let promise = refusal(shards, |all| change(&mut all[2]).durability.replicas = 3);
    assert!(promise.starts_with("shards 1 and 3 differ in promise: "), "{promise}");
    let broken = refusal(shards, |all| all[1].trials[0].outcome = Outcome::Failed { reason: "gone".to_owned() });
    assert_eq!(broken, "shard 2 has no measurements: gone");
    let late = refusal(shards, |all| *change(&mut all[1]).begin_unix_ms.as_mut().unwrap() += 60);
    assert!(
        late.starts_with("the shards were measured together for only 8") && late.contains("shard 2 as the last"),
        "{late}"
    );
    // The path of the workload may be another one on each machine.
    let mut elsewhere = shards.to_vec();
    elsewhere[1].workload.file = "/mnt/shared.toml".to_owned();
    assert!(merge(elsewhere).is_ok());
}

/// The command reads the folders of the shards, prints the result and saves what `report` draws again.
fn merged_by_the_program(dir: &TempDir, expected: &RunResult) {
    let ran = logdyno(dir, &["merge", "2-of-3", "1-of-3", "3-of-3/result.json", "--out", "all", "--html", "all.html"]);
    assert!([0, 5].contains(&ran.code), "{}", ran.stderr);
    assert_eq!(&result::read(&dir.path().join("all")).unwrap(), expected);
    assert!(ran.stdout.contains("shard 3  ") && ran.stdout.contains("700 of 700"), "{}", ran.stdout);
    let again = logdyno(dir, &["report", "all"]);
    assert_eq!(again.stdout, ran.stdout);
    assert!(dir.path().join("all.html").is_file());
    let ran = logdyno(dir, &["merge", "1-of-3", "--out", "none"]);
    assert_eq!((ran.code, dir.path().join("none").exists()), (1, false));
    assert!(ran.stderr.contains("these results cannot be merged: shard 2 of 3 is missing"), "{}", ran.stderr);
}

/// What cannot be shared is refused before anything starts.
#[test]
fn loads_that_machines_cannot_share_are_refused() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("shared.toml"), SHARED).unwrap();
    let check = |arguments: &[&str], expected: &str| {
        let ran = logdyno(&dir, &[&["run", "shared.toml", "--out", "out"], arguments].concat());
        assert!(ran.code == 2 && ran.stderr.contains(expected), "{}: {}", ran.code, ran.stderr);
        assert!(!dir.path().join("out").exists());
    };
    check(&["--shard", "1/2", "--target", "embedded"], "--shard 1/2: embedded is a system of this process");
    check(&["--shard", "1/2", "--repetitions", "2"], "--shard 1/2: a shard runs once");
    check(&["--shard", "1/2", "--set", "load.in.flight=5"], "--shard 1/2: a closed loop cannot be shared");
    check(&["--shard", "3/2"], "it takes NUMBER/COUNT, such as 1/4 to 4/4");
    check(&["--start-at", "5"], "--shard");
}

/// A start that is over is said, and no later one is taken in its place.
#[test]
fn a_shard_that_is_too_late_fails() {
    let dir = TempDir::new().unwrap();
    let late = shard(dir.path(), SHARED, "1/2", 1_000);
    let Outcome::Failed { reason } = &late.trials[0].outcome else { panic!("{late:?}") };
    assert!(reason.starts_with("the moment of --start-at was over"), "{reason}");
}
