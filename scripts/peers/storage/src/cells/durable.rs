//! Commits one after the other on one thread: each is durable before the next append.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use rustix::fs::{FallocateFlags, fallocate};

use super::append::{append, commit, leave_blocks};
use super::{Figures, Spec, Stopwatch, backend, noise};

const COMMITS: usize = 2000;

pub fn measure(spec: &Spec, dir: &Path) -> Result<Figures> {
    let batch = noise(spec.size()?);
    let group = spec.option("group")?.unwrap_or(1);
    let total = (batch.len() * group * COMMITS) as u64;
    if spec.system == "plain" {
        return plain(&batch, total, dir);
    }
    let backend = backend(spec, dir)?;
    let storage = backend.open(&dir.join("log"))?;
    if spec.words.contains(&"recycled") {
        leave_blocks(&*backend, &*storage, total)?;
    }
    let mut writer = storage.create("00000000000000000000.log", total)?;
    let mut timed = Vec::with_capacity(COMMITS);
    let watch = Stopwatch::start()?;
    for _ in 0..COMMITS {
        let begun = Instant::now();
        for _ in 0..group {
            append(&mut *writer, &batch)?;
        }
        commit(&mut *writer)?;
        timed.push(begun.elapsed());
    }
    watch.stop(total, (group * COMMITS) as u64, timed)
}

/// A write and a sync for each batch, to blocks that the file system has given and nobody has written: each sync waits for its journal,
/// too, which notes what is written now.
fn plain(batch: &[u8], total: u64, dir: &Path) -> Result<Figures> {
    let file = File::create(dir.join("plain"))?;
    fallocate(&file, FallocateFlags::empty(), 0, total)?;
    file.sync_all()?;
    let mut timed = Vec::with_capacity(COMMITS);
    let watch = Stopwatch::start()?;
    for position in (0..total).step_by(batch.len()) {
        let begun = Instant::now();
        file.write_all_at(batch, position)?;
        file.sync_data()?;
        timed.push(begun.elapsed());
    }
    watch.stop(total, timed.len() as u64, timed)
}
