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
    assert!(lines[0].contains("/on=buffered/ack=written/replicas=3 1 1999.3 records/s 182000 B/s "), "{text}");
    assert!(lines[0].contains(" ack-p99-ns") && !lines[0].contains("p99.9-ns"), "1,000 batches: {text}");
    assert!(lines[2].contains("on=mmap") && !lines[2].contains("-ns"), "a backlog has no latency: {text}");
    assert!(text.starts_with("Unit B/s better=higher\n") && text.contains("Unit ack-p99-ns better=lower\n"), "{text}");
    // A line is a name, a count, and pairs of a value and a unit.
    assert!(lines.iter().all(|line| line.split(' ').count() % 2 == 0), "{text}");
}

#[test]
fn bencher_has_a_metric_for_each_measure() {
    let document: Value = serde_json::from_str(&rendered("bencher")).unwrap();
    let benchmarks = document.as_object().unwrap();
    assert_eq!(benchmarks.len(), 2, "repetitions are one benchmark: {document}");
    let (_, measures) = benchmarks.iter().find(|(name, _)| name.contains("on=buffered")).unwrap();
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
