//! Sequential reads of one file, cold (from the device) or hot (from memory).

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::mpsc;

use anyhow::{Context, Result, bail};
use logdyno_storage::Reader;

use super::{Figures, Spec, Stopwatch, backend, noise};
use crate::machine;

const TOTAL: u64 = 1 << 30;
const COLD_BYTES: usize = 256 << 10;
const HOT_BYTES: usize = 64 << 10;
/// Passes over all of it that are measured when it is hot: one takes about a tenth of a second.
const HOT_PASSES: u64 = 8;
const NAME: &str = "00000000000000000000.log";

pub fn measure(spec: &Spec, dir: &Path) -> Result<Figures> {
    let folder = dir.join("log");
    std::fs::create_dir_all(&folder)?;
    let path = folder.join(NAME);
    write(&path)?;
    let cold = match spec.words[..] {
        ["cold"] => true,
        ["hot"] => false,
        _ => bail!("a read is cold or hot"),
    };
    if spec.system == "plain" {
        return plain(&path);
    }
    if cold {
        machine::cool(&path)?;
        // What was written has taken long, and left its pages free.
        machine::warm(super::ROOM_BYTES)?;
    }
    let backend = backend(spec, dir)?;
    let storage = backend.open(&folder)?;
    let reader = storage.reader(NAME)?;
    if cold {
        // As many at a time as fio has in flight.
        let depth = if spec.system == "uring" { 8 } else { 2 };
        return stream(&*reader, depth);
    }
    hot(|| in_place(&*reader))
}

/// Passes over what is in memory, behind one that is not measured.
fn hot(pass: impl Fn() -> Result<()>) -> Result<Figures> {
    pass().context("the first pass")?;
    let watch = Stopwatch::start()?;
    (0..HOT_PASSES).try_for_each(|_| pass())?;
    let bytes = HOT_PASSES * TOTAL;
    watch.stop(bytes, bytes / HOT_BYTES as u64, Vec::new())
}

fn write(path: &Path) -> Result<()> {
    let (mut file, bytes) = (File::create(path)?, noise(1 << 20));
    for _ in 0..TOTAL >> 20 {
        file.write_all(&bytes)?;
    }
    Ok(file.sync_all()?)
}

/// Keeps `depth` reads under way.
fn stream(reader: &dyn Reader, depth: u64) -> Result<Figures> {
    let watch = Stopwatch::start()?;
    let (sender, arrived) = mpsc::channel();
    let begin = |position: u64| {
        let sender = sender.clone();
        // The receiver lives until all have come.
        reader.begin_read(position, COLD_BYTES, Box::new(move |bytes| drop(sender.send(bytes))));
    };
    let step = COLD_BYTES as u64;
    (0..depth).for_each(|at| begin(at * step));
    let (mut next, mut read, mut sum) = (depth * step, 0, 0u64);
    while read < TOTAL {
        let bytes = arrived.recv()??;
        if bytes.is_empty() {
            bail!("the file is shorter than it was written");
        }
        read += bytes.len() as u64;
        sum += bytes.iter().step_by(4096).map(|byte| u64::from(*byte)).sum::<u64>();
        if next < TOTAL {
            begin(next);
            next += step;
        }
    }
    std::hint::black_box(sum);
    watch.stop(TOTAL, TOTAL / step, Vec::new())
}

/// Reads all from memory, as a consumer that looks at each byte.
fn in_place(reader: &dyn Reader) -> Result<()> {
    let (mut position, mut sum) = (0, 0);
    while position < TOTAL {
        let bytes = match reader.read_cached(position, HOT_BYTES)? {
            Some(bytes) if !bytes.is_empty() => bytes,
            _ => logdyno_storage::contract::read_blocking(reader, position, HOT_BYTES)?,
        };
        sum += checksum(&bytes);
        position += bytes.len() as u64;
    }
    std::hint::black_box(sum);
    Ok(())
}

/// Reads all from memory through a buffer.
fn plain(path: &Path) -> Result<Figures> {
    let file = File::open(path)?;
    hot(|| {
        let (mut buffer, mut sum) = (vec![0; HOT_BYTES], 0);
        for position in (0..TOTAL).step_by(HOT_BYTES) {
            file.read_exact_at(&mut buffer, position)?;
            sum += checksum(&buffer);
        }
        std::hint::black_box(sum);
        Ok(())
    })
}

fn checksum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let sum = words.iter().fold(0u64, |sum, word| sum.wrapping_add(u64::from_le_bytes(*word)));
    sum.wrapping_add(rest.len() as u64)
}
