//! The document of a sweep; `results/README.md` describes the file.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::data::DataSeen;
use super::effects::Effects;
use super::grid::Cell;
use super::observed::{Metric, analyse};
use super::vary::Factor;
use crate::result::{Countable, Crashes, Durability, Environment, Measured, PathResult, QUANTILES};

/// What the document calls itself.
pub const SWEEP_FORMAT: &str = "logdyno-sweep";

/// The document's version.
pub const SWEEP_VERSION: u32 = 1;

/// A sweep: one document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sweep {
    /// Always [`SWEEP_FORMAT`].
    pub format: String,
    /// [`SWEEP_VERSION`].
    pub version: u32,
    /// The workload's file.
    pub workload: String,
    /// Its text.
    pub text: String,
    /// Settings that all cells have, as `table.key=value`.
    pub settings: Vec<String>,
    /// Where it ran.
    pub environment: Environment,
    /// The files that its records come from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data: Vec<DataSeen>,
    /// What the order of the runs was drawn from.
    pub seed: u64,
    /// How often each cell is to run.
    pub repetitions: u32,
    /// What was varied.
    pub factors: Vec<Factor>,
    /// All combinations, and what came of them.
    pub cells: Vec<CellResult>,
    /// What moves what.
    pub effects: Vec<(Metric, Effects)>,
    /// The system under test, if it is not the workload's.
    pub target: Option<String>,
    /// How often each cell is made to crash by each kind of crash, after its first run; not at all if `None`.
    #[serde(default)]
    pub verify_crash: Option<u32>,
}

/// One cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CellResult {
    /// Which.
    #[serde(flatten)]
    pub cell: Cell,
    /// Its runs so far.
    pub runs: Vec<RunSummary>,
    /// What it lost when it was made to crash.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub crashes: Vec<Crashes>,
}

/// One run of a cell; the whole result stands in its own file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// Counts from 1.
    pub repetition: u32,
    /// The run's own document, from the sweep's folder.
    pub result: String,
    /// Records acknowledged in a second.
    pub records_per_second: f64,
    /// Bytes of keys and values of these.
    pub bytes_per_second: f64,
    /// To the acknowledgement, in nanoseconds.
    pub ack_p50_ns: Option<f64>,
    /// See `ack_p50_ns`.
    pub ack_p99_ns: Option<f64>,
    /// To the delivery, in nanoseconds.
    pub delivery_p99_ns: Option<f64>,
    /// Bytes of requests for each byte of keys and values.
    pub bytes_sent_per_byte: Option<f64>,
    /// Why it does not count, or what broke; empty is good.
    pub verdicts: Vec<String>,
    /// Whether at least its throughput counts.
    pub is_sound: bool,
    /// What an acknowledgement promised; `None` if it broke, and in sweeps of before it was saved.
    #[serde(default)]
    pub durability: Option<Durability>,
}

impl RunSummary {
    /// What a run that was measured comes to.
    #[must_use]
    pub fn of(repetition: u32, result: String, measured: &Measured) -> RunSummary {
        let [p50, p99, ..] = QUANTILES;
        let told = |path: &PathResult, quantile| measured.quantile_ns(&path.total, quantile).ok().map(|ns| ns as f64);
        // What a run that was broken off has sent is not all measured.
        let is_whole = measured.records.delivered >= measured.records.acknowledged;
        let sent = measured.request_bytes.zip(measured.measured_bytes()).filter(|_| is_whole);
        RunSummary {
            repetition,
            result,
            records_per_second: measured.achieved_per_second,
            bytes_per_second: measured.achieved_bytes_per_second,
            ack_p50_ns: told(&measured.to_acknowledgement, p50),
            ack_p99_ns: told(&measured.to_acknowledgement, p99),
            delivery_p99_ns: told(&measured.to_delivery, p99),
            bytes_sent_per_byte: sent.map(|(sent, bytes)| sent as f64 / bytes),
            verdicts: measured
                .verdicts
                .iter()
                .map(|verdict| format!("{}: {}", verdict.kind.name(), verdict.reason))
                .collect(),
            is_sound: measured.countable() >= Countable::Throughput,
            durability: Some(measured.durability.clone()),
        }
    }

    /// What a run that broke comes to.
    #[must_use]
    pub fn broken(repetition: u32, result: String, reason: String) -> RunSummary {
        RunSummary {
            repetition,
            result,
            records_per_second: 0.0,
            bytes_per_second: 0.0,
            ack_p50_ns: None,
            ack_p99_ns: None,
            delivery_p99_ns: None,
            bytes_sent_per_byte: None,
            verdicts: vec![reason],
            is_sound: false,
            durability: None,
        }
    }

    /// How much of it counts.
    #[must_use]
    pub fn countable(&self) -> Countable {
        match (self.is_sound, self.verdicts.is_empty()) {
            (false, _) => Countable::Nothing,
            (true, false) => Countable::Throughput,
            (true, true) => Countable::Everything,
        }
    }

    /// Whether it counts in the analysis, with the figures that it has: a backlogged one has no latencies.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.countable() >= Countable::Throughput
    }
}

impl Sweep {
    /// Analyses what has run so far.
    pub fn analyse(&mut self) {
        let levels: Vec<usize> = self.factors.iter().map(|factor| factor.levels.len()).collect();
        let found = |metric: Metric| Some((metric, analyse(&self.cells, &levels, metric)?));
        self.effects = Metric::ALL.into_iter().filter_map(found).collect();
    }

    /// Whether everything counts that was measured: else the program exits with 5.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.cells.iter().flat_map(|cell| &cell.runs).all(|run| run.countable() == Countable::Everything)
    }

    /// Runs that are there.
    #[must_use]
    pub fn runs(&self) -> usize {
        self.cells.iter().map(|cell| cell.runs.len()).sum()
    }

    /// Runs that there are to be.
    #[must_use]
    pub fn runs_wanted(&self) -> usize {
        self.cells.len() * self.repetitions as usize
    }
}

/// Writes the document to `sweep.json` in `folder`: whole or not at all.
pub fn write(folder: &Path, sweep: &Sweep) -> anyhow::Result<()> {
    let path = folder.join("sweep.json");
    let text = serde_json::to_string_pretty(sweep)?;
    let file =
        tempfile::NamedTempFile::new_in(folder).map_err(|error| anyhow::anyhow!("{}: {error}", folder.display()))?;
    std::fs::write(file.path(), text).map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?;
    file.persist(&path).map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?;
    Ok(())
}

/// Reads the document of a sweep's folder.
pub fn read(folder: &Path) -> anyhow::Result<Sweep> {
    let path = folder.join("sweep.json");
    let text = std::fs::read_to_string(&path).map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?;
    let sweep: Sweep = serde_json::from_str(&text)
        .map_err(|error| anyhow::anyhow!("{} is no sweep that this version reads: {error}", path.display()))?;
    if (sweep.format.as_str(), sweep.version) != (SWEEP_FORMAT, SWEEP_VERSION) {
        anyhow::bail!(
            "{} is a {} of version {}; this reads {SWEEP_FORMAT} {SWEEP_VERSION}",
            path.display(),
            sweep.format,
            sweep.version
        );
    }
    Ok(sweep)
}
