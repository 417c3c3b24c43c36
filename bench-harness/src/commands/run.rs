//! `logdyno run`: runs workloads over backends, saves results, prints them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use clap::Args;
use logdyno_engine::storage::Kind;

use super::export::Export;
use super::limits::SAVED;
use super::report::write_html;
use crate::campaign::{Campaign, Ended, Jobs};
use crate::crash;
use crate::exit::Exit;
use crate::limits::{self, Limits};
use crate::live::{self, Both, Endpoint};
use crate::load::Shard;
use crate::parent::end_with_parent;
use crate::progress::Watcher;
use crate::report;
use crate::result::{self, Crashes, Environment, RunResult};
use crate::signal::Stop;
use crate::target::Target;
use crate::workload::{self, Overrides};

/// Run workloads: say how fast the path is, and where the time went.
#[derive(Args, Debug)]
pub(super) struct Run {
    /// Workload files.
    #[arg(value_name = "WORKLOAD", required = true)]
    workloads: Vec<PathBuf>,
    /// Storage backends, separated by commas, instead of the workload's; one that this machine refuses fails the run.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    backend: Option<Vec<String>>,
    /// The system under test instead of the workload's: embedded, log, null, kafka://HOST:PORT; given several times, they
    /// stand side by side.
    #[arg(long, value_name = "NAME")]
    target: Vec<String>,
    /// Change a setting of the workloads, such as producer.linger.ms=0; may be given several times.
    #[arg(long = "set", value_name = "TABLE.KEY=VALUE")]
    settings: Vec<String>,
    /// How often each backend is run, each time from nothing; backends take turns.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    repetitions: Option<u32>,
    /// Be one of several machines that share the load: send the NUMBER-th of COUNT parts of its records, at the moments that they have in
    /// the whole; `logdyno merge` makes one result of all.
    #[arg(long, value_name = "NUMBER/COUNT")]
    shard: Option<Shard>,
    /// When the first record is due, in seconds since 1970 (`date +%s`), so that all shards begin together.
    #[arg(long, value_name = "SECONDS", requires = "shard", value_parser = clap::value_parser!(i64).range(0..1 << 40))]
    start_at: Option<i64>,
    /// Where results go, a folder for each workload [default: results/local/TIME].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Say how much of these limits was used: a file of `logdyno limits` [default: results/local/limits.json, if it is of this machine and
    /// mount and not older than a day].
    #[arg(long, value_name = "FILE")]
    limits: Option<PathBuf>,
    /// Print results as JSON documents, one a line, instead of tables.
    #[arg(long)]
    json: bool,
    /// Also write all results to one HTML page that needs nothing else.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Also write all results in a format of `logdyno report --format`, such as junit=results.xml; - is stdout, which then
    /// has no tables; may be given several times.
    #[arg(long, value_name = "FORMAT=FILE")]
    export: Vec<Export>,
    /// Then let each cell crash N times under its load by kill -9 of all its brokers, and N times by a loss of power of a simulated disk,
    /// and say how much of what was acknowledged is lost; what an acknowledgement promised and is not there makes the run invalid.
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "3", conflicts_with = "shard", value_parser = clap::value_parser!(u32).range(1..=1000))]
    verify_crash: Option<u32>,
    /// While it runs, answer Prometheus and its like with OpenMetrics on this loopback address, such as 127.0.0.1:9464: records, bytes,
    /// backlog, latency, steps; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", value_parser = live::loopback)]
    metrics: Option<SocketAddr>,
}

impl Run {
    /// Checks everything, then runs it.
    pub(super) fn run(self, kinds: &[Kind], targets: &[Box<dyn Target>]) -> anyhow::Result<Exit> {
        // `logdyno sweep` runs its cells as processes of their own.
        end_with_parent();
        let overrides = Overrides {
            settings: self.settings,
            backends: self.backend,
            targets: Some(self.target).filter(|targets| !targets.is_empty()),
            repetitions: self.repetitions,
            shard: self.shard,
            start_unix_ms: self.start_at.map(|seconds| seconds * 1_000),
        };
        let named = self.limits.as_deref().map(limits::read).transpose()?;
        let jobs = Jobs { kinds, targets };
        let mut campaigns = Vec::new();
        for path in &self.workloads {
            campaigns.push(Campaign::prepare(Arc::new(workload::load(path, &overrides)?), &jobs)?);
        }
        if self.verify_crash.is_some() {
            let checked = campaigns.iter().try_for_each(crash::check);
            checked.map_err(|reason| anyhow!("--verify-crash cannot be done: {reason}"))?;
        }
        let stop = Stop::on_signals()?;
        let out = self.out.unwrap_or_else(|| PathBuf::from("results/local").join(stamp()));
        let limits = match named {
            Some(limits) => Some(limits),
            None => saved_limits(&out)?,
        };
        let metrics = self.metrics.map(Endpoint::open).transpose()?;
        let mut published = metrics.as_ref().map(Endpoint::publisher);
        let mut exit = Exit::Pass;
        let mut results = Vec::new();
        for campaign in campaigns {
            let campaign = campaign.limits(limits.clone());
            let folder = out.join(&campaign.plan().name);
            let mut ended = campaign.run(&folder, &stop, &mut Both(&mut Watcher::new(), published.as_mut()))?;
            if let Some(rounds) = self.verify_crash.filter(|_| !ended.is_interrupted) {
                let settings = overrides.settings.clone();
                ended.is_interrupted = !let_crash(&campaign, &mut ended.result, settings, rounds, &folder, &stop)?;
            }
            exit = worse(exit, exit_of(&ended));
            if !self.export.iter().any(Export::is_to_stdout) {
                print(&ended, self.json)?;
            }
            eprintln!("saved {} trials in {}", ended.result.trials.len(), folder.join("result.json").display());
            results.push(ended.result);
            if ended.is_interrupted {
                eprintln!("interrupted: the trial under way was dropped, and so was what would have followed");
                exit = Exit::Error;
                break;
            }
        }
        self.html.iter().try_for_each(|file| write_html(file, &results))?;
        self.export.iter().try_for_each(|export| export.write(&results))?;
        Ok(exit)
    }
}

/// Lets the campaign's cells crash, and saves its result with what became of it; `false` if the user ended it.
fn let_crash(
    campaign: &Campaign<'_>,
    result: &mut RunResult,
    settings: Vec<String>,
    rounds: u32,
    folder: &Path,
    stop: &Stop,
) -> anyhow::Result<bool> {
    let job = crash::Job {
        program: std::env::current_exe().context("this program's own file")?,
        workload: campaign.plan().path.clone(),
        settings,
        rounds,
        folder: folder.to_owned(),
    };
    let is_done = crash::verify(campaign, result, &job, stop, &mut |cell, crashes| {
        let Crashes { kind, rounds, lost, acknowledged, .. } = crashes;
        eprintln!("{cell}: {rounds} × {}: lost {lost} of {acknowledged} acknowledged", kind.name());
    })?;
    result::write(folder, result)?;
    Ok(is_done)
}

/// The limits in their default place, if they are those of `out`; if not, says why.
fn saved_limits(out: &Path) -> anyhow::Result<Option<Limits>> {
    let path = Path::new(SAVED);
    if !path.exists() {
        return Ok(None);
    }
    std::fs::create_dir_all(out).with_context(|| out.display().to_string())?;
    let read = limits::read(path).map_err(|error| vec![format!("{error:#}")]);
    let fitting = read.and_then(|limits| match limits::objections(&limits, &Environment::look(out)) {
        objections if objections.is_empty() => Ok(limits),
        objections => Err(objections),
    });
    Ok(fitting
        .inspect_err(|why| eprintln!("{SAVED} is not used: {}; `logdyno limits` measures anew", why.join("; ")))
        .ok())
}

fn print(ended: &Ended, json: bool) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string(&ended.result)?);
    } else {
        println!("{}", report::render(&ended.result));
    }
    Ok(())
}

fn exit_of(ended: &Ended) -> Exit {
    match (ended.has_failed(), ended.is_invalid()) {
        (true, _) => Exit::Error,
        (false, true) => Exit::Invalid,
        (false, false) => Exit::Pass,
    }
}

/// What broke counts more than what does not count.
fn worse(one: Exit, other: Exit) -> Exit {
    match (one, other) {
        (Exit::Error, _) | (_, Exit::Error) => Exit::Error,
        (Exit::Invalid, _) | (_, Exit::Invalid) => Exit::Invalid,
        (one, _) => one,
    }
}

/// The time as a folder's name.
fn stamp() -> String {
    result::utc_now().replace(':', "")
}
