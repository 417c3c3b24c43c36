//! The suite catches a backend that lies: each of these does all but one thing right.

use std::io::{self, IoSlice};
use std::ops::Range;
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use logdyno_storage::seam::simulated::Crash;
use logdyno_storage::seam::{Disk, DiskFile, FileIdentity, Mapping, Open, Ring};
use logdyno_storage::suite::crash::crash_everywhere;
use logdyno_storage::suite::{Subject, conformance, faults};
use logdyno_storage::{Backend, BackendOptions, Kind, Refused};

/// What is wrong with the disk that a backend is made to work on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lie {
    SyncDoesNothing,
    SyncDirDoesNothing,
    ErrorsOfSyncAreSwallowed,
    WritesAreAcknowledgedWhole,
    TruncationDoesNothing,
}

struct LyingDisk {
    disk: Arc<dyn Disk>,
    lie: Lie,
}

struct LyingFile {
    file: Arc<dyn DiskFile>,
    lie: Lie,
}

/// The backend of this name on a disk that lies.
fn start(backend: &str, options: BackendOptions, lie: Lie) -> Result<Arc<dyn Backend>, Refused> {
    let disk = Arc::new(LyingDisk { disk: options.disk.clone(), lie });
    (crate::kind(backend).start)(BackendOptions { disk, ..options })
}

fn caught(check: impl FnOnce() + std::panic::UnwindSafe) -> bool {
    std::panic::catch_unwind(check).is_err()
}

/// On each backend, however it syncs.
#[test]
fn a_sync_that_does_nothing() {
    for start in [
        |options| start("buffered", options, Lie::SyncDoesNothing),
        |options| start("mmap", options, Lie::SyncDoesNothing),
        |options| start("uring", options, Lie::SyncDoesNothing),
    ] {
        let kind = Kind { name: "liar", start };
        assert!(caught(move || drop(crash_everywhere(kind, Crash::Power, 1))));
    }
}

#[test]
fn a_directory_that_is_never_synced() {
    let kind = Kind { name: "liar", start: |options| start("buffered", options, Lie::SyncDirDoesNothing) };
    assert!(caught(move || drop(crash_everywhere(kind, Crash::Power, 1))));
}

#[test]
fn a_failed_sync_that_counts_as_done() {
    let kind = Kind { name: "liar", start: |options| start("buffered", options, Lie::ErrorsOfSyncAreSwallowed) };
    let (subject, disk) = Subject::on_simulated_disk(kind, 1).unwrap();
    assert!(caught(std::panic::AssertUnwindSafe(|| faults::a_failed_sync_is_final(&subject, &disk))));
}

#[test]
fn a_short_write_that_counts_as_whole() {
    let kind = Kind { name: "liar", start: |options| start("buffered", options, Lie::WritesAreAcknowledgedWhole) };
    let (subject, disk) = Subject::on_simulated_disk(kind, 1).unwrap();
    let check = || faults::short_and_interrupted_calls_are_continued(&subject, &disk);
    assert!(caught(std::panic::AssertUnwindSafe(check)));
}

#[test]
fn a_file_that_keeps_its_preallocation() {
    let kind = Kind { name: "liar", start: |options| start("buffered", options, Lie::TruncationDoesNothing) };
    let (subject, _) = Subject::on_simulated_disk(kind, 1).unwrap();
    let check = || conformance::a_file_is_exactly_what_was_appended(&subject);
    assert!(caught(std::panic::AssertUnwindSafe(check)));
}

impl Disk for LyingDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(LyingFile { file: self.disk.open(path, how)?, lie: self.lie }))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.disk.create_dir_all(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        self.disk.list(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        if self.lie == Lie::SyncDirDoesNothing { Ok(()) } else { self.disk.sync_dir(dir) }
    }

    fn ring(&self, entries: u32) -> io::Result<Box<dyn Ring>> {
        self.disk.ring(entries)
    }
}

impl DiskFile for LyingFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn write_at(&self, parts: &[IoSlice<'_>], position: u64) -> io::Result<usize> {
        let written = self.file.write_at(parts, position)?;
        let asked = parts.iter().map(|part| part.len()).sum();
        Ok(if self.lie == Lie::WritesAreAcknowledgedWhole { asked } else { written })
    }

    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.file.read_at(buffer, position)
    }

    fn read_at_nowait(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.file.read_at_nowait(buffer, position)
    }

    fn allocate(&self, range: Range<u64>) -> io::Result<()> {
        self.file.allocate(range)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if self.lie == Lie::TruncationDoesNothing { Ok(()) } else { self.file.set_len(len) }
    }

    fn sync_data(&self) -> io::Result<()> {
        match self.lie {
            Lie::SyncDoesNothing => Ok(()),
            Lie::ErrorsOfSyncAreSwallowed => self.file.sync_data().or(Ok(())),
            _ => self.file.sync_data(),
        }
    }

    fn write_back(&self, range: Range<u64>, wait: bool) -> io::Result<()> {
        self.file.write_back(range, wait)
    }

    fn read_ahead(&self, range: Range<u64>) -> io::Result<()> {
        self.file.read_ahead(range)
    }

    fn forget(&self, range: Range<u64>) -> io::Result<()> {
        self.file.forget(range)
    }

    fn map(&self, len: u64) -> io::Result<Arc<dyn Mapping>> {
        self.file.map(len)
    }

    fn direct_alignment(&self) -> io::Result<u32> {
        self.file.direct_alignment()
    }

    fn raw_fd(&self) -> Option<RawFd> {
        self.file.raw_fd()
    }

    fn identity(&self) -> io::Result<FileIdentity> {
        self.file.identity()
    }
}
