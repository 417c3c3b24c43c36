//! The segment files that brokers leave behind.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::clients::TOPIC;
use crate::process::LOGDYNO;

/// The files of a partition with this extension in the order of their first offsets; `data` is one broker's.
pub(crate) fn files(data: &Path, partition: i32, extension: &str) -> Vec<PathBuf> {
    let folder = data.join(format!("{TOPIC}-{partition}"));
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
    files.sort();
    assert!(!files.is_empty(), "no .{extension} in {}", folder.display());
    files
}

/// `logdyno dump` finds nothing torn in a partition's files after a clean stop.
pub(crate) fn assert_sound(data: &Path, partition: i32) {
    for extension in ["log", "index", "timeindex"] {
        let mut dump = Command::new(LOGDYNO);
        let dumped = dump.arg("dump").args(files(data, partition, extension)).output().expect("dump runs");
        assert!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
        let text = String::from_utf8(dumped.stdout).expect("text");
        assert!(!text.contains("isvalid: false"), "{text}");
        assert!(!text.contains("only zeros follow"), "a clean stop cuts preallocated space: {text}");
    }
}
