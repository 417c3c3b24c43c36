//! Runs the cells: each in a process and a folder of its own, so that none inherits another's memory, files or threads.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::document::{RunSummary, Sweep, write};
use super::grid::{Cell, Turn, order};
use crate::parent::bind;
use crate::result::{self, Crashes, Outcome};
use crate::signal::Stop;

/// How often it is looked whether a run has ended: rarely enough not to disturb it.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What each run is started with.
#[derive(Clone, Debug)]
pub struct Job {
    /// The program, which knows `run`.
    pub program: PathBuf,
    /// Where the sweep's files go.
    pub folder: PathBuf,
    /// The workload's file.
    pub workload: PathBuf,
    /// The target, if it is not the workload's.
    pub target: Option<String>,
}

/// What a sweep may take.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// No run is started that would not end within this.
    pub budget: Option<Duration>,
}

/// How a sweep goes on.
#[derive(Clone, Debug)]
pub enum Told<'a> {
    /// A run before all others, whose result is thrown away: memory is warm for all alike.
    WarmsUp,
    /// How long the rest will take, from what runs have taken so far.
    Expects {
        /// Runs to come.
        runs: usize,
        /// How long they take.
        takes: Duration,
    },
    /// A run begins, the `number`-th of `count`.
    Begins {
        /// Counts from 1, those of before an interruption included.
        number: usize,
        /// Of all.
        count: usize,
        /// Which cell.
        cell: &'a Cell,
    },
    /// It has ended.
    Ended(&'a RunSummary),
    /// The budget is used up before the last run.
    OverBudget {
        /// Runs that were left out.
        left: usize,
    },
}

/// Runs what is missing of a sweep, and saves it after each run. `false` if the user ended it.
pub fn run(
    sweep: &mut Sweep,
    job: &Job,
    limits: Limits,
    stop: &Stop,
    tell: &mut dyn FnMut(Told<'_>),
) -> anyhow::Result<bool> {
    let began = Instant::now();
    let missing: Vec<Turn> = order(sweep.cells.len(), sweep.repetitions, sweep.seed)
        .into_iter()
        .filter(|turn| sweep.cells[turn.cell].runs.iter().all(|run| run.repetition != turn.repetition))
        .collect();
    let mut times: Vec<Duration> = Vec::new();
    if let Some(first) = missing.first() {
        tell(Told::WarmsUp);
        let warm_up = Instant::now();
        let Some(thrown_away) = job.run(sweep, &sweep.cells[first.cell].cell, "warm-up", None, stop)? else {
            return Ok(false);
        };
        times.push(warm_up.elapsed());
        std::fs::remove_dir_all(thrown_away.folder)?;
        tell(Told::Expects { runs: missing.len(), takes: longest(&times) * missing.len() as u32 });
    }
    let count = sweep.runs_wanted();
    for (index, turn) in missing.iter().enumerate() {
        if limits.budget.is_some_and(|budget| began.elapsed() + longest(&times) > budget) {
            tell(Told::OverBudget { left: missing.len() - index });
            break;
        }
        let cell = sweep.cells[turn.cell].cell.clone();
        tell(Told::Begins { number: sweep.runs() + 1, count, cell: &cell });
        let started = Instant::now();
        let name = format!("{:04}.{}", turn.cell + 1, turn.repetition);
        let crashes = sweep.verify_crash.filter(|_| turn.repetition == 1);
        let Some(ran) = job.run(sweep, &cell, &name, crashes, stop)? else {
            return Ok(false);
        };
        times.push(started.elapsed());
        let (summary, crashes) = ran.summary(turn.repetition, &job.folder);
        tell(Told::Ended(&summary));
        let cell = &mut sweep.cells[turn.cell];
        cell.runs.push(summary);
        cell.runs.sort_by_key(|run| run.repetition);
        cell.crashes.extend(crashes);
        sweep.analyse();
        write(&job.folder, sweep)?;
    }
    sweep.analyse();
    write(&job.folder, sweep)?;
    Ok(true)
}

fn longest(times: &[Duration]) -> Duration {
    times.iter().copied().max().unwrap_or_default()
}

/// A run that has ended.
struct Ran {
    folder: PathBuf,
    said: String,
    code: Option<i32>,
}

impl Job {
    /// Runs one cell in `runs/NAME`, from nothing, and then lets it crash so often. `None` if the user ended it.
    fn run(
        &self,
        sweep: &Sweep,
        cell: &Cell,
        name: &str,
        crashes: Option<u32>,
        stop: &Stop,
    ) -> anyhow::Result<Option<Ran>> {
        let folder = self.folder.join("runs").join(name);
        if folder.exists() {
            // Of a run that was interrupted.
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder).map_err(|error| anyhow::anyhow!("{}: {error}", folder.display()))?;
        let errors = folder.join("errors.txt");
        let mut command = Command::new(&self.program);
        command.arg("run").arg(&self.workload).args(["--repetitions", "1", "--json", "--out"]).arg(&folder);
        if let Some(target) = &self.target {
            command.args(["--target", target]);
        }
        if let Some(crashes) = crashes {
            command.arg(format!("--verify-crash={crashes}"));
        }
        for setting in &sweep.settings {
            command.args(["--set", setting]);
        }
        for (setting, value) in &cell.settings {
            match setting.as_str() {
                "backend" => command.args(["--backend", value]),
                _ => command.args(["--set", &format!("{setting}={value}")]),
            };
        }
        let started = bind(&mut command)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&errors)?)
            .spawn()
            .map_err(|error| anyhow::anyhow!("{}: {error}", self.program.display()))?;
        let Some(ended) = wait(started, stop)? else { return Ok(None) };
        let said = std::fs::read_to_string(&errors).unwrap_or_default();
        Ok(Some(Ran { folder, said, code: ended.code() }))
    }
}

/// Waits for a run's end. `None` if the user asked for an end before: then the run is ended, too.
fn wait(mut run: Child, stop: &Stop) -> anyhow::Result<Option<ExitStatus>> {
    loop {
        if let Some(ended) = run.try_wait()? {
            // Whoever ends this process may have ended the run, too: what it then left is no result.
            return Ok((!stop.asked()).then_some(ended));
        }
        if stop.wait_for(LOOK_EVERY) {
            if let Some(pid) = i32::try_from(run.id()).ok().and_then(Pid::from_raw) {
                kill_process(pid, Signal::TERM)?;
            }
            run.wait()?;
            return Ok(None);
        }
    }
}

impl Ran {
    /// What it comes to, and what its crashes did.
    fn summary(&self, repetition: u32, sweep: &Path) -> (RunSummary, Vec<Crashes>) {
        let broken = |path: String, reason: String| (RunSummary::broken(repetition, path, reason), Vec::new());
        let Some(path) = self.result() else {
            return broken(String::new(), format!("FAILED: it ended with {:?}: {}", self.code, self.last_words()));
        };
        let relative = path.strip_prefix(sweep).unwrap_or(&path).display().to_string();
        let result = match result::read(&path) {
            Ok(result) => result,
            Err(error) => return broken(relative, format!("FAILED: {error}")),
        };
        match result.trials.into_iter().next().map(|trial| trial.outcome) {
            // What ended before its crashes were over was written down before them.
            Some(Outcome::Measured(_)) if self.code == Some(1) => {
                broken(relative, format!("FAILED: {}", self.last_words()))
            }
            Some(Outcome::Measured(measured)) => {
                let crashes = result.crashed.into_iter().flat_map(|cell| cell.crashes).collect();
                (RunSummary::of(repetition, relative, &measured), crashes)
            }
            Some(Outcome::Refused { reason }) => broken(relative, format!("REFUSED: {reason}")),
            Some(Outcome::Failed { reason }) => broken(relative, format!("FAILED: {reason}")),
            None => broken(relative, "FAILED: it was interrupted".to_owned()),
        }
    }

    fn last_words(&self) -> &str {
        self.said.lines().last().unwrap_or("it said nothing")
    }

    /// The result's file: in a folder named as the workload is.
    fn result(&self) -> Option<PathBuf> {
        let entries = std::fs::read_dir(&self.folder).ok()?.filter_map(Result::ok);
        entries.map(|entry| entry.path().join("result.json")).find(|path| path.is_file())
    }
}
