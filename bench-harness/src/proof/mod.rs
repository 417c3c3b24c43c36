//! Proof of effect: whether a run did what it was asked to do, by what the kernel and the files say.
//!
//! `process` and `batches` look, `judge` and `topics` decide. A run whose proof fails is invalid: a backend that quietly became
//! another one, or a codec that was not applied, would otherwise give a number with the wrong name.

mod batches;
mod judge;
mod process;
mod topics;

use std::path::Path;

use serde::{Deserialize, Serialize};

pub use batches::{BatchesOnDisk, batches_on_disk};
pub use judge::{Asked, Looked, judge};
pub use process::{OpenFiles, open_files};
pub use topics::judge_topics;

use crate::topics::Topics;

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

/// Whether `path` is a log file of a partition of one of the topics.
fn is_log_of(topics: &Topics, path: &Path) -> bool {
    let folder = path.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    let parts = folder.as_deref().and_then(|folder| folder.rsplit_once('-'));
    parts.is_some_and(|(topic, partition)| topics.position(topic).is_some() && partition.parse::<u32>().is_ok())
        && path.extension().is_some_and(|extension| extension == "log")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_logs_of_the_topics_partitions_count() {
        let is_log = |path: &str| is_log_of(&Topics::one("flights", 1), Path::new(path));
        assert!(is_log("/d/1/flights-0/00000000000000000000.log"));
        assert!(!is_log("/d/1/flights-0/00000000000000000000.index"));
        assert!(!is_log("/d/1/flights-x-0/00000000000000000000.log"));
        assert!(!is_log("/d/1/__cluster_metadata-0/00000000000000000000.log"));
    }
}
