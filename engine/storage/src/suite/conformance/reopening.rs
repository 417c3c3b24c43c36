//! Cutting a file and going on.

use super::CAPACITY;
use crate::contract::{Level, read_blocking};
use crate::error::StorageError;
use crate::suite::{Subject, append, assert_reads, assert_samples, sync};

/// Reopen: the first bytes stay, what was behind them is gone, appends go on there.
pub fn reopen_keeps_the_valid_bytes_only(subject: &Subject) {
    let backend = subject.start();
    let storage = subject.open(&*backend);
    let mut writer = storage.create("a", CAPACITY).unwrap();
    append(&mut *writer, 0, 300_000).unwrap();
    sync(&mut *writer, Level::Written).unwrap();
    drop(writer);
    for valid in [300_000, 299_999, 200_704, 123_457, 4096, 1, 0] {
        let mut writer = storage.reopen("a", valid, CAPACITY).unwrap();
        let marks = writer.marks();
        assert_eq!([Level::Visible, Level::Written, Level::Durable].map(|level| marks.reached(level)), [valid; 3]);
        let reader = storage.reader("a").unwrap();
        assert_eq!(reader.len(), valid);
        assert_reads(&*reader, 0, 0..valid);
        let on_disk = storage.load("a").unwrap().unwrap();
        assert!(on_disk[valid as usize..].iter().all(|byte| *byte == 0), "what was behind {valid} is gone");
        append(&mut *writer, 1, 5000).unwrap();
        sync(&mut *writer, Level::Written).unwrap();
        assert_reads(&*reader, 1, valid..valid + 5000);
        drop(writer);
    }
    let too_long = storage.reopen("a", CAPACITY * 2, CAPACITY * 2);
    assert!(matches!(too_long, Err(StorageError::Io { .. })), "a file cannot keep what it does not hold");
}

/// Bytes on loan from behind the cut, and readers opened before it, are not touched by what comes after.
pub fn reopen_leaves_lent_bytes_alone(subject: &Subject) {
    let backend = subject.start();
    let storage = subject.open(&*backend);
    let mut writer = storage.create("a", CAPACITY).unwrap();
    append(&mut *writer, 0, 300_000).unwrap();
    sync(&mut *writer, Level::Written).unwrap();
    let reader = storage.reader("a").unwrap();
    let lent = read_blocking(&*reader, 90_000, 210_000).unwrap();
    drop(writer);
    let mut writer = storage.reopen("a", 100_000, CAPACITY).unwrap();
    append(&mut *writer, 1, 250_000).unwrap();
    sync(&mut *writer, Level::Durable).unwrap();
    assert_samples(&lent, 0, 90_000..300_000);
    assert_reads(&*reader, 0, 0..100_000);
    let later = storage.reader("a").unwrap();
    assert_reads(&*later, 0, 0..100_000);
    assert_reads(&*later, 1, 100_000..350_000);
    writer.close().unwrap();
    assert_reads(&*storage.reader("a").unwrap(), 1, 100_000..350_000);
}

/// A cut to where the lent bytes end takes nothing from them; the next one must still know of them.
pub fn a_second_cut_leaves_lent_bytes_alone(subject: &Subject) {
    let backend = subject.start();
    let storage = subject.open(&*backend);
    let mut writer = storage.create("a", CAPACITY).unwrap();
    append(&mut *writer, 0, 300_000).unwrap();
    sync(&mut *writer, Level::Written).unwrap();
    let lent = read_blocking(&*storage.reader("a").unwrap(), 90_000, 210_000).unwrap();
    drop(writer);
    for valid in [300_000, 100_000] {
        drop(storage.reopen("a", valid, CAPACITY).unwrap());
    }
    assert_samples(&lent, 0, 90_000..300_000);
    assert_reads(&*storage.reader("a").unwrap(), 0, 0..100_000);
}
