//! What every backend has to pass, in public: a backend made elsewhere is tested with the same code.
//!
//! [`conformance`] holds the promises of [`crate::contract`] that need no faults and runs on any disk.
//! [`faults`] and [`crash`] need the simulated disk, on which a backend's own code runs unchanged.
//!
//! Each check panics with what it found. Run each on a fresh [`Subject`]:
//!
//! ```no_run
//! use logdyno_storage::{kinds, suite::{Subject, conformance}};
//!
//! let kind = kinds()[0]; // or your own Kind
//! for (name, check) in conformance::CHECKS {
//!     println!("{name}");
//!     check(&Subject::on_simulated_disk(kind, 7).unwrap().0);
//! }
//! ```

use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use crate::contract::{Append, Backend, Level, Reader, Result, Storage, Writer, read_blocking};
use crate::error::{Refused, StorageError};
use crate::registry::{BackendOptions, Kind, Settings};
use crate::seam::Disk;
use crate::seam::real::RealDisk;
use crate::seam::simulated::SimulatedDisk;

pub mod conformance;
pub mod crash;
pub mod faults;

/// Longer than anything takes on a busy machine: what is not served by then never is.
const PATIENCE: Duration = Duration::from_secs(120);

/// A backend to be tested, on a disk, in a directory of its own.
pub struct Subject {
    kind: Kind,
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    settings: Settings,
}

impl Subject {
    /// On the real disk. `Err` if the backend refuses to run there.
    pub fn on_real_disk(kind: Kind, dir: &Path) -> std::result::Result<Subject, Refused> {
        Subject { kind, disk: Arc::new(RealDisk), dir: dir.to_owned(), settings: small_settings() }.tried()
    }

    /// On a new simulated disk.
    pub fn on_simulated_disk(kind: Kind, seed: u64) -> std::result::Result<(Subject, SimulatedDisk), Refused> {
        let disk = SimulatedDisk::new(seed);
        let subject =
            Subject { kind, disk: Arc::new(disk.clone()), dir: "/simulated".into(), settings: small_settings() };
        Ok((subject.tried()?, disk))
    }

    fn tried(self) -> std::result::Result<Subject, Refused> {
        (self.kind.start)(self.options())?;
        Ok(self)
    }

    fn options(&self) -> BackendOptions {
        BackendOptions { disk: self.disk.clone(), dir: self.dir.clone(), settings: self.settings.clone() }
    }

    /// Starts the backend.
    fn start(&self) -> Arc<dyn Backend> {
        (self.kind.start)(self.options()).expect("a backend that could start before can start again")
    }

    /// Opens the directory that the checks work in.
    fn open(&self, backend: &dyn Backend) -> Arc<dyn Storage> {
        backend.open(&self.dir.join("topic-0")).expect("the directory can be opened")
    }
}

/// Steps so small that a few hundred KiB meet every mechanism.
fn small_settings() -> Settings {
    Settings {
        write_back_bytes: 64 << 10,
        write_back_bytes_max: 512 << 10,
        populate_bytes: 128 << 10,
        allocation_step_max: 1 << 20,
        read_threads: 2,
        chunk_bytes: 128 << 10,
        pool_bytes: 2 << 20,
        // Whatever is removed.
        recycle_bytes_min: 1,
        // Fewer than the checks hold: what is not in use is closed all the time.
        open_files_max: 1,
        ..Settings::default()
    }
}

/// The byte that a check appends at `position`: never 0, and different for most positions and every `salt`.
fn sample(salt: u64, position: u64) -> u8 {
    let mixed = (position ^ (salt << 40)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    (mixed % 255) as u8 + 1
}

/// The bytes that a check appends at `range`.
fn samples(salt: u64, range: std::ops::Range<u64>) -> Vec<u8> {
    range.map(|position| sample(salt, position)).collect()
}

/// Appends the samples of the next `len` bytes, waiting for room as often as needed.
fn append(writer: &mut dyn Writer, salt: u64, len: usize) -> Result<u64> {
    let position = writer.marks().reached(Level::Visible);
    let bytes = samples(salt, position..position + len as u64);
    let (head, tail) = bytes.split_at(len.min(61));
    loop {
        match writer.append(&[IoSlice::new(head), IoSlice::new(tail)])? {
            Append::At(at) => {
                assert_eq!(at, position, "an append starts where the last one ended");
                return Ok(at + len as u64);
            }
            Append::Full => wait_for_room(writer),
        }
    }
}

fn wait_for_room(writer: &mut dyn Writer) {
    let (sender, room) = mpsc::channel();
    writer.when_room(Box::new(move || {
        // The receiver is gone only if the check has failed already.
        sender.send(()).ok();
    }));
    room.recv_timeout(PATIENCE).expect("a full writer calls when there is room");
}

/// Brings everything appended to `level` and waits for it. By the position, the caller or the backend does what blocks.
fn sync(writer: &mut dyn Writer, level: Level) -> Result<u64> {
    let sync = writer.begin_sync(level)?;
    let position = if sync.position().is_multiple_of(2) { sync.here() } else { sync.elsewhere() };
    assert!(writer.marks().wait(level, position, PATIENCE)?, "a begun sync to {level:?} was never served");
    Ok(position)
}

/// Asserts that the reader's bytes of `range` are the samples of `salt`.
fn assert_reads(reader: &dyn Reader, salt: u64, range: std::ops::Range<u64>) {
    let read = read_blocking(reader, range.start, (range.end - range.start) as usize).expect("bytes can be read");
    assert_samples(&read, salt, range);
}

fn assert_samples(bytes: &[u8], salt: u64, range: std::ops::Range<u64>) {
    assert_eq!(bytes.len() as u64, range.end - range.start, "bytes of {range:?}");
    let wrong = bytes.iter().zip(range.clone()).find(|(byte, position)| **byte != sample(salt, *position));
    assert!(wrong.is_none(), "byte and position {wrong:?} of {range:?} are not what was appended");
}

fn assert_poisoned<T>(result: Result<T>) {
    match result {
        Err(StorageError::Poisoned { .. }) => {}
        Err(other) => panic!("an error of a poisoned file, but: {other}"),
        Ok(_) => panic!("a poisoned file refuses this"),
    }
}
