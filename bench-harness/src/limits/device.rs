//! Sequential reads and writes by block size and depth, past the page cache and through it; syncs.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::quantile;

/// Each thread has a region of its own of this size: beyond any cache of the processor, and soon written.
const REGION: u64 = 64 << 20;
const BLOCKS: [usize; 3] = [4 << 10, 64 << 10, 1 << 20];
const DEPTHS: [usize; 3] = [1, 4, 16];
/// What O_DIRECT asks of memory and positions on every device that is in use.
const ALIGNMENT: usize = 4096;
const ROUND: Duration = Duration::from_millis(200);
const SYNCS: usize = 200;

/// Through the page cache or past it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Io {
    /// Through the page cache: what the kernel takes or gives, not what the device does.
    Buffered,
    /// With O_DIRECT.
    Direct,
}

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// From the file.
    Read,
    /// To the file.
    Write,
}

/// A sequential bandwidth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bandwidth {
    /// Which way.
    pub direction: Direction,
    /// How.
    pub io: Io,
    /// Bytes of one call.
    pub block_bytes: usize,
    /// Calls at a time, each thread on a region of its own.
    pub depth: usize,
    /// The figure.
    pub bytes_per_second: f64,
}

/// A write of 4 KiB until `fdatasync` has returned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SyncLatency {
    /// Whether the file grows with each write, so that its metadata have to be written too.
    pub grows: bool,
    /// Half of them are faster.
    pub p50_ns: u64,
    /// One in a hundred is slower.
    pub p99_ns: u64,
}

pub(super) fn bandwidths(dir: &Path, skipped: &mut Vec<String>) -> anyhow::Result<Vec<Bandwidth>> {
    let mut found = Vec::new();
    for io in [Io::Buffered, Io::Direct] {
        let file = match scratch(dir, io) {
            Ok(file) => file,
            Err(error) if io == Io::Direct => {
                skipped.push(format!("direct I/O: {error:#}"));
                continue;
            }
            Err(error) => return Err(error),
        };
        for direction in [Direction::Write, Direction::Read] {
            for (block_bytes, depth) in BLOCKS.into_iter().flat_map(|block| DEPTHS.map(|depth| (block, depth))) {
                let bytes_per_second = rate(&file, direction, block_bytes, depth)?;
                found.push(Bandwidth { direction, io, block_bytes, depth, bytes_per_second });
            }
        }
    }
    Ok(found)
}

/// A file without a name, all of its regions written once.
fn scratch(dir: &Path, io: Io) -> anyhow::Result<File> {
    let named = tempfile::NamedTempFile::new_in(dir).with_context(|| dir.display().to_string())?;
    let flags = if io == Io::Direct { libc::O_DIRECT } else { 0 };
    let file = OpenOptions::new().read(true).write(true).custom_flags(flags).open(named.path())?;
    let buffer = Aligned::new(1 << 20);
    for position in (0..REGION * DEPTHS[DEPTHS.len() - 1] as u64).step_by(1 << 20) {
        file.write_all_at(buffer.bytes(), position).with_context(|| format!("a file in {}", dir.display()))?;
    }
    file.sync_data()?;
    Ok(file)
}

fn rate(file: &File, direction: Direction, block: usize, depth: usize) -> anyhow::Result<f64> {
    let began = Instant::now();
    let moved: anyhow::Result<Vec<u64>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..depth)
            .map(|thread| scope.spawn(move || walk(file, direction, block, thread as u64 * REGION)))
            .collect();
        let joined =
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        joined.collect()
    });
    Ok(moved?.iter().sum::<u64>() as f64 / began.elapsed().as_secs_f64())
}

/// Goes over a region, again and again, for a while.
fn walk(file: &File, direction: Direction, block: usize, region: u64) -> anyhow::Result<u64> {
    let mut buffer = Aligned::new(block);
    let (began, mut moved) = (Instant::now(), 0);
    while began.elapsed() < ROUND {
        let position = region + moved % REGION;
        match direction {
            Direction::Write => file.write_all_at(buffer.bytes(), position)?,
            Direction::Read => file.read_exact_at(buffer.bytes_mut(), position)?,
        }
        moved += block as u64;
    }
    Ok(moved)
}

pub(super) fn syncs(dir: &Path) -> anyhow::Result<Vec<SyncLatency>> {
    let block = vec![7; ALIGNMENT];
    let mut found = Vec::new();
    for grows in [true, false] {
        let file = tempfile::tempfile_in(dir).with_context(|| dir.display().to_string())?;
        if !grows {
            file.write_all_at(&vec![0; ALIGNMENT * SYNCS], 0)?;
            file.sync_all()?;
        }
        let mut took = Vec::with_capacity(SYNCS);
        for at in 0..SYNCS {
            let began = Instant::now();
            file.write_all_at(&block, (at * ALIGNMENT) as u64)?;
            file.sync_data()?;
            took.push(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX));
        }
        took.sort_unstable();
        found.push(SyncLatency { grows, p50_ns: quantile(&took, 0.5), p99_ns: quantile(&took, 0.99) });
    }
    Ok(found)
}

/// Memory that O_DIRECT takes.
struct Aligned {
    memory: Vec<u8>,
    from: usize,
    len: usize,
}

impl Aligned {
    fn new(len: usize) -> Aligned {
        let memory = vec![0x5a; len + ALIGNMENT];
        let from = memory.as_ptr().align_offset(ALIGNMENT);
        Aligned { memory, from, len }
    }

    fn bytes(&self) -> &[u8] {
        &self.memory[self.from..self.from + self.len]
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.from..self.from + self.len]
    }
}
