//! The metadata log of one voter: what was answered outlives the process, the machine, and a torn tail.

use std::path::Path;
use std::sync::Arc;

use logdyno_controller::metadata_log::{METADATA_TOPIC, MetadataLog, SingleVoter};
use logdyno_controller::record::MetadataRecord;
use logdyno_controller::record::format::decode;
use logdyno_record::{NoProbe, Offset, SystemClock, TopicPartition, batches};
use logdyno_segment_log::{Log, LogConfig, Recovery};
use logdyno_storage::seam::simulated::{Crash, SimulatedDisk};
use logdyno_storage::{Backend, BackendOptions, Kind, Settings, kinds};
use uuid::Uuid;

fn buffered() -> Kind {
    kinds().into_iter().find(|kind| kind.name == "buffered").expect("a backend that runs everywhere")
}

/// Opens the log as after a crash.
fn open(backend: &dyn Backend, dir: &Path) -> (Arc<Log>, SingleVoter) {
    let storage = backend.open(&dir.join(format!("{METADATA_TOPIC}-0"))).expect("a directory");
    let partition = TopicPartition::new(METADATA_TOPIC, 0);
    let recovery = Recovery::default();
    let opened =
        Log::open(storage, partition, LogConfig::default(), recovery, Arc::new(SystemClock), Arc::new(NoProbe));
    let (log, _) = opened.expect("a log");
    let voter = SingleVoter::open(Arc::clone(&log), Arc::new(SystemClock)).expect("a voter");
    (log, voter)
}

/// Two records that belong together.
fn topic(number: u128) -> [MetadataRecord; 2] {
    let id = Uuid::from_u128(number);
    let setting = MetadataRecord::TopicConfig { topic: id, name: "segment.ms".to_owned(), value: "7".to_owned() };
    [MetadataRecord::Topic { id, name: format!("t{number}") }, setting]
}

/// All records, from offset 0, which must be dense.
fn records(voter: &SingleVoter) -> Vec<MetadataRecord> {
    let mut all = Vec::new();
    for batch in batches(voter.read(Offset::ZERO, 1 << 20).expect("readable")) {
        let batch = batch.expect("sound");
        batch.validate().expect("sound");
        for record in &batch.records().expect("sound") {
            let record = record.expect("sound");
            assert_eq!(record.offset, Offset(i64::try_from(all.len()).expect("few")));
            all.push(decode(record.value.expect("a value")).expect("a record"));
        }
    }
    all
}

#[test]
fn records_survive_restarts_in_new_epochs() {
    let dir = tempfile::tempdir().expect("a directory");
    for round in 0..3 {
        let backend = buffered().start_on(dir.path()).expect("it runs here");
        let (log, voter) = open(backend.as_ref(), dir.path());
        assert_eq!(voter.committed_end(), Offset(2 * round));
        let offsets = voter.propose(&topic(u128::try_from(round).expect("small"))).expect("proposed");
        assert_eq!(offsets, Offset(2 * round)..Offset(2 * round + 2));
        assert_eq!(records(&voter), (0..=round.unsigned_abs()).flat_map(|n| topic(n.into())).collect::<Vec<_>>());
        let epochs: Vec<_> = batches(voter.read(Offset::ZERO, 1 << 20).expect("readable"))
            .map(|batch| i64::from(batch.expect("sound").header().leader_epoch.0))
            .collect();
        assert_eq!(epochs, (0..=round).collect::<Vec<_>>());
        log.close().expect("closed");
    }
}

/// An answer is given when the records are safe from power loss.
#[test]
fn what_was_answered_survives_power_loss() {
    for seed in 0..20 {
        let disk = SimulatedDisk::new(seed);
        let dir = Path::new("/simulated");
        let options =
            || BackendOptions { disk: Arc::new(disk.clone()), dir: dir.to_owned(), settings: Settings::default() };
        let backend = (buffered().start)(options()).expect("it runs here");
        let (log, voter) = open(backend.as_ref(), dir);
        for number in 0..3 {
            voter.propose(&topic(number)).expect("proposed");
        }
        disk.stop();
        drop((voter, log, backend));
        disk.restart(Crash::Power).expect("memory for the disk");
        let backend = (buffered().start)(options()).expect("it runs here");
        let (_log, voter) = open(backend.as_ref(), dir);
        assert_eq!(records(&voter), (0..3).flat_map(topic).collect::<Vec<_>>(), "seed {seed}");
    }
}

/// A batch that was cut is gone whole: nobody was answered for it, and half a decision is none.
#[test]
fn a_torn_tail_takes_whole_batches() {
    let full = {
        let dir = tempfile::tempdir().expect("a directory");
        let file = written(dir.path());
        std::fs::metadata(file).expect("a file").len()
    };
    for cut in [1, full / 6, full / 3 - 1, full / 3] {
        let dir = tempfile::tempdir().expect("a directory");
        let file = written(dir.path());
        let file = std::fs::OpenOptions::new().write(true).open(file).expect("the segment");
        file.set_len(full - cut).expect("cut");
        let backend = buffered().start_on(dir.path()).expect("it runs here");
        let (_log, voter) = open(backend.as_ref(), dir.path());
        assert_eq!(records(&voter), (0..2).flat_map(topic).collect::<Vec<_>>(), "{cut} bytes cut off");
        assert_eq!(voter.propose(&topic(9)).expect("proposed"), Offset(4)..Offset(6));
    }
}

/// A closed log of three batches of equal size; its only segment.
fn written(dir: &Path) -> std::path::PathBuf {
    let backend = buffered().start_on(dir).expect("it runs here");
    let (log, voter) = open(backend.as_ref(), dir);
    for number in 0..3 {
        voter.propose(&topic(number)).expect("proposed");
    }
    log.close().expect("closed");
    dir.join(format!("{METADATA_TOPIC}-0")).join("00000000000000000000.log")
}

#[test]
fn subscribers_hear_of_every_commit() {
    let dir = tempfile::tempdir().expect("a directory");
    let backend = buffered().start_on(dir.path()).expect("it runs here");
    let (_log, voter) = open(backend.as_ref(), dir.path());
    let (sender, heard) = std::sync::mpsc::channel();
    voter.subscribe(Arc::new(move |end| sender.send(end).expect("the test listens")));
    for number in 0..3 {
        voter.propose(&topic(number)).expect("proposed");
    }
    drop(voter);
    assert_eq!(heard.iter().collect::<Vec<_>>(), [Offset(2), Offset(4), Offset(6)]);
}
