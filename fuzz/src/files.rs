//! A log's files with anything in them, on a simulated disk: a start refuses them by name or makes a sound log of them, and no start makes
//! another log of what an earlier one has left.

use std::io::IoSlice;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use logdyno_record::batch::batches;
use logdyno_record::{BatchBuilder, BatchOptions, Codec, LeaderEpoch, NoProbe, Offset, SystemClock, TopicPartition};
use logdyno_segment_log::{Log, LogConfig, LogError, Recovery, Storage};
use logdyno_storage::seam::simulated::{Crash, SimulatedDisk};
use logdyno_storage::seam::{Disk, Open};
use logdyno_storage::{BackendOptions, Settings, kinds};

const FOLDER: &str = "/simulated/t-0";
const SEGMENT: &str = "00000000000000000000.log";

/// What an index, a snapshot or a checkpoint may say wrongly: the batches say it right.
const SMALL_FILES: [&str; 4] = [
    "00000000000000000000.index",
    "00000000000000000000.timeindex",
    "00000000000000000030.snapshot",
    "leader-epoch-checkpoint",
];

type Files = Vec<(String, Vec<u8>)>;

/// A start from `bytes` as the only segment, after an unclean stop.
pub fn recover(bytes: &[u8]) {
    let disk = disk_with(&vec![(SEGMENT.to_owned(), bytes.to_vec())]);
    let first = match open(&disk, false) {
        Ok(log) => content(&log),
        Err(LogError::Corrupt { .. }) => return,
        Err(other) => panic!("{other}"),
    };
    disk.stop();
    disk.restart(Crash::Power).expect("memory for the disk");
    let second = open(&disk, false).unwrap_or_else(|error| panic!("the second start: {error}"));
    assert_eq!(content(&second), first, "the second start makes another log of it");
}

/// A start from sound batches and one small file that says anything: by the first byte, which, and whether the stop was clean.
pub fn lie(bytes: &[u8]) {
    let Some((chosen, lie)) = bytes.split_first() else { return };
    let (name, clean) = (SMALL_FILES[usize::from(chosen % 4)], chosen & 4 != 0);
    let mut files = sound().clone();
    let batches = content(&open(&disk_with(&files), true).expect("sound files"));
    files.retain(|(file, _)| file != name);
    files.push((name.to_owned(), lie.to_vec()));
    match open(&disk_with(&files), clean) {
        Ok(log) if name == "leader-epoch-checkpoint" && !clean => {
            // A checkpoint that speaks against the batches ends the log before them.
            assert!(batches.starts_with(&content(&log)), "{name} has added something");
        }
        Ok(log) => assert_eq!(content(&log), batches, "{name} was believed more than the batches"),
        Err(LogError::Format { .. }) => assert_eq!(name, "leader-epoch-checkpoint", "what can be rebuilt is rebuilt"),
        Err(other) => panic!("{name}: {other}"),
    }
}

/// Ten batches of three records, closed cleanly.
fn sound() -> &'static Files {
    static SOUND: OnceLock<Files> = OnceLock::new();
    SOUND.get_or_init(|| {
        let disk = disk_with(&Files::new());
        let log = open(&disk, false).expect("a new log");
        for _ in 0..10 {
            let mut builder = BatchBuilder::new(Codec::default(), 256);
            for _ in 0..3 {
                builder.append(1_000, None, Some(&[b'v'; 20]), &[]);
            }
            let batch = builder.build(&BatchOptions::default()).expect("a batch");
            log.append_as_leader(&batch, LeaderEpoch(1)).expect("an append");
        }
        log.close().expect("a clean close");
        let storage = storage(&disk);
        let names = storage.list().expect("a folder").into_iter();
        names.map(|name| (name.clone(), storage.load(&name).expect("a read").unwrap_or_default())).collect()
    })
}

/// The bytes of a sound segment, to be damaged.
pub fn sound_segment() -> Vec<u8> {
    sound().iter().find(|(name, _)| name == SEGMENT).map(|(_, bytes)| bytes.clone()).unwrap_or_default()
}

fn disk_with(files: &Files) -> SimulatedDisk {
    let disk = SimulatedDisk::new(1);
    disk.create_dir_all(Path::new(FOLDER)).expect("a folder");
    for (name, bytes) in files {
        let file = disk.open(&Path::new(FOLDER).join(name), Open { create: true, ..Open::default() }).expect("a file");
        assert_eq!(file.write_at(&[IoSlice::new(bytes)], 0).expect("written"), bytes.len());
    }
    disk
}

fn storage(disk: &SimulatedDisk) -> Arc<dyn Storage> {
    let buffered = kinds().into_iter().find(|kind| kind.name == "buffered").expect("it runs everywhere");
    let settings = Settings { read_threads: 1, sync_threads: 1, allocation_step_max: 64 << 10, ..Settings::default() };
    let options = BackendOptions { disk: Arc::new(disk.clone()), dir: "/simulated".into(), settings };
    let backend = (buffered.start)(options).expect("it runs everywhere");
    backend.open(Path::new(FOLDER)).expect("the folder opens")
}

fn open(disk: &SimulatedDisk, clean_shutdown: bool) -> Result<Arc<Log>, LogError> {
    // Closely indexed, so that indexes have something to say.
    let config = LogConfig { index_interval_bytes: 100, retention_ms: None, ..LogConfig::default() };
    let recovery = Recovery { clean_shutdown, recovery_point: Offset::ZERO, log_start: Offset::ZERO };
    let partition = TopicPartition::new("t", 0);
    Log::open(storage(disk), partition, config, recovery, Arc::new(SystemClock), Arc::new(NoProbe)).map(|(log, _)| log)
}

/// First and last offsets of all batches, each of which is whole.
fn content(log: &Log) -> Vec<(i64, i64)> {
    let (mut found, mut at) = (Vec::new(), log.start_offset());
    while at < log.end_offset() {
        let slice = log.read_blocking(at, log.end_offset(), 1 << 20, true).expect("a read");
        assert!(slice.size() > 0, "nothing at {at} of {log:?}");
        for batch in batches(slice.batches.concat().into()) {
            let batch = batch.expect("a whole batch");
            batch.verify_crc().expect("a sound batch");
            assert!(batch.header().next_offset() > at, "offsets rise");
            at = batch.header().next_offset();
            found.push((batch.header().base_offset.0, batch.header().last_offset().0));
        }
    }
    found
}
