//! What readers see.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use super::{CAPACITY, EndOnDrop, SIZES};
use crate::contract::{Level, Reader, read_blocking};
use crate::suite::{PATIENCE, Subject, append, assert_reads, assert_samples, sync};

/// Visibility: an append that returned is read, from its own bytes and from everything before.
pub fn readers_see_what_append_returned(subject: &Subject) {
    let backend = subject.start();
    let storage = subject.open(&*backend);
    let mut writer = storage.create("a", CAPACITY).unwrap();
    let reader = storage.reader("a").unwrap();
    assert!(reader.is_empty());
    for size in SIZES {
        let before = reader.len();
        let end = append(&mut *writer, 0, *size).unwrap();
        assert_eq!(reader.len(), end);
        assert_reads(&*reader, 0, before..end);
        assert_reads(&*reader, 0, before.saturating_sub(5000)..end);
        let later = storage.reader("a").unwrap();
        assert_eq!(later.len(), end, "a reader opened later sees the same");
    }
    assert_reads(&*reader, 0, 0..reader.len());
}

/// Concurrent readers never see less than before, nor anything but what was appended.
pub fn readers_go_on_while_a_writer_appends(subject: &Subject) {
    let backend = subject.start();
    let storage = subject.open(&*backend);
    let mut writer = storage.create("a", CAPACITY).unwrap();
    let done = Arc::new(AtomicBool::new(false));
    std::thread::scope(|scope| {
        for stride in [1_u64, 3, 7] {
            let (reader, done) = (storage.reader("a").unwrap(), done.clone());
            scope.spawn(move || read_until(&*reader, &done, stride));
        }
        // Ends the readers also when an append fails here.
        let ended = EndOnDrop(done.clone());
        for round in 0..12 {
            for size in SIZES.iter().take(12) {
                append(&mut *writer, 0, *size).unwrap();
            }
            if round % 4 == 1 {
                sync(&mut *writer, Level::Durable).unwrap();
            }
        }
        drop(ended);
    });
}

fn read_until(reader: &dyn Reader, done: &AtomicBool, stride: u64) {
    let mut seen = 0;
    loop {
        let last_round = done.load(Ordering::Acquire);
        let len = reader.len();
        assert!(len >= seen, "a file never gets shorter for its readers");
        let start = if stride == 1 { len.saturating_sub(40_000) } else { (seen / stride).min(len) };
        assert_reads(reader, 0, start..len.min(start + 100_000));
        seen = len;
        if last_round {
            return;
        }
    }
}

/// A read is short only at the end, and empty behind it.
pub fn reads_end_at_the_end(subject: &Subject) {
    let backend = subject.start();
    let storage = subject.open(&*backend);
    let mut writer = storage.create("a", CAPACITY).unwrap();
    let end = append(&mut *writer, 0, 10_000).unwrap();
    let reader = storage.reader("a").unwrap();
    for (position, len, expected) in [(0, 20_000, 10_000), (9_999, 2, 1), (10_000, 1, 0), (50_000, 10, 0), (5, 0, 0)] {
        let read = read_blocking(&*reader, position, len).unwrap();
        assert_samples(&read, 0, position..position + expected);
        let (sender, receiver) = mpsc::channel();
        reader.begin_read(position, len, Box::new(move |read| sender.send(read).expect("the check waits for it")));
        let read = receiver.recv_timeout(PATIENCE).expect("a begun read is answered").unwrap();
        assert_samples(&read, 0, position..position + expected);
    }
    reader.prefetch(0, end as usize);
    reader.prefetch(end, 1 << 20);
}

/// A name can go while its file is read; a new file under the old name is another one.
pub fn removed_and_renamed_files_stay_readable(subject: &Subject) {
    let backend = subject.start();
    let storage = subject.open(&*backend);
    let mut writer = storage.create("a", CAPACITY).unwrap();
    append(&mut *writer, 0, 200_000).unwrap();
    writer.close().unwrap();
    let reader = storage.reader("a").unwrap();
    let lent = read_blocking(&*reader, 0, 200_000).unwrap();
    storage.rename("a", "a.deleted").unwrap();
    assert_reads(&*reader, 0, 0..200_000);
    assert_reads(&*storage.reader("a.deleted").unwrap(), 0, 0..200_000);
    assert!(storage.reader("a").is_err());
    storage.remove("a.deleted").unwrap();
    assert!(storage.list().unwrap().is_empty());
    let mut writer = storage.create("a", CAPACITY).unwrap();
    append(&mut *writer, 1, 1000).unwrap();
    assert_eq!(storage.reader("a").unwrap().len(), 1000);
    assert_reads(&*reader, 0, 0..200_000);
    drop(reader);
    assert_samples(&lent, 0, 0..200_000);
}
