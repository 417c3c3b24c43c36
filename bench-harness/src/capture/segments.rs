//! Records of segment files.

use std::path::{Path, PathBuf};

use logdyno_engine::segment_log::dump::{self, Dumped, DumpedBatch};

use super::gather::Gather;
use crate::trace::TraceError;

/// Reads a segment file, or all of a partition's folder.
pub(super) fn read(path: &Path, gather: &mut Gather, told: &mut dyn FnMut(&str)) -> Result<(), TraceError> {
    let fail = |path: &Path, reason: String| TraceError::Source { from: path.display().to_string(), reason };
    let metadata = std::fs::metadata(path).map_err(|error| fail(path, error.to_string()))?;
    let folder = if metadata.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
    let folder = folder.canonicalize().map_err(|error| fail(path, error.to_string()))?;
    let Some(partition) = partition_of(&folder) else {
        let reason =
            "its folder is no partition's: give folders named TOPIC-0, TOPIC-1 and so on, or segment files in them";
        return Err(fail(path, reason.to_owned()));
    };
    let segments = if metadata.is_dir() { segments_of(path)? } else { vec![path.to_owned()] };
    if segments.is_empty() {
        return Err(fail(path, "no segment file (20 digits and .log) is in it".to_owned()));
    }
    for (index, segment) in segments.iter().enumerate() {
        let is_last = index + 1 == segments.len();
        let steps = dump::segment(segment).map_err(|error| fail(segment, error.to_string()))?;
        for step in steps {
            match step.map_err(|error| fail(segment, error.to_string()))? {
                Dumped::Batch(batch) => add(partition, &batch, gather).map_err(|reason| fail(segment, reason))?,
                Dumped::Zeros { .. } => {}
                // Of a log that is being written, the last batch may not be whole.
                Dumped::Torn { position, why } if is_last => {
                    told(&format!("{}: what follows {position} is left out: {why}", segment.display()));
                }
                Dumped::Torn { position, why } => {
                    let reason =
                        format!("it is damaged at {position}: {why}; leave the segment out by naming the others");
                    return Err(fail(segment, reason));
                }
            }
        }
    }
    Ok(())
}

fn add(partition: i32, dumped: &DumpedBatch, gather: &mut Gather) -> Result<(), String> {
    let damaged = |why: &dyn std::fmt::Display| format!("the batch at {} is damaged: {why}", dumped.position);
    dumped.sound.as_ref().map_err(|why| damaged(why))?;
    // Markers of transactions are no records of an application.
    if dumped.batch.header().is_control() {
        return Ok(());
    }
    let records = dumped.batch.records().map_err(|why| damaged(&why))?;
    for record in &records {
        gather.add(partition, &record.map_err(|why| damaged(&why))?);
    }
    Ok(())
}

/// The number behind the last dash of a partition's folder.
fn partition_of(folder: &Path) -> Option<i32> {
    let name = folder.file_name()?.to_str()?;
    name.rsplit_once('-')?.1.parse().ok().filter(|partition| *partition >= 0)
}

/// In the order of their offsets.
fn segments_of(folder: &Path) -> Result<Vec<PathBuf>, TraceError> {
    let fail = |error: std::io::Error| TraceError::Io { path: folder.to_owned(), doing: "read", error };
    let mut segments = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let is_segment = path.extension().is_some_and(|extension| extension == "log")
            && path
                .file_stem()
                .is_some_and(|stem| stem.len() == 20 && stem.as_encoded_bytes().iter().all(u8::is_ascii_digit));
        if is_segment {
            segments.push(path);
        }
    }
    segments.sort();
    Ok(segments)
}
