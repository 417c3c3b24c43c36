//! A workload of several topics: each is used, checked and told like one.

use logdyno::result::{Measured, Outcome, RunResult, SlowRecord, Workload};
use logdyno::sweep;
use logdyno::target::{EmbeddedTarget, Fault, LogTarget, NullTarget, Target};
use logdyno_engine::storage::kinds;
use tempfile::TempDir;

use crate::program::logdyno;
use crate::scene::{Scene, verdicts};
use crate::twisted::{Twist, Twisted};

/// Records without a key: number n goes to topic n mod 3, and there to partition n / 3 mod 2.
const IN_TURN: &str = "
[workload]
name = \"turns\"
[records]
size = 32
entropy = 2
distinct = 50
count = 600
[topic]
name = \"t\"
count = 3
partitions = 2
[load]
rate = 4000
[run]
target = \"null\"
";

fn run(text: &str, target: impl Target + 'static) -> RunResult {
    let kinds: Vec<_> = kinds().into_iter().filter(|kind| target.has_storage() && kind.name == "buffered").collect();
    Scene::new(text).run(target, &kinds).result
}

fn measured(result: &RunResult) -> &Measured {
    assert_eq!(result.trials.len(), 1);
    let Outcome::Measured(measured) = &result.trials[0].outcome else { panic!("{result:?}") };
    measured
}

/// Lateness of a busy machine is another matter.
fn invalid(measured: &Measured) -> Vec<String> {
    verdicts(measured).into_iter().filter(|text| text.starts_with("INVALID")).collect()
}

fn shown(measured: &Measured) -> &str {
    let evidence = measured.proof.iter().find(|evidence| evidence.name == "topics");
    evidence.map_or("", |evidence| &evidence.detail)
}

#[test]
fn every_record_of_every_topic_is_measured_and_the_result_says_how_many_topics() {
    let result = run(IN_TURN, NullTarget::default());
    let found = measured(&result);
    assert_eq!((invalid(found), shown(found)), (vec![], "3 of 3 topics were read, 200 records each"));
    let records = found.records;
    assert_eq!((records.sent, records.acknowledged, records.delivered, records.measured), (600, 600, 600, 600));
    assert_eq!(found.batches.records, 600);
    assert_eq!(result.workload.topic, "t-0 to t-2 (3 topics), 2 partitions each, replication factor 1");
    assert_eq!((result.workload.topics, result.workload.partitions), (3, 2));
    let slow = &found.to_acknowledgement.slowest;
    for name in ["t-0", "t-1", "t-2"] {
        assert!(slow.iter().any(|slow| slow.topic.as_deref() == Some(name) && slow.partition < 2), "{name}: {slow:?}");
    }
}

/// Record 200 is turn 66 of topic 2: offset 33 of its partition 0.
#[test]
fn what_went_wrong_in_a_topic_is_named_with_it() {
    let result = run(IN_TURN, NullTarget::with_faults(vec![Fault::Loss(200), Fault::Flip(4)]));
    assert_eq!(
        invalid(measured(&result)),
        [
            "INVALID: LOST: topic t-2, partition 0, offset 33: acknowledged and never delivered",
            "INVALID: ALTERED: topic t-1, partition 1, offset 0: content or timestamp differ from what was sent",
        ]
    );
}

/// A consumer that leaves a topic out: everything that was acknowledged there is missing, and there is no proof that it was used.
#[test]
fn a_topic_that_nobody_reads_is_lost_and_named() {
    let found = invalid(measured(&run(IN_TURN, Twisted(Twist::Unread(2, 4)))));
    for partition in 0..2 {
        let lost = format!("INVALID: LOST: topic t-1, partition {partition}, offsets 0 to 99: acknowledged and never");
        assert!(found.iter().any(|text| text.starts_with(&lost)), "{lost}: {found:?}");
    }
    let unused = "INVALID: no proof of effect: topics: 2 of 3 topics were read: nothing came out of t-1";
    assert!(found.contains(&unused.to_owned()), "{found:?}");
}

/// A system that puts the records of one topic into another: they are where nobody sent them, and not where they were sent.
#[test]
fn records_that_come_out_of_another_topic_are_found() {
    let found = invalid(measured(&run(IN_TURN, Twisted(Twist::Moved(2, 4)))));
    assert!(found.iter().any(|text| text.starts_with("INVALID: LOST: topic t-1, partition 0,")), "{found:?}");
    assert!(found.iter().any(|text| text.starts_with("INVALID: DUPLICATE: topic t-2, partition 0,")), "{found:?}");
}

/// Seven keys dealt to three topics, whichever producer and pass they are sent in.
fn keys_are_dealt_to_every_topic(target: impl Target + 'static) {
    let text = IN_TURN
        .replace("entropy = 2", "entropy = 2\nkeys = 7\nkey.skew = 0.5")
        .replace("target = \"null\"", &format!("target = \"{}\"\nproducers = 2", target.name()))
        .replace("rate = 4000", "rate = 2000");
    let result = run(&text, target);
    let found = measured(&result);
    assert_eq!(invalid(found), Vec::<String>::new());
    assert_eq!((found.records.acknowledged, found.records.delivered), (600, 600));
    assert!(shown(found).starts_with("3 of 3 topics were read"), "{:?}", found.proof);
    let codec = found.proof.iter().find(|evidence| evidence.name == "codec").unwrap();
    assert!(codec.detail.contains(" 6 log files"), "a log for each partition of each topic: {codec:?}");
}

#[test]
fn on_embedded_brokers_keys_are_dealt_to_every_topic() {
    keys_are_dealt_to_every_topic(EmbeddedTarget);
}

#[test]
fn in_logs_keys_are_dealt_to_every_topic() {
    keys_are_dealt_to_every_topic(LogTarget);
}

/// A key belongs to one topic, so fewer keys than topics would leave some empty.
#[test]
fn more_topics_than_keys_are_refused_with_their_line() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("w.toml"), IN_TURN.replace("entropy = 2", "entropy = 2\nkeys = 2")).unwrap();
    let ran = logdyno(&dir, &["run", "w.toml"]);
    let says = "w.toml:12: 3 topics are more than the records have keys (2)";
    assert!(ran.code == 2 && ran.stderr.contains(says), "{ran:?}");
    let ran = logdyno(&dir, &["run", "w.toml", "--set", "topic.count=2", "--out", "out"]);
    assert!([0, 5].contains(&ran.code) && !ran.stdout.contains("INVALID"), "{ran:?}");
    assert!(ran.stdout.contains("t-0 to t-1 (2 topics), 2 partitions each"), "{}", ran.stdout);
}

#[test]
fn a_run_that_ends_before_it_has_come_to_every_topic_does_not_count() {
    let text = IN_TURN.replace("count = 600", "count = 2");
    let found = invalid(measured(&run(&text, NullTarget::default())));
    assert_eq!(found, ["INVALID: no proof of effect: topics: 2 of 3 topics were read: nothing came out of t-2"]);
}

#[test]
fn too_many_partitions_in_all_are_refused_with_their_line() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("w.toml"), IN_TURN.replace("partitions = 2", "partitions = 4000")).unwrap();
    let ran = logdyno(&dir, &["run", "w.toml"]);
    let says = "w.toml:11: 3 topics of 4000 partitions have 12000 in all, and no more than 10000 are run: lower topic.count or";
    assert!(ran.code == 2 && ran.stderr.contains(says), "{ran:?}");
    let ran = logdyno(&dir, &["run", "w.toml", "--set", "topic.count=0"]);
    let says = "--set topic.count=0: `topic.count` cannot be `0`: it takes a whole number from 1 to 10000";
    assert!(ran.code == 2 && ran.stderr.contains(says), "{ran:?}");
}

#[test]
fn a_sweep_varies_how_many_topics_there_are() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("w.toml"), IN_TURN).unwrap();
    let ran = logdyno(&dir, &["sweep", "w.toml", "--vary", "topic.count=1,4", "--repetitions", "1", "--out", "out"]);
    assert!([0, 5].contains(&ran.code), "{ran:?}");
    let folder = dir.path().join("out");
    let saved = sweep::read(&folder).unwrap();
    let topics = saved.cells.iter().flat_map(|cell| &cell.runs).map(|run| {
        let result = logdyno::result::read(&folder.join(&run.result)).unwrap();
        assert_eq!(invalid(measured(&result)), Vec::<String>::new());
        (result.workload.topics, shown(measured(&result)).to_owned())
    });
    let mut topics: Vec<(u16, String)> = topics.collect();
    topics.sort();
    assert_eq!(topics, [(1, String::new()), (4, "4 of 4 topics were read, 150 records each".to_owned())]);
}

/// What was saved before there could be several topics is read as a workload of one.
#[test]
fn results_of_before_are_read() {
    let text = IN_TURN.replace("count = 3\n", "");
    let result = run(&text, NullTarget::default());
    let mut json = serde_json::to_value(&result.workload).unwrap();
    assert_eq!(json.as_object_mut().unwrap().remove("topics"), Some(1.into()));
    assert_eq!(serde_json::from_value::<Workload>(json).unwrap(), result.workload);
    let slow = serde_json::to_value(&measured(&result).to_acknowledgement.slowest[0]).unwrap();
    assert!(slow.get("topic").is_none(), "one topic needs no name: {slow}");
    assert_eq!(serde_json::from_value::<SlowRecord>(slow).unwrap().topic, None);
}
