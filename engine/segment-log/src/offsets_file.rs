//! An offset checkpoint of the data directory, and the part of it that is one log's business.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use logdyno_record::{Offset, TopicPartition};
use logdyno_storage::{Storage, StorageError};

use crate::checkpoint;
use crate::error::LogError;

type Result<T> = std::result::Result<T, LogError>;
type Offsets = BTreeMap<TopicPartition, Offset>;

/// A checkpoint file and what it says. Its lock is held from asking a log until the file is written, so that what
/// one log has to say at once is never written over with what was true before.
pub(crate) struct OffsetsFile {
    directory: PathBuf,
    name: &'static str,
    root: Arc<dyn Storage>,
    known: Mutex<Offsets>,
}

impl OffsetsFile {
    /// Reads the file; none is an empty one.
    pub(crate) fn load(directory: &Path, name: &'static str, root: &Arc<dyn Storage>) -> Result<OffsetsFile> {
        let content = root.load(name).map_err(|source| failed(directory, source))?;
        let entries = content.map(|content| checkpoint::decode_offsets(&content, &directory.join(name))).transpose()?;
        let known = Mutex::new(entries.unwrap_or_default().into_iter().collect());
        Ok(OffsetsFile { directory: directory.to_owned(), name, root: Arc::clone(root), known })
    }

    pub(crate) fn get(&self, partition: &TopicPartition) -> Option<Offset> {
        self.known().get(partition).copied()
    }

    /// Writes the file with what `change` makes of it; not if that is nothing.
    pub(crate) fn update(&self, change: impl FnOnce(&mut Offsets)) -> Result<()> {
        let mut known = self.known();
        let before = known.clone();
        change(&mut known);
        if *known == before {
            return Ok(());
        }
        let content = checkpoint::encode_offsets(known.iter());
        let written = self.root.replace(self.name, &content).map_err(|source| failed(&self.directory, source));
        if written.is_err() {
            // What is not in the file is tried again with the next change.
            *known = before;
        }
        written
    }

    /// No entry of the partition is beyond `end` when this returns.
    pub(crate) fn lower(&self, partition: &TopicPartition, end: Offset) -> Result<()> {
        self.update(|known| {
            if let Some(offset) = known.get_mut(partition) {
                *offset = end.min(*offset);
            }
        })
    }

    pub(crate) fn set(&self, partition: &TopicPartition, offset: Offset) -> Result<()> {
        self.update(|known| known.extend([(partition.clone(), offset)]))
    }

    pub(crate) fn forget(&self, partition: &TopicPartition) -> Result<()> {
        self.update(|known| known.retain(|other, _| other != partition))
    }

    fn known(&self) -> MutexGuard<'_, Offsets> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a log itself writes into the data directory's checkpoints, at the moment when it must be true.
pub(crate) struct PartitionCheckpoints {
    pub(crate) partition: TopicPartition,
    pub(crate) recovery_points: Arc<OffsetsFile>,
    pub(crate) log_starts: Arc<OffsetsFile>,
    pub(crate) cleaned_offsets: Arc<OffsetsFile>,
}

impl PartitionCheckpoints {
    /// The log will end at `end` at least, and what it holds is sound up to `recovery_point`. Were one of these beyond its end after
    /// a crash, the recovery point would make a truncation look like damage, and the log start would have all that is left deleted.
    pub(crate) fn before_cut(&self, end: Offset, recovery_point: Offset) -> Result<()> {
        self.recovery_points.lower(&self.partition, recovery_point)?;
        self.log_starts.lower(&self.partition, end)?;
        self.cleaned_offsets.lower(&self.partition, end)
    }

    /// Up to where the log has been compacted.
    pub(crate) fn cleaned(&self) -> Option<Offset> {
        self.cleaned_offsets.get(&self.partition)
    }

    /// The log has been compacted up to `offset`.
    pub(crate) fn cleaned_to(&self, offset: Offset) -> Result<()> {
        self.cleaned_offsets.set(&self.partition, offset)
    }

    /// What lies before `start` has been deleted, and must not come back.
    pub(crate) fn start_raised(&self, start: Offset) -> Result<()> {
        self.log_starts.set(&self.partition, start)
    }
}

pub(crate) fn failed(path: &Path, source: StorageError) -> LogError {
    LogError::Directory { path: path.to_owned(), source: Arc::new(std::io::Error::other(source)) }
}
