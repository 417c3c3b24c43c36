//! Results for other tools: what each format holds, and that runs which do not count give no numbers.

use logdyno::report::reporters;
use logdyno::result::{Outcome, RunResult, Verdict, VerdictKind};
use serde_json::Value;

use crate::report::{measured, result};

/// Two sound repetitions, one that kept up too little, one that is invalid, one that was refused and one that broke.
fn mixed() -> RunResult {
    let with = |kind| {
        let mut measured = measured(1000);
        measured.verdicts.push(Verdict { kind, reason: "a <b> & \"c\"".to_owned() });
        Outcome::Measured(Box::new(measured))
    };
    result(vec![
        ("buffered", Outcome::Measured(Box::new(measured(1000)))),
        ("buffered", Outcome::Measured(Box::new(measured(1000)))),
        ("mmap", with(VerdictKind::Backlogged)),
        ("uring", with(VerdictKind::Invalid)),
        ("other", Outcome::Refused { reason: "no ring".to_owned() }),
        ("another", Outcome::Failed { reason: "disk full".to_owned() }),
    ])
}

fn rendered(format: &str) -> String {
    let reporters = reporters();
    let reporter = reporters.iter().find(|reporter| reporter.name() == format).expect(format);
    reporter.render(&[mixed()])
}

#[test]
fn go_has_a_line_for_each_run_that_counts() {
    let text = rendered("go");
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("Benchmark")).collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[0].contains("/backend=buffered/ack=written/replicas=3 1 1999.3 records/s 182000 B/s "), "{text}");
    assert!(lines[0].contains(" ack-p99-ns") && !lines[0].contains("p99.9-ns"), "1,000 batches: {text}");
    assert!(lines[2].contains("backend=mmap") && !lines[2].contains("-ns"), "a backlog has no latency: {text}");
    assert!(text.starts_with("Unit B/s better=higher\n") && text.contains("Unit ack-p99-ns better=lower\n"), "{text}");
    // A line is a name, a count, and pairs of a value and a unit.
    assert!(lines.iter().all(|line| line.split(' ').count() % 2 == 0), "{text}");
}

#[test]
fn bencher_has_a_metric_for_each_measure() {
    let document: Value = serde_json::from_str(&rendered("bencher")).unwrap();
    let benchmarks = document.as_object().unwrap();
    assert_eq!(benchmarks.len(), 2, "repetitions are one benchmark: {document}");
    let (_, measures) = benchmarks.iter().find(|(name, _)| name.contains("backend=buffered")).unwrap();
    assert_eq!(measures["records"]["value"], 1999.3);
    assert_eq!(measures["records"]["lower_value"], measures["records"]["upper_value"]);
    assert!(measures["ack-p99"]["value"].as_f64().unwrap() > 1e6, "{document}");
}

#[test]
fn github_has_a_list_for_each_direction() {
    for (format, name) in [("github-bigger", "records"), ("github-smaller", "ack-p99")] {
        let document: Value = serde_json::from_str(&rendered(format)).unwrap();
        let entries = document.as_array().unwrap();
        let ours = |entry: &&Value| entry["name"].as_str().unwrap().ends_with(&format!(" {name}"));
        let expected = if name == "records" { 3 } else { 2 };
        assert_eq!(entries.iter().filter(ours).count(), expected, "{document}");
        assert!(entries.iter().all(|entry| entry["unit"].is_string() && entry["value"].is_number()), "{document}");
        assert!(!document.to_string().contains("uring"), "{document}");
    }
}

#[test]
fn junit_fails_what_does_not_count() {
    let text = rendered("junit");
    assert!(text.contains("tests=\"6\" failures=\"2\" errors=\"1\" skipped=\"1\""), "{text}");
    assert!(text.contains("<failure message=\"INVALID: a &lt;b&gt; &amp; &quot;c&quot;\"/>"), "{text}");
    assert!(
        text.contains("<skipped message=\"no ring\"/>") && text.contains("<error message=\"disk full\"/>"),
        "{text}"
    );
}

#[test]
fn markdown_has_a_row_for_each_trial_and_says_what_does_not_count() {
    let text = rendered("markdown");
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
    let columns = |line: &&str| line.matches('|').count();
    assert!(rows.iter().take(4).all(|row| columns(row) == columns(&rows[0])), "{text}");
    assert!(rows[1].chars().all(|sign| "|-: ".contains(sign)), "a line below the heads: {text}");
    assert!(rows.iter().any(|row| row.contains("buffered") && row.contains("1,999")), "{text}");
    assert!(
        text.contains("- uring: **INVALID**: a <b> & \"c\"\n") && text.contains("- other: refused: no ring\n"),
        "{text}"
    );
}

#[test]
fn perf_test_is_the_line_of_kafkas_producer_performance() {
    let text = rendered("perf-test");
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines.len(), 3, "{text}");
    let whole = "3000 records sent, 1999.3 records/sec (0.17 MB/sec), 1.37 ms avg latency, 4.90 ms max latency, 1 ms 50th, 5 ms 95th, 5 ms 99th.";
    assert_eq!(lines[0], whole, "1,000 batches do not tell the 99.9th");
    assert_eq!(lines[2], "3000 records sent, 1999.3 records/sec (0.17 MB/sec).", "a backlog has no latency");
}

#[test]
fn percentiles_grow_to_the_maximum() {
    let text = rendered("percentiles");
    let spectra: Vec<&str> = text.split("# ").skip(1).collect();
    assert_eq!(spectra.len(), 4, "two runs, two paths: {text}");
    let points = |spectrum: &str| -> Vec<Vec<f64>> {
        let lines = spectrum.lines().skip(3).take_while(|line| !line.starts_with('#'));
        lines.map(|line| line.split_whitespace().map(|field| field.parse().unwrap()).collect()).collect()
    };
    let spectrum = points(spectra[0]);
    assert!(spectrum.is_sorted_by(|one, next| one[0] <= next[0] && one[1] < next[1] && one[2] <= next[2]), "{text}");
    let last = spectrum.last().unwrap();
    assert_eq!((last[1], last[2], last.len()), (1.0, 1000.0, 3), "{text}");
    assert!((last[0] - 5_000.0).abs() < 1e-9, "microseconds: {text}");
    assert!(spectrum.iter().rev().skip(1).all(|point| point[1] <= 0.99), "1,000 batches tell no p99.9: {text}");
    assert!(spectra[0].contains("#[Max     =     5000.000, Total count    =         1000]"), "{text}");
}

#[test]
fn hlog_has_a_tag_for_each_histogram_of_runs_that_count() {
    let text = rendered("hlog");
    assert!(
        text.contains("Tag=workload=flights/target=embedded/backend=buffered/ack=written/replicas=3/1/ack/total,"),
        "{text}"
    );
    assert!(!text.contains("backend=uring"), "{text}");
}

#[test]
fn omb_has_the_fields_of_its_test_result() {
    let document: Value = serde_json::from_str(&rendered("omb")).unwrap();
    let runs = document.as_array().unwrap();
    assert_eq!(runs.len(), 3, "{document}");
    let run = &runs[0];
    assert_eq!(
        (&run["workload"], &run["driver"], &run["partitions"]),
        (&"flights".into(), &"embedded buffered".into(), &3.into())
    );
    assert_eq!(run["messageSize"], 91, "{run}");
    assert_eq!(run["aggregatedPublishLatencyMax"], 4.9, "milliseconds: {run}");
    assert_eq!(run["aggregatedPublishDelayLatencyMax"], 75, "microseconds: {run}");
    assert!(run["aggregatedEndToEndLatency99pct"].as_f64().unwrap() > 5.0, "{run}");
    assert!(run.get("aggregatedPublishLatency999pct").is_none(), "1,000 batches do not tell it: {run}");
    assert!(runs[2].get("aggregatedPublishLatencyAvg").is_none(), "a backlog has no latency: {}", runs[2]);
    let one = reporters().into_iter().find(|reporter| reporter.name() == "omb").unwrap();
    let alone = one.render(&[result(vec![("buffered", Outcome::Measured(Box::new(measured(1000))))])]);
    assert!(serde_json::from_str::<Value>(&alone).unwrap().is_object(), "one run is no list: {alone}");
}

/// One run, with what the command line changed in its workload.
fn changed(target: &str, overrides: &[&str]) -> RunResult {
    let mut result = result(vec![("buffered", Outcome::Measured(Box::new(measured(1000))))]);
    target.clone_into(&mut result.trials[0].target);
    result.workload.overrides = overrides.iter().map(|setting| (*setting).to_owned()).collect();
    result
}

/// The names that runs have in a format; what a line or an object says of one run is one name.
fn names(format: &str, results: &[RunResult]) -> Vec<String> {
    let reporters = reporters();
    let text = reporters.iter().find(|reporter| reporter.name() == format).expect(format).render(results);
    let between = |begin: &str, end: &str| -> Vec<String> {
        let on_one_line = |name: &&str| !name.contains('\n');
        let found = text.split(begin).skip(1).filter_map(|rest| Some(rest.split_once(end)?.0));
        found.filter(on_one_line).map(str::to_owned).collect()
    };
    match format {
        "go" => between("BenchmarkLogdyno/", " "),
        "bencher" => serde_json::from_str::<Value>(&text).unwrap().as_object().unwrap().keys().cloned().collect(),
        "github-bigger" => between("\"name\": \"", " records\""),
        "junit" => between("classname=\"", "\" time="),
        "perf-test" => between("# ", "\n"),
        "percentiles" => between("# ", " ack\n"),
        "hlog" => between("Tag=", "/1/ack/total,"),
        "omb" => {
            let document: Value = serde_json::from_str(&text).unwrap();
            document.as_array().unwrap().iter().map(|run| format!("{} {}", run["workload"], run["driver"])).collect()
        }
        other => panic!("{other} names no runs"),
    }
}

/// Runs of one workload with different settings, or on different targets, are different things to every tool: no two share a name. Names
/// whose values differ in signs that cannot stand in them are kept apart, too.
#[test]
fn only_repetitions_share_a_name() {
    let results = [
        changed("embedded", &[]),
        changed("log", &[]),
        changed("embedded", &["producer.linger.ms=0"]),
        changed("embedded", &["producer.linger.ms=-5"]),
        changed("embedded", &["producer.linger.ms=0", "load.rate=1/3"]),
        changed("embedded", &["producer.linger.ms=0", "load.rate=1_3"]),
        changed("embedded", &["records.file=a b"]),
        changed("embedded", &["records.file=a,b"]),
        changed("embedded", &["records.file=a_b"]),
    ];
    for format in ["go", "bencher", "github-bigger", "junit", "perf-test", "percentiles", "hlog", "omb"] {
        let names = names(format, &results);
        let different: std::collections::BTreeSet<&String> = names.iter().collect();
        assert!(different.len() == results.len() && names.iter().all(|name| !name.is_empty()), "{format}: {names:#?}");
    }
}

/// What holds in the end is the setting: neither the order of the command line nor a value that was set again makes another benchmark, and
/// nor does what the name tells anyhow.
#[test]
fn the_same_settings_have_the_same_name() {
    let results = [
        changed("embedded", &["producer.linger.ms=0", "load.rate=9"]),
        changed("embedded", &["load.rate=8", "load.rate = 9", "producer.linger.ms=0", "run.repetitions=5"]),
        changed("embedded", &["run.backends=buffered", "load.rate=9", "producer.linger.ms=0"]),
    ];
    let names = names("bencher", &results);
    assert_eq!(
        names,
        ["workload=flights/target=embedded/backend=buffered/load.rate=9/producer.linger.ms=0/ack=written/replicas=3"]
    );
}

/// A name of the Go format has no space, and no number behind a last hyphen, which is read as GOMAXPROCS.
#[test]
fn go_names_are_read_as_they_are_meant() {
    for name in
        names("go", &[changed("embedded", &["records.file=a b,c/d%", "topic.retention.ms=-1"]), changed("log", &[])])
    {
        assert!(name.ends_with("/ack=written/replicas=3"), "{name}");
    }
    let name = &names("go", &[changed("embedded", &["records.file=a b,c/d%"])])[0];
    assert!(name.contains("/records.file=a%20b%2Cc%2Fd%25/"), "{name}");
}
