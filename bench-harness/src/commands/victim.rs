//! `logdyno victim`: the process that `logdyno run --verify-crash` lets crash. Not for users.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::bail;
use clap::Args;
use logdyno_engine::storage::Kind;

use crate::campaign::{Campaign, Jobs};
use crate::crash;
use crate::exit::Exit;
use crate::parent::end_with_parent;
use crate::target::Target;
use crate::workload::{self, Overrides};

/// Run a cell's load without end and tell of each acknowledgement on standard output, until it is killed or its standard input ends.
#[derive(Args, Debug)]
#[command(hide = true)]
pub(super) struct Victim {
    #[arg(value_name = "WORKLOAD")]
    workload: PathBuf,
    #[arg(long, value_name = "NAME")]
    target: String,
    #[arg(long, value_name = "NAME")]
    backend: String,
    #[arg(long = "set", value_name = "TABLE.KEY=VALUE")]
    settings: Vec<String>,
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Write to a simulated disk of this seed; at the end its power is cut, and what is left is put into the directory.
    #[arg(long, value_name = "SEED")]
    simulated_disk: Option<u64>,
}

impl Victim {
    pub(super) fn run(self, kinds: &[Kind], targets: &[Box<dyn Target>]) -> anyhow::Result<Exit> {
        end_with_parent();
        let overrides = Overrides {
            settings: self.settings,
            backends: Some(vec![self.backend]),
            targets: Some(vec![self.target]),
            ..Overrides::default()
        };
        let plan = workload::load(&self.workload, &overrides)?;
        let campaign = Campaign::prepare(Arc::new(plan), &Jobs { kinds, targets })?;
        let Some(subject) = campaign.subjects().next() else { bail!("the workload names no target") };
        match crash::run_victim(&subject, &self.dir, self.simulated_disk)? {}
    }
}
