//! Files that begin with the blocks of removed ones.

use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use logdyno_storage::seam::real::RealDisk;
use logdyno_storage::seam::simulated::{Crash, SimulatedDisk};
use logdyno_storage::seam::{Disk, Open};
use logdyno_storage::{
    Append, Backend, BackendOptions, Kind, Level, Settings, Storage, StorageError, kinds, read_blocking,
};

const MIB: u64 = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(60);

/// This backend, if it can run there, with a directory.
fn with(kind: Kind, disk: Arc<dyn Disk>, dir: &Path, test: impl Fn(&dyn Backend, Arc<dyn Storage>, PathBuf)) {
    let settings = Settings { recycle_bytes_min: MIB, recycle_bytes_max: 8 * MIB, ..Settings::default() };
    let dir = dir.join(kind.name);
    let Some(backend) = crate::unless_refused((kind.start)(BackendOptions { disk, dir: dir.clone(), settings })) else {
        return;
    };
    let folder = dir.join("topic-0");
    let storage = backend.open(&folder).unwrap();
    test(&*backend, storage, folder);
}

fn each_real(test: impl Fn(&dyn Backend, Arc<dyn Storage>, PathBuf)) {
    let home = tempfile::tempdir().unwrap();
    kinds().into_iter().for_each(|kind| with(kind, Arc::new(RealDisk), home.path(), &test));
}

fn each_simulated(test: impl Fn(&SimulatedDisk, &dyn Backend, Arc<dyn Storage>)) {
    for kind in kinds() {
        let disk = SimulatedDisk::new(11);
        with(kind, Arc::new(disk.clone()), Path::new("/d"), |backend, storage, _| test(&disk, backend, storage));
    }
}

/// A closed file of `len` bytes that are all `byte`.
fn make(storage: &dyn Storage, name: &str, byte: u8, len: u64) {
    let mut writer = storage.create(name, 4 * MIB).unwrap();
    let piece = vec![byte; 64 << 10];
    while writer.marks().reached(Level::Visible) < len {
        if writer.append(&[IoSlice::new(&piece)]).unwrap() == Append::Full {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    writer.close().unwrap();
}

/// Behind the last append there are zeros or nothing, also on the device and before a close.
#[test]
fn what_follows_the_last_append_is_zeros() {
    each_simulated(|disk, backend, storage| {
        let began = Instant::now();
        for number in 0.. {
            let [old, new] = ["old", "new"].map(|name| format!("{name}-{number}"));
            make(&*storage, &old, 7, 2 * MIB);
            storage.remove(&old).unwrap();
            let before = backend.counters().recycled;
            let mut writer = storage.create(&new, 4 * MIB).unwrap();
            let is_recycled = backend.counters().recycled > before;
            assert_eq!(writer.append(&[IoSlice::new(&[9; 100])]).unwrap(), Append::At(0));
            writer.begin_sync(Level::Durable).unwrap().here();
            if is_recycled {
                assert!(writer.marks().wait(Level::Durable, 100, PATIENCE).unwrap());
                disk.stop();
                disk.restart(Crash::Power).unwrap();
                let left = disk.open(&Path::new("/d").join(backend.name()).join("topic-0").join(&new), Open::default());
                let mut bytes = vec![1; 2 * MIB as usize];
                assert_eq!(left.unwrap().read_at(&mut bytes, 0).unwrap() as u64, 2 * MIB, "{}", backend.name());
                assert!(bytes[..100] == [9; 100] && bytes[100..].iter().all(|byte| *byte == 0), "{}", backend.name());
                return;
            }
            writer.close().unwrap();
            assert!(began.elapsed() < PATIENCE, "{}: a removed file is never used again", backend.name());
        }
    });
}

/// Removes files of sevens and makes others, of `byte`, until one of them has the blocks of a removed one; the last two of them. Other
/// threads make the blocks ready, and may hold a file for a moment after it has been closed.
fn make_recycled(backend: &dyn Backend, storage: &dyn Storage, byte: u8, len: u64) -> [String; 2] {
    let began = Instant::now();
    for number in 0.. {
        let [old, made] = ["old", "made"].map(|name| format!("{name}-{number}"));
        make(storage, &old, 7, 2 * MIB);
        storage.remove(&old).unwrap();
        let before = backend.counters().recycled;
        make(storage, &made, byte, len);
        if backend.counters().recycled > before {
            return [old, made];
        }
        assert!(began.elapsed() < PATIENCE, "{}: a removed file is never used again", backend.name());
    }
    unreachable!("the loop ends by time")
}

fn content(storage: &dyn Storage, name: &str) -> Vec<u8> {
    storage.load(name).unwrap().unwrap()
}

#[test]
fn a_new_file_takes_the_blocks_of_a_removed_one_and_none_of_its_bytes() {
    each_simulated(|_, backend, storage| {
        let [old, made] = make_recycled(backend, &*storage, 9, 100 << 10);
        let names = storage.list().unwrap();
        assert!(names.iter().all(|name| name.starts_with("made-")), "{names:?}");
        assert!(storage.reader(&old).is_err());
        assert!(content(&*storage, &made) == vec![9; 128 << 10], "{}: cut at its own end", backend.name());
    });
}

#[test]
fn what_somebody_reads_is_left_alone() {
    each_simulated(|_, backend, storage| {
        make(&*storage, "old", 7, 2 * MIB);
        let reader = storage.reader("old").unwrap();
        let lent = read_blocking(&*reader, MIB, 4096).unwrap();
        storage.remove("old").unwrap();
        for number in 0..20 {
            make(&*storage, &format!("new-{number}"), 9, MIB);
        }
        assert_eq!(backend.counters().recycled, 0);
        assert_eq!(read_blocking(&*reader, 0, 4096).unwrap(), [7; 4096][..], "{}", backend.name());
        assert_eq!(lent, [7; 4096][..]);
    });
}

#[test]
fn a_file_that_is_too_long_for_the_next_one_is_not_taken() {
    each_simulated(|_, backend, storage| {
        make(&*storage, "old", 7, 2 * MIB);
        storage.remove("old").unwrap();
        for number in 0..50 {
            drop(storage.create(&format!("short-{number}"), MIB).unwrap());
        }
        assert_eq!(backend.counters().recycled, 0);
    });
}

#[test]
fn a_name_that_is_taken_stays_its_file_s() {
    each_simulated(|_, backend, storage| {
        make(&*storage, "kept", 5, MIB);
        make(&*storage, "old", 7, 2 * MIB);
        storage.remove("old").unwrap();
        for _ in 0..20 {
            assert!(storage.create("kept", 4 * MIB).is_err());
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(content(&*storage, "kept"), vec![5; MIB as usize], "{}", backend.name());
    });
}

/// The disk has room for the logs alone: what is set aside goes when somebody needs it.
#[test]
fn a_full_disk_has_no_spare_blocks() {
    each_simulated(|disk, backend, storage| {
        make(&*storage, "old", 7, 3 * MIB);
        storage.remove("old").unwrap();
        disk.set_capacity(4 * MIB);
        // Another directory, which may not have them.
        let other = backend.open(Path::new("/d/other-0")).unwrap();
        let mut writer = other.create("new", 4 * MIB).unwrap();
        let (piece, began) = (vec![1; 64 << 10], Instant::now());
        while writer.marks().reached(Level::Visible) < 3 * MIB {
            match writer.append(&[IoSlice::new(&piece)]) {
                Ok(Append::At(_)) => {}
                Ok(Append::Full) | Err(StorageError::NoSpace { .. }) => std::thread::sleep(Duration::from_millis(1)),
                Err(error) => panic!("{}: {error}", backend.name()),
            }
            assert!(began.elapsed() < PATIENCE, "{}: the blocks are never given back", backend.name());
        }
        writer.close().unwrap();
    });
}

#[test]
fn a_directory_takes_along_what_it_has_set_aside() {
    each_real(|backend, storage, folder| {
        make(&*storage, "old", 7, 2 * MIB);
        storage.remove("old").unwrap();
        drop(storage);
        let began = Instant::now();
        while std::fs::read_dir(&folder).unwrap().count() > 0 {
            assert!(began.elapsed() < PATIENCE, "{}: something is left in {}", backend.name(), folder.display());
            std::thread::sleep(Duration::from_millis(1));
        }
        // As a crash would have left it.
        std::fs::write(folder.join("3.recycled.deleted"), [7; 100]).unwrap();
        drop(backend.open(&folder).unwrap());
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
    });
}

/// Those that were set aside last stay.
#[test]
fn what_is_set_aside_is_bounded() {
    each_simulated(|disk, backend, storage| {
        for number in 0..6 {
            make(&*storage, &format!("old-{number}"), 7, 3 * MIB);
        }
        for number in 0..6 {
            storage.remove(&format!("old-{number}")).unwrap();
            std::thread::sleep(Duration::from_millis(20));
            let files = disk.list(&Path::new("/d").join(backend.name()).join("topic-0")).unwrap();
            assert!(files.len() <= 5 - number + 2, "{}: {files:?}", backend.name());
        }
    });
}

/// What another process has open, or a second name of the file, is as good as a reader.
#[test]
fn other_processes_keep_their_bytes() {
    each_real(|backend, storage, folder| {
        make(&*storage, "open", 7, 2 * MIB);
        make(&*storage, "linked", 7, 2 * MIB);
        let open = std::fs::File::open(folder.join("open")).unwrap();
        std::fs::hard_link(folder.join("linked"), folder.join("../second-name")).unwrap();
        storage.remove("open").unwrap();
        storage.remove("linked").unwrap();
        for number in 0..20 {
            make(&*storage, &format!("new-{number}"), 9, MIB);
        }
        assert_eq!(backend.counters().recycled, 0, "{}", backend.name());
        let mut seen = Vec::new();
        std::io::Read::read_to_end(&mut &open, &mut seen).unwrap();
        assert!(seen == vec![7; 2 * MIB as usize]);
        assert!(std::fs::read(folder.join("../second-name")).unwrap() == vec![7; 2 * MIB as usize]);
        std::fs::remove_file(folder.join("../second-name")).unwrap();
    });
}

/// On file systems that can zero a range; others say so.
#[test]
fn the_real_disk_keeps_the_blocks() {
    let home = tempfile::tempdir().unwrap();
    let probe = RealDisk.open(&home.path().join("probe"), Open { create: true, ..Default::default() });
    if let Err(error) = probe.unwrap().zero(0..4096) {
        return eprintln!("SKIPPED: this file system cannot zero a range ({error})");
    }
    each_real(|backend, storage, folder| {
        let [_, made] = make_recycled(backend, &*storage, 9, 100 << 10);
        assert!(content(&*storage, &made) == vec![9; 128 << 10], "{}: {}", backend.name(), folder.display());
    });
}
