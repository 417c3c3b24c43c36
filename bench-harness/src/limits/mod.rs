//! What this machine can do at most: the physical limits that a result is measured against (`logdyno limits`).
//!
//! Each figure is the best of several short rounds, since a limit is what the machine can do and not what it does on
//! average; latencies are quantiles.

mod codecs;
mod device;
mod file;
mod fit;
mod network;
mod share;
mod timer;

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::records::RecordSet;
use crate::result::Environment;

pub use codecs::CodecRate;
pub use device::{Bandwidth, Direction, Io, SyncLatency};
pub use file::{LIMITS_FORMAT, LIMITS_VERSION, read, write};
pub use fit::objections;
pub use network::Loopback;
pub(crate) use share::Taken;
pub use share::{Share, shares};
pub use timer::TimerError;
pub(crate) use timer::errors as timer_errors;

/// The limits of one machine and one mount.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Always [`LIMITS_FORMAT`].
    pub format: String,
    /// [`LIMITS_VERSION`].
    pub version: u32,
    /// Where and when.
    pub environment: Environment,
    /// Sequential reads and writes.
    pub bandwidths: Vec<Bandwidth>,
    /// From a write to its durability.
    pub syncs: Vec<SyncLatency>,
    /// Bytes copied in memory in a second, by one thread.
    pub memcpy_bytes_per_second: f64,
    /// Bytes whose CRC-32C is computed in a second, by one thread.
    pub crc32c_bytes_per_second: f64,
    /// What each codec does with the records, by one thread.
    pub codecs: Vec<CodecRate>,
    /// One TCP connection on 127.0.0.1.
    pub loopback: Loopback,
    /// How late timers are.
    pub timers: Vec<TimerError>,
    /// What cannot be measured here, and why.
    pub skipped: Vec<String>,
}

/// Measures the limits of the mount that holds `dir`, in about 15 seconds. `tell` hears what is measured next.
pub fn measure(dir: &Path, records: &RecordSet, tell: &mut dyn FnMut(&str)) -> anyhow::Result<Limits> {
    let mut skipped = Vec::new();
    tell("reads and writes");
    let bandwidths = device::bandwidths(dir, &mut skipped)?;
    tell("syncs");
    let syncs = device::syncs(dir)?;
    tell("memory, checksums and codecs");
    let sample = codecs::sample(records);
    let (memcpy_bytes_per_second, crc32c_bytes_per_second) = (codecs::memcpy(), codecs::crc32c(&sample));
    let codecs = codecs::rates(&sample)?;
    tell("loopback TCP");
    let loopback = network::loopback()?;
    tell("timers");
    let timers = timer::errors();
    Ok(Limits {
        format: LIMITS_FORMAT.to_owned(),
        version: LIMITS_VERSION,
        environment: Environment::look(dir),
        bandwidths,
        syncs,
        memcpy_bytes_per_second,
        crc32c_bytes_per_second,
        codecs,
        loopback,
        timers,
        skipped,
    })
}

/// The best of some rounds, each as many calls of `work` as fit into a while; `work` tells how many bytes it moved.
fn best_rate(mut work: impl FnMut() -> anyhow::Result<u64>) -> anyhow::Result<f64> {
    const ROUNDS: u32 = 3;
    const ROUND: std::time::Duration = std::time::Duration::from_millis(150);
    // What is touched for the first time is slower for reasons of its own.
    work()?;
    let mut best: f64 = 0.0;
    for _ in 0..ROUNDS {
        let (began, mut bytes) = (std::time::Instant::now(), 0);
        while began.elapsed() < ROUND {
            bytes += work()?;
        }
        best = best.max(bytes as f64 / began.elapsed().as_secs_f64());
    }
    Ok(best)
}

/// A quantile of durations in nanoseconds: the smallest that so many are not above.
fn quantile(sorted: &[u64], quantile: f64) -> u64 {
    let rank = (sorted.len() as f64 * quantile).ceil() as usize;
    sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied().unwrap_or(0)
}
