//! `logdyno merge`: the results of shards, as the result of the whole load.

use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::Args;

use super::report::write_html;
use super::stdout::print_line;
use crate::exit::Exit;
use crate::merge::merge;
use crate::report;
use crate::result;

/// Merge the results of `logdyno run --shard` on several machines into one; refused if they are not of one load.
#[derive(Args, Debug)]
pub(super) struct Merge {
    /// The result of each shard: result files, or folders that hold one.
    #[arg(value_name = "RESULT", required = true)]
    results: Vec<PathBuf>,
    /// The folder for the merged result.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Print the merged result as a JSON document instead of tables.
    #[arg(long)]
    json: bool,
    /// Also write it to one HTML page that needs nothing else.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl Merge {
    /// Exits as the run of the whole load would have.
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let shards = self.results.iter().map(|path| result::read(path)).collect::<Result<Vec<_>, _>>()?;
        let merged = merge(shards).map_err(|reason| anyhow!("these results cannot be merged: {reason}"))?;
        std::fs::create_dir_all(&self.out).with_context(|| self.out.display().to_string())?;
        let file = result::write(&self.out, &merged)?;
        result::write_hlog(&self.out, &merged)?;
        if self.json {
            print_line(serde_json::to_string(&merged)?)?;
        } else {
            print_line(report::render(&merged))?;
        }
        eprintln!("saved {} shards as {}", merged.merged.len(), file.display());
        self.html.iter().try_for_each(|html| write_html(html, std::slice::from_ref(&merged)))?;
        Ok(if merged.counts() { Exit::Pass } else { Exit::Invalid })
    }
}
