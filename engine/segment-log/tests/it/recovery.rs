//! What a log is after each kind of end.

use std::fs::{self, OpenOptions};
use std::path::Path;

use logdyno_segment_log::LogError;

use crate::world::{World, append, batch, clean, content, fill, on_every_backend, threes, unclean};

#[test]
fn after_a_clean_close_all_is_there_and_nothing_is_walked() {
    on_every_backend(|world| {
        let world = world.with_segments(1_000);
        let (log, _) = world.open();
        fill(&log, 60);
        log.close().expect("a clean close");
        drop(log);
        let (log, report) = world.try_open(clean(60)).expect("the log opens");
        assert_eq!((report.segments_walked, report.cut), (0, None));
        assert_eq!(content(&log), threes(60));
        fill(&log, 90);
        assert_eq!(content(&log), threes(90));
    });
}

#[test]
fn what_was_written_survives_a_kill() {
    on_every_backend(|world| {
        let world = world.with_segments(1_000);
        let (log, _) = world.open();
        fill(&log, 60);
        world.kill(log);
        let (log, report) = world.open();
        assert!(report.segments_walked >= 3, "{report:?}");
        assert_eq!((report.bytes_truncated, report.segments_removed, report.cut), (0, 0, None));
        assert_eq!(content(&log), threes(60));
    });
}

/// A folder with one segment of ten batches, closed; and its bytes.
fn ten_batches(world: &World) -> Vec<u8> {
    let (log, _) = world.open();
    fill(&log, 30);
    log.close().expect("a clean close");
    fs::read(&world.segment_files()[0]).expect("the segment")
}

/// Opens a log whose only segment is `bytes` and returns its batches.
fn recovered(world: &World, bytes: &[u8]) -> Vec<(i64, i64)> {
    fs::remove_dir_all(world.folder()).expect("the folder goes");
    drop(world.storage());
    fs::write(world.folder().join("00000000000000000000.log"), bytes).expect("a segment");
    let (log, _) = world.open();
    content(&log)
}

#[test]
fn a_tail_cut_at_any_byte_ends_at_the_last_whole_batch() {
    on_every_backend(|world| {
        let bytes = ten_batches(&world);
        let size = bytes.len() / 10;
        for len in size * 7..=bytes.len() {
            let whole = (len / size) as i64;
            assert_eq!(recovered(&world, &bytes[..len]), threes(whole * 3), "cut to {len} bytes");
        }
    });
}

#[test]
fn any_flipped_bit_of_the_last_batch_drops_it() {
    on_every_backend(|world| {
        let bytes = ten_batches(&world);
        let last = bytes.len() / 10 * 9;
        assert!(bytes.len() - last < 300);
        // The leader epoch (bytes 12 to 15) is outside of the checksum, as is a base offset that only leaves a gap.
        let covered = (last + 8..last + 12).chain(last + 16..bytes.len());
        for at in covered {
            // Recovery is one code over all backends: each bit is tried on one of them, a bit of each byte on all.
            let bits = if world.kind.name == "buffered" { 0..8 } else { at % 8..at % 8 + 1 };
            for bit in bits {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                assert_eq!(recovered(&world, &flipped), threes(27), "byte {} of the batch, bit {bit}", at - last);
            }
        }
    });
}

#[test]
fn zeros_behind_the_last_batch_are_a_clean_end() {
    on_every_backend(|world| {
        let mut bytes = ten_batches(&world);
        bytes.resize(bytes.len() + 10_000, 0);
        assert_eq!(recovered(&world, &bytes), threes(30));
        let (_, report) = world.open();
        assert_eq!((report.bytes_truncated, report.cut), (0, None));
    });
}

/// Three segments at least, closed, indexes and all.
fn segments(world: &World) -> i64 {
    let (log, _) = world.open();
    fill(&log, 60);
    let bases = log.segment_bases();
    assert!(bases.len() >= 3, "{bases:?}");
    log.close().expect("a clean close");
    bases[1].0
}

fn flip(path: &Path, from_end: usize) {
    let mut bytes = fs::read(path).expect("a segment");
    let at = bytes.len() - from_end;
    bytes[at] ^= 1;
    fs::write(path, bytes).expect("a segment");
}

#[test]
fn behind_a_torn_segment_nothing_is_kept() {
    on_every_backend(|world| {
        let world = world.with_segments(1_000);
        let second = segments(&world);
        flip(&world.segment_files()[0], 5);
        let (log, report) = world.open();
        assert!(report.segments_removed >= 2 && report.bytes_truncated > 0 && report.cut.is_some(), "{report:?}");
        assert_eq!(content(&log), threes(second - 3));
        assert_eq!(world.segment_files().len(), 1);
        assert!(world.files("index").is_empty(), "an index of what is gone is gone");
        fill(&log, 60);
        assert_eq!(content(&log), threes(60));
    });
}

/// A file system may keep a later file's bytes and lose an earlier one's.
#[test]
fn a_lost_end_of_a_segment_ends_the_log() {
    on_every_backend(|world| {
        for zeros in [false, true] {
            let world = World::new(world.kind).expect("it ran before").with_segments(1_000);
            let second = segments(&world);
            let first = &world.segment_files()[0];
            let file = OpenOptions::new().write(true).open(first).expect("the segment");
            let len = file.metadata().expect("its length").len();
            file.set_len(len - len / (second as u64 / 3)).expect("cut at a batch's start");
            if zeros {
                file.set_len(len).expect("zeros to the end");
            }
            let (log, report) = world.open();
            assert!(report.cut.is_some(), "{report:?}");
            assert_eq!(content(&log), threes(second - 3), "no hole");
        }
    });
}

#[test]
fn a_bad_batch_before_the_recovery_point_is_damage() {
    on_every_backend(|world| {
        let world = world.with_segments(1_000);
        let second = segments(&world);
        let last = world.segment_files().pop().expect("a segment");
        flip(&last, 5);
        assert!(matches!(world.try_open(unclean(60)), Err(LogError::Corrupt { .. })), "the last batch was durable");
        assert!(world.try_open(unclean(57)).is_ok(), "it was not");
        flip(&world.segment_files()[0], 5);
        for index in world.files("index") {
            fs::remove_file(index).expect("so that the segment is walked");
        }
        match world.try_open(unclean(second)) {
            Err(error @ LogError::Corrupt { position, .. }) => {
                assert!(position > 0 && error.to_string().contains("another replica"), "{error}");
            }
            other => panic!("{:?}", other.map(|(_, report)| report)),
        }
    });
}

#[test]
fn a_missing_end_before_the_recovery_point_is_damage() {
    on_every_backend(|world| {
        let (log, _) = world.open();
        fill(&log, 30);
        log.close().expect("a clean close");
        drop(log);
        assert!(matches!(world.try_open(unclean(33)), Err(LogError::Corrupt { .. })));
    });
}

#[test]
fn a_rolled_segment_whose_close_was_interrupted_is_trimmed() {
    on_every_backend(|world| {
        let world = world.with_segments(1_000);
        let second = segments(&world);
        let first = &world.segment_files()[0];
        let len = fs::metadata(first).expect("the segment").len();
        let file = OpenOptions::new().write(true).open(first).expect("the segment");
        file.set_len(1 << 20).expect("as preallocated");
        let (log, report) = world.try_open(unclean(second)).expect("the log opens");
        assert_eq!(report.cut, None);
        assert_eq!(content(&log), threes(60));
        assert_eq!(fs::metadata(first).expect("the segment").len(), len);
    });
}

/// Names and contents.
type Files = Vec<(std::ffi::OsString, Vec<u8>)>;

#[test]
fn the_same_appends_are_the_same_files_on_every_backend() {
    let mut seen: Option<(&str, Files)> = None;
    for world in logdyno_storage::kinds().into_iter().filter_map(World::new) {
        let world = world.with_segments(10_000);
        let (log, _) = world.open();
        for len in [1, 100, 5_000, 30, 9_000, 9_500, 10].into_iter().cycle().take(50) {
            append(&log, &batch(2, len / 2));
        }
        log.close().expect("a clean close");
        let paths = ["log", "index", "timeindex"].into_iter().flat_map(|extension| world.files(extension));
        let files: Files = paths
            .map(|path| (path.file_name().expect("a name").to_owned(), fs::read(&path).expect("a file")))
            .collect();
        let (name, expected) = seen.get_or_insert_with(|| (world.kind.name, files.clone()));
        assert!(*expected == files, "{name} and {} differ", world.kind.name);
    }
    assert!(seen.is_some(), "no backend runs here");
}
