//! `logdyno overhead`: what stamps and checks cost.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::bail;
use clap::Args;
use logdyno_engine::storage::Kind;

use super::stdout::print_line;
use crate::campaign::{Campaign, Jobs};
use crate::exit::Exit;
use crate::overhead::{self, Side};
use crate::report::render_overhead;
use crate::signal::Stop;
use crate::target::Target;
use crate::workload::{self, Overrides};

/// Measure what the harness's own stamps and checks cost: pairs of runs with and without them, in random order.
#[derive(Args, Debug)]
pub(super) struct OverheadCommand {
    /// The workload whose records and settings are taken; records are sent as fast as they are taken, whatever its load.
    #[arg(value_name = "WORKLOAD")]
    workload: PathBuf,
    /// How many pairs: an interval takes 6.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(6..=200))]
    pairs: u16,
    /// Run one side once instead, to be counted or profiled from outside, as `scripts/long/instructions` does.
    #[arg(long, value_name = "SIDE", conflicts_with = "pairs", value_parser = ["watched", "bare"])]
    only: Option<String>,
    /// Records of each run, of which the first tenth is warm-up.
    #[arg(long, value_name = "N", default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(100..=1_000_000_000))]
    records: u64,
    /// The storage backend, instead of the workload's first.
    #[arg(long, value_name = "NAME")]
    backend: Option<String>,
    /// The system under test instead of the workload's.
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// Change a setting of the workload, such as producer.linger.ms=0; may be given several times.
    #[arg(long = "set", value_name = "TABLE.KEY=VALUE")]
    settings: Vec<String>,
    /// Where data lies while it runs.
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Print the pairs and the result as JSON instead of text.
    #[arg(long)]
    json: bool,
}

impl OverheadCommand {
    pub(super) fn run(self, kinds: &[Kind], targets: &[Box<dyn Target>]) -> anyhow::Result<Exit> {
        let overrides = Overrides {
            settings: self.settings,
            backends: self.backend.map(|name| vec![name]),
            targets: self.target.map(|name| vec![name]),
            repetitions: None,
            ..Overrides::default()
        };
        let plan = workload::load(&self.workload, &overrides)?;
        let campaign = Campaign::prepare(Arc::new(plan), &Jobs { kinds, targets })?;
        let Some(subject) = campaign.subjects().next() else { bail!("the workload names no target") };
        let stop = Stop::on_signals()?;
        if let Some(side) = self.only.as_deref().map(|name| if name == "bare" { Side::Bare } else { Side::Watched }) {
            let Some(sample) = overhead::once(&subject, side, self.records, &self.dir, &stop)? else {
                return Ok(Exit::Error);
            };
            print_line(serde_json::to_string(&sample)?)?;
            return Ok(Exit::Pass);
        }
        let size = (usize::from(self.pairs), self.records);
        let found = overhead::overhead(&subject, size, &self.dir, &stop, &mut |number, pair| {
            let cost = (pair.watched.cpu_ns_per_record - pair.bare.cpu_ns_per_record) / 1e3;
            eprintln!("pair {number} of {}: {cost:+.2} µs of processor time a record", self.pairs);
        })?;
        let Some(found) = found else {
            eprintln!("interrupted: nothing is said of fewer pairs than were asked for");
            return Ok(Exit::Error);
        };
        if self.json {
            print_line(serde_json::to_string(&found)?)?;
        } else {
            let system = subject.backend.map_or(subject.target.name(), |kind| kind.name);
            print_line(render_overhead(&format!("{} on {system}", subject.plan.name), &found))?;
        }
        Ok(Exit::Pass)
    }
}
