//! `logdyno report`: prints a saved result again.

use std::path::PathBuf;

use clap::Args;

use crate::{report, result};

/// Print saved results again.
#[derive(Args, Debug)]
pub(super) struct Report {
    /// Result files, or folders that hold a result.json.
    #[arg(value_name = "RESULT", required = true)]
    results: Vec<PathBuf>,
    /// JSON documents, one a line, instead of tables.
    #[arg(long)]
    json: bool,
}

impl Report {
    /// Prints them in turn.
    pub(super) fn run(self) -> anyhow::Result<()> {
        for path in &self.results {
            let result = result::read(path)?;
            if self.json {
                println!("{}", serde_json::to_string(&result)?);
            } else {
                println!("{}", report::render(&result));
            }
        }
        Ok(())
    }
}
