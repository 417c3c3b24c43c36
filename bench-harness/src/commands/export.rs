//! `--export FORMAT=FILE`: results for other tools, in files.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context;

use super::stdout::print;
use crate::report;
use crate::result::RunResult;

/// A format and where it goes; `-` is stdout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Export {
    format: String,
    file: PathBuf,
}

impl FromStr for Export {
    type Err = String;

    fn from_str(text: &str) -> Result<Export, String> {
        let (format, file) = text.split_once('=').ok_or("it takes FORMAT=FILE, such as junit=results.xml")?;
        let known: Vec<&str> = report::reporters().iter().map(|reporter| reporter.name()).collect();
        if !known.contains(&format) {
            return Err(format!("there is no format `{format}`: there are {}", known.join(", ")));
        }
        if file.is_empty() {
            return Err(format!("{format} needs a file to go to, or - for stdout"));
        }
        Ok(Export { format: format.to_owned(), file: PathBuf::from(file) })
    }
}

impl Export {
    /// Whether it takes stdout for itself.
    pub(super) fn is_to_stdout(&self) -> bool {
        self.file == Path::new("-")
    }

    /// Writes all results as one document, and says so on stderr.
    pub(super) fn write(&self, results: &[RunResult]) -> anyhow::Result<()> {
        let document = rendered(&self.format, results);
        if self.is_to_stdout() {
            return print(document);
        }
        std::fs::write(&self.file, document).with_context(|| format!("{} cannot be written", self.file.display()))?;
        eprintln!("wrote {}", self.file.display());
        Ok(())
    }
}

/// Results in a format that there is; empty in one that there is not.
pub(super) fn rendered(format: &str, results: &[RunResult]) -> String {
    let reporters = report::reporters();
    reporters.iter().filter(|reporter| reporter.name() == format).map(|one| one.render(results)).collect()
}
