//! Proof of effect: whether a run did what it was asked to do, by what the kernel and the files say.
//!
//! `process` and `batches` look, `judge` decides. A run whose proof fails is invalid: a backend that quietly became
//! another one, or a codec that was not applied, would otherwise give a number with the wrong name.

mod batches;
mod judge;
mod process;

use std::path::Path;

use serde::{Deserialize, Serialize};

pub use batches::{BatchesOnDisk, batches_on_disk};
pub use judge::{Asked, Looked, judge};
pub use process::{OpenFiles, open_files};

/// One thing that was to be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What was looked at.
    pub name: String,
    /// Whether it is as it should be.
    pub holds: bool,
    /// What was found.
    pub detail: String,
}

/// Whether `path` is a log file of a partition of `topic`.
fn is_log_of(topic: &str, path: &Path) -> bool {
    let folder = path.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    let partition =
        folder.as_deref().and_then(|folder| folder.strip_prefix(topic)?.strip_prefix('-').map(str::to_owned));
    partition.is_some_and(|partition| partition.parse::<u32>().is_ok())
        && path.extension().is_some_and(|extension| extension == "log")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_logs_of_the_topics_partitions_count() {
        let is_log = |path: &str| is_log_of("flights", Path::new(path));
        assert!(is_log("/d/1/flights-0/00000000000000000000.log"));
        assert!(!is_log("/d/1/flights-0/00000000000000000000.index"));
        assert!(!is_log("/d/1/flights-x-0/00000000000000000000.log"));
        assert!(!is_log("/d/1/__cluster_metadata-0/00000000000000000000.log"));
    }
}
