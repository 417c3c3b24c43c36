//! The segment files that both servers have written.

use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result};
use bytes::Bytes;
use logdyno_record::batch::batches;

use crate::generate::STAYING;

/// The fields of a batch's header by their bytes. The leader's epoch is the broker's own; the checksum says nothing that
/// the other fields do not.
const FIELDS: &[(&str, Range<usize>)] = &[
    ("base offset", 0..8),
    ("length", 8..12),
    ("magic", 16..17),
    ("attributes", 21..23),
    ("last offset delta", 23..27),
    ("base timestamp", 27..35),
    ("max timestamp", 35..43),
    ("producer id", 43..51),
    ("producer epoch", 51..53),
    ("base sequence", 53..57),
    ("number of records", 57..61),
];

/// Compares the batches of the topics that stayed, field by field and byte by byte. Says how many bytes; fails at a difference.
pub fn compare(kafka: &Path, ours: &Path) -> Result<u64> {
    let (mut compared, mut differing) = (0, Vec::new());
    for topic in STAYING {
        for partition in 0..3 {
            let folder = format!("{topic}-{partition}");
            let (left, right) = (content(&kafka.join(&folder))?, content(&ours.join(&folder))?);
            compared += left.iter().map(|batch| batch.len() as u64).sum::<u64>();
            if left.len() != right.len() {
                differing.push(format!("{folder}: {} and {} batches", left.len(), right.len()));
            }
            let pairs = left.iter().zip(&right).enumerate();
            let found = pairs.filter_map(|(at, (kafka, ours))| Some((at, difference(kafka, ours)?)));
            differing.extend(found.take(3).map(|(at, what)| format!("{folder}, batch {at}: {what}")));
        }
    }
    anyhow::ensure!(differing.is_empty(), "segments differ:\n{}", differing.join("\n"));
    Ok(compared)
}

/// What differs in a batch first.
fn difference(kafka: &[u8], ours: &[u8]) -> Option<String> {
    for (name, range) in FIELDS {
        let (kafka, ours) = (&kafka[range.clone()], &ours[range.clone()]);
        if kafka != ours {
            return Some(format!("{name}: Kafka {}, LogDyno {}", number(kafka), number(ours)));
        }
    }
    (kafka[61..] != ours[61..]).then(|| "the records".to_owned())
}

fn number(bytes: &[u8]) -> i64 {
    let negative = bytes.first().is_some_and(|first| *first >= 0x80);
    bytes.iter().fold(if negative { -1 } else { 0 }, |value, byte| value << 8 | i64::from(*byte))
}

/// All batches of a partition in order.
fn content(folder: &Path) -> Result<Vec<Bytes>> {
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut files: Vec<_> = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    files.sort();
    let mut all = Vec::new();
    for file in files {
        let content = Bytes::from(std::fs::read(&file)?);
        let mut at = 0;
        for batch in batches(content.clone()) {
            let Ok(batch) = batch else { break };
            all.push(content.slice(at..at + batch.size()));
            at += batch.size();
        }
        anyhow::ensure!(content[at..].iter().all(|byte| *byte == 0), "{}: no batch at {at}", file.display());
    }
    Ok(all)
}
