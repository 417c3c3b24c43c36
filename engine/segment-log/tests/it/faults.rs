//! What the log does when the disk fails: each kind of failure, on each backend's own code over the simulated disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use logdyno_record::batch::{Batch, ProducerStamp};
use logdyno_record::{BatchBuilder, BatchOptions, Codec, Compression, LeaderEpoch, Offset};
use logdyno_segment_log::{Level, Log, LogConfig, LogError, StorageError};
use logdyno_storage::seam::Disk;
use logdyno_storage::seam::simulated::{Crash, Point, SimulatedDisk};
use logdyno_storage::{Backend, Kind, kinds};

use crate::power_loss::start;
use crate::world::{EPOCH, append, batch, content, fill, open, threes, threes_from, unclean, with_segments};

const EIO: i32 = 5;

/// A backend, its disk, and a log on it.
struct Faulty {
    kind: Kind,
    disk: SimulatedDisk,
    config: LogConfig,
    _backend: Arc<dyn Backend>,
    log: Arc<Log>,
}

fn on_each(config: &LogConfig, scenario: impl Fn(Faulty)) {
    let mut ran = 0;
    for kind in kinds() {
        let disk = SimulatedDisk::new(7);
        let Some((backend, storage)) = start(kind, &disk) else { continue };
        eprintln!("backend {}", kind.name);
        let (log, _) = open(storage, config, unclean(0)).expect("a new log");
        scenario(Faulty { kind, disk, config: config.clone(), _backend: backend, log });
        ran += 1;
    }
    assert!(ran > 0, "no backend runs here");
}

impl Faulty {
    /// The log after a crash, and the backend below it.
    fn after(self, crash: Crash, recovery_point: i64) -> (Arc<dyn Backend>, Arc<Log>) {
        self.disk.stop();
        drop(self.log.close());
        let Faulty { kind, disk, config, .. } = self;
        disk.restart(crash).expect("memory for the disk");
        let (backend, storage) = start(kind, &disk).expect("it ran before");
        let (log, _) = open(storage, &config, unclean(recovery_point)).expect("what is durable is sound");
        (backend, log)
    }
}

fn assert_poisoned<T>(result: Result<T, LogError>) {
    match result {
        Err(LogError::Storage { source: StorageError::Poisoned { .. }, .. }) => {}
        Err(other) => panic!("an error of a poisoned log, but: {other}"),
        Ok(_) => panic!("a poisoned log refuses this"),
    }
}

/// Short writes and reads, EINTR and EAGAIN: gone on with, and nobody notices.
#[test]
fn short_and_interrupted_calls_are_continued() {
    on_each(&with_segments(1_000), |faulty| {
        faulty.disk.short_every(2);
        faulty.disk.disturb_every(3);
        let log = &faulty.log;
        for end in (30..300).step_by(30) {
            fill(log, end);
            log.wait_for(Level::Durable, Offset(end)).expect("durable");
        }
        log.truncate_to(Offset(150)).expect("a truncation");
        fill(log, 240);
        assert_eq!(content(log), threes(240));
        log.close().expect("a clean close");
        let (_backend, log) = faulty.after(Crash::Power, 0);
        assert_eq!(content(&log), threes(240));
    });
}

/// A failed fdatasync is final: waiters are told, nothing more is taken or promised, no second sync is tried (the kernel has marked the
/// pages clean), and what was durable is read on. The next start goes on from there.
#[test]
fn a_failed_sync_is_final() {
    on_each(&LogConfig::default(), |faulty| {
        let (log, disk) = (&faulty.log, &faulty.disk);
        fill(log, 30);
        let durable = log.flush().expect("durable");
        fill(log, 60);
        disk.fail_next(Point::Sync, 1, EIO);
        assert_poisoned(log.wait_for(Level::Durable, Offset(60)));
        let syncs = disk.count(Point::Sync);
        assert_poisoned(log.wait_for(Level::Durable, Offset(60)));
        assert_poisoned(log.append_as_leader(&batch(3, 20), EPOCH));
        assert_poisoned(log.flush());
        assert_eq!((log.recovery_point(), disk.count(Point::Sync)), (durable, syncs));
        assert_eq!(content(log)[..10], threes(30)[..]);
        assert_poisoned(log.close());
        assert_eq!(disk.count(Point::Sync), syncs, "a failed sync is never tried again");
        let (_backend, log) = faulty.after(Crash::Power, durable.0);
        assert!((30..=60).contains(&log.end_offset().0), "{log:?}");
        assert_eq!(content(&log), threes(log.end_offset().0));
    });
}

/// EIO of a write, or of the writeback behind it, is final, too.
#[test]
fn a_failed_write_is_final() {
    on_each(&LogConfig::default(), |faulty| {
        let (log, disk) = (&faulty.log, &faulty.disk);
        fill(log, 30);
        let durable = log.flush().expect("durable");
        disk.fail_next(Point::Write, 1, EIO);
        disk.fail_next(Point::WriteBack, 1, EIO);
        let big = batch(2, 100_000);
        let refused = (0..60).find_map(|_| {
            let appended = log.append_with_patience(&big, EPOCH, std::time::Duration::from_secs(60));
            appended.and_then(|_| log.wait_for(Level::Written, log.end_offset())).err()
        });
        assert_poisoned(refused.map_or(Ok(()), Err));
        assert_poisoned(log.append_as_leader(&batch(3, 20), EPOCH));
        assert_eq!(content(log)[..10], threes(30)[..]);
        let (_backend, log) = faulty.after(Crash::Power, durable.0);
        assert_eq!(content(&log)[..10], threes(30)[..]);
    });
}

/// ENOSPC is no poison: appends, rolls and epochs are refused by name, what was taken is read, and all goes on when there is space.
#[test]
fn a_full_disk_refuses_until_there_is_space() {
    on_each(&with_segments(200_000), |faulty| {
        let (log, disk) = (&faulty.log, &faulty.disk);
        fill(log, 30);
        disk.set_capacity(3 << 20);
        let (big, mut taken) = (batch(3, 20_000), 30);
        let refused = (0..200).find_map(|_| {
            let appended = log.append_with_patience(&big, EPOCH, std::time::Duration::from_secs(60));
            taken += 3 * i64::from(appended.is_ok());
            appended.and_then(|_| log.wait_for(Level::Written, log.end_offset())).err()
        });
        let is_full =
            |error: &LogError| matches!(error, LogError::Storage { source: StorageError::NoSpace { .. }, .. });
        assert!(refused.as_ref().is_some_and(is_full), "{refused:?}");
        assert_eq!(content(log), threes(taken));
        disk.set_capacity(0);
        let epoch = log.start_epoch(LeaderEpoch(9));
        assert!(epoch.as_ref().is_err_and(is_full), "{epoch:?}");
        assert_eq!(log.latest_epoch(), Some(EPOCH), "what is not written down is not known");

        disk.set_capacity(64 << 20);
        log.start_epoch(LeaderEpoch(9)).expect("there is space");
        let all = taken + 30;
        while log.end_offset().0 < all {
            log.append_as_leader(&batch(3, 20), LeaderEpoch(9)).expect("an append");
        }
        log.flush().expect("durable");
        assert_eq!(content(log), threes(all));
        let (_backend, log) = faulty.after(Crash::Power, all);
        assert_eq!((content(&log), log.latest_epoch()), (threes(all), Some(LeaderEpoch(9))));
    });
}

/// A segment whose directory cannot be synced promises nothing.
#[test]
fn a_failed_sync_of_the_directory_is_told() {
    on_each(&with_segments(1_000), |faulty| {
        let (log, disk) = (&faulty.log, &faulty.disk);
        fill(log, 3);
        let durable = log.flush().expect("durable");
        disk.fail_next(Point::SyncNames, 1, EIO);
        let refused = (0..20).find_map(|_| log.append_as_leader(&batch(3, 20), EPOCH).err().or(log.flush().err()));
        assert!(matches!(refused, Some(LogError::Storage { .. })), "{refused:?}");
        let (_backend, log) = faulty.after(Crash::Power, durable.0);
        assert!(log.end_offset() >= durable);
        assert_eq!(content(&log), threes(log.end_offset().0));
    });
}

/// Files of deleted segments that could not be renamed, or removed, are so in the next round.
#[test]
fn retention_comes_back_to_what_it_could_not_do() {
    on_each(&LogConfig { file_delete_delay_ms: 0, ..with_segments(1_000) }, |faulty| {
        let (log, disk) = (&faulty.log, &faulty.disk);
        fill(log, 60);
        log.flush().expect("durable");
        let (rolled, base) = (log.segment_bases().len() - 1, log.segment_bases()[2]);
        let folder = Path::new("/simulated/t-0");
        let is_index = |path: &&PathBuf| path.extension().is_some_and(|kind| kind == "index" || kind == "timeindex");
        while disk.list(folder).expect("a list").iter().filter(is_index).count() < 2 * rolled {
            // Threads of their own write them, and are to meet no failure.
            std::thread::sleep(Duration::from_millis(1));
        }
        log.delete_records_before(base, Offset(60)).expect("deleted");
        // The second of the renames, and the first directory sync: there the rename itself has been done.
        disk.fail_next(Point::Names, 2, EIO);
        disk.fail_next(Point::SyncNames, 1, EIO);
        log.enforce_retention(Offset(60)).expect_err("a file keeps its name");
        assert_eq!(log.start_offset(), base);
        log.enforce_retention(Offset(60)).expect("it is renamed now");
        // Neither can its blocks be kept nor can it go.
        disk.fail_next(Point::Names, 1, EIO);
        disk.fail_next(Point::Names, 2, EIO);
        log.remove_deleted().expect_err("one file stays");
        log.remove_deleted().expect("it goes now");
        let files = disk.list(folder).expect("a list");
        let old = |path: &&PathBuf| path.file_name().is_some_and(|name| *name < *format!("{:020}", base.0));
        let left: Vec<_> =
            files.iter().filter(old).filter(|path| !path.to_string_lossy().contains("recycled")).collect();
        assert!(left.is_empty(), "{left:?}");
        assert_eq!(content(log), threes_from(base.0, 60));
    });
}

/// One record of producer 7.
fn stamped(base_sequence: i32) -> Batch {
    let mut builder = BatchBuilder::new(Codec::new(Compression::None), 256);
    builder.append(1_000, None, Some(&[b'v'; 20]), &[]);
    let options =
        BatchOptions { producer: ProducerStamp { id: 7, epoch: 0, base_sequence }, ..BatchOptions::default() };
    builder.build(&options).expect("a batch")
}

/// EIO of a read is an error of that read. Where a truncation reads what is known of the producers, it is the truncation's: a log
/// that has forgotten them would take a twin for news.
#[test]
fn a_failed_read_forgets_no_producer() {
    for nth in 1..=6 {
        on_each(&with_segments(4_000), |faulty| {
            let (log, disk) = (&faulty.log, &faulty.disk);
            for sequence in 0..60 {
                log.append_as_leader(&stamped(sequence), EPOCH).expect("an append");
            }
            log.flush().expect("durable");
            disk.fail_next(Point::Read, nth, EIO);
            let kept = Offset(50);
            match log.truncate_to(kept) {
                Ok(()) => assert_eq!(log.append_as_leader(&stamped(49), EPOCH).expect("a twin").first, Offset(49)),
                Err(error) => {
                    assert!(matches!(error, LogError::Storage { .. }), "{error}");
                    if let Ok(twin) = log.append_as_leader(&stamped(59), EPOCH) {
                        assert_eq!((twin.first, log.end_offset()), (Offset(59), Offset(60)), "nothing was truncated");
                    }
                }
            }
            let (_backend, log) = faulty.after(Crash::Process, 0);
            let last = log.end_offset().0 - 1;
            let twin = log.append_as_leader(&stamped(last as i32), EPOCH).expect("a twin");
            assert_eq!((twin.first.0, log.end_offset().0), (last, last + 1), "it is known after the next start");
        });
    }
}

/// A failed read is told to its reader, and the next one is answered.
#[test]
fn a_failed_read_is_an_error_and_no_more() {
    on_each(&LogConfig::default(), |faulty| {
        append(&faulty.log, &batch(3, 20));
        faulty.log.close().expect("a clean close");
        let disk = faulty.disk.clone();
        let (_backend, log) = faulty.after(Crash::Power, 0);
        fill(&log, 6);
        log.flush().expect("durable");
        disk.cool();
        disk.fail_next(Point::Read, 1, EIO);
        match log.read_blocking(Offset(0), Offset(6), 1 << 20, true) {
            Err(error) => assert!(matches!(error, LogError::Storage { .. }), "{error}"),
            // The backend had it in memory of its own.
            Ok(slice) => assert!(slice.size() > 0),
        }
        assert_eq!(log.read_blocking(Offset(0), Offset(6), 1 << 20, true).expect("a read").first, Offset(0));
    });
}
