//! One measured run: start the target, send and consume at the same time, drain, look for proof, stop, judge.

mod assemble;
mod drive;
mod progress;
mod steady;
mod verdict;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use logdyno_engine::record::{Clock, Nanos, SystemClock};
use logdyno_engine::storage::seam::real::RealDisk;
use logdyno_engine::storage::{Kind, Refused};

use crate::load::{Before, Bounds, Schedule, Stretches};
use crate::measure::{JoinSettings, Recorder};
use crate::proof::{self, BatchesOnDisk, OpenFiles};
use crate::records::RecordSet;
use crate::result::Measured;
use crate::signal::Stop;
use crate::target::{Setup, Target, TargetError};
use crate::topics::Topics;
use crate::usage::forget_peak;
use crate::workload::{Extent, Load, Plan};

pub use progress::{PathSoFar, Progress, SoFar};
pub(crate) use steady::{CHANCE_MAX, steady_states, steady_verdict};
pub(crate) use verdict::{Backlog, backlog_verdict, generator_verdict, inherited_verdict};

/// From the start of the threads to the first record: so that the first is not late.
const HEAD_START: Duration = Duration::from_millis(20);

/// What a trial runs.
pub struct Trial<'a> {
    /// The plan.
    pub plan: &'a Arc<Plan>,
    /// Its records.
    pub records: &'a RecordSet,
    /// The system under test.
    pub target: &'a dyn Target,
    /// Its storage backend, if it has one.
    pub backend: Option<Kind>,
    /// A directory for its data: made here, and removed at the end.
    pub dir: PathBuf,
    /// How long nothing may come in before what is missing counts as lost.
    pub patience: Duration,
}

/// Why a trial gave no measurements.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// The machine cannot run the backend.
    #[error(transparent)]
    Refused(Refused),
    /// The target broke.
    #[error("the target failed: {0}")]
    Target(TargetError),
    /// The plan makes no run.
    #[error("{0}")]
    Plan(String),
    /// The data directory cannot be used.
    #[error("{}: {error}", dir.display())]
    Directory {
        /// The directory.
        dir: PathBuf,
        /// The system's answer.
        error: std::io::Error,
    },
    /// The user ended it.
    #[error("it was interrupted")]
    Interrupted,
}

impl From<TargetError> for TrialError {
    fn from(error: TargetError) -> TrialError {
        match error {
            TargetError::Refused(refused) => TrialError::Refused(refused),
            error => TrialError::Target(error),
        }
    }
}

/// The schedule of a plan's load over its records.
#[must_use]
pub fn schedule(plan: &Plan, records: &RecordSet) -> Schedule {
    match &plan.load {
        Load::Rate(rate) => Schedule::Rate(*rate),
        Load::Poisson(rate) => Schedule::poisson(*rate),
        Load::Times(scale) => Schedule::of_times(records.times_ns().unwrap_or(&[0]), *scale),
        Load::Steps(steps) => {
            let before = match plan.run.warm_up {
                Extent::Time(time) => Before::Time(time),
                Extent::Records(count) => Before::Records(count),
                Extent::Passes(passes) => Before::Records(passes.saturating_mul(records.len())),
            };
            Schedule::Stretches(Stretches::steps(before, steps))
        }
        Load::Ramp(ramp) => Schedule::Stretches(Stretches::ramp(*ramp)),
        Load::Closed { in_flight } => Schedule::Closed { in_flight: *in_flight },
    }
}

impl Trial<'_> {
    /// Runs it. `stop` ends it early; `watch` is told how far it is, a few times a second.
    ///
    /// A load of steps is measured step by step: the measurements are those of each step that began, in order. Any other load's are one.
    pub fn run(&self, stop: &Stop, watch: &mut dyn FnMut(Progress)) -> Result<Vec<Measured>, TrialError> {
        let directory = |error| TrialError::Directory { dir: self.dir.clone(), error };
        if self.dir.exists() {
            tracing::warn!("{} is left of a run that was killed, and removed", self.dir.display());
            std::fs::remove_dir_all(&self.dir).map_err(directory)?;
        }
        std::fs::create_dir_all(&self.dir).map_err(directory)?;
        let outcome = self.run_in_dir(stop, watch);
        let removed = std::fs::remove_dir_all(&self.dir).map_err(directory);
        let measured = outcome?;
        removed?;
        Ok(measured)
    }

    fn run_in_dir(&self, stop: &Stop, watch: &mut dyn FnMut(Progress)) -> Result<Vec<Measured>, TrialError> {
        let schedule = schedule(self.plan, self.records);
        let bounds = Bounds::of(&self.plan.run, &schedule, self.records.len()).map_err(TrialError::Plan)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let topics = Arc::new(self.records.topics(self.plan));
        let recorder = Arc::new(Recorder::new(Arc::clone(&topics)));
        let is_peak_ours = forget_peak();
        let running = self.target.start(Setup {
            plan: Arc::clone(self.plan),
            topics: Arc::clone(&topics),
            backend: self.backend,
            dir: self.dir.clone(),
            finds_topic: false,
            disk: Arc::new(RealDisk),
            clock: Arc::clone(&clock),
            probe: recorder.clone(),
            receipts: recorder.clone(),
        })?;
        let Some((start, start_ms)) = self.start_of(&*clock) else {
            running.stop()?;
            return Err(TrialError::Plan(
                "the moment of --start-at was over when the target was ready: say a later one to all shards".to_owned(),
            ));
        };
        let producers = self.plan.run.shard.all_producers(self.plan.run.producers);
        let settings =
            JoinSettings::of(self.plan, self.records, Arc::clone(&topics), running.path(), start, start_ms, producers);
        let cuts: Vec<Nanos> =
            schedule.begins_ns().iter().skip(1).map(|ns| Nanos(start.0.saturating_add(*ns))).collect();
        let drive = drive::Drive {
            trial: self,
            schedule: &schedule,
            bounds,
            cuts: &cuts,
            settings: &settings,
            recorder: &recorder,
            clock: &*clock,
            running: &*running,
        };
        let driven = drive.run(stop, watch);
        let stopped = running.stop();
        let driven = driven?;
        stopped?;
        let batches = if self.backend.is_some() { self.batches_on_disk(&topics)? } else { BatchesOnDisk::default() };
        let run = assemble::Run { trial: self, schedule: &schedule, bounds, cuts: &cuts, settings: &settings };
        let mut measured = run.measured(driven, &batches);
        for usage in measured.iter_mut().filter_map(|part| part.usage.as_mut()).filter(|_| !is_peak_ours) {
            usage.process.resident_bytes_max = None;
        }
        Ok(measured)
    }

    /// When the first record is due, and what the wall clock says then; `None` if that is over.
    fn start_of(&self, clock: &dyn Clock) -> Option<(Nanos, i64)> {
        let earliest_ms = clock.wall_ms() + HEAD_START.as_millis() as i64;
        let start_ms = self.plan.run.start_unix_ms.unwrap_or(earliest_ms);
        let wait = Duration::from_millis(u64::try_from(start_ms - earliest_ms).ok()?);
        Some((clock.now().after(HEAD_START + wait), start_ms))
    }

    fn batches_on_disk(&self, topics: &Topics) -> Result<BatchesOnDisk, TrialError> {
        proof::batches_on_disk(&self.dir, topics)
            .map_err(|error| TrialError::Directory { dir: self.dir.clone(), error })
    }

    fn open_files(&self, topics: &Topics) -> Result<OpenFiles, TrialError> {
        proof::open_files(&self.dir, topics).map_err(|error| TrialError::Directory { dir: self.dir.clone(), error })
    }
}

/// A fresh directory of one trial below the folder of a run.
#[must_use]
pub fn data_dir(folder: &Path, backend: Option<&str>, repetition: u32) -> PathBuf {
    folder.join(format!("data-{}-{repetition}", backend.unwrap_or("none")))
}
