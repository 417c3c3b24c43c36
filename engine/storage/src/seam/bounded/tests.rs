//! What those above rely on, with a disk that has room for few.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::BoundedDisk;
use crate::seam::real::RealDisk;
use crate::seam::simulated::SimulatedDisk;
use crate::seam::{Completion, Disk, DiskFile, Open, Operation};

const MAKE: Open = Open { create_new: true, create: false, direct: false };

struct World {
    disk: BoundedDisk,
    below: SimulatedDisk,
}

fn world(open_max: usize) -> World {
    let below = SimulatedDisk::new(1);
    below.create_dir_all(Path::new("/d")).unwrap();
    World { disk: BoundedDisk::new(Arc::new(below.clone()), open_max), below }
}

impl World {
    /// A file that holds its own name, and is durable.
    fn file(&self, name: &str) -> Arc<dyn DiskFile> {
        let file = self.disk.open(&path(name), MAKE).unwrap();
        file.write_at(&[IoSlice::new(name.as_bytes())], 0).unwrap();
        file.sync_data().unwrap();
        file
    }

    /// Uses other files until the ones before are closed.
    fn crowd(&self) -> Vec<Arc<dyn DiskFile>> {
        (0..4).map(|_| self.file(&format!("crowd-{}", self.below_count()))).collect()
    }

    fn below_count(&self) -> usize {
        self.below.list(Path::new("/d")).unwrap().len()
    }

    fn open(&self) -> usize {
        self.disk.files.count()
    }
}

fn path(name: &str) -> PathBuf {
    Path::new("/d").join(name)
}

fn content(file: &dyn DiskFile) -> io::Result<String> {
    let mut bytes = vec![0; file.len()? as usize];
    file.read_at(&mut bytes, 0)?;
    Ok(String::from_utf8(bytes).unwrap())
}

#[test]
fn as_many_files_as_one_likes_can_be_held() {
    let world = world(4);
    let files: Vec<_> = (0..100).map(|at| world.file(&at.to_string())).collect();
    for step in 0..1000_usize {
        let at = step * 37 % 100;
        assert_eq!(content(&*files[at]).unwrap(), at.to_string());
        assert!(world.open() <= 4, "{} are open", world.open());
    }
    drop(files);
    assert_eq!(world.open(), 0);
}

#[test]
fn those_used_last_stay_open() {
    let world = world(4);
    let (often, others) = (world.file("often"), (0..50).map(|at| world.file(&at.to_string())).collect::<Vec<_>>());
    content(&*often).unwrap();
    for other in &others {
        content(&**other).unwrap();
        let mut byte = [0];
        assert!(often.read_at_nowait(&mut byte, 0).is_ok(), "it was used a moment ago");
    }
    assert_eq!(
        others[0].read_at_nowait(&mut [0], 0).unwrap_err().kind(),
        io::ErrorKind::WouldBlock,
        "a closed file is opened by those who may wait"
    );
}

/// The kernel tells of a failed writeback to the descriptor that was open: that is the one to sync.
#[test]
fn what_is_not_durable_stays_open() {
    let world = world(2);
    let dirty = world.file("dirty");
    dirty.write_at(&[IoSlice::new(b"more")], 5).unwrap();
    let _crowd = world.crowd();
    assert!(dirty.read_at_nowait(&mut [0], 0).is_ok(), "it is open");
    dirty.sync_data().unwrap();
    let _crowd = world.crowd();
    assert!(dirty.read_at_nowait(&mut [0], 0).is_err(), "it is closed");
    assert_eq!(content(&*dirty).unwrap(), "dirtymore");
}

/// As many partitions written as one likes: before the process has no descriptor left, their files are synced to be closed.
#[test]
fn more_files_than_the_bound_can_be_written() {
    let world = world(4);
    let dirty: Vec<_> = (0..300).map(|at| world.file(&at.to_string())).collect();
    let write = |text: &str| {
        for (at, file) in dirty.iter().enumerate() {
            file.write_at(&[IoSlice::new(text.as_bytes())], at.to_string().len() as u64).unwrap();
            assert!(world.open() <= 4 + 64 + 1, "{} are open", world.open());
        }
    };
    write("+");
    write("-");
    assert!(world.open() > 60, "those few that fit are not synced: {} are open", world.open());
    for (at, file) in dirty.iter().enumerate() {
        assert_eq!(content(&**file).unwrap(), format!("{at}-"));
    }
}

/// A sync that was made to close the file, and fails, is the only one that the kernel tells of it.
#[test]
fn a_failed_sync_that_nobody_waited_for_is_told_to_the_next_who_does() {
    let world = world(4);
    let oldest = world.file("oldest");
    let dirty: Vec<_> = (0..80).map(|at| world.file(&at.to_string())).collect();
    oldest.set_len(1).unwrap();
    world.below.fail_next(crate::seam::simulated::Point::Sync, 1, libc::EIO);
    dirty.iter().for_each(|file| file.set_len(1).unwrap());
    let told = |file: &dyn DiskFile| file.sync_data().map_err(|error| error.raw_os_error());
    assert_eq!(told(&*oldest), Err(Some(libc::EIO)));
    assert_eq!(told(&*oldest), Err(Some(libc::EIO)), "for ever");
    let mut ring = world.disk.ring(1).unwrap();
    // SAFETY: a sync has no memory.
    let submitted = unsafe { ring.submit(Operation::SyncData { file: oldest.clone() }, 1) };
    assert_eq!(submitted.unwrap_err().raw_os_error(), Some(libc::EIO), "in a ring, too");
    dirty.iter().for_each(|file| told(&**file).unwrap());
}

#[test]
fn a_sync_covers_what_was_done_before_it() {
    let world = world(2);
    let file = world.file("a");
    world.below.fail_next(crate::seam::simulated::Point::Sync, 1, libc::EIO);
    file.set_len(1).unwrap();
    file.sync_data().unwrap_err();
    let _crowd = world.crowd();
    assert!(file.read_at_nowait(&mut [0], 0).is_ok(), "a sync that failed has made nothing durable");
}

#[test]
fn closed_files_keep_their_content_whatever_becomes_of_their_names() {
    let world = world(2);
    let (removed, renamed) = (world.file("removed"), world.file("renamed"));
    let (replaced, swap) = (world.file("replaced"), world.file("swap"));
    let _crowd = world.crowd();
    world.disk.remove(&path("removed")).unwrap();
    world.disk.rename(&path("renamed"), &path("elsewhere")).unwrap();
    world.disk.rename(&path("swap"), &path("replaced")).unwrap();
    let (new_removed, new_renamed) = (world.file("removed"), world.file("renamed"));
    for _ in 0..3 {
        let _crowd = world.crowd();
        let expected = [
            (&removed, "removed"),
            (&renamed, "renamed"),
            (&replaced, "replaced"),
            (&swap, "swap"),
            (&new_removed, "removed"),
            (&new_renamed, "renamed"),
        ];
        for (file, expected) in expected {
            assert_eq!(content(&**file).unwrap(), expected);
        }
    }
    world.disk.rename(&path("elsewhere"), &path("again")).unwrap();
    let _crowd = world.crowd();
    assert_eq!(content(&*renamed).unwrap(), "renamed");
    drop((removed, replaced));
    assert!(world.open() <= 2, "who held a file without a name is gone, and {} are open", world.open());
}

/// A folder that is renamed past this disk, and made anew: no reader of the old one gets bytes of the new one.
#[test]
fn another_file_of_the_same_name_is_not_mistaken_for_it() {
    let world = world(2);
    let old = world.file("a");
    let _crowd = world.crowd();
    world.below.rename(&path("a"), &path("b")).unwrap();
    assert_eq!(content(&*old).unwrap_err().kind(), io::ErrorKind::NotFound);
    let new = world.file("a");
    let _crowd = world.crowd();
    assert_eq!(content(&*old).unwrap_err().kind(), io::ErrorKind::NotFound);
    assert_eq!(content(&*new).unwrap(), "a");
    let _crowd = world.crowd();
    world.disk.remove(&path("a")).expect("the old one is not in its way");
    assert_eq!(content(&*new).unwrap(), "a");
}

/// An inode's number is given to the next file: the time at which it was made tells them apart.
#[test]
fn identities_are_not_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let mut seen = Vec::new();
    for _ in 0..5 {
        let file = RealDisk.open(&path, MAKE).unwrap();
        let identity = file.identity().unwrap();
        assert_eq!(RealDisk.open(&path, Open::default()).unwrap().identity().unwrap(), identity);
        assert!(!seen.contains(&identity), "{identity:?} again");
        seen.push(identity);
        RealDisk.remove(&path).unwrap();
        drop(file);
        // The kernel's clock for files moves in ticks.
        let now = std::time::Instant::now();
        while now.elapsed() < std::time::Duration::from_millis(20) {
            std::hint::spin_loop();
        }
    }
}

#[test]
fn operations_in_a_ring_keep_their_file_open() {
    let world = world(1);
    let file = world.file("a");
    let _crowd = world.crowd();
    let mut ring = world.disk.ring(4).unwrap();
    let mut done = Vec::new();
    let mut run = |operation: Operation, meanwhile: &dyn Fn()| {
        // SAFETY: what the operations point to lives until the end of the test.
        unsafe { ring.submit(operation, 7) }.unwrap();
        meanwhile();
        while done.is_empty() {
            ring.wait(None).unwrap();
            ring.reap(&mut done);
        }
        let Completion { result, .. } = done.pop().unwrap();
        result.unwrap()
    };
    let is_open = || file.read_at_nowait(&mut [0], 0).is_ok();
    let crowd = || drop(world.crowd());
    let mut memory = [0_u8; 1];
    let read = Operation::Read { file: file.clone(), memory: memory.as_mut_ptr(), len: 1, position: 0 };
    let meanwhile = || {
        crowd();
        assert!(is_open(), "it is being read");
    };
    assert_eq!(run(read, &meanwhile), 1);
    assert_eq!(memory, *b"a");
    crowd();
    assert!(!is_open(), "nothing is to be synced");
    let write = Operation::Write { file: file.clone(), memory: b"b".as_ptr(), len: 1, then: None, position: 0 };
    run(write, &|| ());
    crowd();
    assert!(is_open(), "a write is not durable");
    run(Operation::SyncData { file: file.clone() }, &|| ());
    crowd();
    assert!(!is_open(), "it is durable");
    assert_eq!(content(&*file).unwrap(), "b");
}

/// A process without descriptors, until somebody closes one.
struct Exhausted {
    disk: SimulatedDisk,
    exhausted: Arc<AtomicBool>,
}

impl Exhausted {
    fn take_descriptor(&self) -> io::Result<()> {
        let is_exhausted = self.exhausted.swap(false, Ordering::Relaxed);
        if is_exhausted { Err(io::Error::from_raw_os_error(libc::EMFILE)) } else { Ok(()) }
    }
}

impl Disk for Exhausted {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        self.take_descriptor()?;
        self.disk.open(path, how)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.disk.create_dir_all(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        self.take_descriptor()?;
        self.disk.list(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.take_descriptor()?;
        self.disk.sync_dir(dir)
    }

    fn ring(&self, entries: u32) -> io::Result<Box<dyn crate::seam::Ring>> {
        self.disk.ring(entries)
    }
}

/// The bound was set too high, or connections have taken the rest.
#[test]
fn files_are_closed_when_the_process_has_no_descriptor_left() {
    let (below, exhausted) = (SimulatedDisk::new(1), Arc::new(AtomicBool::new(false)));
    below.create_dir_all(Path::new("/d")).unwrap();
    let disk = BoundedDisk::new(Arc::new(Exhausted { disk: below, exhausted: exhausted.clone() }), 1000);
    let files: Vec<_> = (0..10).map(|at| disk.open(&path(&at.to_string()), MAKE).unwrap()).collect();
    exhausted.store(true, Ordering::Relaxed);
    let one_more = disk.open(&path("more"), MAKE).expect("others are closed for it");
    assert!(disk.files.count() < 11);
    exhausted.store(true, Ordering::Relaxed);
    disk.sync_dir(Path::new("/d")).expect("a directory's sync opens it");
    exhausted.store(true, Ordering::Relaxed);
    assert_eq!(disk.list(Path::new("/d")).expect("so does a list of its files").len(), 11);
    drop((files, one_more));
}
