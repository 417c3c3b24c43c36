//! All trials of one workload: each backend as often as asked, backends taking turns, the result saved after each.

mod system;
mod words;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use logdyno_engine::storage::Kind;

use self::system::{System, check_shard};
use crate::limits::{Limits, Share, Taken};
use crate::load::Bounds;
use crate::overhead::Subject;
use crate::records::RecordSet;
use crate::result::{self, Environment, FORMAT, LimitUse, Outcome, RunResult, ShardOfRun, StepOfLoad, VERSION};
use crate::signal::Stop;
use crate::target::Target;
use crate::trial::{self, Progress, Trial, TrialError};
use crate::workload::{Load, Place, Plan, WorkloadError};

/// How long nothing may come in before what is missing counts as lost: longer than any pause of a sound system under
/// `replica.lag.time.max.ms` and retries.
const PATIENCE: Duration = Duration::from_secs(40);

/// What there is to choose from.
#[derive(Clone, Copy)]
pub struct Jobs<'a> {
    /// Storage backends.
    pub kinds: &'a [Kind],
    /// Systems to run.
    pub targets: &'a [Box<dyn Target>],
}

/// Hears how a campaign goes on.
pub trait Watch {
    /// A trial begins: the `number`-th of `count`.
    fn begins(&mut self, name: &str, number: usize, count: usize);

    /// A trial is this far.
    fn progress(&mut self, progress: &Progress);

    /// A trial has ended.
    fn ended(&mut self, name: &str, outcome: &Outcome);
}

/// A workload that was checked and can be run.
pub struct Campaign<'a> {
    plan: Arc<Plan>,
    records: RecordSet,
    systems: Vec<System<'a>>,
    patience: Duration,
    limits: Option<Limits>,
}

/// What came of a campaign.
#[derive(Clone, Debug)]
pub struct Ended {
    /// What was measured.
    pub result: RunResult,
    /// Whether the user ended it before its last trial.
    pub is_interrupted: bool,
    /// Whether backends were named on the command line, so that a refused one counts as failed.
    backends_named: bool,
}

impl Ended {
    /// Whether a trial broke, a named backend was refused, or no backend could run at all.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        let outcomes = || self.result.trials.iter().map(|trial| &trial.outcome);
        let is_refused = |outcome: &Outcome| matches!(outcome, Outcome::Refused { .. });
        outcomes().any(|outcome| matches!(outcome, Outcome::Failed { .. }))
            || (self.backends_named && outcomes().any(is_refused))
            || outcomes().all(is_refused)
    }

    /// Whether a trial ran of which not everything counts.
    #[must_use]
    pub fn is_invalid(&self) -> bool {
        !self.result.counts()
    }
}

/// What a plan runs on: each system on each of its backends, by name.
pub fn names_of_systems(plan: &Plan, jobs: &Jobs<'_>) -> Result<Vec<String>, WorkloadError> {
    let mut names = Vec::new();
    for name in &plan.run.targets {
        let system = System::find(plan, name, jobs)?;
        names.extend(system.turns().map(|(target, backend)| match backend {
            Some(kind) => format!("{} on {}", target.name(), kind.name),
            None => target.name().to_owned(),
        }));
    }
    Ok(names)
}

impl<'a> Campaign<'a> {
    /// Checks a plan against what there is, and reads its records. Nothing is started.
    pub fn prepare(plan: Arc<Plan>, jobs: &Jobs<'a>) -> Result<Campaign<'a>, WorkloadError> {
        check_shard(&plan)?;
        let names = plan.run.targets.iter();
        let systems = names.map(|name| System::find(&plan, name, jobs)).collect::<Result<Vec<_>, _>>()?;
        let records = RecordSet::load(&plan)?;
        let schedule = trial::schedule(&plan, &records);
        Bounds::of(&plan.run, &schedule, records.len())
            .map_err(|reason| WorkloadError::Contradiction { place: Place::File(plan.path.clone()), reason })?;
        Ok(Campaign { plan, records, systems, patience: PATIENCE, limits: None })
    }

    /// With another patience than 40 s.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Campaign<'a> {
        self.patience = patience;
        self
    }

    /// With what the machine can do at most, of which each trial says its part.
    #[must_use]
    pub fn limits(mut self, limits: Option<Limits>) -> Campaign<'a> {
        self.limits = limits;
        self
    }

    /// What it runs.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What its trials run: each system on each of its backends.
    pub fn subjects(&self) -> impl Iterator<Item = Subject<'_>> {
        let subject =
            |(target, backend)| Subject { plan: Arc::clone(&self.plan), records: &self.records, target, backend };
        self.turns().map(subject)
    }

    /// Runs all trials; their data and their result go to `folder`, the result again after each trial.
    pub fn run(&self, folder: &Path, stop: &Stop, watch: &mut dyn Watch) -> anyhow::Result<Ended> {
        std::fs::create_dir_all(folder).map_err(|error| anyhow::anyhow!("{}: {error}", folder.display()))?;
        let result = RunResult {
            format: FORMAT.to_owned(),
            version: VERSION,
            workload: words::describe(&self.plan, &self.records),
            environment: Environment::look(folder),
            shard: Some(self.plan.run.shard)
                .filter(|shard| shard.of() > 1)
                .map(|shard| ShardOfRun { number: shard.number(), of: shard.of() }),
            merged: Vec::new(),
            trials: Vec::new(),
            crashed: Vec::new(),
        };
        let mut ended = Ended { result, is_interrupted: false, backends_named: self.plan.run.backends_named };
        let turns: Vec<_> = (1..=self.plan.run.repetitions)
            .flat_map(|repetition| self.turns().map(move |(target, kind)| (repetition, target, kind)))
            .collect();
        let count = turns.len();
        for (index, (repetition, target, backend)) in turns.into_iter().enumerate() {
            let name = format!("{} on {}", self.plan.name, self.name_of(target, backend));
            watch.begins(&name, index + 1, count);
            let Some(outcomes) = self.trial(folder, target, repetition, backend, stop, watch) else {
                ended.is_interrupted = true;
                break;
            };
            for (step, mut outcome) in outcomes {
                if let (Outcome::Measured(measured), Some(limits)) = (&mut outcome, &self.limits) {
                    let (workload, here) = (&ended.result.workload, &ended.result.environment);
                    let use_of = LimitUse::of(limits, here, workload, backend.map(|kind| kind.name), measured);
                    measured.limits = Some(use_of);
                }
                watch.ended(&name, &outcome);
                ended.result.trials.push(result::Trial {
                    target: target.name().to_owned(),
                    backend: backend.map(|kind| kind.name.to_owned()),
                    repetition,
                    step,
                    outcome,
                });
            }
            result::write(folder, &ended.result)?;
            result::write_hlog(folder, &ended.result)?;
        }
        if ended.result.trials.is_empty() {
            result::write(folder, &ended.result)?;
        }
        Ok(ended)
    }

    /// Each system on each of its backends, once.
    fn turns(&self) -> impl Iterator<Item = (&dyn Target, Option<Kind>)> {
        self.systems.iter().flat_map(System::turns)
    }

    fn name_of(&self, target: &dyn Target, backend: Option<Kind>) -> String {
        match backend {
            None => target.name().to_owned(),
            Some(kind) if self.systems.len() == 1 => kind.name.to_owned(),
            Some(kind) => format!("{} {}", target.name(), kind.name),
        }
    }

    /// One trial, step by step if its load has steps; `None` if it was interrupted.
    fn trial(
        &self,
        folder: &Path,
        target: &dyn Target,
        repetition: u32,
        backend: Option<Kind>,
        stop: &Stop,
        watch: &mut dyn Watch,
    ) -> Option<Vec<(Option<StepOfLoad>, Outcome)>> {
        let trial = Trial {
            plan: &self.plan,
            records: &self.records,
            target,
            backend,
            dir: trial::data_dir(folder, backend.map(|kind| kind.name), repetition),
            patience: self.patience,
        };
        match trial.run(stop, &mut |mut progress| {
            progress.limit = self.limit_so_far(backend, &progress);
            watch.progress(&progress);
        }) {
            Ok(measured) => {
                let steps = (0..).map(|at| step_of_load(&self.plan.load, at));
                let outcomes = measured.into_iter().map(|measured| Outcome::Measured(Box::new(measured)));
                Some(steps.zip(outcomes).collect())
            }
            Err(TrialError::Interrupted) => None,
            Err(TrialError::Refused(refused)) => Some(vec![(None, Outcome::Refused { reason: refused.reason })]),
            Err(error) => Some(vec![(None, Outcome::Failed { reason: error.to_string() })]),
        }
    }

    /// Of what bytes take: what the processors do is charged at the end of a trial.
    fn limit_so_far(&self, backend: Option<Kind>, progress: &Progress) -> Option<Share> {
        let taken = Taken {
            seconds: progress.elapsed.as_secs_f64(),
            bytes_sent: progress.request_bytes,
            compressed: None,
            copies: progress.copies,
            has_network: progress.has_network,
            cpu_ns: None,
        };
        let limits = self.limits.as_ref().filter(|_| progress.request_bytes > 0)?;
        taken.shares(limits, backend.map(|kind| kind.name)).into_iter().next()
    }
}

/// The step with this index, if the load has steps.
fn step_of_load(load: &Load, index: usize) -> Option<StepOfLoad> {
    let Load::Steps(steps) = load else { return None };
    let step = steps.get(index)?;
    Some(StepOfLoad { number: index as u32 + 1, count: steps.len() as u32, rate: step.rate.to_string() })
}
