//! `run --verify-crash`: cells are killed and lose power under load, and what was acknowledged is looked for.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use logdyno::campaign::{Campaign, Jobs};
use logdyno::crash::{self, Job};
use logdyno::proof::Evidence;
use logdyno::result::{CrashKind, Crashes, RunResult};
use logdyno::signal::Stop;
use logdyno::target::{
    Delivered, LogTarget, Objection, Observation, Path, Running, Setup, Sink, Source, Target, TargetError,
};
use logdyno::workload::{Overrides, Plan, load};
use logdyno_engine::storage::kinds;
use tempfile::TempDir;

use crate::program::{Output, logdyno};
use crate::scene::{Silent, verdicts};

const WORKLOAD: &str = "\
[records]
size = 100
entropy = 4
distinct = 400
count = 400
[topic]
partitions = 2
[producer]
linger.ms = 2
[broker]
logdyno.ack.level = \"durable\"
[load]
rate = 2000
[run]
target = \"log\"
";

fn scene(text: &str) -> TempDir {
    let dir = TempDir::new().expect("a directory");
    std::fs::write(dir.path().join("crash.toml"), text).expect("a workload");
    dir
}

fn crashed(ran: &Output) -> Vec<Crashes> {
    let result: RunResult = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    result.crashed.into_iter().flat_map(|cell| cell.crashes).collect()
}

#[test]
fn what_a_durable_ack_promised_survives_kill_9_and_power_loss_on_each_backend() {
    let dir = scene(WORKLOAD);
    let ran = logdyno(&dir, &["run", "crash.toml", "--verify-crash", "2", "--json", "--out", "out"]);
    let crashed = crashed(&ran);
    assert!(crashed.len() >= 4 && crashed.len().is_multiple_of(2), "two kinds for each backend that runs: {ran:?}");
    for crashes in &crashed {
        assert!(crashes.acknowledged > 0 && crashes.rounds == 2 && crashes.promised, "{crashes:?}");
        assert_eq!((crashes.lost, crashes.invented, crashes.broken()), (0, 0, None), "{crashes:?}");
    }
    assert!(ran.stderr.contains("buffered: 2 × power loss: lost 0 of "), "{}", ran.stderr);
    let drawn = logdyno(&dir, &["report", "out/crash"]);
    assert!(drawn.stdout.contains("Lost of what was acknowledged, when made to crash under load"), "{}", drawn.stdout);
}

/// Brokers start again on what they left, with the topic, its leaders and its replicas.
#[test]
fn a_cluster_finds_its_topic_again_after_each_kind_of_crash() {
    let text =
        WORKLOAD.replace("\"log\"", "\"embedded\"").replace("partitions = 2", "partitions = 2\nreplication.factor = 2");
    let dir = scene(&text.replace("[broker]", "[broker]\nbroker.session.timeout.ms = 2000"));
    let settings = ["--backend", "buffered", "--json", "--out", "out", "--verify-crash", "1"];
    let crashed = crashed(&logdyno(&dir, &[&["run", "crash.toml"][..], &settings].concat()));
    assert_eq!(crashed.iter().map(|crashes| crashes.kind).collect::<Vec<_>>(), CrashKind::ALL);
    assert!(crashed.iter().all(|crashes| crashes.acknowledged > 0 && crashes.broken().is_none()), "{crashed:?}");
}

/// Each acknowledged record is looked for in its own topic.
#[test]
fn several_topics_are_found_again_after_each_kind_of_crash() {
    for target in ["log", "embedded"] {
        let mut text = WORKLOAD.replace("\"log\"", &format!("\"{target}\"")).replace("[topic]", "[topic]\ncount = 3");
        if target == "log" {
            // There is one replica, whatever the topic says: what it has is all that there will be.
            text = text
                .replace("[topic]", "[topic]\nreplication.factor = 3")
                .replace("[producer]", "[producer]\nacks = 1");
        }
        let dir = scene(&text);
        let settings = ["--backend", "buffered", "--json", "--out", "out", "--verify-crash", "1"];
        let crashed = crashed(&logdyno(&dir, &[&["run", "crash.toml"][..], &settings].concat()));
        assert_eq!(crashed.iter().map(|crashes| crashes.kind).collect::<Vec<_>>(), CrashKind::ALL, "{target}");
        for crashes in &crashed {
            assert!(crashes.acknowledged > 0 && crashes.promised, "{target}: {crashes:?}");
            assert_eq!((crashes.lost, crashes.invented, crashes.broken()), (0, 0, None), "{target}: {crashes:?}");
        }
    }
}

/// Each cell of a grid crashes once, after its first repetition.
#[test]
fn cells_of_a_sweep_crash_too() {
    let dir = scene(WORKLOAD);
    let grid =
        ["sweep", "crash.toml", "--vary", "backend=buffered", "--vary", "broker.logdyno.ack.level=written,durable"];
    let ran = logdyno(&dir, &[&grid[..], &["--repetitions", "2", "--verify-crash=1", "--out", "out"]].concat());
    let sweep = logdyno::sweep::read(&dir.path().join("out")).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    for (cell, level) in sweep.cells.iter().zip(["written", "durable"]) {
        assert_eq!((cell.runs.len(), cell.crashes.len()), (2, 2), "{ran:?}");
        let [kill, power_loss] = &cell.crashes[..] else { unreachable!("it has two") };
        assert_eq!((kill.kind, power_loss.kind), (CrashKind::Kill, CrashKind::PowerLoss));
        assert_eq!((kill.promised, power_loss.promised), (true, level == "durable"));
        assert!(kill.acknowledged > 0 && kill.lost == 0, "{kill:?}");
    }
    let told = ran.stdout.lines().find(|line| line.contains("ack.level=durable") && line.contains("killed, 0 of "));
    assert!(told.is_some_and(|line| line.ends_with("no loss by kill -9, power loss")), "{}", ran.stdout);
    let refused = logdyno(&dir, &[&grid[..], &["--target", "null", "--verify-crash", "--out", "other"]].concat());
    assert!(refused.stderr.contains("--verify-crash cannot be done: null keeps nothing"), "{}", refused.stderr);
}

#[test]
fn where_a_loss_could_not_be_told_the_run_is_refused() {
    let refused = |text: String, reason: &str| {
        let dir = scene(&text);
        let ran = logdyno(&dir, &["run", "crash.toml", "--verify-crash"]);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(
            ran.stderr.contains("--verify-crash cannot be done: ") && ran.stderr.contains(reason),
            "{}",
            ran.stderr
        );
        assert!(!dir.path().join("results").exists(), "nothing has run");
    };
    refused(WORKLOAD.replace("\"log\"", "\"null\""), "null keeps nothing");
    refused(WORKLOAD.replace("linger.ms", "acks = 0\nlinger.ms"), "nothing is acknowledged");
    let deleting = WORKLOAD.replace("\"log\"", "\"embedded\"").replace("[topic]", "[topic]\nretention.bytes = 1000");
    refused(deleting, "retention.bytes=1000 the log itself removes");
}

/// What the program's own process kept is not handed out again: a loss after each crash.
#[test]
fn a_loss_that_the_ack_excluded_makes_the_run_invalid() {
    let dir = scene(WORKLOAD);
    let plan = Arc::new(load(&dir.path().join("crash.toml"), &Overrides::default()).expect("a good workload"));
    let (targets, buffered): (Vec<Box<dyn Target>>, _) = (vec![Box::new(Forgetful)], [kinds()[0]]);
    let campaign = Campaign::prepare(plan, &Jobs { kinds: &buffered, targets: &targets }).expect("a good campaign");
    let (folder, stop) = (dir.path().join("out"), Stop::default());
    let mut ended = campaign.run(&folder, &stop, &mut Silent).expect("a run");
    let job = Job {
        program: PathBuf::from(env!("CARGO_BIN_EXE_logdyno")),
        workload: campaign.plan().path.clone(),
        settings: Vec::new(),
        rounds: 1,
        folder,
    };
    assert!(crash::verify(&campaign, &mut ended.result, &job, &stop, &mut |_, _| {}).expect("crashes"));
    let kill = &ended.result.crashed[0].crashes[0];
    assert!(kill.lost >= 1 && kill.lost < kill.acknowledged && kill.promised, "{kill:?}");
    assert!(ended.is_invalid());
    let logdyno::result::Outcome::Measured(measured) = &ended.result.trials[0].outcome else { panic!("{ended:?}") };
    let found = verdicts(measured);
    assert!(found.iter().any(|text| text.starts_with("INVALID: 1 × kill -9 lost ")), "{found:?}");
    assert!(found.iter().any(|text| text.contains("offset 0 of partition 0 is the first of ")), "{found:?}");
}

/// A log that has forgotten the first record of each partition when it is started again.
struct Forgetful;

impl Target for Forgetful {
    fn name(&self) -> &'static str {
        "log"
    }

    fn has_storage(&self) -> bool {
        true
    }

    fn check(&self, plan: &Plan) -> Result<(), Objection> {
        LogTarget.check(plan)
    }

    fn ack_level(&self, plan: &Plan) -> Option<String> {
        LogTarget.ack_level(plan)
    }

    fn start(&self, setup: Setup) -> Result<Box<dyn Running>, TargetError> {
        let found = setup.finds_topic;
        let running = LogTarget.start(setup)?;
        Ok(if found { Box::new(WithoutFirst(running)) } else { running })
    }
}

struct WithoutFirst<T>(T);

impl Running for WithoutFirst<Box<dyn Running>> {
    fn path(&self) -> Path {
        self.0.path()
    }

    fn sink(&self, index: u32) -> Result<Box<dyn Sink>, TargetError> {
        self.0.sink(index)
    }

    fn source(&self) -> Result<Box<dyn Source>, TargetError> {
        Ok(Box::new(WithoutFirst(self.0.source()?)))
    }

    fn observe(&self) -> Observation {
        self.0.observe()
    }

    fn evidence(&self) -> Vec<Evidence> {
        self.0.evidence()
    }

    fn stop(self: Box<Self>) -> Result<(), TargetError> {
        self.0.stop()
    }
}

impl Source for WithoutFirst<Box<dyn Source>> {
    fn poll(&mut self, timeout: Duration, take: &mut dyn FnMut(Delivered<'_>)) -> Result<(), TargetError> {
        self.0.poll(timeout, &mut |record| {
            if record.offset.0 > 0 {
                take(record);
            }
        })
    }
}
