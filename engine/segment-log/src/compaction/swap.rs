//! Puts a compacted segment in the place of those that it was made of, in steps of which each leaves a folder that the
//! next start understands:
//!
//! ```text
//! B.log.cleaned   being written                            start: removed
//! B.log.swap      whole and durable; the decision is made  start: what follows is done again
//!   B.index, B.timeindex removed
//!   segments above B and below the swap's end removed, the last first
//! B.log           the swap under its last name
//! ```

use std::sync::Arc;

use logdyno_record::Offset;
use logdyno_storage::{Storage, StorageError};

use crate::files::{remove_files, remove_indexes};
use crate::log::walk::{Walk, WalkError};
use crate::names::{self, Kind};

/// The file is whole: from here on it counts.
pub(crate) fn decide(storage: &dyn Storage, base: Offset) -> Result<(), StorageError> {
    storage.rename(&names::cleaned(base), &names::swap(base))
}

/// Takes away what the segment that starts at `base` and ends at `end` replaces, and gives it its name.
pub(crate) fn finish(storage: &dyn Storage, base: Offset, end: Offset) -> Result<(), StorageError> {
    remove_indexes(storage, base)?;
    let mut replaced: Vec<Offset> =
        segments(storage)?.into_iter().filter(|other| base < *other && *other < end).collect();
    replaced.sort_unstable();
    replaced.iter().rev().try_for_each(|other| remove_files(storage, *other))?;
    storage.rename(&names::swap(base), &names::file(base, Kind::Log))
}

/// Finishes these swaps, which a crash has interrupted. `Err` names the file and what is wrong with it.
pub(crate) fn finish_all(storage: &Arc<dyn Storage>, bases: &[Offset]) -> Result<(), (String, WalkError)> {
    for base in bases {
        let file = names::swap(*base);
        let end = end_of(storage, &file, *base).map_err(|error| (file.clone(), error))?;
        finish(&**storage, *base, end).map_err(|source| (file, WalkError::Storage(source)))?;
    }
    Ok(())
}

/// The offset behind the last batch of a whole segment.
fn end_of(storage: &Arc<dyn Storage>, file: &str, base: Offset) -> Result<Offset, WalkError> {
    let reader = storage.reader(file).map_err(WalkError::Storage)?;
    let len = reader.len();
    let mut walk = Walk::new(reader, 0, len);
    let mut end = base;
    while let Some(batch) = walk.next() {
        let batch = batch?;
        let position = walk.position() - batch.size() as u64;
        batch.verify_crc().map_err(|source| WalkError::Batch { position, source })?;
        end = batch.header().next_offset();
    }
    Ok(end)
}

fn segments(storage: &dyn Storage) -> Result<Vec<Offset>, StorageError> {
    let files = storage.list()?.into_iter();
    let segments = files.filter_map(|name| names::parse_file(&name)).filter(|(_, kind)| *kind == Kind::Log);
    Ok(segments.map(|(base, _)| base).collect())
}
