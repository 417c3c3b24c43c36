//! Appends as fast as they are taken, with one sync at the end or one each so many bytes.

use std::io::IoSlice;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use logdyno_storage::{Append, Backend, Level, Storage, Writer};

use super::{Figures, Spec, Stopwatch, backend, noise};

const PATIENCE: Duration = Duration::from_secs(60);

pub fn measure(spec: &Spec, dir: &Path) -> Result<Figures> {
    let batch = noise(spec.size()?);
    // Many appends take long by themselves.
    let total = if batch.len() < 4096 { 512 << 20 } else { 1 << 30 };
    if spec.system == "plain" {
        return plain(&batch, total, dir);
    }
    let backend = backend(spec, dir)?;
    let storage = backend.open(&dir.join("log"))?;
    if spec.words.contains(&"recycled") {
        leave_blocks(&*backend, &*storage, total)?;
    }
    let mut writer = storage.create("00000000000000000000.log", total)?;
    let sync_each = spec.option("sync")?.map_or(u64::MAX, |bytes| bytes as u64);
    let watch = Stopwatch::start()?;
    let (mut end, mut next_sync) = (0, sync_each);
    while end + batch.len() as u64 <= total {
        end = append(&mut *writer, &batch)? + batch.len() as u64;
        if end >= next_sync {
            next_sync = end + sync_each;
            writer.begin_sync(Level::Durable)?.elsewhere();
        }
    }
    commit(&mut *writer)?;
    let figures = watch.stop(end, end / batch.len() as u64, Vec::new())?;
    writer.close()?;
    Ok(figures)
}

/// What retention leaves: a removed file of `len` bytes, whose blocks are ready for the next one.
pub fn leave_blocks(backend: &dyn Backend, storage: &dyn Storage, len: u64) -> Result<()> {
    let (piece, began) = (noise(1 << 20), Instant::now());
    for number in 0.. {
        let name = format!("{number}.log");
        let before = backend.counters().recycled;
        let mut writer = storage.create(&name, len)?;
        let is_recycled = backend.counters().recycled > before;
        for _ in 0..len / piece.len() as u64 {
            append(&mut *writer, &piece)?;
        }
        writer.close()?;
        // Once a file has begun with another one's blocks, and lost its name again, that is what the next one begins with.
        storage.remove(&name)?;
        std::thread::sleep(Duration::from_secs(1));
        if is_recycled {
            return Ok(());
        }
        if began.elapsed() > PATIENCE {
            bail!("removed files are not recycled here");
        }
    }
    Ok(())
}

/// Appends, and waits for room where there is none; gives the position.
pub fn append(writer: &mut dyn Writer, bytes: &[u8]) -> Result<u64> {
    loop {
        match writer.append(&[IoSlice::new(bytes)])? {
            Append::At(position) => return Ok(position),
            Append::Full => {
                let (waker, room) = mpsc::sync_channel(1);
                writer.when_room(Box::new(move || waker.try_send(()).unwrap_or_default()));
                room.recv_timeout(PATIENCE)?;
            }
        }
    }
}

/// Waits until everything is durable.
pub fn commit(writer: &mut dyn Writer) -> Result<()> {
    let position = writer.begin_sync(Level::Durable)?.here();
    if !writer.marks().wait(Level::Durable, position, PATIENCE)? {
        bail!("the device has not answered for {PATIENCE:?}");
    }
    Ok(())
}

/// One write call for each batch, and nothing else.
fn plain(batch: &[u8], total: u64, dir: &Path) -> Result<Figures> {
    let file = std::fs::File::create(dir.join("plain"))?;
    let watch = Stopwatch::start()?;
    let mut end = 0;
    while end < total {
        file.write_all_at(batch, end)?;
        end += batch.len() as u64;
    }
    file.sync_data()?;
    watch.stop(end, end / batch.len() as u64, Vec::new())
}
