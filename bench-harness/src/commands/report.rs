//! `logdyno report`: prints a saved result again.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use clap::builder::PossibleValuesParser;

use super::export::rendered;
use super::stdout::{print, print_line};
use crate::report;
use crate::result::{self, RunResult};
use crate::sweep::{self, Sweep};

/// Print saved results or sweeps again.
#[derive(Args, Debug)]
pub(super) struct Report {
    /// Result files, or folders that hold a result.json or a sweep.json.
    #[arg(value_name = "RESULT", required = true)]
    results: Vec<PathBuf>,
    /// JSON documents, one a line, instead of tables.
    #[arg(long)]
    json: bool,
    /// All of them as one document that another tool reads: the Go benchmark format, Bencher Metric Format, github-action-benchmark's
    /// lists, JUnit XML, Markdown tables, the line of Kafka's ProducerPerformance, HdrHistogram's percentile spectrum and interval log,
    /// OpenMessaging Benchmark's JSON.
    #[arg(long, value_name = "FORMAT", conflicts_with = "json", value_parser = formats())]
    format: Option<String>,
    /// Also write all of them to one HTML page that needs nothing else; results and sweeps want a page each.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl Report {
    /// Prints them in turn.
    pub(super) fn run(self) -> anyhow::Result<()> {
        let sweeps: Vec<&PathBuf> = self.results.iter().filter(|path| is_sweep(path)).collect();
        if !sweeps.is_empty() {
            return self.sweeps(&sweeps);
        }
        let results = self.results.iter().map(|path| result::read(path)).collect::<Result<Vec<_>, _>>()?;
        if let Some(name) = &self.format {
            print(rendered(name, &results))?;
            return self.html.iter().try_for_each(|file| write_html(file, &results));
        }
        for result in &results {
            if self.json {
                print_line(serde_json::to_string(result)?)?;
            } else {
                print_line(report::render(result))?;
            }
        }
        self.html.iter().try_for_each(|file| write_html(file, &results))
    }
}

impl Report {
    fn sweeps(&self, paths: &[&PathBuf]) -> anyhow::Result<()> {
        if let Some(result) = self.results.iter().find(|path| !is_sweep(path)) {
            bail!("{} is a sweep and {} is not: report them one at a time", paths[0].display(), result.display());
        }
        if let Some(format) = &self.format {
            bail!(
                "{format} is written of results, not of sweeps: name the results in {}/runs",
                folder(paths[0]).display()
            );
        }
        let mut sweeps = paths.iter().map(|path| sweep::read(folder(path))).collect::<anyhow::Result<Vec<_>>>()?;
        // An older sweep's effects have the intervals that were computed then.
        sweeps.iter_mut().for_each(Sweep::analyse);
        for sweep in &sweeps {
            if self.json {
                print_line(serde_json::to_string(sweep)?)?;
            } else {
                print_line(report::render_sweep(sweep))?;
            }
        }
        self.html.iter().try_for_each(|file| write_sweeps_html(file, &sweeps))
    }
}

/// A sweep's folder, or its document.
fn is_sweep(path: &Path) -> bool {
    path.join("sweep.json").is_file() || path.file_name().is_some_and(|name| name == "sweep.json")
}

fn folder(path: &Path) -> &Path {
    if path.is_dir() {
        path
    } else {
        path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }
}

/// The names of what there is.
fn formats() -> PossibleValuesParser {
    PossibleValuesParser::new(report::reporters().iter().map(|reporter| reporter.name()).collect::<Vec<_>>())
}

/// Writes a page of results, and says so on stderr.
pub(super) fn write_html(file: &Path, results: &[RunResult]) -> anyhow::Result<()> {
    write_page(file, report::render_html(results)?)
}

/// Writes a page of sweeps, and says so on stderr.
pub(super) fn write_sweeps_html(file: &Path, sweeps: &[Sweep]) -> anyhow::Result<()> {
    write_page(file, report::render_sweeps_html(sweeps)?)
}

fn write_page(file: &Path, page: String) -> anyhow::Result<()> {
    std::fs::write(file, page).map_err(|error| anyhow::anyhow!("{} cannot be written: {error}", file.display()))?;
    eprintln!("wrote {}", file.display());
    Ok(())
}
