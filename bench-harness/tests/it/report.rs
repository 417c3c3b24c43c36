//! The report's text, from a result made by hand: what is printed, and what is not.

use std::collections::BTreeMap;

use logdyno::measure::{BatchPanel, BatchWork, Distribution, Step};
use logdyno::proof::Evidence;
use logdyno::report::render;
use logdyno::result::{
    BandResult, Durability, Environment, FORMAT, Measured, Outcome, PathResult, QUANTILES, RecordCounts, Rest,
    RunResult, SlowRecord, SteadyMetric, SteadyState, StepResult, Trial, VERSION, Verdict, VerdictKind, Workload,
};
use logdyno::sweep::RunSummary;
use logdyno::usage::{Process, Role, RoleUsage, Usage};

/// 990 records that wait evenly, and ten slow ones that wait for their batch.
fn bands(steps: &[(Step, u64)]) -> Vec<BandResult> {
    let band = |from: &str, to: &str, records: u64, steps_ns: BTreeMap<Step, u64>| BandResult {
        from: from.to_owned(),
        to: to.to_owned(),
        records,
        min_ns: 500_000,
        max_ns: 5_000_000,
        total_ns: steps_ns.values().sum(),
        steps_ns,
        slowest: Vec::new(),
    };
    let even = steps.iter().map(|(step, _)| (*step, 1_000_000)).collect();
    let slow = steps.iter().map(|(step, ns)| (*step, if *step == Step::Batch { *ns } else { 4 * ns })).collect();
    vec![band("min", "p99", 990, even), band("p99", "max", 10, slow)]
}

/// As many records as batches: so many independent samples.
pub(crate) fn measured(batches: u64) -> Measured {
    let distribution = |ns: u64| {
        let mut distribution = Distribution::new();
        distribution.record_n(ns, batches * 9 / 10);
        distribution.record_n(ns * 5, batches - batches * 9 / 10);
        distribution
    };
    let path = |steps: &[(Step, u64)]| PathResult {
        total: distribution(steps.iter().map(|(_, ns)| ns).sum()),
        quantiles: Vec::new(),
        steps: steps.iter().map(|(step, ns)| StepResult { step: *step, durations: distribution(*ns) }).collect(),
        slowest: vec![SlowRecord { topic: None, partition: 0, offset: 7, steps_ns: steps.iter().copied().collect() }],
        bands: bands(steps),
    };
    Measured {
        durability: Durability { level: "written".to_owned(), replicas: 3 },
        copies: None,
        has_network: None,
        records: RecordCounts { sent: 4000, acknowledged: 4000, failed: 0, delivered: 4000, passes: 4, measured: 3000 },
        begin_unix_ms: None,
        measured_ns: 1_500_000_000,
        counted_ns: None,
        offered_per_second: Some(2000.0),
        achieved_per_second: 1999.3,
        achieved_bytes_per_second: 182_000.0,
        to_acknowledgement: path(&[(Step::Schedule, 20_000), (Step::Batch, 900_000), (Step::Acknowledge, 80_000)]),
        to_delivery: path(&[(Step::Schedule, 20_000), (Step::Batch, 900_000), (Step::Deliver, 180_000)]),
        service: distribution(980_000),
        over_time: None,
        steady: Vec::new(),
        generator_lag: distribution(15_000),
        batches: BatchPanel {
            batches,
            records: 3000,
            work: Some(BatchWork {
                bytes_uncompressed: 300_000,
                bytes_sent: 90_000,
                retries: 0,
                close_reasons: BTreeMap::from([("linger".to_owned(), batches)]),
            }),
        },
        batch_size: 16_384,
        requests: Some(batches / 2),
        request_bytes: Some(95_000),
        storage: BTreeMap::from([("bytes_appended".to_owned(), 270_000), ("bytes_copied_in".to_owned(), 270_000)]),
        target: BTreeMap::from([("produced_bytes".to_owned(), 90_000)]),
        producers: BTreeMap::new(),
        limits: None,
        usage: Some(Usage {
            roles: vec![
                RoleUsage { role: Role::Generator, threads: 1, cpu_ns: 3_000_000 },
                RoleUsage { role: Role::Broker, threads: 6, cpu_ns: 9_000_000 },
            ],
            process: Process {
                cpu_user_ns: 8_000_000,
                cpu_system_ns: 4_000_000,
                resident_bytes_max: Some(50_000_000),
                faults_minor: 1_500,
                switches_voluntary: 6_000,
                read_calls: 300,
                write_calls: 900,
                ..Process::default()
            },
        }),
        proof: vec![Evidence { name: "codec".to_owned(), holds: true, detail: "5 of 5 batches".to_owned() }],
        verdicts: Vec::new(),
    }
}

pub(crate) fn result(outcomes: Vec<(&str, Outcome)>) -> RunResult {
    let trial = |(backend, outcome): (&str, Outcome)| Trial {
        target: "embedded".to_owned(),
        backend: Some(backend.to_owned()),
        repetition: 1,
        step: None,
        outcome,
    };
    RunResult {
        format: FORMAT.to_owned(),
        version: VERSION,
        shard: None,
        merged: Vec::new(),
        workload: Workload {
            name: "flights".to_owned(),
            question: "Where does the time go?".to_owned(),
            file: "flights.toml".to_owned(),
            text: String::new(),
            overrides: Vec::new(),
            records: 1000,
            records_distinct: 990,
            records_bytes: 91_000,
            load: "from flights.jsonl · open loop, 2000/s".to_owned(),
            topic: "flights, 3 partitions, replication factor 3".to_owned(),
            topics: 1,
            partitions: 3,
            producer: vec![("acks".to_owned(), "all".to_owned())],
            consumer: Vec::new(),
            topic_configs: Vec::new(),
            broker: Vec::new(),
            brokers: 3,
            producers: 1,
        },
        environment: Environment {
            began: "2026-01-31T12:00:00Z".to_owned(),
            command: "logdyno run flights.toml".to_owned(),
            version: "0.1.0".to_owned(),
            commit: "0123456789ab".to_owned(),
            build: "release".to_owned(),
            kernel: "6.18.0".to_owned(),
            processor: "a processor".to_owned(),
            cores: 2,
            memory_mib: 4096,
            file_system: "ext4 on /dev/vda (rw)".to_owned(),
        },
        crashed: Vec::new(),
        trials: outcomes.into_iter().map(trial).collect(),
    }
}

#[test]
fn a_report_as_it_is_printed() {
    let outcomes = vec![
        ("buffered", Outcome::Measured(Box::new(measured(1000)))),
        ("uring", Outcome::Refused { reason: "io_uring is switched off".to_owned() }),
    ];
    insta::assert_snapshot!(render(&result(outcomes)));
}

/// 300 batches support no p99, whatever the number of records; 40,000 support p99.99.
#[test]
fn a_quantile_needs_enough_batches() {
    let row = |batches: u64| {
        let text = render(&result(vec![("buffered", Outcome::Measured(Box::new(measured(batches))))]));
        let line = text.lines().find(|line| line.contains(" ack ") && line.contains("buffered")).unwrap().to_owned();
        line.matches('–').count()
    };
    assert_eq!([300, 400, 4_000, 40_000].map(row), [3, 2, 1, 0]);
}

/// A growing backlog has no latency: any number would be the run's length.
#[test]
fn a_backlogged_run_prints_no_latency() {
    let mut backlogged = measured(4_000);
    let reason = "it grew".to_owned();
    backlogged.verdicts.push(Verdict { kind: VerdictKind::Backlogged, reason });
    let text = render(&result(vec![("buffered", Outcome::Measured(Box::new(backlogged)))]));
    assert!(text.contains("buffered: BACKLOGGED: it grew") && !text.contains("verified:"), "{text}");
    let latency = text.split("Latency").nth(1).unwrap().split("Batches").next().unwrap();
    assert!(!latency.contains(" ms") && !latency.contains(" µs"), "{latency}");
}

/// An ack that promises more costs more: the two do not stand in one table.
#[test]
fn unequal_promises_are_in_tables_of_their_own() {
    let mut durable = measured(1000);
    durable.durability.level = "durable".to_owned();
    let outcome = |measured| Outcome::Measured(Box::new(measured));
    let outcomes =
        vec![("buffered", outcome(measured(1000))), ("mmap", outcome(durable)), ("uring", outcome(measured(1000)))];
    let text = render(&result(outcomes));
    for (title, members) in [("durable", vec!["mmap"]), ("written", vec!["buffered", "uring"])] {
        for table in ["Throughput", "Latency from the intended time"] {
            let heading = format!("\n{table}: an ack promises {title} on 3 replicas\n");
            let (_, after) = text.split_once(&heading).unwrap_or_else(|| panic!("{heading} in {text}"));
            let rows = after.lines().skip(1).take_while(|line| !line.is_empty());
            let labels: Vec<&str> = rows.filter_map(|row| row.split_whitespace().next()).collect();
            let named = |name: &str| labels.contains(&name);
            assert!(
                ["buffered", "mmap", "uring"].into_iter().all(|name| named(name) == members.contains(&name)),
                "{text}"
            );
        }
    }
    assert!(!render(&result(vec![("mmap", outcome(measured(1000)))])).contains(": an ack promises"));
}

/// What is at rest says from when on, and what could not be judged says why; both stand in the table and on the page.
#[test]
fn the_steady_state_is_told() {
    let state = |metric, rest, p_value: f64, reason: Option<&str>| SteadyState {
        metric,
        rest,
        reason: reason.map(str::to_owned),
        points: 12,
        from_ns: reason.is_none().then_some(1_500_000_000),
        drift_per_minute: reason.is_none().then_some(-0.021),
        p_value: reason.is_none().then_some(p_value),
    };
    let mut steady = measured(4_000);
    steady.steady = vec![
        state(SteadyMetric::Throughput, Rest::Reached, 0.001, None),
        state(SteadyMetric::AckP99, Rest::NotJudged, 1.0, Some("too short")),
        state(SteadyMetric::AckP99, Rest::Reached, 0.4, None),
    ];
    let result = result(vec![("buffered", Outcome::Measured(Box::new(steady)))]);
    let text = render(&result);
    let lines: Vec<&str> = text.lines().skip_while(|line| !line.starts_with("Steady state")).skip(2).take(3).collect();
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
    assert_eq!(words(lines[0]), "buffered throughput reached 1.50 s -2.1 % 0.001 12", "{text}");
    assert_eq!(words(lines[1]), "p99 to ack not judged – – – 12 too short", "{text}");
    assert_eq!(words(lines[2]), "p99 to ack reached 1.50 s ~ 0.400 12", "{text}");
    let page = logdyno::report::render_html(&[result]).unwrap();
    assert!(page.contains(">-2.1 %</td>") && page.contains(">too short</td>"));
}

/// 1,000 batches are 1,000 samples, however many records they hold: the report, the page, the formats for other tools and a
/// sweep's summary leave out what they do not support, and the text says what it would take.
#[test]
fn an_unsupported_quantile_is_absent_everywhere_and_says_why() {
    let mut few = measured(1_000);
    few.to_acknowledgement.total.record_n(1_000_000, 1_000_000);
    let absent = few.quantile_ns(&few.to_acknowledgement.total, QUANTILES[2]).unwrap_err();
    assert_eq!(absent.to_string(), "1000 independent samples (batches), and it takes 3688");
    let result = result(vec![("buffered", Outcome::Measured(Box::new(few)))]);
    let why = "buffered: 1,000 independent samples (batches): p99.9 takes 3,688, p99.99 takes 36,887";
    assert!(render(&result).contains(why), "{}", render(&result));
    let page = logdyno::report::render_html(std::slice::from_ref(&result)).unwrap();
    assert!(
        page.contains(why) && page.contains(r#"data-quantile="p99""#) && !page.contains(r#"data-quantile="p99.9""#)
    );
    for reporter in logdyno::report::reporters() {
        let document = reporter.render(std::slice::from_ref(&result));
        if reporter.name() == "markdown" {
            assert!(document.contains(why) && document.contains("|     – |      – |"), "{document}");
        } else {
            let named = ["p99.9", "99.9th", "999pct", " 0.999"].into_iter().find(|name| document.contains(name));
            assert_eq!(named, None, "{}: {document}", reporter.name());
        }
    }
    let summary = |batches| RunSummary::of(1, String::new(), &measured(batches));
    assert_eq!(summary(5).ack_p50_ns, None);
    assert!(
        summary(367).ack_p50_ns.is_some() && summary(367).ack_p99_ns.is_none() && summary(368).ack_p99_ns.is_some()
    );
}
