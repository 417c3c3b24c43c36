//! The simulated disk itself: it must be able to lose what real ones lose, or the crash suite proves nothing.

use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

use logdyno_storage::seam::simulated::{Crash, Point, SimulatedDisk};
use logdyno_storage::seam::{Disk, DiskFile, Open, Operation};

const NAME: &str = "/disk/a";

fn disk(seed: u64) -> SimulatedDisk {
    let disk = SimulatedDisk::new(seed);
    disk.create_dir_all(Path::new("/disk")).unwrap();
    disk
}

/// A file whose name is durable.
fn file(disk: &SimulatedDisk) -> Arc<dyn DiskFile> {
    let file = disk.open(Path::new(NAME), Open { create: true, ..Open::default() }).unwrap();
    disk.sync_dir(Path::new("/disk")).unwrap();
    file
}

fn write(file: &dyn DiskFile, position: u64, bytes: &[u8]) -> io::Result<usize> {
    file.write_at(&[IoSlice::new(bytes)], position)
}

fn content(disk: &SimulatedDisk) -> Option<Vec<u8>> {
    let file = disk.open(Path::new(NAME), Open::default()).ok()?;
    let mut bytes = vec![0; file.len().unwrap() as usize];
    assert_eq!(file.read_at(&mut bytes, 0).unwrap(), bytes.len());
    Some(bytes)
}

/// Each fate of four unsynced blocks over a synced file, over many seeds.
#[test]
fn unsynced_blocks_are_dropped_kept_reordered_and_torn() {
    let (mut dropped, mut kept, mut reordered, mut torn) = (0, 0, 0, 0);
    for seed in 0..200 {
        let disk = disk(seed);
        let file = file(&disk);
        write(&*file, 0, &[1; 16384]).unwrap();
        file.sync_data().unwrap();
        write(&*file, 0, &[2; 16384]).unwrap();
        disk.restart(Crash::Power).unwrap();
        let bytes = content(&disk).unwrap();
        assert!(bytes.chunks(512).all(|sector| sector == [1; 512] || sector == [2; 512]), "sectors are atoms");
        let blocks: Vec<Option<u8>> =
            bytes.chunks(4096).map(|block| block.iter().all(|byte| *byte == block[0]).then_some(block[0])).collect();
        dropped += u32::from(blocks == [Some(1); 4]);
        kept += u32::from(blocks == [Some(2); 4]);
        torn += u32::from(blocks.contains(&None));
        reordered += u32::from(blocks.windows(2).any(|pair| pair == [Some(1), Some(2)]));
    }
    assert!([dropped, kept, reordered, torn].iter().all(|count| *count > 10), "{dropped} {kept} {reordered} {torn}");
}

#[test]
fn synced_bytes_survive_power_loss_and_all_bytes_survive_the_process() {
    for seed in 0..50 {
        let disk = disk(seed);
        let old = file(&disk);
        write(&*old, 0, &[1; 5000]).unwrap();
        old.sync_data().unwrap();
        disk.restart(Crash::Power).unwrap();
        assert_eq!(content(&disk).unwrap(), [1; 5000]);
        assert!(write(&*old, 0, b"late").is_err(), "a file of before the crash is dead");
        let new = file(&disk);
        write(&*new, 5000, &[2; 100]).unwrap();
        disk.restart(Crash::Process).unwrap();
        assert_eq!(content(&disk).unwrap(), [&[1; 5000][..], &[2; 100]].concat());
    }
}

#[test]
fn the_same_seed_loses_the_same() {
    let run = |seed| {
        let disk = disk(seed);
        let file = file(&disk);
        for round in 0..20_u8 {
            write(&*file, u64::from(round) * 3000, &[round; 9000]).unwrap();
            if round % 7 == 6 {
                file.sync_data().unwrap();
            }
        }
        disk.restart(Crash::Power).unwrap();
        content(&disk)
    };
    assert_eq!(run(5), run(5));
    assert!((0..20).any(|seed| run(seed) != run(5)), "other seeds lose something else");
}

#[test]
fn names_are_lost_until_their_directory_is_synced() {
    let lost = (0..50).filter(|seed| {
        let disk = disk(*seed);
        let file = disk.open(Path::new(NAME), Open { create_new: true, ..Open::default() }).unwrap();
        file.sync_data().unwrap();
        disk.restart(Crash::Power).unwrap();
        content(&disk).is_none()
    });
    assert!((1..50).contains(&lost.count()), "some are lost and some are not");
    for seed in 0..50 {
        let disk = disk(seed);
        file(&disk);
        disk.restart(Crash::Power).unwrap();
        assert!(content(&disk).is_some());
    }
}

/// The second sync after a failed one succeeds and writes nothing: as Linux does.
#[test]
fn a_failed_sync_forgets_what_it_should_have_written() {
    for seed in 0..50 {
        let disk = disk(seed);
        let file = file(&disk);
        write(&*file, 0, &[1; 4096]).unwrap();
        disk.fail_next(Point::Sync, 1, libc::EIO);
        assert!(file.sync_data().is_err());
        file.sync_data().unwrap();
        disk.restart(Crash::Power).unwrap();
        assert!(content(&disk).unwrap().iter().all(|byte| *byte == 0));
    }
}

#[test]
fn stores_into_a_mapping_live_as_long_as_the_process_and_reach_the_device_by_sync() {
    let disk = disk(1);
    let file = file(&disk);
    let mapping = file.map(8192).unwrap();
    assert!(mapping.populate_write(0..4096).is_err(), "an error where a store would be SIGBUS");
    file.allocate(0..4096).unwrap();
    mapping.populate_write(0..4096).unwrap();
    // SAFETY: the page has been populated, and nobody else looks at it.
    let store = |byte: u8| unsafe { mapping.as_ptr().write(byte) };
    store(1);
    file.sync_data().unwrap();
    store(2);
    assert_eq!(content(&disk).unwrap()[0], 2, "page cache and mapping are one");
    disk.restart(Crash::Process).unwrap();
    store(3);
    assert_eq!(content(&disk).unwrap()[0], 2, "stores of a dead process go nowhere");
    disk.restart(Crash::Power).unwrap();
    assert!([1, 2].contains(&content(&disk).unwrap()[0]));
}

#[test]
fn a_full_disk_takes_what_fits_and_then_enospc() {
    let disk = disk(1);
    disk.set_capacity(8192);
    let file = file(&disk);
    assert_eq!(write(&*file, 0, &[1; 10_000]).unwrap(), 8192);
    assert_eq!(write(&*file, 8192, &[1; 10]).unwrap_err().raw_os_error(), Some(libc::ENOSPC));
    assert_eq!(file.allocate(0..8193).unwrap_err().raw_os_error(), Some(libc::ENOSPC));
    disk.remove(Path::new(NAME)).unwrap();
    assert_eq!(write(&*self::file(&disk), 0, &[1; 8192]).unwrap(), 8192);
}

#[test]
fn a_ring_completes_everything_late_and_in_any_order() {
    let orders: std::collections::BTreeSet<Vec<u64>> = (0..20).map(completion_order).collect();
    assert!(orders.len() > 5, "{orders:?}");
}

fn completion_order(seed: u64) -> Vec<u64> {
    let disk = disk(seed);
    let file = file(&disk);
    let mut ring = disk.ring(8).unwrap();
    let memory = [7_u8; 512];
    for token in 0..8 {
        let write = Operation::Write {
            file: file.clone(),
            memory: memory.as_ptr(),
            len: 512,
            then: None,
            position: token * 512,
        };
        // SAFETY: the memory outlives the ring's last completion, which is awaited below.
        unsafe { ring.submit(write, token) }.unwrap();
    }
    // SAFETY: refused, so nothing refers to it.
    let ninth = unsafe { ring.submit(Operation::SyncData { file: file.clone() }, 8) };
    assert_eq!(ninth.unwrap_err().kind(), io::ErrorKind::WouldBlock);
    let mut completed = Vec::new();
    while completed.len() < 8 {
        let before = completed.len();
        ring.wait(None).unwrap();
        ring.reap(&mut completed);
        assert!(completed.len() > before, "a wait without a timeout ends with a completion");
    }
    assert_eq!(content(&disk).unwrap(), [7; 4096]);
    completed.into_iter().map(|completion| completion.token).collect()
}

/// Whoever waits for a device that stands still is let go when the machine stops.
#[test]
fn a_stopped_machine_keeps_nobody_waiting() {
    let disk = disk(1);
    let file = file(&disk);
    disk.hold_device();
    disk.stop_at(Point::Write, disk.count(Point::Write) + 1);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| file.sync_data());
        assert!(write(&*file, 0, b"the machine stops here").is_err());
        assert!(waiting.join().unwrap().is_err());
    });
    assert!(disk.has_stopped());
}
