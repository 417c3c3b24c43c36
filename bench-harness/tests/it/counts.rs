//! How much of a run counts: one answer for whoever asks.

use logdyno::report::{render, reporters};
use logdyno::result::{Countable, Measured, Outcome, RunResult, Verdict, VerdictKind};
use logdyno::sweep::RunSummary;

use crate::report::{measured, result};

fn with(kinds: &[VerdictKind]) -> Measured {
    let verdict = |kind: &VerdictKind| Verdict { kind: *kind, reason: "so it was".to_owned() };
    Measured { verdicts: kinds.iter().map(verdict).collect(), ..measured(4_000) }
}

fn exported(format: &str, result: &RunResult) -> String {
    let reporters = reporters();
    let reporter = reporters.iter().find(|reporter| reporter.name() == format).expect(format);
    reporter.render(std::slice::from_ref(result))
}

/// Without a verdict everything counts; a system that did not keep up has a throughput and no latency; whatever else is said of a run, no
/// number of it is the system's. Any verdict makes the program exit with 5 and a test fail.
#[test]
fn a_verdict_means_the_same_everywhere() {
    use VerdictKind::{Backlogged, GeneratorBound, Invalid, NotSteady};
    for (kinds, countable) in [
        (&[][..], Countable::Everything),
        (&[Backlogged], Countable::Throughput),
        (&[GeneratorBound], Countable::Nothing),
        (&[NotSteady], Countable::Nothing),
        (&[Invalid], Countable::Nothing),
        (&[Backlogged, GeneratorBound], Countable::Nothing),
    ] {
        let measured = with(kinds);
        assert_eq!(measured.countable(), countable, "{kinds:?}");
        let (has_throughput, has_latency) = (countable > Countable::Nothing, countable > Countable::Throughput);

        let summary = RunSummary::of(1, String::new(), &measured);
        assert_eq!((summary.countable(), summary.counts()), (countable, has_throughput), "{kinds:?}");

        let result = result(vec![("buffered", Outcome::Measured(Box::new(measured)))]);
        assert_eq!(result.counts(), has_latency, "{kinds:?}: exits with 0");
        assert_eq!(render(&result).contains("verified: none lost"), has_latency, "{kinds:?}");
        for format in ["go", "bencher", "github-bigger", "perf-test", "omb"] {
            let text = exported(format, &result);
            assert_eq!(text.contains("1999.3") || text.contains("messageSize"), has_throughput, "{format}: {text}");
        }
        for (format, latency) in [
            ("go", "ack-p50-ns"),
            ("bencher", "ack-p50"),
            ("github-smaller", "ack-p50"),
            ("perf-test", "avg latency"),
            ("percentiles", "Percentile"),
            ("hlog", "/ack/total"),
            ("omb", "LatencyAvg"),
        ] {
            let text = exported(format, &result);
            assert_eq!(text.contains(latency), has_latency, "{kinds:?}, {format}: {text}");
        }
        assert_eq!(exported("junit", &result).contains("failures=\"0\""), has_latency, "{kinds:?}");
    }
}
