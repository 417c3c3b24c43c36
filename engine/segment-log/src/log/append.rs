//! Appends, as leader and as follower.

use std::io::IoSlice;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::Duration;

use bytes::Bytes;
use logdyno_record::batch::control::EndTransactionMarker;
use logdyno_record::batch::patch;
use logdyno_record::batch::{Batch, BatchHeader, TimestampType, batches};
use logdyno_record::{LeaderEpoch, Offset, Stage};
use logdyno_storage::{Append, Level, StorageError};

use super::{Log, Result, Writing};
use crate::error::LogError;
use crate::names::{self, Kind};
use crate::producers::{Judgement, loading, snapshot};
use crate::segment::{Contents, Segment};

/// Where an append went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The offset of the first record.
    pub first: Offset,
    /// The offset of the last record.
    pub last: Offset,
    /// The time given to all records, in ms since 1970; -1 if they keep their own.
    pub log_append_time: i64,
    /// The first offset of the log at that moment.
    pub log_start: Offset,
}

impl Log {
    /// Appends a batch that a producer sent: gives it offsets and the leader's epoch. One that an idempotent producer
    /// sends again is not appended again: the answer says where it is.
    ///
    /// The batch's bytes are copied once, by the backend: what is patched is a copy of its first 16 bytes. Where the
    /// topic says LogAppendTime the batch is copied once more, since its checksum changes.
    ///
    /// Never waits for the device: [`LogError::Full`] says that nothing was appended because the device does not keep
    /// up, and [`Log::when_room`] tells when to try again.
    pub fn append_as_leader(&self, batch: &Batch, epoch: LeaderEpoch) -> Result<Appended> {
        self.check_size(batch.size())?;
        let marker = self.marker(batch)?;
        let mut writing = self.writing();
        let base = self.end_offset();
        let stamped;
        let (batch, log_append_time) = match self.config().timestamp_type {
            TimestampType::CreateTime => (batch, -1),
            TimestampType::LogAppendTime => {
                let now = self.clock.wall_ms();
                stamped = self.with_append_time(batch, now)?;
                (&stamped, now)
            }
        };
        let mut header = *batch.header();
        header.base_offset = base;
        header.leader_epoch = epoch;
        if let Judgement::Duplicate(twin) = writing.producers.judge(&header, marker, &self.partition)? {
            let (first, last, log_append_time) = (twin.first_offset(), twin.last_offset, twin.timestamp);
            return Ok(Appended { first, last, log_append_time, log_start: self.start_offset() });
        }
        let mut front = [0; patch::ASSIGNED_LEN];
        front.copy_from_slice(&batch.bytes()[..patch::ASSIGNED_LEN]);
        patch::assign(&mut front, base, epoch);
        self.assign_epoch(epoch, base)?;
        let parts = [IoSlice::new(&front), IoSlice::new(&batch.bytes()[front.len()..])];
        self.put(&mut writing, &header, marker, &parts)?;
        if self.leading.load(Ordering::Acquire) {
            self.probe.passed(Stage::Appended, &self.partition, base..header.next_offset(), self.clock.now());
        }
        drop(writing);
        self.flush_if_due();
        Ok(Appended { first: base, last: header.last_offset(), log_append_time, log_start: self.start_offset() })
    }

    /// Appends what a leader sent, as it is: offsets must go on where the log ends, checksums must hold.
    pub fn append_as_follower(&self, bytes: Bytes) -> Result<Appended> {
        let bad = |source| LogError::Batch { partition: self.partition.clone(), source };
        let mut writing = self.writing();
        let first = self.end_offset();
        for batch in batches(bytes) {
            let batch = batch.map_err(bad)?;
            batch.verify_crc().map_err(bad)?;
            let (header, end) = (batch.header(), self.end_offset());
            if header.base_offset < end {
                return Err(LogError::NotContinuous {
                    partition: self.partition.clone(),
                    end,
                    base: header.base_offset,
                });
            }
            let marker = self.marker(&batch)?;
            self.assign_epoch(header.leader_epoch, header.base_offset)?;
            self.put(&mut writing, header, marker, &[IoSlice::new(batch.bytes())])?;
        }
        drop(writing);
        self.flush_if_due();
        let last = Offset(self.end_offset().0 - 1);
        Ok(Appended { first, last, log_append_time: -1, log_start: self.start_offset() })
    }

    /// As [`Log::append_as_leader`], but waits on this thread for room, up to `patience` each time there is none.
    pub fn append_with_patience(&self, batch: &Batch, epoch: LeaderEpoch, patience: Duration) -> Result<Appended> {
        loop {
            match self.append_as_leader(batch, epoch) {
                Err(LogError::Full { .. }) if self.room_within(patience) => {}
                other => return other,
            }
        }
    }

    fn room_within(&self, patience: Duration) -> bool {
        let (room, wait) = mpsc::sync_channel(1);
        self.when_room(Box::new(move || {
            // Nobody listens any more when patience has ended.
            room.try_send(()).unwrap_or_default();
        }));
        wait.recv_timeout(patience).is_ok()
    }

    /// Calls `waker` once when an append that was refused with [`LogError::Full`] is worth trying again; drops it if
    /// the segment closes first, which is as good a moment. It runs on any thread, also before this returns, and must not call the log.
    pub fn when_room(&self, waker: Box<dyn FnOnce() + Send>) {
        let mut writing = self.writing();
        match writing.writer.as_mut() {
            Some(writer) => writer.when_room(waker),
            // The next attempt finds out that the log is closed.
            None => drop(waker),
        }
    }

    fn with_append_time(&self, batch: &Batch, now_ms: i64) -> Result<Batch> {
        let mut bytes = batch.bytes().to_vec();
        patch::log_append_time(&mut bytes, now_ms);
        Batch::parse(bytes.into()).map_err(|source| LogError::Batch { partition: self.partition.clone(), source })
    }

    fn marker(&self, batch: &Batch) -> Result<Option<EndTransactionMarker>> {
        EndTransactionMarker::of(batch).map_err(|source| LogError::Batch { partition: self.partition.clone(), source })
    }

    fn check_size(&self, size: usize) -> Result<()> {
        let (partition, config) = (|| self.partition.clone(), self.config());
        if size > config.max_message_bytes {
            return Err(LogError::TooLarge { partition: partition(), size, max: config.max_message_bytes });
        }
        if size as u64 > config.segment_bytes {
            return Err(LogError::OverSegment { partition: partition(), size, max: config.segment_bytes });
        }
        Ok(())
    }

    /// Writes a batch behind all others and makes it visible.
    fn put(
        &self,
        writing: &mut Writing,
        header: &BatchHeader,
        marker: Option<EndTransactionMarker>,
        parts: &[IoSlice<'_>],
    ) -> Result<()> {
        if let Some(error) = writing.broken.clone() {
            return Err(error);
        }
        if writing.writer.is_none() {
            return Err(LogError::Gone { partition: self.partition.clone(), offset: self.end_offset() });
        }
        let (mut segment, config) = (self.active(), self.config());
        let full = segment.contents().is_full_for(header, header.last_offset(), &config, self.clock.wall_ms());
        if full {
            segment = self.roll(writing)?;
        }
        self.write(writing, parts)?;
        segment.contents_mut().note(header, config.index_interval_bytes);
        if let Some(aborted) = writing.producers.note(header, marker) {
            segment.contents_mut().aborted.push(aborted);
        }
        if header.is_transactional() {
            // Before its end is told: nobody is to take for stable what has just begun.
            self.note_transactions(&mut writing.producers);
        }
        writing.records_since_flush += u64::from(header.count.unsigned_abs());
        self.end.store(header.next_offset().0, Ordering::Release);
        Ok(())
    }

    fn write(&self, writing: &mut Writing, parts: &[IoSlice<'_>]) -> Result<()> {
        let closed = || LogError::Gone { partition: self.partition.clone(), offset: self.end_offset() };
        let writer = writing.writer.as_mut().ok_or_else(closed)?;
        match writer.append(parts).map_err(|source| self.storage_error(source))? {
            Append::At(_) => Ok(()),
            Append::Full => Err(LogError::Full { partition: self.partition.clone() }),
        }
    }

    /// Starts the next segment at the log's end.
    ///
    /// The old one's last bytes are on their way to the disk as an ordinary sync; cutting its file to its length
    /// happens on a thread of its own, so that the append that rolls does not wait for it.
    pub(super) fn roll(&self, writing: &mut Writing) -> Result<Arc<Segment>> {
        let (old, base, config) = (self.active(), self.end_offset(), self.config());
        // Both levels: a later segment's sync must not speak for this one's tail.
        drop(self.begin_sync(writing, Level::Written)?);
        drop(self.begin_sync(writing, Level::Durable)?);
        let name = names::file(base, Kind::Log);
        let error = |source| self.storage_error(source);
        let writer = self.storage.create(&name, config.segment_bytes).map_err(error)?;
        let reader = self.storage.reader(&name).map_err(error)?;
        let contents = Contents::new(base, &config, self.clock.wall_ms());
        let segment = Arc::new(Segment::new(base, reader, contents));
        self.segments.write().unwrap_or_else(std::sync::PoisonError::into_inner).push(Arc::clone(&segment));
        if let Some(rolled) = writing.writer.replace(writer) {
            self.close_behind(writing, rolled, old)?;
        }
        Ok(segment)
    }

    fn close_behind(
        &self,
        writing: &mut Writing,
        writer: Box<dyn logdyno_storage::Writer>,
        segment: Arc<Segment>,
    ) -> Result<()> {
        let (done, still): (Vec<_>, Vec<_>) = writing.closing.drain(..).partition(|handle| handle.is_finished());
        writing.closing = still;
        for handle in done {
            self.join_one(writing, handle);
        }
        let (storage, end) = (Arc::clone(&self.storage), self.end_offset());
        let producers = snapshot::encode(&writing.producers);
        let thread = std::thread::Builder::new().name("segment-close".into());
        let spawned = thread.spawn(move || {
            match segment.write_indexes(&*storage).and_then(|()| loading::write(&*storage, end, &producers)) {
                // They are rebuilt at the next start; until then they are in memory.
                Err(StorageError::NoSpace { path }) => tracing::warn!("no space for {}", path.display()),
                written => written?,
            }
            writer.close()
        });
        match spawned {
            Ok(handle) => writing.closing.push(handle),
            Err(source) => {
                let path = self.partition.to_string().into();
                self.break_off(writing, LogError::Directory { path, source: Arc::new(source) });
            }
        }
        writing.broken.clone().map_or(Ok(()), Err)
    }

    /// `flush.messages`: starts a sync once that many records have come.
    fn flush_if_due(&self) {
        let interval = self.config().flush_interval_messages;
        if interval == u64::MAX {
            return;
        }
        let due = {
            let mut writing = self.writing();
            let due = writing.records_since_flush >= interval;
            if due {
                writing.records_since_flush = 0;
            }
            due
        };
        if due {
            let partition = self.partition.clone();
            self.when(
                Level::Durable,
                self.end_offset(),
                Box::new(move |flushed| {
                    if let Err(error) = flushed {
                        tracing::error!(%partition, "flush.messages was reached, and the flush failed: {error}");
                    }
                }),
            );
        }
    }
}
