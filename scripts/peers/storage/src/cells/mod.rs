//! What is measured, by name: `append uring 16k sync=8m` is a kind, a system, a size and options.

mod append;
mod durable;
mod fio;
mod log;
mod others;
mod read;
mod recovery;
mod retention;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use logdyno_storage::seam::real::RealDisk;
use logdyno_storage::{Backend, BackendOptions, Settings, kinds};
use serde::{Deserialize, Serialize};

use crate::machine;

/// The memory of a cell: none keeps more than a GiB of files in it.
pub const ROOM_BYTES: usize = 2 << 30;

/// What a cell measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Figures {
    /// 10⁶ bytes a second, the closing sync counted.
    pub mb_per_s: f64,
    /// Processor time of the whole machine for 10⁹ bytes.
    pub processor_s_per_gb: f64,
    /// The median latency of an append or commit, where single ones were timed.
    pub median_us: Option<f64>,
    /// Appends a second, where they were counted.
    pub appends_per_s: Option<f64>,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0} MB/s, {:.2} s/GB", self.mb_per_s, self.processor_s_per_gb)?;
        if let Some(median) = self.median_us {
            write!(f, ", p50 {median:.1} µs")?;
        }
        if let Some(appends) = self.appends_per_s {
            write!(f, ", {appends:.0} appends/s")?;
        }
        Ok(())
    }
}

/// A cell's name, taken apart.
struct Spec<'a> {
    kind: &'a str,
    system: &'a str,
    words: Vec<&'a str>,
    options: BTreeMap<&'a str, &'a str>,
}

impl<'a> Spec<'a> {
    fn parse(name: &'a str) -> Result<Spec<'a>> {
        let (mut words, mut options) = (Vec::new(), BTreeMap::new());
        for word in name.split_whitespace() {
            match word.split_once('=') {
                Some((key, value)) => drop(options.insert(key, value)),
                None => words.push(word),
            }
        }
        let [kind, system, rest @ ..] = &words[..] else { bail!("'{name}' is no cell: it lacks a kind or a system") };
        Ok(Spec { kind, system, words: rest.to_vec(), options })
    }

    /// The first word behind the system: a size in bytes.
    fn size(&self) -> Result<usize> {
        bytes(self.words.first().context("the cell lacks a size")?)
    }

    /// An option in bytes or as a number.
    fn option(&self, name: &str) -> Result<Option<usize>> {
        self.options.get(name).map(|text| bytes(text)).transpose()
    }
}

fn bytes(text: &str) -> Result<usize> {
    let (digits, shift) = match text.strip_suffix(['k', 'm']) {
        Some(digits) if text.ends_with('k') => (digits, 10),
        Some(digits) => (digits, 20),
        None => (text, 0),
    };
    Ok(digits.parse::<usize>().with_context(|| format!("'{text}' is no size"))? << shift)
}

/// Measures a cell in a new folder of `dir`.
pub fn measure(name: &str, dir: &Path) -> Result<Figures> {
    let spec = Spec::parse(name)?;
    let dir = tempfile::Builder::new().prefix("storage-peers-").tempdir_in(dir)?;
    match (spec.kind, spec.system) {
        ("append", _) => append::measure(&spec, dir.path()),
        ("durable", _) => durable::measure(&spec, dir.path()),
        ("read", _) => read::measure(&spec, dir.path()),
        ("fio", _) => fio::measure(&spec, dir.path()),
        ("log", _) => log::measure(&spec, dir.path()),
        ("retention", _) => retention::measure(&spec, dir.path()),
        ("recovery", _) => recovery::measure(&spec, dir.path()),
        ("raft", _) => others::raft(&spec, dir.path()),
        ("commitlog", _) => others::commitlog(&spec, dir.path()),
        ("walrus", _) => others::walrus(&spec, dir.path()),
        _ => Err(anyhow!("there is no cell '{name}'")),
    }
}

/// A backend of LogDyno with a cell's settings.
fn backend(spec: &Spec, dir: &Path) -> Result<Arc<dyn Backend>> {
    let name = spec.system;
    let kind = kinds().into_iter().find(|kind| kind.name == name).with_context(|| format!("no backend '{name}'"))?;
    let mut settings = Settings::default();
    if let Some(chunk) = spec.option("chunk")? {
        settings.chunk_bytes = chunk;
    }
    if let Some(combine) = spec.option("combine")? {
        settings.combine_bytes = combine;
    }
    if let Some(recycle) = spec.option("recycle")? {
        settings.recycle_bytes_max = recycle as u64;
    }
    let options = BackendOptions { disk: Arc::new(RealDisk), dir: dir.to_owned(), settings };
    (kind.start)(options).map_err(|refused| anyhow!("{refused}"))
}

/// A stretch of time, and what the machine did in it.
struct Stopwatch {
    begun: Instant,
    busy: Duration,
}

impl Stopwatch {
    fn start() -> Result<Stopwatch> {
        Ok(Stopwatch { busy: machine::busy()?, begun: Instant::now() })
    }

    /// The figures of `bytes` moved in `appends` appends, of which these were timed.
    fn stop(self, bytes: u64, appends: u64, mut timed: Vec<Duration>) -> Result<Figures> {
        let seconds = self.begun.elapsed().as_secs_f64();
        let busy = machine::busy()?.saturating_sub(self.busy).as_secs_f64();
        timed.sort_unstable();
        Ok(Figures {
            mb_per_s: bytes as f64 / 1e6 / seconds,
            processor_s_per_gb: busy / (bytes as f64 / 1e9),
            median_us: timed.get(timed.len() / 2).map(|time| time.as_secs_f64() * 1e6),
            appends_per_s: Some(appends as f64 / seconds),
        })
    }
}

/// Bytes that no device or file system compresses away.
pub fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1du64;
    let mut bytes = Vec::with_capacity(len);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}
