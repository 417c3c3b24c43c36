//! A cluster of somebody else's as the target. `LOGDYNO_KAFKA=HOST:PORT` names one; else it is `logdyno serve`.

use std::time::Duration;

use logdyno::result::{self, Outcome};
use logdyno::target::{KAFKA_SCHEME, Target, TargetError, kafka};
use logdyno_engine::record::Stage;
use tempfile::TempDir;

use crate::program::logdyno;
use crate::serve::Served;
use crate::targets::{self, RECORDS, on, plan, record};

/// A cluster for a test.
struct Cluster {
    address: String,
    /// Ends with it.
    _served: Option<Served>,
    data: TempDir,
}

impl Cluster {
    fn start() -> Cluster {
        match std::env::var("LOGDYNO_KAFKA") {
            Ok(address) => Cluster { address, _served: None, data: TempDir::new().unwrap() },
            Err(_) => Cluster::ours(),
        }
    }

    fn ours() -> Cluster {
        let data = TempDir::new().unwrap();
        let dir = data.path().to_str().unwrap();
        let served = Served::start(&["--backend", "buffered", "--data", dir], 1);
        Cluster { address: served.addresses("listening")[0].to_owned(), _served: Some(served), data }
    }

    fn name(&self) -> String {
        format!("{KAFKA_SCHEME}{}", self.address)
    }

    fn target(&self) -> Box<dyn Target> {
        kafka(&self.name()).expect("an address")
    }

    /// The folder of the trial's topic, of our own brokers.
    fn folder_of(&self, topic: &str) -> Option<std::path::PathBuf> {
        let folders = std::fs::read_dir(self.data.path()).unwrap().map(|entry| entry.unwrap().path());
        folders.into_iter().find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(topic)))
    }
}

#[test]
fn everything_is_delivered_and_only_that_is_stamped() {
    let cluster = Cluster::start();
    let plan = plan(
        "[topic]\nname = \"measured\"\npartitions = 3\n[producer]\nacks = \"all\"\nlinger.ms = 1\ncompression.type = \"zstd\"",
    );
    let ran = targets::run(&*cluster.target(), &plan, &on("buffered")).expect("it is not refused");
    let stages = ran.heard.notes().stages.clone();
    assert_eq!(Vec::from_iter(stages), [Stage::Delivered]);
    assert!(ran.heard.notes().acknowledged.values().all(|(_, offset)| offset.is_some()));
}

/// Each topic is made for the trial, used, and gone at its end.
#[test]
fn several_topics_are_created_used_and_deleted() {
    let cluster = Cluster::ours();
    let dir = scene("");
    let arguments = ["run", "w.toml", "--target", &cluster.name(), "--out", "out", "--set", "topic.count=3"];
    let ran = logdyno(&dir, &arguments);
    assert!([0, 5].contains(&ran.code) && !ran.stdout.contains("INVALID"), "{}\n{}", ran.stdout, ran.stderr);
    let saved = result::read(&dir.path().join("out/w")).unwrap();
    let Outcome::Measured(measured) = &saved.trials[0].outcome else { panic!("{saved:?}") };
    assert_eq!((measured.records.acknowledged, measured.records.delivered), (2000, 2000));
    let [codec, topics] = &measured.proof[..] else { panic!("{:?}", measured.proof) };
    assert!(
        codec.holds && topics.holds && topics.detail.starts_with("3 of 3 topics were read"),
        "{:?}",
        measured.proof
    );
    let folders = std::fs::read_dir(cluster.data.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let left = folders.map(|name| name.to_string_lossy().into_owned()).filter(|name| name.starts_with("w-"));
    let left: Vec<String> = left.filter(|name| !name.ends_with("-delete")).collect();
    assert_eq!(left, Vec::<String>::new(), "no topic is left behind");
}

/// The same on any cluster: what the harness says of records and topics is what the cluster says.
#[test]
fn everything_of_several_topics_is_delivered() {
    let cluster = Cluster::start();
    for acks in ["all", "0"] {
        let plan = plan(&format!(
            "[topic]\nname = \"measured\"\ncount = 3\npartitions = 2\n[producer]\nacks = \"{acks}\"\nlinger.ms = 1"
        ));
        targets::run(&*cluster.target(), &plan, &on("buffered")).expect("it is not refused");
    }
}

#[test]
fn acks_of_the_leader_and_of_nobody() {
    let cluster = Cluster::start();
    for (acks, knows_offsets) in [("1", true), ("0", false)] {
        let plan = plan(&format!("[topic]\nname = \"measured\"\npartitions = 2\n[producer]\nacks = \"{acks}\""));
        let ran = targets::run(&*cluster.target(), &plan, &on("buffered")).expect("it is not refused");
        let notes = ran.heard.notes();
        assert!(notes.acknowledged.values().all(|(_, offset)| offset.is_some() == knows_offsets), "acks={acks}");
    }
}

/// `buffer.memory` bounds what waits: `send` waits for room instead of failing.
#[test]
fn a_full_queue_holds_the_generator_up_and_loses_nothing() {
    let cluster = Cluster::start();
    let plan = plan("[topic]\nname = \"measured\"\n[producer]\nbuffer.memory = 16384\nlinger.ms = 20");
    targets::run(&*cluster.target(), &plan, &on("buffered")).expect("it is not refused");
}

#[test]
fn a_record_that_is_too_large_fails_and_the_others_do_not() {
    let cluster = Cluster::start();
    let plan = plan("[topic]\nname = \"measured\"\n[producer]\nmax.request.size = 2000");
    let (heard, dir) = (std::sync::Arc::new(targets::Heard::default()), TempDir::new().unwrap());
    let target = cluster.target();
    let running = targets::start(&*target, plan, &on("buffered"), &heard, &dir).expect("it is not refused");
    let mut sink = running.sink(0).expect("a producer");
    sink.send(record(1));
    sink.send(logdyno::target::Outgoing { value: vec![b'v'; 5000].into(), ..record(2) });
    sink.send(record(3));
    sink.flush();
    let notes = heard.notes();
    assert_eq!(Vec::from_iter(notes.acknowledged.keys().copied()), [1, 3]);
    assert!(notes.failed.len() == 1 && notes.failed[0].starts_with("record 2: "), "{:?}", notes.failed);
    drop(notes);
    drop(sink);
    running.stop().expect("a clean stop");
}

#[test]
fn a_flipped_bit_is_found() {
    let cluster = Cluster::ours();
    let plan = plan("[topic]\nname = \"measured\"");
    let (heard, dir) = (std::sync::Arc::new(targets::Heard::default()), TempDir::new().unwrap());
    let target = cluster.target();
    let running = targets::start(&*target, plan, &on("buffered"), &heard, &dir).expect("it is not refused");
    let mut sink = running.sink(0).expect("a producer");
    (0..RECORDS).for_each(|number| sink.send(record(number)));
    sink.flush();
    targets::flip_a_bit(&cluster.folder_of("measured-").expect("the topic's folder"));
    let mut source = running.source().expect("a consumer");
    let found = (0..30).find_map(|_| source.poll(Duration::from_secs(1), &mut |_| ()).err());
    assert!(matches!(found, Some(TargetError::Corrupt(_))), "the flipped bit is not found: {found:?}");
    drop((sink, source));
    running.stop().expect("a clean stop");
    assert!(
        cluster.folder_of("measured-").is_none_or(|path| path.to_string_lossy().ends_with("-delete")),
        "the topic is gone"
    );
}

const WORKLOAD: &str = "\
[records]
size = 200
entropy = 3
keys = 7
distinct = 500
count = 2000
[topic]
partitions = 2
[producer]
compression.type = \"lz4\"
linger.ms = 10
[load]
rate = 2000
[run]
warm.up.records = 100
";

fn scene(more: &str) -> TempDir {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("w.toml"), format!("{WORKLOAD}{more}")).unwrap();
    dir
}

/// One command, one report; what the other system does not show is absent, not zero.
#[test]
fn two_targets_stand_side_by_side() {
    let cluster = Cluster::start();
    let dir = scene("");
    let name = cluster.name();
    let arguments =
        ["run", "w.toml", "--target", "embedded", "--backend", "buffered", "--out", "out", "--html", "r.html"];
    let ran = logdyno(&dir, &[&arguments[..], &["--target", &name]].concat());
    assert!([0, 5].contains(&ran.code) && !ran.stdout.contains("INVALID"), "{}\n{}", ran.stdout, ran.stderr);
    let saved = result::read(&dir.path().join("out/w")).unwrap();
    assert_eq!(saved.targets(), ["embedded", &name]);
    let [Outcome::Measured(ours), Outcome::Measured(theirs)] = [0, 1].map(|at| saved.trials[at].outcome.clone()) else {
        panic!("{saved:?}")
    };
    assert_eq!((ours.records.delivered, theirs.records.delivered), (2000, 2000));
    assert_eq!(ours.durability, theirs.durability);
    assert!(ours.batches.work.is_some() && theirs.batches.work.is_none());
    assert!(theirs.batches.batches > 10 && theirs.batches.batches < 1900, "they are batches, not records: {theirs:?}");
    let steps: Vec<&str> = theirs.to_acknowledgement.steps.iter().map(|step| step.step.name()).collect();
    assert_eq!(steps, ["schedule", "admit", "acknowledge"]);
    let text = std::fs::read_to_string(dir.path().join("out/w/result.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let of = |trial: usize| &json["trials"][trial]["outcome"]["measured"];
    for absent in ["requests", "request_bytes"] {
        assert!(of(0).get(absent).is_some() && of(1).get(absent).is_none(), "{absent}");
    }
    for absent in ["bytes_sent", "bytes_uncompressed", "retries", "close_reasons"] {
        assert!(of(0)["batches"].get(absent).is_some() && of(1)["batches"].get(absent).is_none(), "{absent}");
    }
    assert_eq!(of(1)["storage"], serde_json::json!({}));
    assert!(theirs.proof.iter().any(|evidence| evidence.name == "codec" && evidence.holds), "{:?}", theirs.proof);
    let page = std::fs::read_to_string(dir.path().join("r.html")).unwrap();
    for told in [format!("embedded and {name}"), "embedded buffered".to_owned(), "shows nothing between".to_owned()] {
        assert!(ran.stdout.contains(&told) && page.contains(&told), "{told}");
    }
}

/// The batches that were answered together are those that stand in the log.
#[test]
fn batches_are_those_of_the_log() {
    let cluster = Cluster::start();
    let dir = scene("");
    let ran = logdyno(
        &dir,
        &["run", "w.toml", "--target", &cluster.name(), "--out", "out", "--set", "run.warm.up.records=0"],
    );
    assert!(!ran.stdout.contains("INVALID"), "{}\n{}", ran.stdout, ran.stderr);
    let saved = result::read(&dir.path().join("out/w")).unwrap();
    let Outcome::Measured(measured) = &saved.trials[0].outcome else { panic!("{saved:?}") };
    let read_back = format!(" of {} batches that were read back", measured.batches.batches);
    assert!(measured.proof[0].detail.contains(&read_back), "{read_back}: {:?}", measured.proof);
}

#[test]
fn what_cannot_be_said_to_it_is_refused_with_its_line() {
    for (setting, says) in [
        ("[broker]\nlog.segment.bytes = 1048576\n", "brokers of kafka://h:1 are not started here"),
        ("[kafka]\nsasl.mechanic = \"PLAIN\"\n", "sasl.mechanic"),
    ] {
        let ran = logdyno(&scene(setting), &["run", "w.toml", "--target", "kafka://h:1"]);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.stderr.contains("w.toml:17: ") && ran.stderr.contains(says), "{}", ran.stderr);
    }
    let set = "producer.partitioner.class=RoundRobinPartitioner";
    let ran = logdyno(&scene(""), &["run", "w.toml", "--target", "kafka://h:1", "--set", set]);
    assert!(ran.code == 2 && ran.stderr.contains("librdkafka has no word for partitioner.class"), "{ran:?}");
}

#[test]
fn a_cluster_that_is_not_there_fails_with_its_address() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ran = logdyno(&scene(""), &["run", "w.toml", "--target", &format!("{KAFKA_SCHEME}{free}"), "--out", "out"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stdout.contains(&format!("FAILED: the target failed: no broker of {free} answers")), "{}", ran.stdout);
}
