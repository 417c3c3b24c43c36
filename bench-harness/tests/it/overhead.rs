//! `logdyno overhead`: pairs of runs with and without stamps and checks.

use logdyno::overhead::Overhead;
use tempfile::TempDir;

use crate::program::logdyno;

const WORKLOAD: &str = "\
[records]
size = 100
entropy = 4
distinct = 500
[topic]
partitions = 2
[load]
rate = 1
[run]
duration = \"10s\"
";

fn scene() -> TempDir {
    let dir = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    std::fs::write(dir.path().join("small.toml"), WORKLOAD).unwrap();
    dir
}

/// At one record a second it would take an hour: the load is not kept to. The estimate lies in its interval and is that of the
/// pairs that are printed; a debug build on a busy machine says nothing about how large it is.
#[test]
fn pairs_are_run_and_their_interval_is_printed() {
    let dir = scene();
    let arguments = ["overhead", "small.toml", "--pairs", "6", "--records", "600"];
    let ran = logdyno(&dir, &[&arguments[..], &["--target", "log", "--backend", "buffered", "--json"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let found: Overhead = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((found.pairs.len(), found.records), (6, 600));
    for (change, of) in [
        (found.throughput, (|sample| sample.records_per_second) as fn(&logdyno::overhead::Sample) -> f64),
        (found.cpu, |sample| sample.cpu_ns_per_record),
    ] {
        assert!(change.low <= change.share && change.share <= change.high, "{change:?}");
        // With six pairs the interval of 97 % goes from the least to the greatest.
        let mut changes: Vec<f64> = found.pairs.iter().map(|pair| of(&pair.watched) / of(&pair.bare) - 1.0).collect();
        changes.sort_by(f64::total_cmp);
        assert!(
            (change.low - changes[0]).abs() < 1e-9 && (change.high - changes[5]).abs() < 1e-9,
            "{change:?} of {changes:?}"
        );
    }
    assert_eq!(ran.stderr.lines().filter(|line| line.starts_with("pair ")).count(), 6, "{}", ran.stderr);
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["small.toml"], "the data of runs are removed");
}

#[test]
fn its_table_names_both_sides_and_the_interval() {
    let ran = logdyno(&scene(), &["overhead", "small.toml", "--pairs", "6", "--records", "400", "--target", "null"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.starts_with("small on null: 6 pairs of runs of 400 records"), "{}", ran.stdout);
    for row in ["records a second", "processor time a record"] {
        let line = ran.stdout.lines().find(|line| line.trim_start().starts_with(row)).unwrap();
        assert!(line.contains(" % to ") && line.trim_end().ends_with("96.9 %"), "{line}");
    }
}

#[test]
fn what_supports_no_interval_is_refused() {
    let few = logdyno(&scene(), &["overhead", "small.toml", "--pairs", "5"]);
    assert!(few.code == 2 && few.stderr.contains("6..=200"), "{}", few.stderr);
}
