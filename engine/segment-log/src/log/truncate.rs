//! Truncation: a follower gives up what its leader does not have.

use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use logdyno_record::Offset;
use logdyno_storage::{Level, StorageError};

use super::{Log, Result, Writing};
use crate::files::{remove_files, remove_indexes};
use crate::names::{self, Kind};
use crate::producers::loading;
use crate::recovery::reopen;
use crate::segment::{Contents, Segment};

/// How long what is kept may take to reach the kernel.
const WRITE_WAIT_MAX: Duration = Duration::from_secs(60);

/// What a truncation keeps of a segment.
struct Kept {
    contents: Contents,
    base: Offset,
}

impl Log {
    /// Drops everything from `offset` on, durably; of a batch that holds it, all. Epochs that start there go, too,
    /// also if they wrote nothing.
    pub fn truncate_to(&self, offset: Offset) -> Result<()> {
        let _upkeep = self.upkeep();
        let mut writing = self.writing();
        if offset < self.end_offset() {
            if offset <= self.start_offset() {
                let done = self.start_over(&mut writing, offset);
                return self.all_or_broken(&mut writing, done);
            }
            let done = self.cut(&mut writing, offset);
            self.all_or_broken(&mut writing, done)?;
        }
        self.change_epochs(|epochs| epochs.truncate(self.end_offset()))
    }

    /// Drops everything and goes on at `offset`: what a follower does whose leader no longer has what comes next.
    pub fn truncate_fully_and_start_at(&self, offset: Offset) -> Result<()> {
        let _upkeep = self.upkeep();
        let mut writing = self.writing();
        let done = self.start_over(&mut writing, offset);
        self.all_or_broken(&mut writing, done)
    }

    /// After a truncation that failed half-way the log's end is not known before the next start.
    pub(super) fn all_or_broken(&self, writing: &mut Writing, done: Result<()>) -> Result<()> {
        match &done {
            Err(error) if writing.writer.is_none() => self.break_off(writing, error.clone()),
            // Nothing was cut: whoever waited for a sync that does not count any more gets another one.
            Err(_) => self.syncs_wanted.store(true, Ordering::SeqCst),
            Ok(()) => {}
        }
        done
    }

    fn cut(&self, writing: &mut Writing, offset: Offset) -> Result<()> {
        let mut segments = self.segments();
        let at = segments.partition_point(|segment| segment.base < offset).saturating_sub(1);
        let kept = self.keep(&segments[at], offset)?;
        self.before_cut(kept.contents.next, kept.contents.next)?;
        self.end_writing(writing)?;
        self.set_segments(segments[..at].to_vec());
        self.remove_last(&mut segments, at + 1)?;
        remove_indexes(&*self.storage, kept.base).map_err(|source| self.storage_error(source))?;
        drop(segments);
        let Kept { contents, base } = kept;
        let end = contents.next;
        let (writer, segment) =
            reopen(&*self.storage, base, contents, &self.config()).map_err(|source| self.storage_error(source))?;
        self.segments.write().unwrap_or_else(PoisonError::into_inner).push(segment);
        let loaded = loading::load(&*self.storage, &self.partition, &self.segments(), end);
        (writing.producers, _) = loaded.map_err(|source| self.storage_error(source))?;
        self.reset_transactions(&mut writing.producers);
        writing.writer = Some(writer);
        self.end.store(end.0, Ordering::Release);
        self.reset_commits(end);
        Ok(())
    }

    /// The contents of a segment's batches that end before or at `offset`.
    fn keep(&self, segment: &Segment, offset: Offset) -> Result<Kept> {
        let mut contents = Contents::new(segment.base, &self.config(), self.clock.wall_ms());
        let mut walk = self.walk(segment, segment.base);
        while let Some(batch) = walk.next() {
            let batch = batch.map_err(|error| self.walk_error(segment, error))?;
            if batch.header().next_offset() > offset {
                break;
            }
            contents.note(batch.header(), self.config().index_interval_bytes);
        }
        contents.aborted = segment.contents().aborted.clone();
        contents.aborted.truncate(contents.next);
        Ok(Kept { contents, base: segment.base })
    }

    fn start_over(&self, writing: &mut Writing, offset: Offset) -> Result<()> {
        // A crash may leave no segment at all: the log that starts then, at 0, must not look like one that has lost its end.
        self.before_cut(offset.min(self.start_offset()), Offset::ZERO)?;
        self.end_writing(writing)?;
        let mut segments = self.segments();
        self.set_segments(Vec::new());
        self.remove_last(&mut segments, 0)?;
        loading::remove_all(&*self.storage).map_err(|source| self.storage_error(source))?;
        writing.producers.clear();
        self.reset_transactions(&mut writing.producers);
        let name = names::file(offset, Kind::Log);
        let error = |source| self.storage_error(source);
        writing.writer = Some(self.storage.create(&name, self.config().segment_bytes).map_err(error)?);
        let reader = self.storage.reader(&name).map_err(error)?;
        let contents = Contents::new(offset, &self.config(), self.clock.wall_ms());
        self.set_segments(vec![Arc::new(Segment::new(offset, reader, contents))]);
        self.start.store(offset.0, Ordering::Release);
        self.end.store(offset.0, Ordering::Release);
        self.reset_commits(offset);
        self.change_epochs(|epochs| {
            epochs.clear();
            true
        })
    }

    /// Lowers the recovery point, here and in the checkpoint: else a crash after the truncation looked like damage. No other checkpoint
    /// stays beyond `end`.
    fn before_cut(&self, end: Offset, recovery_point: Offset) -> Result<()> {
        self.lower_durable(recovery_point);
        self.cleaner().lower(end);
        self.checkpoints.get().map_or(Ok(()), |checkpoints| checkpoints.before_cut(end, recovery_point))
    }

    /// Lets go of the active segment's writer once the kernel has its bytes, and waits for those rolled before.
    pub(super) fn end_writing(&self, writing: &mut Writing) -> Result<()> {
        self.join_closing(writing)?;
        let Some(mut writer) = writing.writer.take() else { return Ok(()) };
        let marks = writer.marks();
        let error = |source| self.storage_error(source);
        let position = writer.begin_sync(Level::Written).map_err(error)?.elsewhere();
        let written = marks.wait(Level::Written, position, WRITE_WAIT_MAX).map_err(error)?;
        if written { Ok(()) } else { Err(error(StorageError::Stopped)) }
    }

    /// Removes the files of all segments but the first `kept`, the last one first. Each is let go of before: a removed file stays open
    /// as long as somebody holds it.
    fn remove_last(&self, segments: &mut Vec<Arc<Segment>>, kept: usize) -> Result<()> {
        while segments.len() > kept
            && let Some(base) = segments.pop().map(|segment| segment.base)
        {
            remove_files(&*self.storage, base).map_err(|source| self.storage_error(source))?;
        }
        Ok(())
    }

    /// Readers of old segments keep what they hold; for a moment there may be no segment.
    pub(super) fn set_segments(&self, segments: Vec<Arc<Segment>>) {
        *self.segments.write().unwrap_or_else(PoisonError::into_inner) = segments;
    }
}
