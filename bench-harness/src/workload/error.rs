//! What can be wrong with a workload, as a sentence that names its place.

use std::fmt;
use std::path::PathBuf;

/// Where something stands: a line of the file, or the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A line of a file, from 1.
    Line(PathBuf, usize),
    /// The file as a whole.
    File(PathBuf),
    /// `--set` or another option.
    Option(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Line(path, line) => write!(f, "{}:{line}", path.display()),
            Place::File(path) => write!(f, "{}", path.display()),
            Place::Option(option) => write!(f, "{option}"),
        }
    }
}

/// Why a workload was refused: a usage error, exit code 2.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkloadError {
    /// The file cannot be read.
    #[error("{} cannot be read: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        reason: String,
    },
    /// It is no TOML.
    #[error("{place}: {reason}")]
    Syntax {
        /// Where.
        place: Place,
        /// The parser's words.
        reason: String,
    },
    /// A key or table that does not exist.
    #[error("{place}: unknown {what} `{key}`{}", suggestion.as_ref().map(|name| format!(": did you mean `{name}`?")).unwrap_or_default())]
    Unknown {
        /// Where.
        place: Place,
        /// "key", "table", "backend" or "target".
        what: &'static str,
        /// What was written.
        key: String,
        /// The nearest name.
        suggestion: Option<String>,
    },
    /// A value that the key does not take.
    #[error("{place}: `{key}` cannot be `{value}`: {why}")]
    Value {
        /// Where.
        place: Place,
        /// The key with its table.
        key: String,
        /// What was written.
        value: String,
        /// What it takes.
        why: String,
    },
    /// Something without a default is missing, or two things exclude each other.
    #[error("{place}: {reason}")]
    Contradiction {
        /// Where.
        place: Place,
        /// A sentence.
        reason: String,
    },
    /// The client or the target refuses a setting under Kafka's name.
    #[error("{place}: {reason}")]
    Setting {
        /// Where.
        place: Place,
        /// Its sentence.
        reason: String,
    },
    /// A trace cannot be read.
    #[error("{reason}")]
    Trace {
        /// A sentence that names the file.
        reason: String,
    },
    /// A line of a record file is no record.
    #[error("{}:{line}: {reason}", path.display())]
    Record {
        /// The record file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}
