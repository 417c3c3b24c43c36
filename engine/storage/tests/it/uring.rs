//! The uring backend on the real disk: what only it promises.

use std::io::{self, IoSlice};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use logdyno_storage::seam::real::RealDisk;
use logdyno_storage::seam::simulated::SimulatedDisk;
use logdyno_storage::seam::{Completion, Disk, DiskFile, Open, Operation, Ring, RingWaker};
use logdyno_storage::{
    Append, Backend, BackendOptions, Kind, Level, Refused, Settings, Storage, StorageError, Writer, kinds,
    read_blocking,
};

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
        let found = mapping.is_resident(position..position + 1).unwrap();
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

/// Each log's tail takes at least one unit of 16 KiB, and the pool has 128 of them.
#[test]
fn more_logs_than_the_pool_has_units_all_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let storage = start(dir.path(), small_pool()).open(dir.path()).unwrap();
    let mut writers: Vec<_> = (0..400).map(|log| storage.create(&format!("{log}"), MIB as u64).unwrap()).collect();
    for round in 0..5 {
        for writer in &mut writers {
            append(&mut **writer, &pattern(round * 30_000..(round + 1) * 30_000));
        }
    }
    for (log, writer) in writers.into_iter().enumerate() {
        writer.close().unwrap();
        assert!(std::fs::read(dir.path().join(format!("{log}"))).unwrap() == pattern(0..150_000), "log {log}");
    }
}

/// A pool of 2 MiB takes 64 MiB from four threads by making them wait, and loses nothing.
#[test]
fn a_small_pool_makes_writers_wait_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let backend = start(dir.path(), small_pool());
    let storage = backend.open(dir.path()).unwrap();
    std::thread::scope(|threads| {
        for log in 0..4 {
            let storage = &storage;
            threads.spawn(move || fill(&**storage, &format!("{log}"), 16 * MIB));
        }
    });
    for log in 0..4 {
        assert!(std::fs::read(dir.path().join(format!("{log}"))).unwrap() == pattern(0..16 * MIB), "log {log}");
    }
}

/// A log that has as much on its way as it may is woken when a quarter of it is written, not for each write: of its 512 KiB it takes
/// 128 KiB at a time.
#[test]
fn a_log_that_is_ahead_goes_on_in_quarters() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { chunk_bytes: 16 * KIB, ..small_pool() };
    let backend = start(dir.path(), settings);
    let mut writer = backend.open(dir.path()).unwrap().create("a", 16 * MIB as u64).unwrap();
    let part = pattern(0..4 * KIB);
    (0..16 * MIB / part.len()).for_each(|_| append(&mut *writer, &part));
    writer.close().unwrap();
    let refused = backend.counters().full;
    assert!(refused <= 2 * (16 * MIB / (128 * KIB)) as u64, "refused {refused} times");
}

/// Without the timer: what fills whole chunks at once, and the end of an append that is as much as a log may have on its way, are
/// written for the one who is refused behind them.
#[test]
fn a_log_that_is_ahead_waits_for_no_timer() {
    for first in [600 * KIB, 600 * KIB + 1, 512 * KIB, 100] {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings { kick_interval: Duration::from_secs(3600), ..small_pool() };
        let storage = start(dir.path(), settings).open(dir.path()).unwrap();
        let mut writer = storage.create("a", 4 * MIB as u64).unwrap();
        append(&mut *writer, &pattern(0..first));
        append(&mut *writer, &pattern(first..first + 1000));
        append(&mut *writer, &pattern(first + 1000..first + 513 * KIB));
        writer.close().unwrap();
        assert!(
            std::fs::read(dir.path().join("a")).unwrap() == pattern(0..first + 513 * KIB),
            "{first} bytes at first"
        );
    }
}

/// Without the timer: the ends of other logs take the whole pool, and what this log has appended waits to be written. Who is refused
/// has it written.
#[test]
fn a_log_without_room_has_its_own_tail_written() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { pool_bytes: MIB, kick_interval: Duration::from_secs(3600), ..Settings::default() };
    let backend = start(dir.path(), settings);
    let storage = backend.open(dir.path()).unwrap();
    let mut logs: Vec<_> =
        (0..MIB / (16 * KIB)).map(|log| storage.create(&log.to_string(), MIB as u64).unwrap()).collect();
    logs.iter_mut().for_each(|log| append(&mut **log, b"an end"));
    append(&mut *logs[0], &pattern(6..100 * KIB));
    let refused = backend.counters().full;
    pattern(100 * KIB..400 * KIB).chunks(KIB).for_each(|part| append(&mut *logs[0], part));
    let refused = backend.counters().full - refused;
    assert!(refused <= 2 * 300 / 64, "refused {refused} times: what it gets from outside is worth a wait");
    logs.into_iter().for_each(|log| log.close().unwrap());
    assert_eq!(std::fs::read(dir.path().join("0")).unwrap()[6..], pattern(6..400 * KIB));
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

/// The real disk, but its file system knows no direct I/O, or its kernel no rings, or its rings stop working.
struct Lacking {
    direct: bool,
    ring: bool,
    broken: Arc<AtomicBool>,
}

impl Lacking {
    fn new(direct: bool, ring: bool) -> Lacking {
        Lacking { direct, ring, broken: Arc::default() }
    }
}

/// A ring in which waiting fails once it is broken.
struct Fragile {
    ring: Box<dyn Ring>,
    broken: Arc<AtomicBool>,
}

impl Ring for Fragile {
    unsafe fn submit(&mut self, operation: Operation, token: u64) -> io::Result<()> {
        // SAFETY: the caller's promise is passed on.
        unsafe { self.ring.submit(operation, token) }
    }

    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        if self.broken.load(Ordering::Relaxed) {
            return Err(io::Error::from_raw_os_error(libc::EBADF));
        }
        self.ring.wait(timeout)
    }

    fn reap(&mut self, into: &mut Vec<Completion>) {
        self.ring.reap(into);
    }

    fn waker(&self) -> Arc<dyn RingWaker> {
        self.ring.waker()
    }
}

impl Disk for Lacking {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        if how.direct && !self.direct {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        RealDisk.open(path, how)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        RealDisk.create_dir_all(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        RealDisk.list(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        RealDisk.sync_dir(dir)
    }

    fn ring(&self, entries: u32) -> io::Result<Box<dyn Ring>> {
        match self.ring {
            true => Ok(Box::new(Fragile { ring: RealDisk.ring(entries)?, broken: Arc::clone(&self.broken) })),
            false => Err(io::Error::new(io::ErrorKind::Unsupported, "no rings here: use another backend")),
        }
    }
}

fn refusal(disk: Lacking) -> Refused {
    let dir = tempfile::tempdir().unwrap();
    let options = BackendOptions { disk: Arc::new(disk), dir: dir.path().to_owned(), settings: Settings::default() };
    let refused = match (uring().start)(options) {
        Ok(_) => panic!("started where it cannot work"),
        Err(refused) => refused,
    };
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "the probe cleans up");
    refused
}

#[test]
fn without_direct_io_or_rings_it_refuses_with_the_reason() {
    let refused = refusal(Lacking::new(false, true)).to_string();
    assert!(refused.contains("O_DIRECT") && refused.contains("buffered"), "{refused}");
    let refused = refusal(Lacking::new(true, false)).to_string();
    assert!(refused.contains("no rings here"), "{refused}");
}

/// Without its ring the backend can do nothing, and nobody is left waiting for it.
#[test]
fn when_the_ring_breaks_everyone_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Lacking::new(true, true);
    let broken = Arc::clone(&disk.broken);
    let settings = Settings { kick_interval: Duration::from_secs(3600), ..Settings::default() };
    let backend =
        (uring().start)(BackendOptions { disk: Arc::new(disk), dir: dir.path().to_owned(), settings }).unwrap();
    let storage = backend.open(dir.path()).unwrap();
    fill(&*storage, "cold", 100_000);
    let reader = storage.reader("cold").unwrap();
    let mut writer = storage.create("a", MIB as u64).unwrap();
    append(&mut *writer, b"never written");
    let mut ahead = storage.create("b", 64 * MIB as u64).unwrap();
    append(&mut *ahead, &pattern(0..16 * MIB));
    broken.store(true, Ordering::Relaxed);
    // Until it is refused, or finds out; who waits then is told.
    while let Ok(Append::At(_)) = ahead.append(&[IoSlice::new(&[7; MIB])]) {}
    let (sender, told) = channel::<()>();
    ahead.when_room(Box::new(move || sender.send(()).unwrap()));
    assert_ne!(told.recv_timeout(LONG), Err(RecvTimeoutError::Timeout));

    let position = writer.begin_sync(Level::Written).unwrap().elsewhere();
    let told = writer.marks().wait(Level::Written, position, LONG);
    assert!(matches!(told, Err(StorageError::Stopped)), "{told:?}");
    assert!(matches!(writer.append(&[IoSlice::new(b"more")]), Err(StorageError::Stopped)));
    let (sender, read) = channel();
    reader.begin_read(0, 100_000, Box::new(move |bytes| sender.send(bytes).unwrap()));
    let read = read.recv_timeout(LONG).unwrap();
    assert!(matches!(read, Err(StorageError::Stopped)), "{read:?}");
    assert!(matches!(writer.close(), Err(StorageError::Stopped)));
}

/// tmpfs takes O_DIRECT since Linux 6.6, and ignores it.
#[test]
fn a_file_system_in_memory_is_refused() {
    let Ok(dir) = tempfile::tempdir_in("/dev/shm") else {
        return println!("no tmpfs here to be refused");
    };
    let refused = uring().start_on(dir.path()).map(|_| ()).unwrap_err().to_string();
    assert!(refused.contains("direct I/O"), "{refused}");
}
