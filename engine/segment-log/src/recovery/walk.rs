//! A segment that is walked batch by batch, and where its log ends.

use std::sync::Arc;

use logdyno_record::Offset;
use logdyno_record::batch::BatchHeader;
use logdyno_storage::{Reader, read_blocking};

use super::{Loaded, Loader, Seen};
use crate::error::LogError;
use crate::files::remove_indexes;
use crate::log::walk::{Walk, WalkError};
use crate::names::{self, Kind};
use crate::producers::loading;
use crate::segment::Contents;

impl Loader<'_> {
    /// Walks a whole segment, rebuilding what is known of it.
    pub(super) fn walk(&mut self, base: Offset, next: Option<Offset>) -> Result<Loaded, LogError> {
        let name = names::file(base, Kind::Log);
        let reader = self.storage.reader(&name).map_err(|source| self.storage_error(source))?;
        let len = reader.len();
        let mut contents = Contents::new(base, self.config, self.now_ms);
        let aborted_file = self.storage.load(&names::file(base, Kind::TransactionIndex));
        contents.aborted_file = aborted_file.map_err(|source| self.storage_error(source))?.is_some();
        let mut walk = Walk::new(Arc::clone(&reader), 0, len);
        self.report.segments_walked += 1;
        let mut stopped = None;
        while let Some(step) = walk.next() {
            let position = contents.size;
            let why = match step {
                Err(WalkError::Storage(source)) => return Err(self.storage_error(source)),
                Err(WalkError::Zeros { .. }) => break,
                Err(WalkError::Batch { source, .. }) => Some(source.to_string()),
                Ok(batch) => match batch.verify_crc() {
                    Err(error) => Some(error.to_string()),
                    Ok(()) if batch.header().base_offset < contents.next => {
                        Some(format!("offset {} comes again", batch.header().base_offset))
                    }
                    Ok(()) if next.is_some_and(|next| batch.header().next_offset() > next) => {
                        Some("its offsets reach into the next segment".to_owned())
                    }
                    Ok(()) if self.has_another_epoch(batch.header()) => {
                        let (epoch, base) = (batch.header().leader_epoch, batch.header().base_offset);
                        Some(format!("offset {base} is not of epoch {epoch}, says {}", self.epochs_told_by()))
                    }
                    Ok(()) if self.strays(&contents, batch.header(), &mut walk)? => {
                        Some(format!("offset {} is not where it belongs", batch.header().base_offset))
                    }
                    Ok(()) => {
                        self.note_epoch(batch.header());
                        if let Seen::All(producers) = &mut self.producers {
                            let aborted = producers.note(batch.header(), loading::marker(&batch, self.partition));
                            aborted.into_iter().for_each(|aborted| contents.aborted.push(aborted));
                        }
                        contents.note(batch.header(), self.config.index_interval_bytes);
                        None
                    }
                },
            };
            if let Some(why) = why {
                stopped = Some((position, why));
                break;
            }
        }
        self.report.bytes_read += contents.size;
        self.judge(&name, &*reader, contents, next, stopped)
    }

    /// The epoch, which no checksum covers, was written down before any of its batches. Where no checkpoint is left, the batches say what
    /// it was, and they never fall: else the next start would not believe what this one writes down.
    fn has_another_epoch(&self, header: &BatchHeader) -> bool {
        if self.epochs_known.entries().is_empty() {
            return self.epochs.latest().is_some_and(|latest| header.leader_epoch < latest);
        }
        self.epochs_known.contradict(header.leader_epoch, header.base_offset)
    }

    fn epochs_told_by(&self) -> &'static str {
        if self.epochs_known.entries().is_empty() { "the batch before it" } else { names::EPOCH_CHECKPOINT }
    }

    /// A batch whose offset, which no checksum covers, is too great: the one behind it goes on before it. A gap alone is what compaction
    /// leaves.
    fn strays(&self, before: &Contents, header: &BatchHeader, behind: &mut Walk) -> Result<bool, LogError> {
        if header.base_offset == before.next {
            return Ok(false);
        }
        if i32::try_from(header.last_offset() - before.base).is_err() {
            // No segment reaches so far.
            return Ok(true);
        }
        match behind.peek() {
            Some(Err(WalkError::Storage(source))) => Err(self.storage_error(source)),
            Some(Ok(next)) => Ok(next.verify_crc().is_ok()
                && next.header().base_offset >= before.next
                && next.header().base_offset < header.next_offset()),
            Some(Err(_)) | None => Ok(false),
        }
    }

    /// Decides whether what a walk stopped at is damage, a torn tail, or just the end.
    fn judge(
        &mut self,
        name: &str,
        reader: &dyn Reader,
        mut contents: Contents,
        next: Option<Offset>,
        stopped: Option<(u64, String)>,
    ) -> Result<Loaded, LogError> {
        let stopped = stopped.or_else(|| self.hole(&contents, next));
        let lost_durable = contents.next < self.recovery.recovery_point.min(next.unwrap_or(Offset(i64::MAX)));
        if lost_durable && (stopped.is_some() || next.is_none()) {
            let (position, why) = stopped.unwrap_or((contents.size, "the log ends here".to_owned()));
            return Err(LogError::Corrupt {
                partition: self.partition.clone(),
                file: name.to_owned(),
                position,
                why,
                recovery_point: self.recovery.recovery_point,
            });
        }
        if let Some((position, why)) = stopped {
            let torn = written_len(reader, position).map_err(|source| self.storage_error(source))?;
            self.report.bytes_truncated += torn;
            tracing::warn!(partition = %self.partition, file = name, position, bytes = torn, "cutting off a torn tail: {why}");
            self.report.cut = Some(format!("{name} at {position}: {why}"));
            // They may speak of what is cut off, and the segment is appended to from here on.
            remove_indexes(&**self.storage, contents.base).map_err(|source| self.storage_error(source))?;
            contents.aborted_file = false;
            return Ok(Loaded { contents, reader: None, cut: true });
        }
        if next.is_some() {
            // Nobody else would: a roll has written them or never will.
            contents.write_indexes(&**self.storage).map_err(|source| self.storage_error(source))?;
        }
        // A rolled segment may end in zeros only if its close did not come to cut it: cut it now.
        if next.is_some() && reader.len() > contents.size {
            self.trim(name, contents.size)?;
        }
        Ok(Loaded { contents, reader: None, cut: false })
    }

    /// A segment that ends before the next one starts has lost its tail, which a file system may keep from a later
    /// file's. After a clean stop it is what a compaction left.
    fn hole(&self, contents: &Contents, next: Option<Offset>) -> Option<(u64, String)> {
        let next = next.filter(|next| contents.next < *next && !self.recovery.clean_shutdown)?;
        Some((contents.size, format!("offsets {} up to {next} are missing", contents.next)))
    }

    /// An epoch that the checkpoint knows keeps its start, which may lie in a segment that is not walked.
    fn note_epoch(&mut self, header: &BatchHeader) {
        if self.epochs.latest().is_none_or(|latest| header.leader_epoch > latest) {
            self.epochs.assign(header.leader_epoch, header.base_offset);
        }
    }

    fn trim(&self, name: &str, len: u64) -> Result<(), LogError> {
        let writer = self.storage.reopen(name, len, len).map_err(|source| self.storage_error(source))?;
        writer.close().map_err(|source| self.storage_error(source))
    }
}

/// Bytes from `from` to the last one that is not zero.
fn written_len(reader: &dyn Reader, from: u64) -> logdyno_storage::Result<u64> {
    const CHUNK: u64 = 1 << 20;
    let (mut position, mut written) = (from, 0);
    while position < reader.len() {
        let len = CHUNK.min(reader.len() - position);
        let bytes = read_blocking(reader, position, len as usize)?;
        if bytes.is_empty() {
            break;
        }
        if let Some(last) = bytes.iter().rposition(|byte| *byte != 0) {
            written = position + last as u64 + 1 - from;
        }
        position += bytes.len() as u64;
    }
    Ok(written)
}
