//! `logdyno report`: prints a saved result again.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::report;
use crate::result::{self, RunResult};

/// Print saved results again.
#[derive(Args, Debug)]
pub(super) struct Report {
    /// Result files, or folders that hold a result.json.
    #[arg(value_name = "RESULT", required = true)]
    results: Vec<PathBuf>,
    /// JSON documents, one a line, instead of tables.
    #[arg(long)]
    json: bool,
    /// Also write all of them to one HTML page that needs nothing else.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl Report {
    /// Prints them in turn.
    pub(super) fn run(self) -> anyhow::Result<()> {
        let results = self.results.iter().map(|path| result::read(path)).collect::<Result<Vec<_>, _>>()?;
        for result in &results {
            if self.json {
                println!("{}", serde_json::to_string(result)?);
            } else {
                println!("{}", report::render(result));
            }
        }
        self.html.iter().try_for_each(|file| write_html(file, &results))
    }
}

/// Writes a page, and says so on stderr.
pub(super) fn write_html(file: &Path, results: &[RunResult]) -> anyhow::Result<()> {
    let page = report::render_html(results)?;
    std::fs::write(file, page).map_err(|error| anyhow::anyhow!("{} cannot be written: {error}", file.display()))?;
    eprintln!("wrote {}", file.display());
    Ok(())
}
