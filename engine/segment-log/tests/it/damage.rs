//! Whatever cuts or flips the last batches of a log that stopped uncleanly, on every backend: what is sound before the damage stays, and
//! nothing that is not.
//!
//! The file is made anew on a simulated disk for each damage, so that all of them are tried on each backend's own code.

use std::io::IoSlice;
use std::path::Path;
use std::sync::Arc;

use logdyno_record::batch::HEADER_LEN;
use logdyno_segment_log::{Log, LogConfig, LogError};
use logdyno_storage::seam::simulated::SimulatedDisk;
use logdyno_storage::seam::{Disk, Open};
use logdyno_storage::{BackendOptions, Kind, Settings, kinds};

use crate::world::{append, batch, content, fill, open, threes, unclean};

const FOLDER: &str = "/simulated/t-0";
const SEGMENT: &str = "00000000000000000000.log";
const EPOCHS: &str = "leader-epoch-checkpoint";

/// Where the leader epoch lies in a batch.
const LEADER_EPOCH: std::ops::Range<usize> = 12..16;
/// Where the offset of its first record does.
const BASE_OFFSET: std::ops::Range<usize> = 0..8;

fn options(disk: &SimulatedDisk) -> BackendOptions {
    let settings =
        Settings { chunk_bytes: 64 << 10, pool_bytes: 1 << 20, allocation_step_max: 64 << 10, ..Settings::default() };
    BackendOptions { disk: Arc::new(disk.clone()), dir: "/simulated".into(), settings }
}

/// A log of ten small batches that was never closed: its files' names and bytes.
fn ten_batches(kind: Kind) -> Option<Vec<(String, Vec<u8>)>> {
    let disk = SimulatedDisk::new(1);
    let backend = (kind.start)(options(&disk)).inspect_err(|refused| eprintln!("SKIPPED: {refused}")).ok()?;
    let storage = backend.open(Path::new(FOLDER)).expect("the folder opens");
    let (log, _) = open(Arc::clone(&storage), &LogConfig::default(), unclean(0)).expect("a new log");
    fill(&log, 30);
    log.close().expect("a clean close");
    let names = [SEGMENT, EPOCHS].map(str::to_owned);
    let bytes = |name: &str| storage.load(name).expect("it can be read").expect("it is there");
    Some(names.into_iter().map(|name| (name.clone(), bytes(&name))).collect())
}

/// Opens a log of these files after an unclean stop.
fn open_files(kind: Kind, files: &[(String, Vec<u8>)], recovery_point: i64) -> Result<Arc<Log>, LogError> {
    let disk = SimulatedDisk::new(1);
    disk.create_dir_all(Path::new(FOLDER)).expect("a folder");
    for (name, bytes) in files {
        let file = disk.open(&Path::new(FOLDER).join(name), Open { create: true, ..Open::default() }).expect("a file");
        assert_eq!(file.write_at(&[IoSlice::new(bytes)], 0).expect("written"), bytes.len());
    }
    let backend = (kind.start)(options(&disk)).expect("it ran before");
    let storage = backend.open(Path::new(FOLDER)).expect("the folder opens");
    open(storage, &LogConfig::default(), unclean(recovery_point)).map(|(log, _)| log)
}

/// What a log of these files holds, and that it goes on.
fn recovered(kind: Kind, files: &[(String, Vec<u8>)], what: &str) -> Vec<(i64, i64)> {
    let log = open_files(kind, files, 0).unwrap_or_else(|error| panic!("{}, {what}: {error}", kind.name));
    let found = content(&log);
    append(&log, &batch(3, 20));
    assert_eq!(content(&log).len(), found.len() + 1, "{}, {what}: it goes on", kind.name);
    found
}

fn damaged(files: &[(String, Vec<u8>)], damage: impl FnOnce(&mut Vec<u8>)) -> Vec<(String, Vec<u8>)> {
    let mut files = files.to_vec();
    damage(&mut files[0].1);
    files
}

/// One backend after the other, and how many damages were tried.
fn on_each(try_all: impl Fn(Kind, &[(String, Vec<u8>)], usize) -> usize) {
    let mut tried = 0;
    for kind in kinds() {
        let Some(files) = ten_batches(kind) else { continue };
        let size = files[0].1.len() / 10;
        assert!((HEADER_LEN..300).contains(&size), "batches of {size} bytes are small");
        tried += try_all(kind, &files, size);
    }
    println!("{tried} damages");
    assert!(tried >= 32, "no backend runs here");
}

#[test]
fn a_cut_at_any_byte_of_the_last_three_batches_ends_the_log_at_the_last_whole_one() {
    on_each(|kind, files, size| {
        for len in 7 * size..=10 * size {
            let found = recovered(kind, &damaged(files, |bytes| bytes.truncate(len)), &format!("cut to {len}"));
            assert_eq!(found, threes((len / size) as i64 * 3), "{}, cut to {len} bytes", kind.name);
        }
        3 * size + 1
    });
}

/// The leader epoch is outside of the checksum: the epoch checkpoint speaks against it. So is the base offset: the batch behind it
/// does. Only where there is none, an offset that leaves a gap, as compaction does, is taken for what it says, as in Kafka.
#[test]
fn any_flipped_bit_of_the_last_three_batches_ends_the_log_before_it() {
    on_each(|kind, files, size| {
        for bit in 7 * size * 8..10 * size * 8 {
            let (at, batch) = (bit / 8 % size, (bit / 8 / size) as i64);
            let found =
                recovered(kind, &damaged(files, |bytes| bytes[bit / 8] ^= 1 << (bit % 8)), &format!("bit {bit}"));
            let gap_at_the_end = batch == 9 && BASE_OFFSET.contains(&at) && found.len() == 10;
            if gap_at_the_end {
                assert!(found[9].0 > 27 && found[9].1 == found[9].0 + 2 && found[..9] == threes(27)[..], "{found:?}");
            } else {
                assert_eq!(found, threes(batch * 3), "{}, batch {batch}, byte {at}, bit {}", kind.name, bit % 8);
            }
        }
        3 * size * 8
    });
}

/// Without a checkpoint the epochs are what the batches say, as long as they rise.
#[test]
fn without_an_epoch_checkpoint_an_epoch_may_only_rise() {
    on_each(|kind, files, size| {
        let bits = LEADER_EPOCH.start * 8..LEADER_EPOCH.end * 8;
        for bit in bits.clone() {
            let flipped = damaged(files, |bytes| bytes[9 * size + bit / 8] ^= 1 << (bit % 8));
            assert_eq!(recovered(kind, &flipped, "with a checkpoint"), threes(27));
            let bytes = &flipped[0].1[9 * size..][LEADER_EPOCH];
            let epoch = i32::from_be_bytes(bytes.try_into().expect("four bytes"));
            let found = recovered(kind, &flipped[..1], "without a checkpoint");
            assert_eq!(found, threes(if epoch > 1 { 30 } else { 27 }), "{}, epoch {epoch}", kind.name);
        }
        bits.len()
    });
}

/// Before the recovery point a wrong epoch is damage and not a torn tail.
#[test]
fn a_flipped_epoch_before_the_recovery_point_is_damage() {
    for kind in kinds() {
        let Some(files) = ten_batches(kind) else { continue };
        let size = files[0].1.len() / 10;
        let files = damaged(&files, |bytes| bytes[5 * size + LEADER_EPOCH.end - 1] ^= 2);
        match open_files(kind, &files, 30) {
            Err(LogError::Corrupt { position, why, .. }) => {
                assert_eq!(position, 5 * size as u64);
                assert!(why.contains(EPOCHS), "{why}");
            }
            Err(other) => panic!("{other}"),
            Ok(log) => panic!("{log:?} opened"),
        }
    }
}
