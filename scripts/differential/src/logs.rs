//! The segment files that both servers have written.

use std::path::Path;

use anyhow::{Context, Result};
use bytes::Bytes;

use crate::exchange::zero_epochs;
use crate::generate::STAYING;

/// Compares the batches of the topics that stayed, byte by byte but for the leader's epoch. Says how many bytes; fails at a difference.
pub fn compare(kafka: &Path, ours: &Path) -> Result<u64> {
    let (mut compared, mut differing) = (0, Vec::new());
    for topic in STAYING {
        for partition in 0..3 {
            let folder = format!("{topic}-{partition}");
            let (left, right) = (content(&kafka.join(&folder))?, content(&ours.join(&folder))?);
            compared += left.len() as u64;
            if left != right {
                let at = left.iter().zip(&right).position(|(a, b)| a != b).unwrap_or(left.len().min(right.len()));
                differing.push(format!("{folder}: {} and {} bytes, first at {at}", left.len(), right.len()));
            }
        }
    }
    anyhow::ensure!(differing.is_empty(), "segments differ: {}", differing.join("; "));
    Ok(compared)
}

/// All batches of a partition in order.
fn content(folder: &Path) -> Result<Bytes> {
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut files: Vec<_> = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    files.sort();
    let mut all = Vec::new();
    for file in files {
        all.extend(std::fs::read(file)?);
    }
    Ok(zero_epochs(all.into()))
}
