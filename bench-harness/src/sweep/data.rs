//! The files that a sweep's records come from, and whether they are still the same.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use logdyno_engine::record::batch::crc32c;
use serde::{Deserialize, Serialize};

use crate::workload::Plan;

/// A file as it was when the sweep began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataSeen {
    /// Where it lies.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// The checksum of its bytes.
    pub crc32c: u32,
}

impl DataSeen {
    /// The files of all these plans, each once.
    pub fn of<'a>(plans: impl IntoIterator<Item = &'a Plan>) -> anyhow::Result<Vec<DataSeen>> {
        let files: BTreeSet<&Path> = plans.into_iter().flat_map(|plan| plan.records.source.files()).collect();
        files.into_iter().map(DataSeen::look).collect()
    }

    fn look(path: &Path) -> anyhow::Result<DataSeen> {
        let content = std::fs::read(path).with_context(|| path.display().to_string())?;
        Ok(DataSeen { path: path.to_owned(), bytes: content.len() as u64, crc32c: crc32c(&content) })
    }

    /// Objects if it is another file now.
    pub fn check(&self) -> anyhow::Result<()> {
        ensure!(
            DataSeen::look(&self.path)? == *self,
            "{} has changed since the sweep began: its cells would not be comparable; start another one",
            self.path.display()
        );
        Ok(())
    }
}
