//! The trial under way as OpenMetrics text (version 1.0.0): pure, a value in and a document out.
//!
//! Counters are of one trial, which their labels name, so none of them ever falls. Latencies are from the intended time, of the part
//! under way; a quantile that too few batches support is absent, as in every report.

use super::Now;
use crate::trial::{PathSoFar, Progress, SoFar};

/// What an answer says that it is.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The whole document; without a trial only what the program is.
#[must_use]
pub fn render(now: Option<&Now>) -> String {
    let mut text = family("logdyno_build", "info", "", "The program.");
    text.push_str(&format!("logdyno_build_info{{version=\"{}\"}} 1\n", env!("CARGO_PKG_VERSION")));
    if let Some(now) = now {
        let labels = format!("run=\"{}\",trial=\"{}\"", escape(&now.name), now.number);
        numbers(&mut text, &labels, &now.progress);
        now.progress.so_far.iter().for_each(|so_far| latencies(&mut text, &labels, so_far));
    }
    text.push_str("# EOF\n");
    text
}

/// What stands above a family's samples.
fn family(name: &str, kind: &str, unit: &str, help: &str) -> String {
    let unit = if unit.is_empty() { String::new() } else { format!("# UNIT {name} {unit}\n") };
    format!("# TYPE {name} {kind}\n{unit}# HELP {name} {help}\n")
}

fn numbers(text: &mut String, labels: &str, progress: &Progress) {
    let counters = [
        ("logdyno_sent_records", "records", progress.sent, "Records handed to send."),
        ("logdyno_acknowledged_records", "records", progress.acknowledged, "Records that were acknowledged."),
        ("logdyno_failed_records", "records", progress.failed, "Records whose send failed."),
        ("logdyno_delivered_records", "records", progress.delivered, "Records that a consumer had."),
        ("logdyno_request_bytes", "bytes", progress.request_bytes, "Bytes of produce requests."),
    ];
    for (name, unit, value, help) in counters {
        text.push_str(&family(name, "counter", unit, help));
        text.push_str(&format!("{name}_total{{{labels}}} {value}\n"));
    }
    let gauges = [
        ("logdyno_backlog_records", "records", progress.backlog() as f64, "Records that were sent and have no answer."),
        ("logdyno_undelivered_records", "records", progress.undelivered() as f64, "Acknowledged, not yet delivered."),
        ("logdyno_elapsed_seconds", "seconds", progress.elapsed.as_secs_f64(), "Since the first record was due."),
        ("logdyno_measuring", "", f64::from(u8::from(progress.is_measuring)), "1 once the warm-up is over."),
    ];
    for (name, unit, value, help) in gauges {
        text.push_str(&family(name, "gauge", unit, help));
        text.push_str(&format!("{name}{{{labels}}} {value}\n"));
    }
}

fn latencies(text: &mut String, labels: &str, so_far: &SoFar) {
    let labels = format!("{labels},part=\"{}\"", so_far.part);
    let paths = [("acknowledgement", &so_far.to_acknowledgement), ("delivery", &so_far.to_delivery)];
    let name = "logdyno_latency_seconds";
    text.push_str(&family(name, "summary", "seconds", "From the intended time, of the records measured so far."));
    for (path, PathSoFar { count, sum_ns, quantiles, .. }) in paths {
        let labels = format!("{labels},to=\"{path}\"");
        for (quantile, ns) in quantiles {
            text.push_str(&format!("{name}{{{labels},quantile=\"{}\"}} {}\n", quantile.share, seconds(*ns)));
        }
        text.push_str(&format!("{name}_count{{{labels}}} {count}\n{name}_sum{{{labels}}} {}\n", seconds(*sum_ns)));
    }
    let name = "logdyno_step_seconds";
    text.push_str(&family(name, "counter", "seconds", "What these records together spent on each step of their path."));
    for (path, PathSoFar { steps, .. }) in paths {
        for (step, ns) in steps {
            let (step, value) = (step.name(), seconds(*ns));
            text.push_str(&format!("{name}_total{{{labels},to=\"{path}\",step=\"{step}\"}} {value}\n"));
        }
    }
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

/// As a label's value is quoted.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::measure::Step;
    use crate::result::QUANTILES;

    fn now() -> Now {
        let path = PathSoFar {
            count: 400,
            sum_ns: 2_000_000_000,
            max_ns: 9_000_000,
            quantiles: vec![(QUANTILES[0], 4_500_000), (QUANTILES[1], 8_000_000)],
            steps: vec![(Step::Batch, 1_500_000_000), (Step::Disk, 500_000_000)],
        };
        let progress = Progress {
            elapsed: Duration::from_millis(2500),
            sent: 1000,
            acknowledged: 900,
            failed: 10,
            delivered: 850,
            request_bytes: 12_345,
            copies: 1,
            has_network: true,
            is_measuring: true,
            so_far: Some(SoFar { part: 1, to_acknowledgement: path, to_delivery: PathSoFar::default() }),
            limit: None,
        };
        Now { name: "a \"b\\\nc".to_owned(), number: 2, count: 3, progress }
    }

    #[test]
    fn every_figure_of_the_trial_is_there() {
        let text = render(Some(&now()));
        let run = r#"run="a \"b\\\nc",trial="2""#;
        for line in [
            format!("logdyno_sent_records_total{{{run}}} 1000"),
            format!("logdyno_failed_records_total{{{run}}} 10"),
            format!("logdyno_request_bytes_total{{{run}}} 12345"),
            format!("logdyno_backlog_records{{{run}}} 90"),
            format!("logdyno_undelivered_records{{{run}}} 50"),
            format!("logdyno_elapsed_seconds{{{run}}} 2.5"),
            format!("logdyno_latency_seconds{{{run},part=\"1\",to=\"acknowledgement\",quantile=\"0.99\"}} 0.008"),
            format!("logdyno_latency_seconds_count{{{run},part=\"1\",to=\"delivery\"}} 0"),
            format!("logdyno_step_seconds_total{{{run},part=\"1\",to=\"acknowledgement\",step=\"batch\"}} 1.5"),
        ] {
            assert!(text.lines().any(|has| has == line), "{line} is not in:\n{text}");
        }
        assert!(!text.contains("quantile=\"0.999\""), "{text}");
    }

    /// What OpenMetrics asks of a document: families in one piece, types before samples, units at the end of names, one end.
    #[test]
    fn the_document_is_well_formed() {
        for text in [render(None), render(Some(&now()))] {
            assert!(text.ends_with("# EOF\n") && text.matches("# EOF").count() == 1, "{text}");
            let mut families: Vec<&str> = Vec::new();
            for line in text.lines() {
                if let Some(family) = line.strip_prefix("# TYPE ") {
                    let name = family.split(' ').next().unwrap();
                    assert!(!families.contains(&name), "{name} twice: {text}");
                    families.push(name);
                } else if let Some(unit) = line.strip_prefix("# UNIT ") {
                    let (name, unit) = unit.split_once(' ').unwrap();
                    assert!(name.ends_with(&format!("_{unit}")), "{line}");
                } else if !line.starts_with('#') {
                    assert!(line.starts_with(families.last().unwrap()), "{line} is in no family: {text}");
                    line.rsplit(' ').next().unwrap().parse::<f64>().unwrap();
                }
            }
        }
    }
}
