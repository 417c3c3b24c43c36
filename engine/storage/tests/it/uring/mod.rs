//! The uring backend on the real disk: what only it promises.

mod lacking;
mod room;

use std::io::IoSlice;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use logdyno_storage::seam::real::RealDisk;
use logdyno_storage::seam::simulated::SimulatedDisk;
use logdyno_storage::seam::{Disk, Open};
use logdyno_storage::{Append, Backend, BackendOptions, Kind, Level, Settings, Storage, Writer, kinds, read_blocking};

const LONG: Duration = Duration::from_secs(60);
const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

fn uring() -> Kind {
    kinds().into_iter().find(|kind| kind.name == "uring").unwrap()
}

fn start(dir: &Path, settings: Settings) -> Arc<dyn Backend> {
    (uring().start)(BackendOptions { disk: Arc::new(RealDisk), dir: dir.to_owned(), settings }).unwrap()
}

fn small_pool() -> Settings {
    Settings { pool_bytes: 2 * MIB, chunk_bytes: 256 * KIB, ..Settings::default() }
}

/// Bytes that say where they are.
fn pattern(range: Range<usize>) -> Vec<u8> {
    range.map(|at| (at / 7 + at / 4096 * 31) as u8).collect()
}

/// Appends `bytes`, waiting for room where the backend asks for it.
fn append(writer: &mut dyn Writer, bytes: &[u8]) {
    while writer.append(&[IoSlice::new(bytes)]).unwrap() == Append::Full {
        let (sender, room) = channel();
        writer.when_room(Box::new(move || sender.send(()).unwrap()));
        room.recv_timeout(LONG).unwrap();
    }
}

fn wait(writer: &mut dyn Writer, level: Level) {
    let position = writer.begin_sync(level).unwrap().elsewhere();
    assert!(writer.marks().wait(level, position, LONG).unwrap());
}

/// Fills a file and closes it.
fn fill(storage: &dyn Storage, name: &str, len: usize) {
    let mut writer = storage.create(name, len as u64).unwrap();
    let all = pattern(0..len);
    all.chunks(100 * KIB).for_each(|part| append(&mut *writer, part));
    writer.close().unwrap();
}

/// Proof of effect: everything went through the ring, and the page cache has seen none of it.
#[test]
fn nothing_goes_through_the_page_cache() {
    let dir = tempfile::tempdir().unwrap();
    // Without the kick timer, what is written does not depend on how long the test takes.
    let backend = start(dir.path(), Settings { kick_interval: Duration::from_secs(3600), ..Settings::default() });
    let storage = backend.open(dir.path()).unwrap();
    let mut writer = storage.create("a", 64 * MIB as u64).unwrap();
    let all = pattern(0..5 * MIB);
    for part in all.chunks(16 * KIB) {
        append(&mut *writer, part);
    }
    wait(&mut *writer, Level::Durable);

    let counts = backend.counters();
    assert_eq!((counts.appends, counts.bytes_appended), (320, 5 * MIB as u64));
    assert_eq!(counts.ring_bytes_written, 5 * MIB as u64, "whole blocks, each written once: {counts:?}");
    assert_eq!(counts.bytes_copied_in, counts.bytes_appended, "one copy: {counts:?}");
    assert_eq!((counts.write_calls, counts.read_calls), (0, 0));
    // Not a read that may not wait: that one starts read-ahead, which the next one may find.
    let mapping = RealDisk.open(&dir.path().join("a"), Open::default()).unwrap().map(all.len() as u64).unwrap();
    for position in (0..all.len()).step_by(4 * KIB) {
        let found = mapping.resident(position..position + 1).unwrap() == 1;
        assert!(!found, "position {position} is in the page cache");
    }
}

/// The last block is written with zeros behind, and again with more in it.
#[test]
fn a_growing_tail_is_rewritten_in_its_block() {
    let dir = tempfile::tempdir().unwrap();
    let backend = start(dir.path(), Settings::default());
    let storage = backend.open(dir.path()).unwrap();
    let mut writer = storage.create("a", MIB as u64).unwrap();
    let all = pattern(0..30_000);
    for (count, part) in all.chunks(100).enumerate() {
        append(&mut *writer, part);
        wait(&mut *writer, Level::Written);
        let on_disk = std::fs::read(dir.path().join("a")).unwrap();
        let end = (count + 1) * 100;
        assert_eq!(on_disk[..end], all[..end]);
        assert!(on_disk[end..].iter().all(|byte| *byte == 0), "zeros behind the tail");
    }
    writer.close().unwrap();
    assert_eq!(std::fs::read(dir.path().join("a")).unwrap(), all);
}

/// Nobody asks for a sync: the kick timer does.
#[test]
fn a_tail_is_written_without_being_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let storage = start(dir.path(), Settings::default()).open(dir.path()).unwrap();
    let mut writer = storage.create("a", MIB as u64).unwrap();
    for end in [1_u64, 5000, 5001, 100_000] {
        let before = writer.marks().reached(Level::Visible);
        append(&mut *writer, &pattern(before as usize..end as usize));
        assert!(writer.marks().wait(Level::Written, end, LONG).unwrap());
    }
    assert_eq!(std::fs::read(dir.path().join("a")).unwrap()[..100_000], pattern(0..100_000));
}

#[test]
fn a_reopened_file_goes_on_in_its_last_block() {
    let dir = tempfile::tempdir().unwrap();
    let backend = start(dir.path(), Settings::default());
    let storage = backend.open(dir.path()).unwrap();
    let all = pattern(0..300_000);
    let mut kept = 0;
    for valid in [1, 4095, 4096, 4097, 70_000, 131_072, 200_001] {
        let mut writer = match kept {
            0 => storage.create("a", MIB as u64).unwrap(),
            _ => storage.reopen("a", kept as u64, MIB as u64).unwrap(),
        };
        append(&mut *writer, &all[kept..valid]);
        append(&mut *writer, &[0xEE; 9000]);
        wait(&mut *writer, Level::Written);
        drop(writer);
        kept = valid;
    }
    let mut writer = storage.reopen("a", kept as u64, MIB as u64).unwrap();
    append(&mut *writer, &all[kept..]);
    let reader = storage.reader("a").unwrap();
    assert_eq!(read_blocking(&*reader, 0, all.len()).unwrap(), all);
    writer.close().unwrap();
    assert_eq!(std::fs::read(dir.path().join("a")).unwrap(), all);
}

/// Writes of a dropped writer that are still under way must not land behind the cut, nor in what comes after it.
/// The simulated ring finishes them late and in any order.
#[test]
fn late_writes_of_a_dropped_writer_never_land_in_the_reopened_file() {
    for seed in 0..30 {
        let (disk, dir) = (SimulatedDisk::new(seed), PathBuf::from("/simulated"));
        let options = BackendOptions { disk: Arc::new(disk), dir: dir.clone(), settings: Settings::default() };
        let backend = (uring().start)(options).unwrap();
        let storage = backend.open(&dir).unwrap();
        let mut writer = storage.create("a", MIB as u64).unwrap();
        append(&mut *writer, &pattern(0..1000));
        wait(&mut *writer, Level::Durable);
        (0..6).for_each(|_| append(&mut *writer, &vec![0xEE; 70_000]));
        writer.kick();
        drop(writer);
        let mut writer = storage.reopen("a", 1000, MIB as u64).unwrap();
        append(&mut *writer, &pattern(1000..50_000));
        writer.close().unwrap();
        let found = storage.load("a").unwrap().unwrap();
        assert!(found == pattern(0..50_000), "seed {seed}: {} bytes", found.len());
    }
}

/// More than the pool holds is read back from the device: at random, in one piece, and from front to back.
#[test]
fn cold_bytes_come_from_the_device() {
    let dir = tempfile::tempdir().unwrap();
    let backend = start(dir.path(), small_pool());
    let storage = backend.open(dir.path()).unwrap();
    let len = 9 * MIB + 1234;
    fill(&*storage, "a", len);
    let all = pattern(0..len);
    let reader = storage.reader("a").unwrap();
    assert_eq!(reader.len(), len as u64);
    for position in [0, 1, 4095, 5 * MIB + 17, len - 5000, len - 1, 8 * MIB - 1] {
        for asked in [1, 100, 4096, 70_000, MIB, 3 * MIB] {
            let end = len.min(position + asked);
            assert!(
                read_blocking(&*reader, position as u64, asked).unwrap() == all[position..end],
                "{position}+{asked}"
            );
        }
    }
    assert!(read_blocking(&*reader, 0, len + 1).unwrap() == all, "in one piece");
    let before = backend.counters();
    assert!(before.ring_reads > 0 && before.bytes_read > 0);
    let mut position = 0;
    while position < len {
        let bytes = read_blocking(&*reader, position as u64, 50_000).unwrap();
        assert!(bytes == all[position..position + bytes.len()], "at {position}");
        position += bytes.len();
    }
    let reads = backend.counters().since(&before);
    assert!(reads.reads_cold < reads.reads_cached, "reading ahead serves most of a sequence: {reads:?}");
}

/// What readers hold on to stays as it was, and does not stop writers.
#[test]
fn lent_bytes_outlive_the_cache_and_never_stop_a_writer() {
    let dir = tempfile::tempdir().unwrap();
    let backend = start(dir.path(), small_pool());
    let storage = backend.open(dir.path()).unwrap();
    let mut writer = storage.create("a", 64 * MIB as u64).unwrap();
    let reader = storage.reader("a").unwrap();
    let mut held = Vec::new();
    for index in 0..200 {
        let range = index * 64 * KIB..(index + 1) * 64 * KIB;
        append(&mut *writer, &pattern(range.clone()));
        held.push(read_blocking(&*reader, range.start as u64, range.len()).unwrap());
    }
    drop((writer, reader, storage));
    for (index, bytes) in held.iter().enumerate() {
        assert!(*bytes == pattern(index * 64 * KIB..(index + 1) * 64 * KIB), "slice {index}");
    }
    assert!(backend.counters().bytes_copied_out > 0, "beyond half of the pool, readers get copies");
}

/// The tail is lent out of the chunk in which it is being filled.
#[test]
fn a_tail_is_read_without_a_copy() {
    let dir = tempfile::tempdir().unwrap();
    let backend = start(dir.path(), Settings::default());
    let storage = backend.open(dir.path()).unwrap();
    let mut writer = storage.create("a", MIB as u64).unwrap();
    let reader = storage.reader("a").unwrap();
    for index in 0..10 {
        append(&mut *writer, &pattern(index * 1000..(index + 1) * 1000));
        let bytes = reader.read_cached(index as u64 * 1000, 5000).unwrap().unwrap();
        assert_eq!(bytes, pattern(index * 1000..(index + 1) * 1000));
    }
    let counts = backend.counters();
    assert_eq!((counts.reads_cached, counts.bytes_copied_out, counts.ring_reads), (10, 0, 0));
}

/// Of a log that is slow to fill its chunks, which are as small as there are: each is lent by itself, none is copied to another.
#[test]
fn small_chunks_are_read_without_a_copy() {
    let dir = tempfile::tempdir().unwrap();
    let backend = start(dir.path(), Settings { chunk_bytes: 16 * KIB, ..Settings::default() });
    let storage = backend.open(dir.path()).unwrap();
    let mut writer = storage.create("a", MIB as u64).unwrap();
    let all = pattern(0..128 * KIB);
    all.chunks(4 * KIB).for_each(|part| append(&mut *writer, part));
    let reader = storage.reader("a").unwrap();
    let mut read = Vec::new();
    while read.len() < all.len() {
        read.extend_from_slice(&reader.read_cached(read.len() as u64, all.len()).unwrap().unwrap());
    }
    assert_eq!((read, backend.counters().bytes_copied_out), (all, 0));
}

/// Everything else may be dropped first: who still holds a reader can read.
#[test]
fn a_reader_outlives_backend_storage_and_writer() {
    let dir = tempfile::tempdir().unwrap();
    let backend = start(dir.path(), small_pool());
    let storage = backend.open(dir.path()).unwrap();
    fill(&*storage, "a", 5 * MIB);
    let reader = storage.reader("a").unwrap();
    drop((backend, storage));
    assert!(read_blocking(&*reader, 0, 5 * MIB).unwrap() == pattern(0..5 * MIB));
}
