//! The metadata log of a controller without peers: a partition's log on this machine's disk.

use std::ops::Range;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, mpsc};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use logdyno_record::{BatchBuilder, BatchOptions, Clock, Codec, Compression, LeaderEpoch, Offset};
use logdyno_segment_log::{Level, Log};

use super::{Listener, MetadataLog, values};
use crate::error::ControllerError;
use crate::record::MetadataRecord;

/// How long a change of the metadata waits for a device that does not keep up.
const PATIENCE: Duration = Duration::from_secs(10);

/// One voter: what is durable here is committed.
///
/// The log is an ordinary one, in the folder `__cluster_metadata-0`, readable by Kafka's own tools as far
/// as batches go. Unlike a partition's data, metadata are synced before anybody is answered.
pub struct SingleVoter {
    log: Arc<Log>,
    epoch: LeaderEpoch,
    clock: Arc<dyn Clock>,
    writing: Mutex<()>,
    committed_end: AtomicI64,
    listeners: RwLock<Vec<Listener>>,
}

impl SingleVoter {
    /// Takes over an open log: what recovery has kept is made durable, and a new epoch begins.
    pub fn open(log: Arc<Log>, clock: Arc<dyn Clock>) -> Result<SingleVoter, ControllerError> {
        log.flush()?;
        let epoch = LeaderEpoch(log.latest_epoch().map_or(0, |latest| latest.0 + 1));
        log.start_epoch(epoch)?;
        let committed_end = AtomicI64::new(log.end_offset().0);
        let listeners = RwLock::new(Vec::new());
        Ok(SingleVoter { log, epoch, clock, writing: Mutex::new(()), committed_end, listeners })
    }

    /// Waits until everything before `end` is durable.
    fn sync(&self, end: Offset) -> Result<(), ControllerError> {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.log.when(
            Level::Durable,
            end,
            Box::new(move |durable| {
                // The receiver only goes away with the waiting thread.
                drop(sender.send(durable));
            }),
        );
        receiver.recv().map_err(|_| ControllerError::Stopped)??;
        Ok(())
    }
}

impl MetadataLog for SingleVoter {
    fn propose(&self, records: &[MetadataRecord]) -> Result<Range<Offset>, ControllerError> {
        let mut builder = BatchBuilder::new(Codec::new(Compression::None), 4096);
        for value in values(records) {
            builder.append(self.clock.wall_ms(), None, Some(&value), &[]);
        }
        let batch = builder.build(&BatchOptions::default())?;
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let appended = self.log.append_with_patience(&batch, self.epoch, PATIENCE)?;
        let end = appended.last.next();
        self.sync(end)?;
        self.committed_end.store(end.0, Ordering::Release);
        for listener in self.listeners.read().unwrap_or_else(PoisonError::into_inner).iter() {
            listener(end);
        }
        Ok(appended.first..end)
    }

    fn committed_end(&self) -> Offset {
        Offset(self.committed_end.load(Ordering::Acquire))
    }

    fn read(&self, from: Offset, bytes_max: usize) -> Result<Bytes, ControllerError> {
        let end = self.committed_end();
        if from >= end {
            return Ok(Bytes::new());
        }
        let slice = self.log.read_blocking(from, end, bytes_max, true)?;
        let mut bytes = BytesMut::with_capacity(slice.batches.iter().map(Bytes::len).sum());
        slice.batches.iter().for_each(|batch| bytes.extend_from_slice(batch));
        Ok(bytes.freeze())
    }

    fn subscribe(&self, listener: Listener) {
        self.listeners.write().unwrap_or_else(PoisonError::into_inner).push(listener);
    }
}
