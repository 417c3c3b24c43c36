//! Commits one after the other on one thread: each is durable before the next append.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;

use super::append::{append, commit};
use super::{Figures, Spec, Stopwatch, backend, noise};

const COMMITS: usize = 2000;

pub fn measure(spec: &Spec, dir: &Path) -> Result<Figures> {
    let batch = noise(spec.size()?);
    let group = spec.option("group")?.unwrap_or(1);
    let total = (batch.len() * group * COMMITS) as u64;
    let backend = backend(spec, dir)?;
    let storage = backend.open(&dir.join("log"))?;
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
