//! Files that begin with the blocks of removed ones.

use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use logdyno_storage::seam::real::RealDisk;
use logdyno_storage::seam::simulated::{Crash, Point, SimulatedDisk};
use logdyno_storage::seam::{Disk, Open};
use logdyno_storage::{
    Append, Backend, BackendOptions, Kind, Level, Reader, Settings, Storage, StorageError, Writer, kinds, read_blocking,
};

const MIB: u64 = 1 << 20;
const CAPACITY: u64 = 4 * MIB;
const PATIENCE: Duration = Duration::from_secs(60);

/// A backend on a disk, with a directory.
struct Place {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    backend: Arc<dyn Backend>,
    storage: Arc<dyn Storage>,
}

impl Place {
    /// `None` if the backend cannot run there.
    fn new(kind: Kind, disk: Arc<dyn Disk>, dir: &Path) -> Option<Place> {
        // Of one file alone the descriptor is kept: holders are known without it.
        let settings = Settings {
            recycle_bytes_min: MIB,
            recycle_bytes_max: 8 * MIB,
            open_files_max: 1,
            allocation_step_max: MIB,
            ..Settings::default()
        };
        let dir = dir.join(kind.name);
        let options = BackendOptions { disk: Arc::clone(&disk), dir: dir.clone(), settings };
        let backend = crate::unless_refused((kind.start)(options))?;
        let folder = dir.join("topic-0");
        let storage = backend.open(&folder).unwrap();
        Some(Place { disk, folder, backend, storage })
    }

    fn name(&self) -> &'static str {
        self.backend.name()
    }

    fn recycled(&self) -> u64 {
        self.backend.counters().recycled
    }

    /// A closed file of `len` bytes that are all `byte`.
    fn make(&self, name: &str, byte: u8, len: u64) {
        let mut writer = self.storage.create(name, CAPACITY).unwrap();
        fill(&mut *writer, byte, len).unwrap();
        writer.close().unwrap();
    }

    /// What is set aside.
    fn spares(&self) -> Vec<PathBuf> {
        let is_spare = |path: &PathBuf| path.to_str().unwrap().ends_with(".recycled.deleted");
        self.disk.list(&self.folder).unwrap().into_iter().filter(is_spare).collect()
    }

    /// A file of sevens that no backend has ever held.
    fn make_sevens(&self, name: &str, len: u64) {
        let file = self.disk.open(&self.folder.join(name), Open { create_new: true, ..Open::default() }).unwrap();
        file.write_at(&[IoSlice::new(&vec![7; len as usize])], 0).unwrap();
        file.sync_data().unwrap();
    }

    /// Removes a file of so many sevens; its blocks are ready for the next one when this returns.
    fn set_aside(&self, len: u64) {
        let (began, before) = (Instant::now(), self.spares());
        self.make_sevens("sevens", len);
        self.storage.remove("sevens").unwrap();
        let after = self.spares();
        let spare = after.iter().find(|spare| !before.contains(spare)).expect("it is set aside");
        let file = self.disk.open(spare, Open::default()).unwrap();
        let mut byte = [7];
        while byte != [0] {
            assert!(began.elapsed() < PATIENCE, "{}: it is never zeroed", self.name());
            assert_eq!(file.read_at(&mut byte, len - 1).unwrap(), 1);
        }
        // It is synced, too, before it is ready.
        std::thread::sleep(Duration::from_millis(50));
    }

    fn content(&self, name: &str) -> Vec<u8> {
        self.storage.load(name).unwrap().unwrap()
    }
}

fn fill(writer: &mut dyn Writer, byte: u8, len: u64) -> Result<(), StorageError> {
    let (piece, began) = (vec![byte; 64 << 10], Instant::now());
    while writer.marks().reached(Level::Visible) < len {
        match writer.append(&[IoSlice::new(&piece)]) {
            Ok(Append::At(_)) => {}
            Ok(Append::Full) | Err(StorageError::NoSpace { .. }) => std::thread::sleep(Duration::from_millis(1)),
            Err(error) => return Err(error),
        }
        assert!(began.elapsed() < PATIENCE, "there is never room");
    }
    Ok(())
}

fn on_the_real_disk(test: impl Fn(Place)) {
    let home = tempfile::tempdir().unwrap();
    kinds().into_iter().filter_map(|kind| Place::new(kind, Arc::new(RealDisk), home.path())).for_each(test);
}

/// The same where a range can be zeroed; elsewhere it is said that nothing was tested.
fn where_a_range_can_be_zeroed(test: impl Fn(Place)) {
    let home = tempfile::tempdir().unwrap();
    let probe = RealDisk.open(&home.path().join("probe"), Open { create: true, ..Open::default() }).unwrap();
    match probe.zero(0..4096) {
        Ok(()) => on_the_real_disk(test),
        Err(error) => eprintln!("SKIPPED: this file system cannot zero a range ({error})"),
    }
}

fn simulated(test: impl Fn(&SimulatedDisk, Place)) {
    for kind in kinds() {
        let disk = SimulatedDisk::new(11);
        let place = Place::new(kind, Arc::new(disk.clone()), Path::new("/d"));
        place.into_iter().for_each(|place| test(&disk, place));
    }
}

#[test]
fn a_new_file_takes_the_blocks_of_a_removed_one_and_none_of_its_bytes() {
    simulated(|_, place| {
        place.set_aside(2 * MIB);
        assert!(place.storage.list().unwrap().is_empty(), "what is set aside has no name for the caller");
        assert!(place.storage.reader("sevens").is_err());
        place.make("new", 9, 128 << 10);
        assert_eq!((place.recycled(), place.spares().len()), (1, 0), "{}", place.name());
        assert!(place.content("new") == vec![9; 128 << 10], "{}: cut at its own end", place.name());
    });
}

#[test]
fn the_real_disk_gives_the_same_file() {
    use std::os::unix::fs::MetadataExt as _;
    where_a_range_can_be_zeroed(|place| {
        place.set_aside(2 * MIB);
        let before = std::fs::metadata(&place.spares()[0]).unwrap();
        let writer = place.storage.create("new", CAPACITY).unwrap();
        let after = std::fs::metadata(place.folder.join("new")).unwrap();
        let facts = |file: std::fs::Metadata| (file.ino(), file.len(), file.blocks());
        assert_eq!(facts(after), facts(before), "{}", place.name());
        writer.close().unwrap();
        assert!(place.content("new").is_empty());
    });
}

/// Behind the last append there are zeros or nothing, also on the device and before a close.
#[test]
fn what_follows_the_last_append_is_zeros() {
    simulated(|disk, place| {
        place.set_aside(2 * MIB);
        let mut writer = place.storage.create("new", CAPACITY).unwrap();
        assert_eq!(writer.append(&[IoSlice::new(&[9; 100])]).unwrap(), Append::At(0));
        writer.begin_sync(Level::Durable).unwrap().here();
        assert!(writer.marks().wait(Level::Durable, 100, PATIENCE).unwrap());
        disk.stop();
        disk.restart(Crash::Power).unwrap();
        let left = disk.open(&place.folder.join("new"), Open::default()).unwrap();
        let mut bytes = vec![1; 2 * MIB as usize];
        assert_eq!(left.read_at(&mut bytes, 0).unwrap() as u64, 2 * MIB, "{}", place.name());
        assert!(bytes[..100] == [9; 100] && bytes[100..].iter().all(|byte| *byte == 0), "{}", place.name());
    });
}

#[test]
fn what_somebody_reads_is_left_alone() {
    simulated(|_, place| {
        place.make_sevens("old", 2 * MIB);
        let reader: Arc<dyn Reader> = place.storage.reader("old").unwrap();
        let lent = read_blocking(&*reader, MIB, 4096).unwrap();
        place.storage.remove("old").unwrap();
        assert!(place.spares().is_empty(), "{}", place.name());
        place.set_aside(2 * MIB);
        place.make("new", 9, MIB);
        assert_eq!(place.recycled(), 1);
        assert_eq!(read_blocking(&*reader, 0, 4096).unwrap(), [7; 4096][..], "{}", place.name());
        assert_eq!(lent, [7; 4096][..]);
    });
}

/// What another process has open, or a second name of the file, is as good as a reader.
#[test]
fn other_processes_keep_their_bytes() {
    where_a_range_can_be_zeroed(|place| {
        place.make_sevens("open", 2 * MIB);
        place.make_sevens("linked", 2 * MIB);
        let open = std::fs::File::open(place.folder.join("open")).unwrap();
        let second = place.folder.with_extension("second");
        std::fs::hard_link(place.folder.join("linked"), &second).unwrap();
        for name in ["open", "linked"] {
            place.storage.remove(name).unwrap();
            assert!(place.spares().is_empty() && !place.folder.join(name).exists(), "{}: {name}", place.name());
        }
        place.set_aside(2 * MIB);
        let mut seen = Vec::new();
        std::io::Read::read_to_end(&mut &open, &mut seen).unwrap();
        assert!(seen == vec![7; 2 * MIB as usize]);
        assert!(std::fs::read(second).unwrap() == vec![7; 2 * MIB as usize]);
    });
}

#[test]
fn a_file_that_is_too_long_for_the_next_one_is_not_taken() {
    simulated(|_, place| {
        place.set_aside(2 * MIB);
        place.storage.create("short", MIB).unwrap().close().unwrap();
        assert_eq!((place.recycled(), place.spares().len()), (0, 1), "{}", place.name());
        place.storage.create("long", 2 * MIB).unwrap().close().unwrap();
        assert_eq!((place.recycled(), place.spares().len()), (1, 0), "{}", place.name());
    });
}

#[test]
fn a_name_that_is_taken_stays_its_file_s() {
    simulated(|_, place| {
        place.make("kept", 5, MIB);
        place.set_aside(2 * MIB);
        assert!(place.storage.create("kept", CAPACITY).is_err());
        assert!(place.content("kept") == vec![5; MIB as usize], "{}", place.name());
    });
}

/// Both what waits and what lies ahead of a writer that has taken it.
#[test]
fn what_is_set_aside_is_bounded() {
    simulated(|_, place| {
        place.set_aside(3 * MIB);
        place.set_aside(3 * MIB + (64 << 10));
        assert_eq!(place.spares().len(), 2, "{}: of 8 MiB", place.name());
        place.set_aside(3 * MIB + (128 << 10));
        let lens: Vec<u64> =
            place.spares().iter().map(|path| place.disk.open(path, Open::default()).unwrap().len().unwrap()).collect();
        assert_eq!(lens.iter().sum::<u64>(), 6 * MIB + (192 << 10), "{}: the last two, {lens:?}", place.name());
        let mut taken = ["one", "two"].map(|name| place.storage.create(name, CAPACITY).unwrap());
        assert_eq!(place.recycled(), 2);
        place.make_sevens("third", 3 * MIB);
        place.storage.remove("third").unwrap();
        assert!(place.spares().is_empty(), "{}: two others have 6 MiB ahead of them", place.name());
        fill(&mut *taken[0], 9, 3 * MIB).unwrap();
        place.set_aside(3 * MIB);
        assert_eq!(place.spares().len(), 1, "{}", place.name());
        taken.into_iter().for_each(|writer| writer.close().unwrap());
    });
}

/// Of five removed files, a directory keeps four.
#[test]
fn a_directory_has_few_spares() {
    simulated(|_, place| {
        (0..4).for_each(|_| place.set_aside(MIB));
        place.make_sevens("fifth", MIB);
        place.storage.remove("fifth").unwrap();
        assert_eq!(place.spares().len(), 4, "{}", place.name());
    });
}

/// The disk has room for the logs alone: what is set aside goes when somebody needs it, for a segment or a small file.
#[test]
fn a_full_disk_is_given_back_what_is_set_aside() {
    simulated(|disk, place| {
        // Another directory, which may not have the blocks.
        let other = place.backend.open(&place.folder.with_file_name("other-0")).unwrap();
        place.set_aside(3 * MIB);
        disk.set_capacity(4 * MIB);
        let mut writer = other.create("new", CAPACITY).unwrap();
        fill(&mut *writer, 1, 3 * MIB).unwrap();
        writer.close().unwrap();
        assert!(place.spares().is_empty(), "{}", place.name());
        other.remove("new").unwrap();
        disk.set_capacity(1 << 40);
        place.set_aside(3 * MIB);
        disk.set_capacity(MIB);
        place.storage.replace("checkpoint", b"a few bytes").unwrap();
        assert!(place.spares().is_empty(), "{}", place.name());
    });
}

/// A file that cannot be zeroed, or not durably, is removed like any other; where the first is so, it is not tried again.
#[test]
fn what_cannot_be_zeroed_is_removed() {
    for (point, errno, is_tried_again) in
        [(Point::Allocate, libc::EOPNOTSUPP, false), (Point::Allocate, libc::EIO, true), (Point::Sync, libc::EIO, true)]
    {
        simulated(|disk, place| {
            place.make_sevens("old", 2 * MIB);
            disk.fail_next(point, 1, errno);
            place.storage.remove("old").unwrap();
            let began = Instant::now();
            while !place.spares().is_empty() {
                assert!(began.elapsed() < PATIENCE, "{}: {point:?} {errno}: it stays", place.name());
                std::thread::sleep(Duration::from_millis(1));
            }
            if is_tried_again {
                place.set_aside(2 * MIB);
            } else {
                place.make_sevens("next", 2 * MIB);
                place.storage.remove("next").unwrap();
                assert!(place.spares().is_empty(), "{}", place.name());
            }
        });
    }
}

/// With its directory goes what it has set aside; after a crash, with the next opening.
#[test]
fn a_directory_takes_along_what_it_has_set_aside() {
    where_a_range_can_be_zeroed(|place| {
        place.set_aside(2 * MIB);
        let Place { folder, backend, storage, .. } = place;
        drop(storage);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "{}", backend.name());
        std::fs::write(folder.join("3.recycled.deleted"), [7; 100]).unwrap();
        drop(backend.open(&folder).unwrap());
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "{}", backend.name());
    });
}
