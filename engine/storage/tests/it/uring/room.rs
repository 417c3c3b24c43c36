//! Logs that have to wait for room: in the pool, or for what they have on its way.

use std::time::Duration;

use logdyno_storage::Settings;

use super::{KIB, MIB, append, fill, pattern, small_pool, start};

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
