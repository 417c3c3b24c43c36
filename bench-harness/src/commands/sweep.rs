//! `logdyno sweep`: a workload over a grid of settings.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use clap::Args;

use super::report::write_sweeps_html;
use super::stdout::print_line;
use crate::campaign::{self, Campaign, Jobs};
use crate::crash;
use crate::exit::Exit;
use crate::report::render_sweep;
use crate::result::{self, Environment};
use crate::signal::Stop;
use crate::sweep::{
    self, Cell, CellResult, DataSeen, Factor, Job, Limits, RunSummary, SWEEP_FORMAT, SWEEP_VERSION, Sweep, Told,
};
use crate::workload::{Load, Plan};

/// Run a workload over a grid of settings: say which of them matter, and by how much.
#[derive(Args, Debug)]
pub(super) struct SweepCommand {
    /// The workload file.
    #[arg(value_name = "WORKLOAD", required_unless_present = "resume")]
    workload: Option<PathBuf>,
    /// A setting and its values, such as producer.batch.size=4k,16k,64k or backend=buffered,uring; FROM..TO*2 and FROM..TO+10 are
    /// ranges, KEY,KEY=A:B,C:D changes settings together, 'KEY=… if KEY=VALUE' (or !=, <, <=, >, >=) counts only there. Several make a grid.
    #[arg(long = "vary", value_name = "KEY=VALUES", required_unless_present = "resume")]
    vary: Vec<Factor>,
    /// A setting of all cells, such as run.duration=6s; may be given several times.
    #[arg(long = "set", value_name = "TABLE.KEY=VALUE")]
    settings: Vec<String>,
    /// The system under test instead of the workload's.
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// How often each cell is run, each time from nothing in a process of its own.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    repetitions: u32,
    /// What the order of the runs is drawn from.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// No run is started that would not end within this time, such as 30m.
    #[arg(long, value_name = "TIME", value_parser = time)]
    budget: Option<Duration>,
    /// After a cell's first run, let it crash N times under its load by kill -9 of all its brokers, and N times by a loss of power of a
    /// simulated disk, and say how much of what was acknowledged is lost.
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "3", value_parser = clap::value_parser!(u32).range(1..=1000))]
    verify_crash: Option<u32>,
    /// Where results go [default: results/local/sweep-TIME].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Go on with the sweep in this folder.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["workload", "vary", "settings", "target", "repetitions", "seed", "verify_crash", "out"])]
    resume: Option<PathBuf>,
    /// Print the sweep's document as JSON instead of tables.
    #[arg(long)]
    json: bool,
    /// Also write the sweep to an HTML page that needs nothing else.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl SweepCommand {
    /// Checks all cells, then runs what is missing.
    pub(super) fn run(self, jobs: &Jobs<'_>) -> anyhow::Result<Exit> {
        let (folder, mut sweep, target) = match &self.resume {
            Some(folder) => self.resumed(folder)?,
            None => self.begun(jobs)?,
        };
        let _alone = lock(&folder)?;
        let stop = Stop::on_signals()?;
        let job = Job {
            program: std::env::current_exe()?,
            folder: folder.clone(),
            workload: PathBuf::from(&sweep.workload),
            target,
        };
        let limits = Limits { budget: self.budget };
        let (cells, runs, least) = (sweep.cells.len(), sweep.runs_wanted() - sweep.runs(), sweep::least(&sweep)?);
        eprintln!("{cells} cells, {runs} runs to come: their loads alone take {} or more", minutes(least));
        let ended = sweep::run(&mut sweep, &job, limits, &stop, &mut tell)?;
        sweep.analyse();
        if self.json {
            print_line(serde_json::to_string(&sweep)?)?;
        } else {
            print_line(render_sweep(&sweep))?;
        }
        self.html.iter().try_for_each(|file| write_sweeps_html(file, std::slice::from_ref(&sweep)))?;
        eprintln!("saved {} of {} runs in {}", sweep.runs(), sweep.runs_wanted(), folder.join("sweep.json").display());
        if !ended || sweep.runs() < sweep.runs_wanted() {
            eprintln!("the rest: logdyno sweep --resume {}", folder.display());
        }
        Ok(exit_of(ended, &sweep))
    }

    fn begun(&self, jobs: &Jobs<'_>) -> anyhow::Result<(PathBuf, Sweep, Option<String>)> {
        let Some(workload) = &self.workload else { bail!("a workload is missing") };
        check_conditions(&self.vary)?;
        let cells = sweep::cells(&self.vary);
        let plans = cells
            .iter()
            .map(|cell| check(workload, &self.settings, self.target.as_deref(), cell, jobs))
            .collect::<anyhow::Result<Vec<_>>>()?;
        if self.verify_crash.is_some() {
            for plan in &plans {
                let campaign = Campaign::prepare(Arc::new(plan.clone()), jobs)?;
                crash::check(&campaign).map_err(|reason| anyhow!("--verify-crash cannot be done: {reason}"))?;
            }
        }
        let folder = self.out.clone().unwrap_or_else(|| {
            PathBuf::from("results/local").join(format!("sweep-{}", result::utc_now().replace(':', "")))
        });
        ensure!(
            !folder.join("sweep.json").exists(),
            "{} holds a sweep already: --resume goes on with it",
            folder.display()
        );
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let sweep = Sweep {
            format: SWEEP_FORMAT.to_owned(),
            version: SWEEP_VERSION,
            workload: workload.display().to_string(),
            text: std::fs::read_to_string(workload)?,
            settings: self.settings.clone(),
            environment: Environment::look(&folder),
            data: DataSeen::of(&plans)?,
            seed: self.seed,
            repetitions: self.repetitions,
            factors: self.vary.clone(),
            cells: cells.into_iter().map(|cell| CellResult { cell, runs: Vec::new(), crashes: Vec::new() }).collect(),
            effects: Vec::new(),
            target: self.target.clone(),
            verify_crash: self.verify_crash,
        };
        sweep::write(&folder, &sweep)?;
        Ok((folder, sweep, self.target.clone()))
    }

    fn resumed(&self, folder: &Path) -> anyhow::Result<(PathBuf, Sweep, Option<String>)> {
        let sweep = sweep::read(folder)?;
        let now = std::fs::read_to_string(&sweep.workload).with_context(|| sweep.workload.clone())?;
        ensure!(
            now == sweep.text,
            "{} has changed since the sweep began: its cells would not be comparable; start another one",
            sweep.workload
        );
        let (then, now) = (&sweep.environment, Environment::look(folder));
        for (what, then, now) in [
            (
                "logdyno",
                format!("{} ({} build)", then.commit, then.build),
                format!("{} ({} build)", now.commit, now.build),
            ),
            ("the processor", then.processor.clone(), now.processor.clone()),
            ("the kernel", then.kernel.clone(), now.kernel.clone()),
            ("the number of cores", then.cores.to_string(), now.cores.to_string()),
            ("the file system", then.file_system.clone(), now.file_system.clone()),
        ] {
            ensure!(
                then == now,
                "{what} was {then} when the sweep began and is {now}: its cells would not be comparable"
            );
        }
        sweep.data.iter().try_for_each(DataSeen::check)?;
        let target = sweep.target.clone();
        Ok((folder.to_owned(), sweep, target))
    }
}

/// Holds a sweep's folder as long as it is kept: two that go on with the same sweep would run its cells side by side.
fn lock(folder: &Path) -> anyhow::Result<File> {
    let held = File::open(folder).with_context(|| folder.display().to_string())?;
    held.try_lock()
        .map_err(|error| anyhow!("{}: another logdyno is at work on this sweep ({error})", folder.display()))?;
    Ok(held)
}

/// A condition speaks of a value that an earlier `--vary` gives.
fn check_conditions(factors: &[Factor]) -> anyhow::Result<()> {
    for (at, factor) in factors.iter().enumerate() {
        for earlier in &factors[..at] {
            if let Some(twice) = factor.settings.iter().find(|setting| earlier.settings.contains(setting)) {
                ensure!(factor.condition.is_some() || earlier.condition.is_some(), "--vary names {twice} twice");
            }
        }
        let Some(condition) = &factor.condition else { continue };
        let gives = |earlier: &Factor| {
            let place = earlier.settings.iter().position(|setting| *setting == condition.setting);
            place.is_some_and(|place| earlier.levels.iter().any(|level| condition.allows(&level[place])))
        };
        ensure!(
            factors[..at].iter().any(gives),
            "--vary '{factor}': no --vary before it gives {} a value for which {condition} holds",
            condition.setting
        );
    }
    Ok(())
}

/// The workload with a cell's settings, if it can be run, as one run.
fn check(path: &Path, settings: &[String], target: Option<&str>, cell: &Cell, jobs: &Jobs<'_>) -> anyhow::Result<Plan> {
    let plan = sweep::plan(path, settings, target, cell)?;
    let systems = campaign::names_of_systems(&plan, jobs)?;
    ensure!(
        systems.len() == 1,
        "a sweep compares one figure of each run, and a run of this workload has those of {}: say which with --vary backend={}, --set 'run.backends=[\"{}\"]' or --target",
        systems.join(" and "),
        jobs.kinds.iter().map(|kind| kind.name).collect::<Vec<_>>().join(","),
        jobs.kinds.first().map_or("buffered", |kind| kind.name),
    );
    ensure!(
        !matches!(plan.load, Load::Steps(_)),
        "{}: a sweep compares one figure of each run, and a load of steps has several: say --set load.rate=1000, or --vary load.rate=1000,5000",
        plan.place_of("load.steps")
    );
    Ok(plan)
}

fn tell(told: Told<'_>) {
    match told {
        Told::WarmsUp => eprintln!("a first run whose result is thrown away, so that memory is warm for all alike"),
        Told::Expects { runs, takes } => eprintln!("{runs} runs to come, about {}", minutes(takes)),
        Told::Begins { number, count, cell } => {
            let values: Vec<&str> = cell.settings.iter().map(|(_, value)| value.as_str()).collect();
            eprint!("{number:>5} of {count}  {:32}", values.join(" "));
        }
        Told::Ended(run) => eprintln!("  {}", outcome(run)),
        Told::OverBudget { left } => eprintln!("the budget is used up: {left} runs were left out"),
    }
}

fn outcome(run: &RunSummary) -> String {
    if !run.counts() {
        return run.verdicts.join("; ");
    }
    let p99 = run.ack_p99_ns.map_or("no p99".to_owned(), |ns| format!("p99 to ack {:.2} ms", ns / 1e6));
    let verdicts = run.verdicts.iter().map(|verdict| format!("; {verdict}")).collect::<String>();
    format!("{:.0}/s, {p99}{verdicts}", run.records_per_second)
}

fn minutes(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 120 { format!("{seconds} s") } else { format!("{} min", seconds.div_ceil(60)) }
}

fn exit_of(ended: bool, sweep: &Sweep) -> Exit {
    if !ended || sweep.runs() == 0 {
        Exit::Error
    } else if !sweep.counts() {
        Exit::Invalid
    } else {
        Exit::Pass
    }
}

/// A number with the unit s, m or h.
fn time(text: &str) -> Result<Duration, String> {
    let wrong = || "it is a time such as 90s, 30m or 2h".to_owned();
    let (digits, unit) = text.split_at(text.find(|sign: char| !sign.is_ascii_digit()).ok_or_else(wrong)?);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(wrong()),
    };
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    Ok(Duration::from_secs(number.saturating_mul(seconds)))
}
