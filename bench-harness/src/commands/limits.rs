//! `logdyno limits`: what this machine can do at most.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::stdout::print_line;
use crate::limits;
use crate::records::RecordSet;
use crate::report::render_limits;
use crate::workload::{self, Overrides};

/// Where limits are saved and found again.
pub(super) const SAVED: &str = "results/local/limits.json";

/// Records for the codecs where no workload gives its own: text of four bits a byte, as JSON has.
const TEXT: &str = "[records]\nsize = 200\nentropy = 4\ndistinct = 5000\n[load]\nrate = 1\n";

/// Measure the physical limits: disk, syncs, memory, checksums, codecs, loopback, timers. Takes about 20 seconds and 1 GiB of disk for that time.
#[derive(Args, Debug)]
pub(super) struct LimitsCommand {
    /// Where the data of runs lies.
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// A workload file whose records the codecs are tried on.
    #[arg(long, value_name = "WORKLOAD")]
    records: Option<PathBuf>,
    /// Where to save them. From the default place, `logdyno run` takes them by itself for a day.
    #[arg(long, value_name = "FILE", default_value = SAVED)]
    out: PathBuf,
    /// Print the document as JSON instead of tables.
    #[arg(long)]
    json: bool,
}

impl LimitsCommand {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let plan = match &self.records {
            Some(path) => workload::load(path, &Overrides::default())?,
            None => workload::parse(&PathBuf::from("limits"), TEXT, &Overrides::default())?,
        };
        let records = RecordSet::load(&Arc::new(plan))?;
        let found = limits::measure(&self.dir, &records, &mut |what| eprintln!("measuring {what}"))?;
        limits::write(&self.out, &found)?;
        if self.json {
            print_line(serde_json::to_string(&found)?)?;
        } else {
            print_line(render_limits(&found))?;
        }
        eprintln!("saved in {}", self.out.display());
        Ok(())
    }
}
