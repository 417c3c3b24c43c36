//! Directory entries, which are as volatile as data until their directory is synced.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::power_loss::PowerLoss;
use super::random::Random;

/// Which file a name stands for.
pub(super) type FileId = u64;

/// A change of the name space.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Link(PathBuf, FileId),
    Unlink(PathBuf),
    Rename(PathBuf, PathBuf),
}

/// The name space as it is seen, as it is durable, and the changes between the two in order.
#[derive(Default)]
pub(super) struct Names {
    directories: BTreeSet<PathBuf>,
    seen: BTreeMap<PathBuf, FileId>,
    durable: BTreeMap<PathBuf, FileId>,
    unsynced: Vec<Change>,
}

impl Names {
    pub(super) fn make_directory(&mut self, path: &Path) {
        self.directories.extend(path.ancestors().map(Path::to_owned));
    }

    pub(super) fn has_directory(&self, path: &Path) -> bool {
        self.directories.contains(path)
    }

    pub(super) fn get(&self, path: &Path) -> Option<FileId> {
        self.seen.get(path).copied()
    }

    pub(super) fn change(&mut self, change: Change) {
        apply(&mut self.seen, &change);
        self.unsynced.push(change);
    }

    /// Files of a directory.
    pub(super) fn list(&self, dir: &Path) -> Vec<PathBuf> {
        self.seen.keys().filter(|path| path.parent() == Some(dir)).cloned().collect()
    }

    /// Every directory.
    pub(super) fn directories(&self) -> impl Iterator<Item = &Path> {
        self.directories.iter().map(PathBuf::as_path)
    }

    /// Every name and its file.
    pub(super) fn seen(&self) -> impl Iterator<Item = (&Path, FileId)> {
        self.seen.iter().map(|(path, id)| (path.as_path(), *id))
    }

    /// Every file that has a name, or may have one after power loss.
    pub(super) fn files(&self) -> BTreeSet<FileId> {
        let linked = self.unsynced.iter().filter_map(|change| match change {
            Change::Link(_, id) => Some(id),
            Change::Unlink(_) | Change::Rename(..) => None,
        });
        self.seen.values().chain(self.durable.values()).chain(linked).copied().collect()
    }

    /// True if a name stands for the file.
    pub(super) fn has(&self, id: FileId) -> bool {
        self.seen.values().any(|named| *named == id)
    }

    /// Makes the names of `dir` durable.
    pub(super) fn sync(&mut self, dir: &Path) {
        let (synced, left) = std::mem::take(&mut self.unsynced).into_iter().partition(|change| change.is_in(dir));
        let synced: Vec<Change> = synced;
        self.unsynced = left;
        for change in synced {
            apply(&mut self.durable, &change);
        }
    }

    /// What is left of the unsynced changes after power loss.
    pub(super) fn lose_power(&mut self, loss: PowerLoss, random: &mut Random) {
        let kept = loss.prefix(self.unsynced.len(), random);
        for change in std::mem::take(&mut self.unsynced).into_iter().take(kept) {
            apply(&mut self.durable, &change);
        }
        self.seen = self.durable.clone();
    }
}

impl Change {
    fn is_in(&self, dir: &Path) -> bool {
        let (Change::Link(path, _) | Change::Unlink(path) | Change::Rename(_, path)) = self;
        path.parent() == Some(dir)
    }
}

fn apply(names: &mut BTreeMap<PathBuf, FileId>, change: &Change) {
    match change {
        Change::Link(path, id) => {
            names.insert(path.clone(), *id);
        }
        Change::Unlink(path) => {
            names.remove(path);
        }
        Change::Rename(from, to) => {
            if let Some(id) = names.remove(from) {
                names.insert(to.clone(), id);
            }
        }
    }
}
