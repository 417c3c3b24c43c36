//! A file system that is really full: ext4 in a file, mounted by a loop device. That takes root, and is skipped loudly where it cannot be had.

use std::path::{Path, PathBuf};
use std::process::Command;

use logdyno_record::Offset;
use logdyno_segment_log::{Level, LogError, StorageError};
use logdyno_storage::kinds;

use crate::world::{EPOCH, batch, content, fill, open, threes, unclean, with_segments};

const FILE_SYSTEM_BYTES: u64 = 48 << 20;

/// A small ext4, gone when this is dropped.
struct SmallFileSystem {
    mount: PathBuf,
    _dir: tempfile::TempDir,
}

impl SmallFileSystem {
    fn new() -> Result<SmallFileSystem, String> {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).map_err(|error| error.to_string())?;
        let (image, mount) = (dir.path().join("image"), dir.path().join("mount"));
        let sized = std::fs::File::create(&image).and_then(|file| file.set_len(FILE_SYSTEM_BYTES));
        sized.and_then(|()| std::fs::create_dir(&mount)).map_err(|error| error.to_string())?;
        run(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(&image))?;
        run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&mount))?;
        Ok(SmallFileSystem { mount, _dir: dir })
    }
}

impl Drop for SmallFileSystem {
    fn drop(&mut self) {
        if let Err(error) = run(Command::new("umount").arg("-l").arg(&self.mount)) {
            eprintln!("{} stays mounted: {error}", self.mount.display());
        }
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)))
    }
}

/// Takes all of the space but a little.
fn take_space(at: &Path) -> PathBuf {
    let filler = at.join("filler");
    let chunk = vec![1; 1 << 20];
    let mut file = std::fs::File::create(&filler).expect("a file");
    for _ in 0..FILE_SYSTEM_BYTES / 2 / chunk.len() as u64 {
        std::io::Write::write_all(&mut file, &chunk).expect("there is space still");
    }
    file.sync_all().expect("written");
    filler
}

#[test]
fn a_full_file_system_refuses_appends_until_there_is_space() {
    for kind in kinds() {
        let small = match SmallFileSystem::new() {
            Ok(small) => small,
            Err(why) => {
                return eprintln!("SKIPPED: no real full disk was tested, since no loop device can be mounted: {why}");
            }
        };
        let folder = small.mount.join("t-0");
        let backend = match kind.start_on(&small.mount) {
            Ok(backend) => backend,
            Err(refused) => {
                eprintln!("SKIPPED: {refused}");
                continue;
            }
        };
        eprintln!("backend {}", kind.name);
        let filler = take_space(&small.mount);
        let config = with_segments(4 << 20);
        let (log, _) = open(backend.open(&folder).expect("the folder opens"), &config, unclean(0)).expect("a new log");
        fill(&log, 30);
        let (big, mut taken) = (batch(3, 100_000), 30);
        let refused = (0..500).find_map(|_| {
            let appended = log.append_with_patience(&big, EPOCH, std::time::Duration::from_secs(60));
            taken += 3 * i64::from(appended.is_ok());
            appended.and_then(|_| log.wait_for(Level::Written, log.end_offset())).err()
        });
        match refused {
            Some(LogError::Storage { source: StorageError::NoSpace { .. }, .. }) => {}
            other => panic!("{}: a full disk is told as one: {other:?}", kind.name),
        }
        assert_eq!(content(&log), threes(taken), "what was taken is read");
        std::fs::remove_file(filler).expect("space again");
        fill(&log, taken + 30);
        log.wait_for(Level::Durable, Offset(taken + 30)).expect("durable");
        log.close().expect("a clean close");
        drop((log, backend));
        let backend = kind.start_on(&small.mount).expect("it ran before");
        let storage = backend.open(&folder).expect("the folder opens");
        let (log, report) = open(storage, &config, unclean(0)).expect("it opens");
        assert_eq!((report.cut, content(&log)), (None, threes(taken + 30)), "{}", kind.name);
    }
}
