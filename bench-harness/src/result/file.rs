//! Reads and writes result files.

use std::path::{Path, PathBuf};

use super::RunResult;

/// What a result file says it is.
pub const FORMAT: &str = "logdyno-result";

/// The version of the document that is written, and the only one that is read.
pub const VERSION: u32 = 1;

/// The file's name in its folder.
const FILE: &str = "result.json";

/// Why a result cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ResultError {
    /// The file system said no.
    #[error("{} cannot be {doing}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// "read" or "written".
        doing: &'static str,
        /// The system's answer.
        error: std::io::Error,
    },
    /// It is no result of this version.
    #[error("{} is no result that this version reads: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// Reads a result: its file, or the folder that holds it.
pub fn read(path: &Path) -> Result<RunResult, ResultError> {
    let path = if path.is_dir() { path.join(FILE) } else { path.to_owned() };
    let text =
        std::fs::read_to_string(&path).map_err(|error| ResultError::Io { path: path.clone(), doing: "read", error })?;
    let unreadable = |reason: String| ResultError::Unreadable { path: path.clone(), reason };
    let document: serde_json::Value = serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
    let (format, version) = (document["format"].as_str(), document["version"].as_u64());
    if format != Some(FORMAT) || version != Some(u64::from(VERSION)) {
        return Err(unreadable(format!("it must have format `{FORMAT}` and version {VERSION}")));
    }
    serde_json::from_value(document).map_err(|error| unreadable(error.to_string()))
}

/// Writes a result into `folder` and returns the file: whole, or the old one stays.
pub fn write(folder: &Path, result: &RunResult) -> Result<PathBuf, ResultError> {
    let path = folder.join(FILE);
    let failed = |error: std::io::Error| ResultError::Io { path: path.clone(), doing: "written", error };
    let text = serde_json::to_string_pretty(result).map_err(|error| failed(error.into()))?;
    let unfinished = folder.join(format!("{FILE}.tmp"));
    std::fs::write(&unfinished, text + "\n").map_err(failed)?;
    std::fs::rename(&unfinished, &path).map_err(failed)?;
    Ok(path)
}
