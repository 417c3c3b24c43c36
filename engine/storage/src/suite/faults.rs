//! What a backend does when the disk does not do what it is asked.

use std::io::IoSlice;
use std::sync::mpsc;

use super::{PATIENCE, Subject, append, assert_poisoned, assert_reads, assert_samples, sync, wait_for_room};
use crate::contract::{Append, Level, Writer};
use crate::error::StorageError;
use crate::seam::simulated::{Point, SimulatedDisk};

/// Panics where a promise is broken.
pub type Check = fn(&Subject, &SimulatedDisk);

/// All checks by name.
pub const CHECKS: &[(&str, Check)] = &[
    ("short_and_interrupted_calls_are_continued", short_and_interrupted_calls_are_continued),
    ("a_failed_sync_is_final", a_failed_sync_is_final),
    ("a_failed_write_is_final", a_failed_write_is_final),
    ("a_new_files_name_is_part_of_its_sync", a_new_files_name_is_part_of_its_sync),
    ("a_full_disk_refuses_appends_until_there_is_space", a_full_disk_refuses_appends_until_there_is_space),
    ("a_full_writer_has_taken_nothing", a_full_writer_has_taken_nothing),
    ("cold_reads_never_wait_on_the_readers_thread", cold_reads_never_wait_on_the_readers_thread),
    ("a_failed_read_is_an_error_and_no_more", a_failed_read_is_an_error_and_no_more),
];

const CAPACITY: u64 = 8 << 20;

/// Short reads and writes, EINTR and EAGAIN change nothing.
pub fn short_and_interrupted_calls_are_continued(subject: &Subject, disk: &SimulatedDisk) {
    let backend = subject.start();
    let storage = subject.open(&*backend);
    disk.short_every(2);
    disk.disturb_every(3);
    let mut writer = storage.create("a", CAPACITY).unwrap();
    for size in [10, 5_000, 70_000, 100, 200_000, 3] {
        append(&mut *writer, 0, size).unwrap();
        sync(&mut *writer, Level::Durable).unwrap();
    }
    let end = append(&mut *writer, 0, 12_345).unwrap();
    assert_reads(&*storage.reader("a").unwrap(), 0, 0..end);
    disk.cool();
    assert_reads(&*storage.reader("a").unwrap(), 0, 0..end);
    writer.close().unwrap();
    assert_samples(&storage.load("a").unwrap().unwrap(), 0, 0..end);
}

/// After a failed sync: every waiter fails, appends and syncs are refused, no second sync is tried, reads of
/// what was durable go on, and reopening recovers.
pub fn a_failed_sync_is_final(subject: &Subject, disk: &SimulatedDisk) {
    let backend = subject.start();
    let storage = subject.open(&*backend);
    let mut writer = storage.create("a", CAPACITY).unwrap();
    append(&mut *writer, 0, 100_000).unwrap();
    let durable = sync(&mut *writer, Level::Durable).unwrap();
    append(&mut *writer, 0, 50_000).unwrap();
    disk.fail_next(Point::Sync, 1, libc::EIO);
    assert_poisoned(sync(&mut *writer, Level::Durable));
    let syncs = disk.count(Point::Sync);
    assert_poisoned(append(&mut *writer, 0, 10));
    assert_poisoned(writer.begin_sync(Level::Durable));
    assert_poisoned(writer.marks().wait(Level::Durable, durable + 1, PATIENCE));
    assert!(writer.marks().wait(Level::Durable, durable, PATIENCE).unwrap(), "what was reached stays reached");
    assert_reads(&*storage.reader("a").unwrap(), 0, 0..durable);
    assert_poisoned(writer.close());
    assert_eq!(disk.count(Point::Sync), syncs, "a failed sync is never tried again");

    let mut writer = storage.reopen("a", durable, CAPACITY).unwrap();
    append(&mut *writer, 1, 50_000).unwrap();
    sync(&mut *writer, Level::Durable).unwrap();
    let reader = storage.reader("a").unwrap();
    assert_reads(&*reader, 0, 0..durable);
    assert_reads(&*reader, 1, durable..durable + 50_000);
}

/// A write or a writeback that fails poisons as well.
pub fn a_failed_write_is_final(subject: &Subject, disk: &SimulatedDisk) {
    let backend = subject.start();
    let storage = subject.open(&*backend);
    let mut writer = storage.create("a", CAPACITY).unwrap();
    append(&mut *writer, 0, 10_000).unwrap();
    let durable = sync(&mut *writer, Level::Durable).unwrap();
    // Of those some may be zeros ahead, which the log can do without.
    (1..=4).for_each(|nth| disk.fail_next(Point::Write, nth, libc::EIO));
    disk.fail_next(Point::WriteBack, 1, libc::EIO);
    let (sender, failed) = mpsc::channel();
    let tell = Box::new(move |result| sender.send(result).expect("the check waits for it"));
    writer.marks().when(Level::Durable, u64::MAX, tell);
    // Either an append meets the failure itself, or what it started does, soon after.
    if let Some(error) = (0..40).find_map(|_| append(&mut *writer, 0, 20_000).err()) {
        assert_poisoned::<()>(Err(error));
    }
    assert_poisoned(failed.recv_timeout(PATIENCE).expect("waiters are told"));
    assert_poisoned(append(&mut *writer, 0, 10));
    assert_reads(&*storage.reader("a").unwrap(), 0, 0..durable);
}

/// Who makes a file does not wait for its name, and what is appended to it is not durable before the name is, whichever thread
/// syncs.
pub fn a_new_files_name_is_part_of_its_sync(subject: &Subject, disk: &SimulatedDisk) {
    type Sync = fn(Box<dyn Writer>) -> crate::contract::Result<()>;
    let syncs: [(&str, Sync); 3] = [
        ("here", |mut writer| {
            let end = writer.begin_sync(Level::Durable)?.here();
            writer.marks().wait(Level::Durable, end, PATIENCE).map(drop)
        }),
        ("elsewhere", |mut writer| {
            let end = writer.begin_sync(Level::Durable)?.elsewhere();
            writer.marks().wait(Level::Durable, end, PATIENCE).map(drop)
        }),
        ("close", |writer| writer.close()),
    ];
    let backend = subject.start();
    for (name, sync_it) in syncs {
        // Opened again after each failure, for nothing is known of the directory then; and what it is trusted with is synced.
        let storage = subject.open(&*backend);
        storage.sync_all().unwrap();
        let before = disk.count(Point::SyncNames);
        let mut writer = storage.create(name, CAPACITY).unwrap();
        append(&mut *writer, 0, 10_000).unwrap();
        let (marks, written) = (writer.marks(), sync(&mut *writer, Level::Written).unwrap());
        assert_eq!(disk.count(Point::SyncNames), before, "it was waited for");
        disk.fail_next(Point::SyncNames, 1, libc::EIO);
        assert_poisoned(sync_it(writer));
        assert_eq!(marks.reached(Level::Durable), 0, "{name}");
        assert_reads(&*storage.reader(name).unwrap(), 0, 0..written);
    }
    let storage = subject.open(&*backend);
    storage.sync_all().unwrap();
    let mut writer = storage.create("last", CAPACITY).unwrap();
    let end = append(&mut *writer, 0, 10_000).unwrap();
    assert_eq!(sync(&mut *writer, Level::Durable).unwrap(), end);
}

/// No space is no poison: what was taken stays, and appends go on by themselves when there is space.
pub fn a_full_disk_refuses_appends_until_there_is_space(subject: &Subject, disk: &SimulatedDisk) {
    let backend = subject.start();
    let storage = subject.open(&*backend);
    let mut writer = storage.create("a", CAPACITY).unwrap();
    disk.set_capacity(3 << 20);
    // Small ones and large ones: the disk fills up in the middle of a large one.
    let refused = (0..100).find_map(|nth| append_and_write(&mut *writer, 50_000 * (1 + nth % 2)).err());
    assert!(matches!(refused, Some(StorageError::NoSpace { .. })), "{refused:?}");
    let taken = writer.marks().reached(Level::Visible);
    assert!(taken > 100_000, "it was full at {taken} bytes already");
    assert_reads(&*storage.reader("a").unwrap(), 0, 0..taken);
    let on_disk = storage.load("a").unwrap().unwrap();
    let behind = &on_disk[on_disk.len().min(taken as usize)..];
    assert!(behind.iter().all(|byte| *byte == 0), "nothing of a refused append stays behind {taken}");
    let again = (0..3).find_map(|_| append_and_write(&mut *writer, 100_000).err());
    assert!(matches!(again, Some(StorageError::NoSpace { .. })), "still no space: {again:?}");

    disk.set_capacity(64 << 20);
    let end = append(&mut *writer, 0, 200_000).unwrap();
    assert_eq!(sync(&mut *writer, Level::Durable).unwrap(), end);
    writer.close().unwrap();
    assert_samples(&storage.load("a").unwrap().unwrap(), 0, 0..end);
}

fn append_and_write(writer: &mut dyn Writer, len: usize) -> crate::contract::Result<u64> {
    append(writer, 0, len)?;
    sync(writer, Level::Written)
}

/// A device that stands still: appends end in `Full` without waiting, and `when_room` calls when it goes on.
pub fn a_full_writer_has_taken_nothing(subject: &Subject, disk: &SimulatedDisk) {
    let backend = subject.start();
    let storage = subject.open(&*backend);
    let mut writer = storage.create("a", CAPACITY).unwrap();
    let first = append(&mut *writer, 0, 100_000).unwrap();
    sync(&mut *writer, Level::Durable).unwrap();
    disk.hold_device();
    let mut end = first;
    let full = loop {
        let bytes = super::samples(0, end..end + 30_000);
        match writer.append(&[IoSlice::new(&bytes)]).unwrap() {
            Append::At(at) => end = at + 30_000,
            Append::Full => break end,
        }
    };
    assert_eq!(writer.marks().reached(Level::Visible), full);
    assert!(backend.counters().full >= 1);
    assert_reads(&*storage.reader("a").unwrap(), 0, full - 30_000..full);
    disk.release_device();
    wait_for_room(&mut *writer);
    let mut end = full;
    for _ in 0..4 {
        end = append(&mut *writer, 0, 150_000).unwrap();
    }
    writer.close().unwrap();
    assert_samples(&storage.load("a").unwrap().unwrap(), 0, 0..end);
}

/// `read_cached` answers at once with what is there or with nothing; `begin_read` answers when the device does.
pub fn cold_reads_never_wait_on_the_readers_thread(subject: &Subject, disk: &SimulatedDisk) {
    let backend = subject.start();
    let storage = subject.open(&*backend);
    let mut writer = storage.create("a", CAPACITY).unwrap();
    append(&mut *writer, 0, 400_000).unwrap();
    writer.close().unwrap();
    drop(storage);
    // A new process: nothing is left in any cache of its own.
    let backend = subject.start();
    let storage = subject.open(&*backend);
    disk.cool();
    disk.hold_device();
    let reader = storage.reader("a").unwrap();
    assert!(reader.read_cached(0, 400_000).unwrap().is_none_or(|bytes| bytes.len() < 400_000));
    let (sender, read) = mpsc::channel();
    reader.begin_read(0, 400_000, Box::new(move |bytes| sender.send(bytes).expect("the check waits for it")));
    assert!(read.try_recv().is_err(), "the device stands still");
    disk.release_device();
    let bytes = read.recv_timeout(PATIENCE).expect("a begun read is answered").unwrap();
    assert_samples(&bytes, 0, 0..400_000);
}

/// A read that the device cannot serve fails alone.
pub fn a_failed_read_is_an_error_and_no_more(subject: &Subject, disk: &SimulatedDisk) {
    let backend = subject.start();
    let storage = subject.open(&*backend);
    let mut writer = storage.create("a", CAPACITY).unwrap();
    append(&mut *writer, 0, 100_000).unwrap();
    writer.close().unwrap();
    drop(storage);
    let backend = subject.start();
    let storage = subject.open(&*backend);
    let reader = storage.reader("a").unwrap();
    disk.cool();
    disk.fail_next(Point::Read, 1, libc::EIO);
    let (sender, read) = mpsc::channel();
    reader.begin_read(0, 100_000, Box::new(move |bytes| sender.send(bytes).expect("the check waits for it")));
    let failed = read.recv_timeout(PATIENCE).expect("a begun read is answered");
    assert!(matches!(failed, Err(StorageError::Io { operation: "read", .. })), "{failed:?}");
    assert_reads(&*reader, 0, 0..100_000);
}
