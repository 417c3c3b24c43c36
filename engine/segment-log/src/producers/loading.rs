//! From snapshots and batches to what is known of the producers at a log's end (Kafka's rebuildProducerState).
//!
//! A snapshot from before the first segment is of no use: what came between is gone, and may have ended the transactions that it calls open
//! (Kafka removes all up to the log's start). Who was last heard of there is forgotten.

use std::sync::Arc;

use logdyno_record::batch::Batch;
use logdyno_record::batch::control::EndTransactionMarker;
use logdyno_record::{Offset, TopicPartition};
use logdyno_storage::{Storage, StorageError};

use super::{Producers, snapshot};
use crate::log::walk::{Walk, WalkError};
use crate::names::{self, Kind};
use crate::segment::{Contents, Segment};

/// The producers of the log that these segments are, which ends at `end`, and how many bytes of batches were read for it.
pub(crate) fn load(
    storage: &dyn Storage,
    partition: &TopicPartition,
    segments: &[Arc<Segment>],
    end: Offset,
) -> Result<(Producers, u64), StorageError> {
    let newest = newest_snapshot(storage, partition, segments, end)?;
    let (from, mut producers) = newest.unwrap_or((Offset(0), Producers::default()));
    let read = replay(&mut producers, partition, segments, from)?;
    Ok((producers, read))
}

/// What is known at the start of the segment at `base`, to which its batches are noted, and how many bytes of batches of the segments
/// `before` it were read for that: none if there is a snapshot.
pub(crate) fn load_before<'a>(
    storage: &dyn Storage,
    partition: &TopicPartition,
    before: impl Iterator<Item = &'a Contents>,
    base: Offset,
) -> Result<(Producers, u64), StorageError> {
    let mut before = before.peekable();
    let first = before.peek().map_or(base, |first| first.base);
    let (mut from, mut producers) = (Offset(0), Producers::default());
    for offset in snapshots(storage)?.into_iter().rev().filter(|offset| (first..=base).contains(offset)) {
        let file = storage.load(&names::file(offset, Kind::ProducerSnapshot))?.unwrap_or_default();
        if let Ok(known) = snapshot::decode(&file) {
            (from, producers) = (offset, known);
            break;
        }
    }
    let mut read = 0;
    for contents in before.filter(|contents| contents.next > from) {
        let file = names::file(contents.base, Kind::Log);
        let walk = Walk::new(storage.reader(&file)?, contents.offsets.floor(contents.base, from), contents.size);
        read += note_all(&mut producers, partition, &file, walk, from)?;
    }
    Ok((producers, read))
}

/// The newest usable snapshot of a log with these segments, which ends at `end`.
///
/// Those that are of no more use are removed: behind the end, before the first segment, damaged, or neither the newest nor at a segment's
/// start.
pub(crate) fn newest_snapshot(
    storage: &dyn Storage,
    partition: &TopicPartition,
    segments: &[Arc<Segment>],
    end: Offset,
) -> Result<Option<(Offset, Producers)>, StorageError> {
    let (mut newest, first) = (None, segments.first().map_or(end, |first| first.base));
    for offset in snapshots(storage)?.into_iter().rev() {
        let name = names::file(offset, Kind::ProducerSnapshot);
        if newest.is_none() && (first..=end).contains(&offset) {
            match snapshot::decode(&storage.load(&name)?.unwrap_or_default()) {
                Ok(producers) => newest = Some((offset, producers)),
                Err(error) => {
                    tracing::warn!(%partition, file = name, "a snapshot of the producers is not usable: {error}");
                    storage.remove(&name)?;
                }
            }
        } else if !segments.iter().any(|segment| segment.base == offset) {
            storage.remove(&name)?;
        }
    }
    Ok(newest)
}

/// Notes all batches from `from` on. What the disk does not give must not be forgotten: a twin would be appended again.
fn replay(
    producers: &mut Producers,
    partition: &TopicPartition,
    segments: &[Arc<Segment>],
    from: Offset,
) -> Result<u64, StorageError> {
    let mut read = 0;
    for segment in segments {
        let contents = segment.contents();
        if contents.next <= from {
            continue;
        }
        let position = contents.offsets.floor(segment.base, from);
        let walk = Walk::new(Arc::clone(&segment.reader), position, contents.size);
        drop(contents);
        read += note_all(producers, partition, &segment.file(), walk, from)?;
    }
    Ok(read)
}

/// Notes the batches of a walk through `file` from `from` on.
fn note_all(
    producers: &mut Producers,
    partition: &TopicPartition,
    file: &str,
    mut walk: Walk,
    from: Offset,
) -> Result<u64, StorageError> {
    let mut read = 0;
    while let Some(batch) = walk.next() {
        let batch = match batch {
            Ok(batch) => batch,
            Err(WalkError::Storage(source)) => return Err(source),
            Err(WalkError::Batch { .. } | WalkError::Zeros { .. }) => {
                tracing::warn!(%partition, file, "a batch is damaged: what is known of its producer may be old");
                break;
            }
        };
        read += batch.size() as u64;
        if batch.header().base_offset >= from {
            producers.note(batch.header(), marker(&batch, partition));
        }
    }
    Ok(read)
}

/// The marker of a batch that the log has. One that cannot be read ends no transaction, as it ended none when it was appended.
pub(crate) fn marker(batch: &Batch, partition: &TopicPartition) -> Option<EndTransactionMarker> {
    let offset = batch.header().base_offset;
    let marker = EndTransactionMarker::of(batch);
    marker.unwrap_or_else(|error| {
        tracing::warn!(%partition, %offset, "a control batch cannot be read: {error}");
        None
    })
}

/// Removes all snapshots: the log has nothing of what they speak of.
pub(crate) fn remove_all(storage: &dyn Storage) -> Result<(), StorageError> {
    let all = snapshots(storage)?.into_iter();
    all.rev().try_for_each(|offset| storage.remove(&names::file(offset, Kind::ProducerSnapshot)))
}

/// Removes the snapshots before `end` at which a transaction is open, or nobody can say.
pub(crate) fn remove_open_before(storage: &dyn Storage, end: Offset) -> Result<(), StorageError> {
    for offset in snapshots(storage)?.into_iter().filter(|offset| *offset < end) {
        let name = names::file(offset, Kind::ProducerSnapshot);
        let known = snapshot::decode(&storage.load(&name)?.unwrap_or_default());
        if known.is_ok_and(|known| known.first_open().is_none()) {
            continue;
        }
        storage.remove(&name)?;
    }
    Ok(())
}

/// Writes down what is known at `offset`. It is not synced: what a crash leaves of it is used only if its checksum holds.
pub(crate) fn write(storage: &dyn Storage, offset: Offset, file: &[u8]) -> Result<(), StorageError> {
    storage.write_rebuildable(&names::file(offset, Kind::ProducerSnapshot), file)
}

/// Offsets of the snapshots, rising.
fn snapshots(storage: &dyn Storage) -> Result<Vec<Offset>, StorageError> {
    let files = storage.list()?.into_iter();
    let mut offsets: Vec<Offset> = files
        .filter_map(|name| names::parse_file(&name))
        .filter_map(|(offset, kind)| (kind == Kind::ProducerSnapshot).then_some(offset))
        .collect();
    offsets.sort_unstable();
    Ok(offsets)
}
