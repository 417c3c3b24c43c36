//! The promises of the contract that need no faults.

use std::io::IoSlice;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use super::{PATIENCE, Subject, append, assert_reads, assert_samples, samples, sync};
use crate::contract::{Level, Reader, Writer, read_blocking};
use crate::error::StorageError;

/// Panics where a promise is broken.
pub type Check = fn(&Subject);

/// All checks by name.
pub const CHECKS: &[(&str, Check)] = &[
    ("readers_see_what_append_returned", readers_see_what_append_returned),
    ("readers_go_on_while_a_writer_appends", readers_go_on_while_a_writer_appends),
    ("reads_end_at_the_end", reads_end_at_the_end),
    ("a_file_is_exactly_what_was_appended", a_file_is_exactly_what_was_appended),
    ("an_append_of_many_parts_is_one", an_append_of_many_parts_is_one),
    ("an_append_is_copied_at_most_once", an_append_is_copied_at_most_once),
    ("appends_beyond_the_capacity_are_refused", appends_beyond_the_capacity_are_refused),
    ("marks_keep_their_order", marks_keep_their_order),
    ("waiters_are_served_in_order", waiters_are_served_in_order),
    ("reopen_keeps_the_valid_bytes_only", reopen_keeps_the_valid_bytes_only),
    ("reopen_leaves_lent_bytes_alone", reopen_leaves_lent_bytes_alone),
    ("removed_and_renamed_files_stay_readable", removed_and_renamed_files_stay_readable),
    ("names_are_taken_once", names_are_taken_once),
    ("small_files_are_replaced_whole", small_files_are_replaced_whole),
];

const CAPACITY: u64 = 8 << 20;

/// Sizes around everything that backends treat differently: nothing, blocks, combining buffers, chunks.
const SIZES: &[usize] =
    &[1, 61, 0, 511, 512, 4035, 4096, 4097, 65_535, 65_536, 65_537, 100, 200_000, 7, 16_384, 16_384, 300_000, 33];

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

struct EndOnDrop(Arc<AtomicBool>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
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
        assert!(storage.list().unwrap().contains(&(name.clone(), end)), "its length is what was appended");
        assert_samples(&storage.load(&name).unwrap().unwrap(), 0, 0..end);
        assert_reads(&*storage.reader(&name).unwrap(), 0, 0..end);
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
    assert_eq!(writer.append(&parts).unwrap(), crate::contract::Append::At(0));
    assert_reads(&*storage.reader("a").unwrap(), 0, 0..300_000);
    writer.close().unwrap();
    assert_samples(&storage.load("a").unwrap().unwrap(), 0, 0..300_000);
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

/// appended ≥ visible ≥ written ≥ durable, at every moment.
pub fn marks_keep_their_order(subject: &Subject) {
    let backend = subject.start();
    let storage = subject.open(&*backend);
    let mut writer = storage.create("a", CAPACITY).unwrap();
    let (marks, done) = (writer.marks(), Arc::new(AtomicBool::new(false)));
    std::thread::scope(|scope| {
        let ended = EndOnDrop(done.clone());
        let watched = marks.clone();
        scope.spawn(move || {
            while !done.load(Ordering::Acquire) {
                // Lower marks first: the ones above can only have moved further since.
                let durable = watched.reached(Level::Durable);
                let written = watched.reached(Level::Written);
                let visible = watched.reached(Level::Visible);
                assert!(durable <= written && written <= visible, "{durable} {written} {visible}");
            }
        });
        for (nth, size) in SIZES.iter().cycle().take(100).enumerate() {
            let end = append(&mut *writer, 0, *size).unwrap();
            assert_eq!(marks.reached(Level::Visible), end);
            match nth % 10 {
                3 => assert_eq!(sync(&mut *writer, Level::Written).unwrap(), end),
                6 => assert_eq!(writer.begin_sync(Level::Durable).unwrap(), end),
                8 => writer.kick(),
                _ => {}
            }
        }
        let end = sync(&mut *writer, Level::Durable).unwrap();
        assert_eq!([Level::Visible, Level::Written, Level::Durable].map(|level| marks.reached(level)), [end; 3]);
        drop(ended);
    });
}

/// Each waiter is called once, none before its position is reached, and the lower ones first.
pub fn waiters_are_served_in_order(subject: &Subject) {
    let backend = subject.start();
    let storage = subject.open(&*backend);
    let mut writer = storage.create("a", CAPACITY).unwrap();
    let (sender, served) = mpsc::channel();
    let wait_for = |position: u64, writer: &mut dyn Writer| {
        let (sender, marks) = (sender.clone(), writer.marks());
        let reached = marks.clone();
        marks.when(
            Level::Durable,
            position,
            Box::new(move |result| {
                result.expect("nothing fails here");
                assert!(reached.reached(Level::Durable) >= position);
                sender.send(position).expect("the check waits for it");
            }),
        );
    };
    for position in [30_000, 10_000, 20_000, 10_000] {
        wait_for(position, &mut *writer);
    }
    append(&mut *writer, 0, 15_000).unwrap();
    sync(&mut *writer, Level::Durable).unwrap();
    append(&mut *writer, 0, 15_000).unwrap();
    sync(&mut *writer, Level::Durable).unwrap();
    wait_for(30_000, &mut *writer);
    let order: Vec<u64> = (0..5).map(|_| served.recv_timeout(PATIENCE).expect("a waiter is served")).collect();
    assert_eq!(order, [10_000, 10_000, 20_000, 30_000, 30_000]);
}

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
    assert_eq!(storage.list().unwrap(), []);
    let mut writer = storage.create("a", CAPACITY).unwrap();
    append(&mut *writer, 1, 1000).unwrap();
    assert_eq!(storage.reader("a").unwrap().len(), 1000);
    assert_reads(&*reader, 0, 0..200_000);
    drop(reader);
    assert_samples(&lent, 0, 0..200_000);
}

/// `create` fails where a name exists; everything else where it does not.
pub fn names_are_taken_once(subject: &Subject) {
    let backend = subject.start();
    let storage = subject.open(&*backend);
    let mut writer = storage.create("a", CAPACITY).unwrap();
    append(&mut *writer, 0, 100).unwrap();
    assert!(storage.create("a", CAPACITY).is_err());
    assert_reads(&*storage.reader("a").unwrap(), 0, 0..100);
    assert!(storage.reader("b").is_err());
    assert!(storage.reopen("b", 0, CAPACITY).is_err());
    assert!(storage.remove("b").is_err());
    assert!(storage.rename("b", "c").is_err());
}

/// Small files: whole, replaceable by shorter and longer ones, no temporary file left.
pub fn small_files_are_replaced_whole(subject: &Subject) {
    let backend = subject.start();
    let storage = subject.open(&*backend);
    assert_eq!(storage.load("checkpoint").unwrap(), None);
    for content in [&b"first"[..], b"a second, longer one", b"", b"third"] {
        storage.replace("checkpoint", content).unwrap();
        assert_eq!(storage.load("checkpoint").unwrap().as_deref(), Some(content));
        storage.write_rebuildable("index", content).unwrap();
        assert_eq!(storage.load("index").unwrap().as_deref(), Some(content));
    }
    storage.sync_all().unwrap();
    let mut files = storage.list().unwrap();
    files.sort();
    assert_eq!(files, [("checkpoint".to_owned(), 5), ("index".to_owned(), 5)]);
}
