//! The batches that a run left on disk: their codecs, by their headers.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use logdyno_engine::record::{BatchHeader, HEADER_LEN};

use super::is_log_of;
use crate::topics::Topics;

/// What the log files hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchesOnDisk {
    /// Log files.
    pub files: u64,
    /// Batches by codec.
    pub by_codec: BTreeMap<String, u64>,
}

/// Reads the headers of all batches in the logs of `topics` below `dir`, after the target has stopped.
pub fn batches_on_disk(dir: &Path, topics: &Topics) -> io::Result<BatchesOnDisk> {
    let mut found = BatchesOnDisk::default();
    let mut logs = Vec::new();
    find_logs(dir, topics, &mut logs)?;
    for path in logs {
        found.files += 1;
        count(&File::open(path)?, &mut found)?;
    }
    Ok(found)
}

fn find_logs(dir: &Path, topics: &Topics, logs: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            find_logs(&entry.path(), topics, logs)?;
        } else if is_log_of(topics, &entry.path()) {
            logs.push(entry.path());
        }
    }
    Ok(())
}

/// Walks from header to header; ends at zeros, which are preallocated space, or at the file's end.
fn count(file: &File, found: &mut BatchesOnDisk) -> io::Result<()> {
    let mut position = 0;
    let mut head = [0; HEADER_LEN];
    loop {
        match file.read_exact_at(&mut head, position) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            other => other?,
        }
        let Ok(header) = BatchHeader::parse(&head) else { return Ok(()) };
        let codec = header.compression().map_or_else(|_| "unknown".to_owned(), |codec| codec.name().to_owned());
        *found.by_codec.entry(codec).or_default() += 1;
        position += header.size() as u64;
    }
}

#[cfg(test)]
mod tests {
    use logdyno_engine::record::{BatchBuilder, BatchOptions, Codec, Compression};

    use super::*;

    #[test]
    fn batches_are_counted_by_codec_up_to_the_preallocated_zeros() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("1/t-0");
        std::fs::create_dir_all(&folder).unwrap();
        let mut log = Vec::new();
        for compression in [Compression::Zstd, Compression::None, Compression::Zstd] {
            let mut builder = BatchBuilder::new(Codec::new(compression), 1024);
            builder.append(1, None, Some(b"value"), &[]);
            log.extend_from_slice(builder.build(&BatchOptions::default()).unwrap().bytes());
        }
        log.extend_from_slice(&[0; 4096]);
        std::fs::write(folder.join("00000000000000000000.log"), log).unwrap();
        let found = batches_on_disk(dir.path(), &Topics::one("t", 1)).unwrap();
        assert_eq!(found.files, 1);
        assert_eq!(found.by_codec, BTreeMap::from([("none".to_owned(), 1), ("zstd".to_owned(), 2)]));
    }
}
