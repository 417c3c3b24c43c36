//! `logdyno report`: prints a saved result again.

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::PossibleValuesParser;

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
    /// All of them as one document that another tool reads: the Go benchmark format, Bencher Metric Format, github-action-benchmark's
    /// lists, JUnit XML.
    #[arg(long, value_name = "FORMAT", conflicts_with = "json", value_parser = formats())]
    format: Option<String>,
    /// Also write all of them to one HTML page that needs nothing else.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl Report {
    /// Prints them in turn.
    pub(super) fn run(self) -> anyhow::Result<()> {
        let results = self.results.iter().map(|path| result::read(path)).collect::<Result<Vec<_>, _>>()?;
        if let Some(name) = &self.format {
            let reporters = report::reporters();
            reporters
                .iter()
                .filter(|reporter| reporter.name() == name)
                .for_each(|one| print!("{}", one.render(&results)));
            return self.html.iter().try_for_each(|file| write_html(file, &results));
        }
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

/// The names of what there is.
fn formats() -> PossibleValuesParser {
    PossibleValuesParser::new(report::reporters().iter().map(|reporter| reporter.name()).collect::<Vec<_>>())
}

/// Writes a page, and says so on stderr.
pub(super) fn write_html(file: &Path, results: &[RunResult]) -> anyhow::Result<()> {
    let page = report::render_html(results)?;
    std::fs::write(file, page).map_err(|error| anyhow::anyhow!("{} cannot be written: {error}", file.display()))?;
    eprintln!("wrote {}", file.display());
    Ok(())
}
