//! Figures a second: over the time in which it was counted.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use logdyno::campaign::{Campaign, Jobs, Watch};
use logdyno::limits::{LIMITS_FORMAT, LIMITS_VERSION, Limits, Loopback, shares};
use logdyno::report::render;
use logdyno::result::{Durability, Measured, Outcome, Trial};
use logdyno::signal::Stop;
use logdyno::sweep::RunSummary;
use logdyno::target::{EmbeddedTarget, Fault, LogTarget, NullTarget, Target};
use logdyno::trial::Progress;
use logdyno::workload::{Overrides, parse};
use logdyno_engine::storage::kinds;
use tempfile::TempDir;

use crate::program::logdyno;
use crate::report::{measured, result};
use crate::scene::Scene;

/// A loopback and a processor that are easily used up.
fn limits() -> Limits {
    Limits {
        format: LIMITS_FORMAT.to_owned(),
        version: LIMITS_VERSION,
        environment: result(Vec::new()).environment,
        bandwidths: Vec::new(),
        syncs: Vec::new(),
        memcpy_bytes_per_second: 1e9,
        crc32c_bytes_per_second: 1e6,
        codecs: Vec::new(),
        loopback: Loopback { bytes_per_second: 1e6, round_trip_p50_ns: 1, round_trip_p99_ns: 1 },
        timers: Vec::new(),
        skipped: Vec::new(),
    }
}

/// The share of a limit that a run has used.
fn share(measured: &Measured, limit: &str) -> f64 {
    let shares = shares(&limits(), &result(Vec::new()).workload, None, measured);
    shares.iter().find(|share| share.limit == limit).unwrap_or_else(|| panic!("{limit} in {shares:?}")).share
}

/// 300 records in 300 ms, of which the last 50 wait 400 ms longer for a `send` that stalls: they are batches, requests and work of the run,
/// and so is the time that they took.
#[test]
fn what_the_schedule_left_behind_is_counted_with_its_time() {
    let text = "
[records]
size = 32
entropy = 2
distinct = 50
[load]
rate = 1000
[run]
target = \"null\"
duration = \"300ms\"
warm.up = \"0s\"
";
    let stall = Fault::Stall(250, Duration::from_millis(450));
    let measured = Scene::new(text).measure(NullTarget::with_faults([stall]), &[]);
    assert_eq!((measured.measured_ns, measured.batches.records), (300_000_000, 300));
    let counted_ns = measured.counted_ns.unwrap();
    assert!((690_000_000..3_000_000_000).contains(&counted_ns), "{counted_ns} ns");
    let prompt = Scene::new(text).measure(NullTarget::default(), &[]);
    assert!(prompt.counted_ns.unwrap() >= prompt.measured_ns, "nothing is counted over less than the schedule");
}

/// A run of 1.5 s whose last record came in after 3 s has half the requests a second, and half the part of each limit.
#[test]
fn what_is_told_a_second_is_of_the_time_to_the_last_record() {
    let prompt = measured(1000);
    let late = Measured { counted_ns: Some(2 * prompt.measured_ns), ..prompt.clone() };
    for limit in ["loopback TCP", "CRC-32C of one thread", "the 2 processors"] {
        let ratio = share(&late, limit) / share(&prompt, limit);
        assert!((ratio - 0.5).abs() < 1e-9, "{limit}: {ratio}");
    }
    let requests = |measured: &Measured| {
        let text = render(&result(vec![("buffered", Outcome::Measured(Box::new(measured.clone())))]));
        let row = text.split("\nBatches\n").nth(1).unwrap().lines().nth(1).unwrap().to_owned();
        row.split("30 %").nth(1).unwrap().split_whitespace().next().unwrap().to_owned()
    };
    assert_eq!([&prompt, &late].map(requests), ["333", "167"]);
}

/// 3,000 records of 91.03 bytes on average were sent in requests of 95,000 bytes, however long the schedule was.
#[test]
fn bytes_sent_are_of_all_records_that_were_sent() {
    for measured_ns in [1_500_000_000, 500_000_000] {
        let measured = Measured { measured_ns, ..measured(1000) };
        let sent_per_byte = RunSummary::of(1, String::new(), &measured).bytes_sent_per_byte.unwrap();
        assert!((sent_per_byte - 95_000.0 / (3_000.0 * 182_000.0 / 1_999.3)).abs() < 1e-9, "{sent_per_byte}");
    }
}

/// A file of 1,000 records of 10 or 90 bytes, the long ones where `is_long`.
fn write_sizes(dir: &Path, is_long: fn(usize) -> bool) {
    let line = |n: usize| format!("{n:0width$}\n", width = if is_long(n) { 90 } else { 10 });
    std::fs::write(dir.join("sizes.txt"), (0..1000).map(line).collect::<String>()).unwrap();
}

/// Of a file whose first half has short records and whose second half long ones, a run that ends within the first half has sent short
/// ones only, and so has the first of two steps; a mean of the file says 50 of all of them.
#[test]
fn bytes_a_second_are_of_the_records_that_were_sent() {
    let each = |measured: &Measured| measured.achieved_bytes_per_second / measured.achieved_per_second;
    let sorted = |count: &str, load: &str| {
        let scene = Scene::new(&format!(
            "[records]\nfile = \"sizes.txt\"\n{count}[run]\ntarget = \"null\"\nwarm.up.records = 0\n[load]\n{load}"
        ));
        write_sizes(&scene.path(), |n| n >= 500);
        scene
    };
    let short = sorted("count = 200\n", "rate = 200\n").measure(NullTarget::default(), &[]);
    assert_eq!((short.records.measured, each(&short)), (200, 10.0));
    assert_eq!(short.measured_bytes(), Some(2_000.0));
    let step = "{ rate = 500, duration = \"1s\" }";
    let steps = sorted("", &format!("steps = [{step}, {step}]\n")).run(NullTarget::default(), &[]);
    let of_step = |trial: &Trial| match &trial.outcome {
        Outcome::Measured(measured) => (measured.records.measured, each(measured).round()),
        other => panic!("{other:?}"),
    };
    assert_eq!(steps.result.trials.iter().map(of_step).collect::<Vec<_>>(), [(500, 10.0), (500, 90.0)]);
}

/// The second of two shards has every other record.
#[test]
fn bytes_of_a_shard_are_of_its_own_records() {
    let dir = TempDir::new().unwrap();
    write_sizes(dir.path(), |n| n % 2 == 1);
    let text = "[records]\nfile = \"sizes.txt\"\n[run]\ntarget = \"null\"\n[load]\nrate = 10000\n";
    std::fs::write(dir.path().join("shard.toml"), text).unwrap();
    let ran = logdyno(&dir, &["run", "shard.toml", "--shard", "2/2", "--out", "out"]);
    let saved = logdyno::result::read(&dir.path().join("out/shard")).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    let Outcome::Measured(measured) = &saved.trials[0].outcome else { panic!("{saved:?}") };
    assert_eq!((measured.achieved_bytes_per_second / measured.achieved_per_second).round(), 90.0);
}

/// The last progress that tells a limit.
#[derive(Default)]
struct Kept(Option<Progress>);

impl Watch for Kept {
    fn begins(&mut self, _: &str, _: usize, _: usize) {}

    fn progress(&mut self, progress: &Progress) {
        if progress.limit.is_some() {
            self.0 = Some(progress.clone());
        }
    }

    fn ended(&mut self, _: &str, _: &Outcome) {}
}

/// An ack of the leader alone does not keep followers from fetching, checking and writing, and the log target keeps one copy however many
/// the topic asks for: while it runs and afterwards.
#[test]
fn what_moves_is_counted_for_each_copy_that_is_kept() {
    let text = "
[records]
size = 100
entropy = 2
distinct = 50
[topic]
replication.factor = 3
[producer]
acks=1
[load]
rate = 2000
[run]
duration = \"600ms\"
warm.up = \"0s\"
backends = [\"buffered\"]
";
    let targets: [Box<dyn Target>; 2] = [Box::new(EmbeddedTarget), Box::new(LogTarget)];
    let (kinds, dir) = (kinds(), TempDir::new().unwrap());
    for (target, copies) in targets.into_iter().zip([3, 1]) {
        let name = target.name().to_owned();
        let text = format!("{text}target = \"{name}\"\n");
        let plan = parse(Path::new("copies.toml"), &text, &Overrides::default()).unwrap();
        let targets = [target];
        let campaign = Campaign::prepare(Arc::new(plan), &Jobs { kinds: &kinds, targets: &targets }).unwrap();
        let mut kept = Kept::default();
        let campaign = campaign.limits(Some(limits()));
        let ended = campaign.run(&dir.path().join(&name), &Stop::default(), &mut kept).unwrap();
        let Outcome::Measured(measured) = &ended.result.trials[0].outcome else { panic!("{:?}", ended.result.trials) };
        assert_eq!((measured.copies, measured.durability.replicas), (Some(copies), 1), "{name}");
        let sent = measured.batches.work.as_ref().unwrap().bytes_sent as f64 / measured.counted_seconds();
        let used = share(measured, "CRC-32C of one thread") * 1e6;
        assert!((used / (sent * f64::from(copies + 2)) - 1.0).abs() < 1e-9, "{name}: {used} of {sent}");
        let progress = kept.0.unwrap_or_else(|| panic!("{name} told no limit"));
        let sent = progress.request_bytes as f64 / progress.elapsed.as_secs_f64();
        let used = progress.limit.unwrap().share * 1e6;
        assert!((used / (sent * f64::from(copies + 2)) - 1.0).abs() < 1e-9, "{name}: {used} of {sent}");
    }
}

/// Older results tell only what an ack promised, which is taken for what was kept.
#[test]
fn an_older_result_is_read_by_what_an_ack_promised() {
    let told = |copies, replicas| {
        let durability = Durability { level: "written".to_owned(), replicas };
        share(&Measured { copies, durability, ..measured(1000) }, "loopback TCP")
    };
    assert_eq!((told(None, 3), told(None, 0)), (told(Some(3), 1), told(Some(1), 0)));
    assert!(told(Some(3), 1) > 1.9 * told(Some(1), 1));
}
