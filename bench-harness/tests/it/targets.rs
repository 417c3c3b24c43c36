//! Each target takes records in and gives them back: every one, once, in order, as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use logdyno::target::{Observation, Outgoing, Receipts, Running, Setup, Source, Target, TargetError, Ticket, targets};
use logdyno::topics::Topics;
use logdyno::workload::{Overrides, Plan, parse};
use logdyno_engine::record::{Clock, Nanos, Offset, Probe, ProducedBatch, Stage, SystemClock, TopicPartition};
use logdyno_engine::storage::seam::real::RealDisk;
use logdyno_engine::storage::{Kind, kinds};
use tempfile::TempDir;

/// Records of one run.
pub(crate) const RECORDS: u64 = 2000;

/// How often a source may come back with nothing while records are missing.
const EMPTY_POLLS_MAX: u32 = 30;

#[derive(Default)]
pub(crate) struct Heard(Mutex<Notes>);

#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) acknowledged: BTreeMap<u64, (i32, Option<Offset>)>,
    pub(crate) failed: Vec<String>,
    batched: u64,
    pub(crate) stages: BTreeSet<Stage>,
}

impl Heard {
    pub(crate) fn notes(&self) -> std::sync::MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Receipts for Heard {
    fn acknowledged(&self, ticket: Ticket, partition: i32, offset: Option<Offset>) {
        let earlier = self.notes().acknowledged.insert(ticket.number, (partition, offset));
        assert_eq!(earlier, None, "record {} was acknowledged twice", ticket.number);
    }

    fn failed(&self, ticket: Ticket, reason: &str) {
        self.notes().failed.push(format!("record {}: {reason}", ticket.number));
    }
}

impl Probe for Heard {
    fn produced(&self, batch: &ProducedBatch) {
        let moments = [batch.created, batch.closed, batch.drained, batch.compressed, batch.sent, batch.acknowledged];
        assert!(moments.is_sorted(), "moments of a batch rise: {batch:?}");
        self.notes().batched += u64::from(batch.records);
    }

    fn requested(&self, _: u32, _: u64) {}

    fn passed(&self, stage: Stage, partition: &TopicPartition, _: std::ops::Range<Offset>, _: Nanos) {
        if partition.topic.starts_with("measured") {
            self.notes().stages.insert(stage);
        }
    }
}

fn target(name: &str) -> Box<dyn Target> {
    targets().into_iter().find(|target| target.name() == name).expect("a target of this name")
}

pub(crate) fn plan(more: &str) -> Plan {
    let text = format!(
        "[workload]\nname = \"targets\"\n[records]\nsize = 64\nentropy = 4\ncount = {RECORDS}\n{more}\n[load]\nin.flight = 100\n"
    );
    parse(Path::new("targets.toml"), &text, &Overrides::default()).expect("a good workload")
}

/// A running target, and what it is heard to say. `None`, and a line that says so, where the backend is refused.
pub(crate) fn start(
    target: &dyn Target,
    plan: Plan,
    kind: &Kind,
    heard: &Arc<Heard>,
    dir: &TempDir,
) -> Option<Box<dyn Running>> {
    target.check(&plan).expect("the target takes the plan");
    let setup = Setup {
        topics: Arc::new(topics(&plan)),
        plan: Arc::new(plan),
        backend: Some(*kind),
        dir: dir.path().to_owned(),
        finds_topic: false,
        disk: Arc::new(RealDisk),
        clock: Arc::new(SystemClock),
        probe: Arc::clone(heard) as Arc<dyn Probe>,
        receipts: Arc::clone(heard) as Arc<dyn Receipts>,
    };
    match target.start(setup) {
        Ok(running) => Some(running),
        Err(TargetError::Refused(refused)) => {
            eprintln!("REFUSED, nothing is tested: {refused}");
            None
        }
        Err(error) => panic!("the target does not start: {error}"),
    }
}

/// The plan's topics, for the records that are sent here, each once, by two producers.
pub(crate) fn topics(plan: &Plan) -> Topics {
    let keys: Vec<Option<Bytes>> = (0..RECORDS).map(|number| record(number).key).collect();
    Topics::of(&plan.topic, 2, keys.iter().map(Option::as_deref))
}

pub(crate) fn record(number: u64) -> Outgoing {
    let now = SystemClock.now();
    Outgoing {
        ticket: Ticket { number, intended: now, called: now },
        key: (!number.is_multiple_of(3)).then(|| Bytes::from(format!("key {}", number % 17))),
        value: Bytes::from(format!("value {number} {}", "x".repeat((number % 400) as usize))),
        timestamp: 1_700_000_000_000 + number as i64,
    }
}

/// Reads until every record has come, and checks what came against what was sent and acknowledged.
fn verify(mut source: Box<dyn Source>, topics: &Topics, heard: &Heard) {
    let mut delivered = BTreeMap::new();
    let mut ends: BTreeMap<i32, Offset> = BTreeMap::new();
    let mut empty = 0;
    while (delivered.len() as u64) < RECORDS && empty < EMPTY_POLLS_MAX {
        let before = delivered.len();
        let polled = source.poll(Duration::from_secs(1), &mut |came| {
            let expected = ends.entry(came.partition).or_default();
            assert_eq!(came.offset, *expected, "offsets of {} follow each other", topics.words_for(came.partition));
            *expected = came.offset.next();
            let number = (came.timestamp - 1_700_000_000_000) as u64;
            let sent = record(number);
            assert_eq!(came.key, sent.key.as_deref(), "key of record {number}");
            assert_eq!(came.value, Some(&*sent.value), "value of record {number}");
            assert_eq!(delivered.insert(number, (came.partition, came.offset)), None, "record {number} came once");
        });
        polled.expect("a sound answer");
        empty = if delivered.len() == before { empty + 1 } else { 0 };
    }
    let notes = heard.notes();
    assert_eq!(notes.failed, Vec::<String>::new());
    assert_eq!(delivered.len() as u64, RECORDS, "every record came");
    for (number, place) in &delivered {
        let (partition, offset) = notes.acknowledged[number];
        let index = topics.index(topics.of_record(*number), partition);
        assert_eq!((index, offset.unwrap_or(place.1)), *place, "record {number} stands where it was acknowledged");
    }
    let used = topics.partitions().count();
    assert_eq!(ends.len(), used, "every partition of every topic has records: {ends:?}");
    assert_eq!(notes.batched, RECORDS, "every batch was reported");
}

/// What a run leaves: what was heard and counted, and its directory.
pub(crate) struct Outcome {
    pub(crate) heard: Arc<Heard>,
    observed: Observation,
    dir: TempDir,
}

/// Sends all records from two producers in turn, and verifies them.
pub(crate) fn run(target: &dyn Target, plan: &Plan, kind: &Kind) -> Option<Outcome> {
    let (heard, dir) = (Arc::new(Heard::default()), TempDir::new().expect("a directory"));
    let running = start(target, plan.clone(), kind, &heard, &dir)?;
    let mut sinks = [0, 1].map(|index| running.sink(index).expect("a producer"));
    let source = running.source().expect("a consumer");
    for number in 0..RECORDS {
        sinks[(number % 2) as usize].send(record(number));
    }
    sinks.iter_mut().for_each(|sink| sink.flush());
    assert_eq!(heard.notes().acknowledged.len() as u64, RECORDS, "after a flush every record has its receipt");
    verify(source, &topics(plan), &heard);
    drop(sinks);
    let observed = running.observe();
    running.stop().expect("a clean stop");
    Some(Outcome { heard, observed, dir })
}

pub(crate) fn on(backend: &str) -> Kind {
    kinds().into_iter().find(|kind| kind.name == backend).expect("a backend of this name")
}

fn embedded_delivers_everything(backend: &str) {
    let plan = plan(
        "[topic]\nname = \"measured\"\npartitions = 3\nreplication.factor = 3\nmin.insync.replicas = 2\n\
         [producer]\nacks = \"all\"\nlinger.ms = 1\ncompression.type = \"lz4\"\n[broker]\nlog.index.interval.bytes = 1024",
    );
    let Some(Outcome { heard, observed, dir }) = run(&*target("embedded"), &plan, &on(backend)) else { return };
    let stages = &heard.notes().stages;
    for stage in [Stage::Appended, Stage::Written, Stage::HighWatermark, Stage::Fetched, Stage::Delivered] {
        assert!(stages.contains(&stage), "{stage:?} is stamped: {stages:?}");
    }
    assert!(stages.iter().any(|stage| matches!(stage, Stage::Replicated(_))), "followers are stamped: {stages:?}");
    let count = |name| observed.counters.iter().find(|(known, _)| *known == name).map(|(_, count)| *count);
    let produced = count("produced_bytes").expect("a counter");
    assert!(produced > 0);
    assert_eq!(count("followed_bytes"), Some(2 * produced), "each batch has two followers, added up over brokers");
    let storage = observed.storage.expect("counters of storage");
    assert!(storage.bytes_appended >= 3 * produced, "three replicas keep them: {storage:?}");
    for partition in 0..3 {
        let replicas = [1, 2, 3].map(|broker| log_bytes(&dir, broker, partition));
        assert_eq!(replicas[0], replicas[1], "partition {partition} of brokers 1 and 2");
        assert_eq!(replicas[0], replicas[2], "partition {partition} of brokers 1 and 3");
    }
    let kept: usize = (0..3).map(|partition| log_bytes(&dir, 1, partition).len()).sum();
    assert_eq!(kept as u64, produced, "a stopped broker's files hold the batches and nothing else");
}

/// A replica's segments, concatenated in the order of their offsets.
fn log_bytes(dir: &TempDir, broker: u32, partition: i32) -> Vec<u8> {
    log_bytes_of(&dir.path().join(format!("broker-{broker}")).join(format!("measured-{partition}")))
}

fn log_bytes_of(folder: &Path) -> Vec<u8> {
    let entries = std::fs::read_dir(folder).expect("the partition's folder").map(|entry| entry.expect("a file").path());
    let mut segments: Vec<_> = entries.filter(|path| path.extension().is_some_and(|end| end == "log")).collect();
    segments.sort();
    segments.iter().flat_map(|path| std::fs::read(path).expect("a segment")).collect()
}

#[test]
fn embedded_delivers_everything_on_buffered() {
    embedded_delivers_everything("buffered");
}

#[test]
fn embedded_delivers_everything_on_mmap() {
    embedded_delivers_everything("mmap");
}

#[test]
fn embedded_delivers_everything_on_uring() {
    embedded_delivers_everything("uring");
}

#[test]
fn with_acks_of_the_leader_receipts_have_offsets() {
    let plan = plan("[topic]\nname = \"measured\"\nreplication.factor = 2\n[producer]\nacks = \"1\"");
    let Outcome { heard, .. } = run(&*target("embedded"), &plan, &on("buffered")).expect("buffered runs everywhere");
    assert!(heard.notes().acknowledged.values().all(|(_, offset)| offset.is_some()));
}

#[test]
fn without_acks_receipts_have_no_offset() {
    let plan = plan("[topic]\nname = \"measured\"\npartitions = 2\n[producer]\nacks = \"0\"\nlinger.ms = 0");
    let Outcome { heard, .. } = run(&*target("embedded"), &plan, &on("buffered")).expect("buffered runs everywhere");
    assert!(heard.notes().acknowledged.values().all(|(_, offset)| offset.is_none()));
}

const THREE_TOPICS: &str = "[topic]\nname = \"measured\"\ncount = 3\npartitions = 2\n[producer]\nlinger.ms = 1\n";

/// Every partition of each topic on every broker, the same records in the same place.
#[test]
fn embedded_delivers_everything_of_several_topics() {
    let text = THREE_TOPICS.replace("partitions = 2", "partitions = 2\nreplication.factor = 2");
    let ran = run(&*target("embedded"), &plan(&text), &on("buffered")).expect("buffered runs everywhere");
    for topic in 0..3 {
        for partition in 0..2 {
            let name = format!("measured-{topic}-{partition}");
            let replicas = [1, 2].map(|broker| log_bytes_of(&ran.dir.path().join(format!("broker-{broker}/{name}"))));
            assert!(!replicas[0].is_empty() && replicas[0] == replicas[1], "{name}");
        }
    }
}

#[test]
fn embedded_delivers_everything_of_several_topics_that_nobody_acknowledges() {
    let text = THREE_TOPICS.replace("linger.ms = 1", "acks = \"0\"");
    let ran = run(&*target("embedded"), &plan(&text), &on("mmap")).expect("mmap runs everywhere");
    assert!(ran.heard.notes().acknowledged.values().all(|(_, offset)| offset.is_none()));
}

#[test]
fn log_delivers_everything_of_several_topics() {
    for partitioner in ["", "partitioner.class = \"RoundRobinPartitioner\"\n"] {
        let plan = plan(&format!("{THREE_TOPICS}{partitioner}"));
        let ran = run(&*target("log"), &plan, &on("buffered")).expect("buffered runs everywhere");
        for name in ["measured-0-0", "measured-0-1", "measured-1-0", "measured-1-1", "measured-2-0", "measured-2-1"] {
            assert!(!log_bytes_of(&ran.dir.path().join(name)).is_empty(), "{name}");
        }
    }
}

fn log_delivers_everything(backend: &str, compression: &str) {
    let plan = plan(&format!(
        "[topic]\nname = \"measured\"\npartitions = 3\nsegment.bytes = 1048576\n\
         [producer]\nacks = \"all\"\nlinger.ms = 1\nbatch.size = 4096\nbuffer.memory = 65536\ncompression.type = \"{compression}\""
    ));
    let Some(Outcome { heard, observed, .. }) = run(&*target("log"), &plan, &on(backend)) else { return };
    let stages = heard.notes().stages.clone();
    assert_eq!(Vec::from_iter(stages), [Stage::Appended, Stage::Written, Stage::Fetched, Stage::Delivered]);
    assert!(observed.storage.expect("counters of storage").bytes_appended > 0);
}

#[test]
fn log_delivers_everything_on_buffered() {
    log_delivers_everything("buffered", "none");
}

#[test]
fn log_delivers_everything_on_mmap() {
    log_delivers_everything("mmap", "zstd");
}

#[test]
fn log_delivers_everything_on_uring() {
    log_delivers_everything("uring", "none");
}

#[test]
fn a_batch_that_the_log_refuses_fails_each_of_its_records() {
    let plan = plan("[topic]\nname = \"measured\"\nmax.message.bytes = 200\n[producer]\nlinger.ms = 0");
    let (heard, dir) = (Arc::new(Heard::default()), TempDir::new().expect("a directory"));
    let running = start(&*target("log"), plan, &on("buffered"), &heard, &dir).expect("buffered runs everywhere");
    let mut sink = running.sink(0).expect("a producer");
    sink.send(Outgoing { value: Bytes::from(vec![b'v'; 1000]), ..record(7) });
    sink.flush();
    let failed = heard.notes().failed.clone();
    assert_eq!(failed.len(), 1);
    assert!(failed[0].starts_with("record 7: ") && failed[0].contains("200"), "{failed:?}");
    drop(sink);
    running.stop().expect("a clean stop");
}

/// Flips a bit of a value in the first batch of a segment, behind the back of whoever wrote it.
pub(crate) fn flip_a_bit(folder: &Path) {
    let file = File::options().read(true).write(true).open(folder.join("00000000000000000000.log")).expect("a segment");
    let mut byte = [0];
    file.read_exact_at(&mut byte, 70).expect("a byte of the first batch");
    file.write_all_at(&[byte[0] ^ 0b100], 70).expect("another byte");
}

fn flipped_bits_are_found(target_name: &str, folder: &str, more: &str) {
    let plan = plan(&format!("[topic]\nname = \"measured\"\n{more}"));
    let (heard, dir) = (Arc::new(Heard::default()), TempDir::new().expect("a directory"));
    let running = start(&*target(target_name), plan, &on("buffered"), &heard, &dir).expect("buffered runs everywhere");
    let mut sink = running.sink(0).expect("a producer");
    // So many that the first batch is no longer in the writer's buffer, from where reads would not see the file.
    (0..RECORDS).for_each(|number| sink.send(record(number)));
    sink.flush();
    flip_a_bit(&dir.path().join(folder));
    let mut source = running.source().expect("a consumer");
    let found = (0..EMPTY_POLLS_MAX).find_map(|_| source.poll(Duration::from_secs(1), &mut |_| ()).err());
    let Some(TargetError::Corrupt(reason)) = found else { panic!("the flipped bit is not found: {found:?}") };
    assert!(reason.contains("measured-0") && reason.contains("offset 0"), "{reason}");
}

#[test]
fn embedded_finds_a_flipped_bit() {
    flipped_bits_are_found("embedded", "broker-1/measured-0", "");
}

#[test]
fn embedded_finds_a_flipped_bit_also_where_the_consumer_does_not_check() {
    flipped_bits_are_found("embedded", "broker-1/measured-0", "[consumer]\ncheck.crcs = false");
}

#[test]
fn log_finds_a_flipped_bit() {
    flipped_bits_are_found("log", "measured-0", "");
}

fn objection(target_name: &str, more: &str) -> (String, String) {
    let objection = target(target_name).check(&plan(more)).expect_err("an objection");
    (objection.setting, objection.reason)
}

#[test]
fn settings_that_no_broker_takes_are_objected_to_by_name() {
    let (setting, reason) = objection("embedded", "[broker]\nlog.segment.byte = 1048576");
    assert_eq!(setting, "broker.log.segment.byte");
    assert!(reason.contains("log.segment.bytes") && !reason.contains("line"), "{reason}");
    let (setting, reason) = objection("embedded", "[broker]\nlog.segment.bytes = 1");
    assert_eq!(setting, "broker.log.segment.bytes");
    assert!(reason.contains("1048576") && !reason.contains("line "), "{reason}");
    assert_eq!(objection("embedded", "[broker]\nnode.id = 5").0, "broker.node.id");
}

#[test]
fn the_log_target_objects_to_settings_of_a_broker_that_it_has_not() {
    let (setting, reason) = objection("log", "[broker]\nlog.segment.bytes = 1048576\nnum.io.threads = 3");
    assert_eq!(setting, "broker.num.io.threads");
    assert!(reason.contains("leave num.io.threads out, or run on embedded"), "{reason}");
    for (name, value) in [("message.max.bytes", "2000000"), ("logdyno.open.files.max", "100"), ("num.io.threads", "8")]
    {
        assert_eq!(target("log").check(&plan(&format!("[broker]\n{name} = {value}"))), Ok(()), "{name}");
    }
}

/// Nobody deletes or compacts a log without its broker, so nobody shall believe it.
#[test]
fn the_log_target_objects_to_settings_that_remove_records() {
    assert_eq!(objection("log", "[topic]\nretention.bytes = 1000").0, "topic.retention.bytes");
    assert_eq!(objection("log", "[broker]\nlog.retention.hours = 1").0, "broker.log.retention.hours");
    let (setting, reason) = objection("log", "[topic]\ncleanup.policy = \"compact\"");
    assert_eq!(setting, "topic.cleanup.policy");
    assert!(reason.contains("leave cleanup.policy out, or run on embedded"), "{reason}");
    let kept = plan("[topic]\nretention.bytes = \"-1\"\ncleanup.policy = \"delete\"");
    assert_eq!(target("log").check(&kept), Ok(()));
}

#[test]
fn settings_that_no_topic_takes_are_objected_to_by_name() {
    assert_eq!(objection("embedded", "[topic]\nsegment.byte = 1048576").0, "topic.segment.byte");
    let (setting, reason) = objection("embedded", "[topic]\nreplication.factor = 2\nmin.insync.replicas = 3");
    assert_eq!(setting, "topic.min.insync.replicas");
    assert!(reason.contains("replication.factor"), "{reason}");
}
