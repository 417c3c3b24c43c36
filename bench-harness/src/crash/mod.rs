//! What becomes of acknowledged records when a cell is made to crash: `logdyno run --verify-crash`.
//!
//! The cell runs in a process of its own, the `victim`, which tells of each acknowledgement as it comes (`told`). At a random moment
//! it is killed (kill -9), or the power of the simulated disk that it writes to is cut and what that leaves is put into its
//! directory. Then the target is started on the directory again, everything is read (`survivors`), and what was acknowledged is looked
//! for (`judge`).

mod judge;
mod survivors;
mod told;
mod victim;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use logdyno_engine::client::Acks;

use self::judge::Judge;
use self::told::Ack;
pub(crate) use self::victim::run as run_victim;
use crate::campaign::Campaign;
use crate::overhead::Subject;
use crate::parent::bind;
use crate::random::Random;
use crate::result::{CrashKind, CrashedCell, Crashes, Outcome, RunResult, Verdict, VerdictKind};
use crate::signal::Stop;
use crate::target::settings::{acks, removes_records};

/// How long the target may take to start and to acknowledge a first record, and a dying machine to write down what it leaves.
const PATIENCE: Duration = Duration::from_secs(120);

/// The crash comes at a random moment, at most so long after the first acknowledgement: rolls, checkpoints and writeback have begun by then.
const MOMENT_MAX: Duration = Duration::from_millis(2_500);

/// The moments, and what a simulated disk keeps, differ from round to round and are the same in each run of the program.
const SEED: u64 = 0x0043_5241_5348;

/// How often it is looked whether the user wants an end.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How cells are made to crash.
#[derive(Clone, Debug)]
pub struct Job {
    /// This program.
    pub program: PathBuf,
    /// The workload's file.
    pub workload: PathBuf,
    /// What the command line changed of it.
    pub settings: Vec<String>,
    /// How often by each kind of crash.
    pub rounds: u32,
    /// A folder whose file system the targets' data shall be on.
    pub folder: PathBuf,
}

/// Says why a loss could not be told in some cell of a campaign, if so, before anything starts.
pub fn check(campaign: &Campaign<'_>) -> Result<(), String> {
    campaign.subjects().try_for_each(|subject| check_cell(&subject))
}

fn check_cell(subject: &Subject<'_>) -> Result<(), String> {
    let plan = &subject.plan;
    if subject.backend.is_none() {
        let system = subject.target.name();
        return Err(format!("{system} keeps nothing that this program could let crash: say --target embedded or log"));
    }
    if acks(plan) == Acks::None {
        return Err("nothing is acknowledged with producer.acks=0, so nothing can be lost".to_owned());
    }
    match plan.topic.configs.iter().chain(plan.broker.iter()).find(removes_records) {
        Some((name, value)) => Err(format!(
            "with {name}={value} the log itself removes records, which cannot be told from a loss: leave it out"
        )),
        None => Ok(()),
    }
}

/// Lets each cell of a campaign that was measured crash, and writes what came of it into its result: a promise that was not kept makes
/// the cell's trials invalid. `tell` hears of each cell and kind. `false` if the user ended it.
pub fn verify(
    campaign: &Campaign<'_>,
    result: &mut RunResult,
    job: &Job,
    stop: &Stop,
    tell: &mut dyn FnMut(&str, &Crashes),
) -> anyhow::Result<bool> {
    for subject in campaign.subjects() {
        let (target, backend) = (subject.target.name(), subject.backend.map(|kind| kind.name));
        let mut trials = result
            .trials
            .iter_mut()
            .filter(|trial| trial.target == target && trial.backend.as_deref() == backend)
            .filter_map(|trial| match &mut trial.outcome {
                Outcome::Measured(measured) => Some(measured),
                Outcome::Refused { .. } | Outcome::Failed { .. } => None,
            })
            .collect::<Vec<_>>();
        let Some(first) = trials.first() else { continue };
        let (level, acks) = (first.durability.level.clone(), acks(&subject.plan));
        let promise = Promise { level, acks, copies: first.copies_kept() };
        let mut crashes = Vec::new();
        for kind in CrashKind::ALL {
            let promised = promise.withstands(kind);
            let Some(found) = crash_often(&subject, job, kind, promised, stop)? else { return Ok(false) };
            tell(name_of(&subject), &found);
            if let Some(reason) = found.broken() {
                trials.iter_mut().for_each(|measured| measured.verdicts.push(invalid(&reason)));
            }
            crashes.push(found);
        }
        result.crashed.push(CrashedCell { target: target.to_owned(), backend: backend.map(str::to_owned), crashes });
    }
    Ok(true)
}

fn invalid(reason: &str) -> Verdict {
    Verdict { kind: VerdictKind::Invalid, reason: reason.to_owned() }
}

/// What an acknowledgement promises.
struct Promise {
    /// What a replica has done with the record.
    level: String,
    acks: Acks,
    /// On how many replicas it is in the end.
    copies: u32,
}

impl Promise {
    /// Whether the record has to be there after a crash. One that only its leader had may be gone with it.
    fn withstands(&self, kind: CrashKind) -> bool {
        let on_all = self.acks == Acks::All || self.copies <= 1;
        let on_disk = match kind {
            CrashKind::Kill => matches!(self.level.as_str(), "written" | "durable"),
            CrashKind::PowerLoss => self.level == "durable",
        };
        on_all && on_disk
    }
}

/// All rounds of a kind; `None` if the user ended them.
fn crash_often(
    subject: &Subject<'_>,
    job: &Job,
    kind: CrashKind,
    promised: bool,
    stop: &Stop,
) -> anyhow::Result<Option<Crashes>> {
    let mut random = Random::of_seed(SEED ^ kind as u64);
    let mut sum = Crashes { kind, rounds: 0, acknowledged: 0, lost: 0, invented: 0, promised, notes: Vec::new() };
    for _ in 0..job.rounds {
        let found = crash_once(subject, job, kind, &mut random, stop)
            .with_context(|| format!("{} on {}", kind.name(), name_of(subject)))?;
        let Some(found) = found else { return Ok(None) };
        sum.rounds += 1;
        sum.acknowledged += found.acknowledged;
        sum.lost += found.lost;
        sum.invented += found.invented;
        sum.notes.extend(found.first);
    }
    Ok(Some(sum))
}

fn name_of<'a>(subject: &Subject<'a>) -> &'a str {
    subject.backend.map_or(subject.target.name(), |kind| kind.name)
}

/// One crash and what is left after it.
fn crash_once(
    subject: &Subject<'_>,
    job: &Job,
    kind: CrashKind,
    random: &mut Random,
    stop: &Stop,
) -> anyhow::Result<Option<judge::Found>> {
    let folder = tempfile::tempdir_in(&job.folder).with_context(|| job.folder.display().to_string())?;
    let dir = folder.path().join("data");
    let moment = Duration::from_micros(random.below(MOMENT_MAX.as_micros() as u64));
    let mut victim = Victim::start(subject, job, kind, random.next(), &dir)?;
    if !victim.run_until(moment, stop)? {
        return Ok(None);
    }
    let acks = victim.crash(kind)?;
    let topics = Arc::new(subject.records.topics(&subject.plan));
    let mut judge = Judge::new(&acks, subject.records, Arc::clone(&topics));
    survivors::read(subject, topics, &dir, &mut judge)?;
    Ok(Some(judge.found()))
}

/// The process that is made to crash, as its parent has it. It is killed when this is dropped.
struct Victim {
    child: Child,
    acks: Receiver<Ack>,
    heard: Vec<Ack>,
    /// What it says on stderr.
    said: PathBuf,
}

impl Victim {
    fn start(subject: &Subject<'_>, job: &Job, kind: CrashKind, seed: u64, dir: &Path) -> anyhow::Result<Victim> {
        let said = dir.with_extension("stderr");
        let mut command = Command::new(&job.program);
        command.arg("victim").arg(&job.workload).args(["--target", subject.target.name()]);
        command.args(["--backend", name_of(subject)]).arg("--dir").arg(dir);
        for setting in &job.settings {
            command.args(["--set", setting]);
        }
        if kind == CrashKind::PowerLoss {
            command.args(["--simulated-disk", &seed.to_string()]);
        }
        let spawned = bind(&mut command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&said).with_context(|| said.display().to_string())?)
            .spawn();
        let mut child = spawned.with_context(|| job.program.display().to_string())?;
        let mut out = child.stdout.take().context("the process has no stdout")?;
        let (heard, acks) = channel();
        std::thread::spawn(move || {
            let mut frame = [0; Ack::BYTES];
            while out.read_exact(&mut frame).is_ok() && heard.send(Ack::decode(&frame)).is_ok() {}
        });
        Ok(Victim { child, acks, heard: Vec::new(), said })
    }

    /// Waits for the first acknowledgement, and then until `moment` after it. `false` if the user ended it.
    fn run_until(&mut self, moment: Duration, stop: &Stop) -> anyhow::Result<bool> {
        let started = Instant::now();
        while self.heard.is_empty() {
            self.heard.extend(self.acks.recv_timeout(LOOK_EVERY));
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended by itself, with {status}: {}", self.said());
            }
            if started.elapsed() > PATIENCE {
                bail!("nothing was acknowledged within {} s: {}", PATIENCE.as_secs(), self.said());
            }
            if stop.asked() {
                return Ok(false);
            }
        }
        Ok(!stop.wait_for(moment))
    }

    /// Ends it; returns what it had acknowledged.
    fn crash(&mut self, kind: CrashKind) -> anyhow::Result<Vec<Ack>> {
        match kind {
            CrashKind::Kill => self.child.kill()?,
            // It waits for the end of its input.
            CrashKind::PowerLoss => drop(self.child.stdin.take()),
        }
        let status = self.wait()?;
        if kind == CrashKind::PowerLoss && !status.success() {
            bail!("the simulated machine did not end as it should, but with {status}: {}", self.said());
        }
        // Until the pipe is empty: its other end is gone.
        self.heard.extend(self.acks.iter());
        Ok(std::mem::take(&mut self.heard))
    }

    fn wait(&mut self) -> anyhow::Result<ExitStatus> {
        let asked = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if asked.elapsed() > PATIENCE {
                bail!("it did not end within {} s: {}", PATIENCE.as_secs(), self.said());
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    fn said(&self) -> String {
        let said = std::fs::read_to_string(&self.said).unwrap_or_default();
        said.lines().next_back().unwrap_or("it said nothing").to_owned()
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
