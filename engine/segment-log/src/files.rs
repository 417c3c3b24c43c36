//! Removing a segment's files, in an order that any crash may interrupt.

use std::collections::BTreeSet;

use logdyno_record::Offset;
use logdyno_storage::Storage;

use crate::names::{self, Kind};

/// Removes a segment's file and its indexes, as far as they are there. The segment goes first: an index without one
/// is removed at the next start.
///
/// Whoever removes several segments starts with the last, so that no crash leaves a hole.
pub(crate) fn remove_files(storage: &dyn Storage, base: Offset) -> logdyno_storage::Result<()> {
    remove_kinds(storage, base, &Kind::ALL)
}

/// Removes a segment's indexes, before the segment is cut.
pub(crate) fn remove_indexes(storage: &dyn Storage, base: Offset) -> logdyno_storage::Result<()> {
    remove_kinds(storage, base, &[Kind::OffsetIndex, Kind::TimeIndex, Kind::TransactionIndex])
}

fn remove_kinds(storage: &dyn Storage, base: Offset, kinds: &[Kind]) -> logdyno_storage::Result<()> {
    let present: BTreeSet<String> = storage.list()?.into_iter().collect();
    for kind in kinds {
        let name = names::file(base, *kind);
        if present.contains(&name) {
            storage.remove(&name)?;
        }
    }
    Ok(())
}
