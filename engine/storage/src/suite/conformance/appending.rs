//! What appends leave in the file.

use std::io::IoSlice;

use super::{CAPACITY, SIZES};
use crate::contract::{Append, Level};
use crate::error::StorageError;
use crate::suite::{Subject, append, assert_reads, assert_samples, samples, sync};

/// Close: the exact length and bytes, whatever was preallocated or padded. So files are equal over backends.
pub fn a_file_is_exactly_what_was_appended(subject: &Subject) {
    let backend = subject.start();
    let storage = subject.open(&*backend);
    for (index, kicks) in [true, false].into_iter().enumerate() {
        let name = format!("{index}");
        let mut writer = storage.create(&name, CAPACITY).unwrap();
        for (nth, size) in SIZES.iter().enumerate() {
            append(&mut *writer, 0, *size).unwrap();
            if kicks {
                writer.kick();
            }
            if nth % 5 == 4 {
                sync(&mut *writer, Level::Written).unwrap();
            }
        }
        let marks = writer.marks();
        let end = marks.reached(Level::Visible);
        writer.close().unwrap();
        assert_eq!(marks.reached(Level::Durable), end, "a closed file is durable");
        assert!(storage.list().unwrap().contains(&name));
        assert_samples(&storage.load(&name).unwrap().unwrap(), 0, 0..end);
        let reader = storage.reader(&name).unwrap();
        assert_eq!(reader.len(), end, "its length is what was appended");
        assert_reads(&*reader, 0, 0..end);
    }
    storage.create("empty", CAPACITY).unwrap().close().unwrap();
    assert_eq!(storage.load("empty").unwrap().unwrap(), b"");
    assert!(storage.reader("empty").unwrap().is_empty());
}

/// More slices than one system call takes, empty ones among them.
pub fn an_append_of_many_parts_is_one(subject: &Subject) {
    let backend = subject.start();
    let storage = subject.open(&*backend);
    let mut writer = storage.create("a", CAPACITY).unwrap();
    let bytes = samples(0, 0..300_000);
    let mut parts = Vec::new();
    for part in bytes.chunks(100) {
        parts.push(IoSlice::new(part));
        parts.push(IoSlice::new(&[]));
    }
    assert_eq!(writer.append(&parts).unwrap(), Append::At(0));
    assert_reads(&*storage.reader("a").unwrap(), 0, 0..300_000);
    writer.close().unwrap();
    assert_samples(&storage.load("a").unwrap().unwrap(), 0, 0..300_000);
}

/// Whatever a backend holds back for its writers, an append larger than all of it finds room once what was before it is
/// written: who waits for room never waits for good.
pub fn an_append_may_be_as_large_as_the_file(subject: &Subject) {
    let backend = subject.start();
    let storage = subject.open(&*backend);
    let mut others: Vec<_> =
        (0..40).map(|index| storage.create(&format!("other-{index}"), CAPACITY).unwrap()).collect();
    for writer in &mut others {
        append(&mut **writer, 1, 61).unwrap();
    }
    for (name, first) in [("at-once", 0), ("behind-others", 100_001)] {
        let mut writer = storage.create(name, CAPACITY).unwrap();
        let all = CAPACITY - 5;
        append(&mut *writer, 0, first).unwrap();
        append(&mut *writer, 0, all as usize - first).unwrap();
        append(&mut *writer, 0, 5).unwrap();
        assert_reads(&*storage.reader(name).unwrap(), 0, 0..CAPACITY);
        writer.close().unwrap();
        assert_samples(&storage.load(name).unwrap().unwrap(), 0, 0..CAPACITY);
    }
    for (index, writer) in others.into_iter().enumerate() {
        writer.close().unwrap();
        assert_reads(&*storage.reader(&format!("other-{index}")).unwrap(), 1, 0..61);
    }
}

/// What went in was copied at most once in user space, and the counters say so. Only the last, partial block of
/// a write may be copied once more, into the buffer that goes on after it (direct I/O writes whole blocks).
pub fn an_append_is_copied_at_most_once(subject: &Subject) {
    let backend = subject.start();
    let storage = subject.open(&*backend);
    let mut writer = storage.create("a", CAPACITY).unwrap();
    let before = backend.counters();
    for size in SIZES {
        append(&mut *writer, 0, *size).unwrap();
    }
    let end = writer.marks().reached(Level::Visible);
    writer.close().unwrap();
    let counts = backend.counters().since(&before);
    assert_eq!((counts.appends, counts.bytes_appended), (SIZES.len() as u64, end));
    let carried = 4096 * (counts.write_calls + counts.ring_writes);
    assert!(counts.bytes_copied_in <= end + carried, "{} bytes were copied for {end}", counts.bytes_copied_in);
}

/// A refused append leaves nothing behind; one that fits is still taken.
pub fn appends_beyond_the_capacity_are_refused(subject: &Subject) {
    let backend = subject.start();
    let storage = subject.open(&*backend);
    let mut writer = storage.create("a", 10_000).unwrap();
    append(&mut *writer, 0, 9_000).unwrap();
    let refused = writer.append(&[IoSlice::new(&[1; 1_001])]);
    assert!(matches!(refused, Err(StorageError::Capacity { capacity: 10_000, wanted: 10_001, .. })), "{refused:?}");
    append(&mut *writer, 0, 1_000).unwrap();
    writer.close().unwrap();
    assert_samples(&storage.load("a").unwrap().unwrap(), 0, 0..10_000);
}
