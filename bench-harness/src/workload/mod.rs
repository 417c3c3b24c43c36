//! A workload file, from text to plan: `paste` lets properties in, `raw` reads TOML and keeps lines, `check` decides what
//! it means, `plan` is the outcome. Nothing is started here.

mod check;
mod error;
mod paste;
mod plan;
mod raw;
mod suggestion;

use std::path::Path;

pub use error::{Place, WorkloadError};
pub use plan::{
    Extent, FileFormat, Load, Plan, RecordPlan, RecordSource, RunPlan, Settings, TimeField, TimeFormat, TopicPlan,
};
pub(crate) use suggestion::nearest;

/// What the command line says on top of a workload file.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `table.key=value`, as the file would say it; values may go without quotes.
    pub settings: Vec<String>,
    /// Backends instead of the file's.
    pub backends: Option<Vec<String>>,
    /// Target instead of the file's.
    pub target: Option<String>,
    /// Repetitions instead of the file's.
    pub repetitions: Option<u32>,
}

/// Reads and checks a workload file.
pub fn load(path: &Path, overrides: &Overrides) -> Result<Plan, WorkloadError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| WorkloadError::Read { path: path.to_owned(), reason: error.to_string() })?;
    parse(path, &text, overrides)
}

/// Checks a workload's text; `path` is where record files are looked for and what errors name.
pub fn parse(path: &Path, text: &str, overrides: &Overrides) -> Result<Plan, WorkloadError> {
    let mut raw = raw::Raw::parse(path, text)?;
    for setting in &overrides.settings {
        raw.set(setting)?;
    }
    check::plan(path, text, raw, overrides)
}
