//! Why a trace cannot be read, written or taken.

use std::path::PathBuf;

/// What went wrong, as a sentence.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
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
    /// It is no trace, or a damaged one.
    #[error("{} is no trace that this version reads: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// What was to be captured cannot be read.
    #[error("{from}: {reason}")]
    Source {
        /// A file, a folder or a topic.
        from: String,
        /// What is wrong with it, and what to do.
        reason: String,
    },
}
