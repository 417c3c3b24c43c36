//! The result of a run as it is saved: everything that is printed is drawn from it, and everything needed to doubt it is
//! in it. `results/README.md` describes the file.

mod band;
mod command;
mod crash;
mod derived;
mod environment;
mod file;
mod hlog;
mod limit_use;
mod quantile;
mod steady;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use band::BandResult;
pub use crash::{CrashKind, CrashedCell, Crashes};
pub use derived::Countable;
pub use environment::Environment;
pub(crate) use environment::utc_now;
pub use file::{FORMAT, ResultError, VERSION, read, write};
pub use hlog::write_hlog;
pub(crate) use hlog::write_log;
pub use limit_use::LimitUse;
pub use quantile::{Absent, QUANTILES, Quantile, QuantileResult};
pub use steady::{Rest, SteadyMetric, SteadyState};

use crate::measure::{BatchPanel, Distribution, OverTime, Step};
use crate::proof::Evidence;
use crate::usage::Usage;

/// A workload's result: one document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// Always [`FORMAT`].
    pub format: String,
    /// The document's version, [`VERSION`].
    pub version: u32,
    /// What was run.
    pub workload: Workload,
    /// Where.
    pub environment: Environment,
    /// Which part of the load this machine had, if it shared it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<ShardOfRun>,
    /// Where each shard ran, if this was merged from several, by their numbers; `environment` is then the first one's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merged: Vec<Environment>,
    /// Every trial, in the order in which they ran.
    pub trials: Vec<Trial>,
    /// What became of acknowledged records when cells were made to crash; empty if none was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub crashed: Vec<CrashedCell>,
}

/// A part of a load.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardOfRun {
    /// Counts from 1.
    pub number: u32,
    /// Of how many.
    pub of: u32,
}

impl RunResult {
    /// The systems under test, each once, in the order in which they ran.
    #[must_use]
    pub fn targets(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for trial in &self.trials {
            if !names.contains(&trial.target.as_str()) {
                names.push(&trial.target);
            }
        }
        names
    }

    /// What a trial ran on, as it is told from the others: its backend or its target, or both if targets stand side by side; and the
    /// step of its load, if that has steps.
    #[must_use]
    pub fn name_of(&self, trial: &Trial) -> String {
        let name = self.name_of_cell(&trial.target, trial.backend.as_deref());
        match &trial.step {
            None => name,
            Some(step) => format!("{name} step {} at {}/s", step.number, step.rate),
        }
    }

    /// As [`RunResult::name_of`], for all trials of a target on a backend.
    #[must_use]
    pub fn name_of_cell(&self, target: &str, backend: Option<&str>) -> String {
        match backend {
            None => target.to_owned(),
            Some(backend) if self.targets().len() > 1 => format!("{target} {backend}"),
            Some(backend) => backend.to_owned(),
        }
    }
}

/// What was run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workload {
    /// Its name.
    pub name: String,
    /// Its question.
    pub question: String,
    /// Its file.
    pub file: String,
    /// The file's text.
    pub text: String,
    /// What the command line changed, as `table.key=value`.
    pub overrides: Vec<String>,
    /// Records of one pass, how many of them differ, and their bytes.
    pub records: u64,
    /// See `records`.
    pub records_distinct: u64,
    /// See `records`.
    pub records_bytes: u64,
    /// When they were sent, in words.
    pub load: String,
    /// The topics, in words.
    pub topic: String,
    /// How many topics; 1 in results of before there could be several.
    #[serde(default = "one")]
    pub topics: u16,
    /// The partitions of each topic; 0 in results of before it was saved.
    #[serde(default)]
    pub partitions: i32,
    /// The producer's settings as they were obeyed, defaults included.
    pub producer: Vec<(String, String)>,
    /// The consumer's.
    pub consumer: Vec<(String, String)>,
    /// The topic's and the brokers' settings that were given.
    pub topic_configs: Vec<(String, String)>,
    /// See `topic_configs`.
    pub broker: Vec<(String, String)>,
    /// How many brokers and producers.
    pub brokers: u32,
    /// See `brokers`.
    pub producers: u32,
}

fn one() -> u16 {
    1
}

/// One run of the system under test from nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// The system under test.
    pub target: String,
    /// Its storage backend, if it has one.
    pub backend: Option<String>,
    /// Counts from 1.
    pub repetition: u32,
    /// The step of the load that is told of, if it has steps: each is a trial of its own here, although they ran one after the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<StepOfLoad>,
    /// What came of it.
    pub outcome: Outcome,
}

/// A step of a load.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepOfLoad {
    /// Counts from 1.
    pub number: u32,
    /// Of how many.
    pub count: u32,
    /// Records a second, exactly, as a fraction if need be.
    pub rate: String,
}

/// What came of a trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It ran to its end.
    Measured(Box<Measured>),
    /// The machine cannot run the backend.
    Refused {
        /// Why.
        reason: String,
    },
    /// It broke.
    Failed {
        /// How.
        reason: String,
    },
}

/// The measurements of a trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// What an acknowledgement promised.
    pub durability: Durability,
    /// How many copies of each record were kept in the end, whatever an acknowledgement waited for; `None` in results of before it was saved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copies: Option<u32>,
    /// Whether records went over connections; `None` in results of before it was saved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub has_network: Option<bool>,
    /// Records, by what became of them.
    pub records: RecordCounts,
    /// Length of the measured part on the schedule, in nanoseconds.
    pub measured_ns: u64,
    /// From the begin of the measured part to when its last record had come in, which is later where a backlog was left: batches, requests,
    /// counters and what was used go so far. `None` in results of before it was saved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted_ns: Option<u64>,
    /// When the measured part began, by the machine's wall clock in milliseconds since 1970; `None` in results of before it was saved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begin_unix_ms: Option<i64>,
    /// Records a second that the schedule wanted in the measured part; `None` in a closed loop.
    pub offered_per_second: Option<f64>,
    /// Records a second that were acknowledged in it.
    pub achieved_per_second: f64,
    /// Bytes of keys and values a second of these.
    pub achieved_bytes_per_second: f64,
    /// From the intended time to the acknowledgement.
    pub to_acknowledgement: PathResult,
    /// From the intended time to the delivery.
    pub to_delivery: PathResult,
    /// From the call of `send` to the acknowledgement.
    pub service: Distribution,
    /// How throughput and latency went over the measured part; `None` in results of before it was saved.
    #[serde(default)]
    pub over_time: Option<OverTime>,
    /// Whether throughput and latency had come to rest in it; empty in results of before it was saved.
    #[serde(default)]
    pub steady: Vec<SteadyState>,
    /// How late the generator was by its own fault.
    pub generator_lag: Distribution,
    /// The producers' batches; their number is also the number of independent samples.
    pub batches: BatchPanel,
    /// `batch.size`, for the fill ratio.
    pub batch_size: u64,
    /// Produce requests; `None` and absent if the target does not show them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<u64>,
    /// Their bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_bytes: Option<u64>,
    /// The storage backends' counters over the measured part and the drain, summed over brokers.
    pub storage: BTreeMap<String, u64>,
    /// The target's other counters over the same time.
    pub target: BTreeMap<String, u64>,
    /// The producers' counters over the whole trial.
    pub producers: BTreeMap<String, u64>,
    /// What this process took from the begin of the measured part to the end of the drain; `None` in results of before it was saved.
    #[serde(default)]
    pub usage: Option<Usage>,
    /// How much of each physical limit it used; `None` where no limits were known.
    #[serde(default)]
    pub limits: Option<LimitUse>,
    /// The proof of effect.
    pub proof: Vec<Evidence>,
    /// What the run is not good for; empty is good.
    pub verdicts: Vec<Verdict>,
}

/// What an acknowledgement promised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Durability {
    /// `none`, `visible`, `written` or `durable`.
    pub level: String,
    /// On how many replicas.
    pub replicas: u32,
}

/// Records of a trial, warm-up included unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordCounts {
    /// Handed to `send`.
    pub sent: u64,
    /// Acknowledged.
    pub acknowledged: u64,
    /// Failed for good.
    pub failed: u64,
    /// Delivered, each counted once.
    pub delivered: u64,
    /// Whole passes over the source that were sent.
    pub passes: u64,
    /// Of those after the warm-up: acknowledged.
    pub measured: u64,
}

/// One of the two paths.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PathResult {
    /// Whole durations of the measured records.
    pub total: Distribution,
    /// Its quantiles, or why there are none; empty in results of before they were saved.
    #[serde(default)]
    pub quantiles: Vec<QuantileResult>,
    /// The steps that the target stamps, in order; their means add up to that of `total`.
    pub steps: Vec<StepResult>,
    /// The slowest records, slowest first.
    pub slowest: Vec<SlowRecord>,
    /// All records by how slow they were, fastest first; empty in results of before they were saved.
    #[serde(default)]
    pub bands: Vec<BandResult>,
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepResult {
    /// Which.
    pub step: Step,
    /// Its durations; a record that spent no time in it counts as zero.
    pub durations: Distribution,
}

/// A slow record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlowRecord {
    /// Its topic, if the workload has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Nanoseconds by step, without those of zero.
    pub steps_ns: BTreeMap<Step, u64>,
}

/// What a run is not good for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Which.
    pub kind: VerdictKind,
    /// Why, as a sentence.
    pub reason: String,
}

/// Why a run does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE")]
pub enum VerdictKind {
    /// Something was lost, doubled, moved or altered, or the proof of effect failed.
    Invalid,
    /// The load generator, not the system, was the limit.
    GeneratorBound,
    /// The system did not keep up: its latencies measure the length of the run.
    Backlogged,
    /// Throughput or latency went on rising or falling: the figures are those of this window only.
    NotSteady,
}

impl VerdictKind {
    /// As it is printed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            VerdictKind::Invalid => "INVALID",
            VerdictKind::GeneratorBound => "GENERATOR-BOUND",
            VerdictKind::Backlogged => "BACKLOGGED",
            VerdictKind::NotSteady => "NOT-STEADY",
        }
    }
}
