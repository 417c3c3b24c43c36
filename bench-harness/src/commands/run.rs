//! `logdyno run`: runs workloads over backends, saves results, prints them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use clap::Args;
use logdyno_engine::storage::Kind;

use super::export::Export;
use super::limits::SAVED;
use super::report::write_html;
use super::stdout::print_line;
use crate::campaign::{Campaign, Ended, Jobs, Watch};
use crate::crash;
use crate::exit::Exit;
use crate::limits::{self, Limits};
use crate::live::{self, Both, Endpoint};
use crate::load::Shard;
use crate::parent::end_with_parent;
use crate::progress::Watcher;
use crate::report;
use crate::result::{self, Crashes, Environment};
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
        let named = self.limits.as_deref().map(limits::read).transpose()?;
        let campaigns = self.prepare(&Jobs { kinds, targets })?;
        let stop = Stop::on_signals()?;
        let out = self.out.clone().unwrap_or_else(|| PathBuf::from("results/local").join(stamp()));
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
            let watch = &mut Both(&mut Watcher::new(), published.as_mut());
            let ended = self.run_one(&campaign, &out.join(&campaign.plan().name), &stop, watch)?;
            exit = worse(exit, exit_of(&ended));
            results.push(ended.result);
            if ended.is_interrupted {
                eprintln!("interrupted: what was under way was dropped, and so was what would have followed");
                exit = Exit::Error;
                break;
            }
        }
        self.html.iter().try_for_each(|file| write_html(file, &results))?;
        self.export.iter().try_for_each(|export| export.write(&results))?;
        Ok(exit)
    }

    fn prepare<'a>(&self, jobs: &Jobs<'a>) -> anyhow::Result<Vec<Campaign<'a>>> {
        let overrides = Overrides {
            settings: self.settings.clone(),
            backends: self.backend.clone(),
            targets: Some(self.target.clone()).filter(|targets| !targets.is_empty()),
            repetitions: self.repetitions,
            shard: self.shard,
            start_unix_ms: self.start_at.map(|seconds| seconds * 1_000),
        };
        let mut campaigns: Vec<Campaign<'a>> = Vec::new();
        for path in &self.workloads {
            let campaign = Campaign::prepare(Arc::new(workload::load(path, &overrides)?), jobs)?;
            let name = &campaign.plan().name;
            if let Some(same) = campaigns.iter().map(Campaign::plan).find(|plan| plan.name == *name) {
                bail!(
                    "{} and {} are both named {name}, so the second one's result would replace the first one's: give one another `name` under [workload], or say --repetitions",
                    same.path.display(),
                    path.display()
                );
            }
            if self.verify_crash.is_some() {
                crash::check(&campaign).map_err(|reason| anyhow!("--verify-crash cannot be done: {reason}"))?;
            }
            campaigns.push(campaign);
        }
        Ok(campaigns)
    }

    /// A workload's trials and crashes, printed and saved in its folder.
    fn run_one(
        &self,
        campaign: &Campaign<'_>,
        folder: &Path,
        stop: &Stop,
        watch: &mut dyn Watch,
    ) -> anyhow::Result<Ended> {
        let mut ended = campaign.run(folder, stop, watch)?;
        if let Some(rounds) = self.verify_crash.filter(|_| !ended.is_interrupted) {
            let job = crash::Job {
                program: std::env::current_exe().context("this program's own file")?,
                workload: campaign.plan().path.clone(),
                settings: self.settings.clone(),
                rounds,
                folder: folder.to_owned(),
            };
            ended.is_interrupted = !crash::verify(campaign, &mut ended.result, &job, stop, &mut tell_crashes)?;
            result::write(folder, &ended.result)?;
        }
        if !self.export.iter().any(Export::is_to_stdout) {
            print(&ended, self.json)?;
        }
        eprintln!("saved {} trials in {}", ended.result.trials.len(), folder.join("result.json").display());
        Ok(ended)
    }
}

fn tell_crashes(cell: &str, crashes: &Crashes) {
    let Crashes { kind, rounds, lost, acknowledged, .. } = crashes;
    eprintln!("{cell}: {rounds} × {}: lost {lost} of {acknowledged} acknowledged", kind.name());
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
        print_line(serde_json::to_string(&ended.result)?)?;
    } else {
        print_line(report::render(&ended.result))?;
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
