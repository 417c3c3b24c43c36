//! One machine with one data directory and one log, on a simulated disk below a real backend's code.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use logdyno_record::{LeaderEpoch, NoProbe, Offset, SystemClock, TopicId, TopicPartition};
use logdyno_segment_log::{CompactionLimits, Level, Log, LogConfig, LogDirectory, LogError, RecoveryReport};
use logdyno_storage::seam::simulated::SimulatedDisk;
use logdyno_storage::{BackendOptions, Kind, Settings};

use super::promises::{Cut, Promises};
use super::workload::{Plan, Step};

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) struct Machine {
    pub(super) kind: Kind,
    pub(super) disk: SimulatedDisk,
    pub(super) config: LogConfig,
    /// Only the directory's lock lies here for real.
    pub(super) root: PathBuf,
}

/// What runs until the machine stops.
pub(super) struct Running {
    pub(super) directory: LogDirectory,
    pub(super) log: Arc<Log>,
}

impl Machine {
    /// Starts what runs on it, recovering what is there.
    pub(super) fn start(&self) -> Result<(Running, RecoveryReport), String> {
        let options =
            BackendOptions { disk: Arc::new(self.disk.clone()), dir: self.root.clone(), settings: small_settings() };
        let backend = (self.kind.start)(options).map_err(|refused| refused.to_string())?;
        let directory = LogDirectory::open(&self.root, backend, Arc::new(SystemClock), Arc::new(NoProbe))
            .map_err(|error| error.to_string())?;
        let (partition, id) = (TopicPartition::new("t", 0), TopicId::from_u128(7));
        let (log, report) =
            directory.open_log(&partition, id, self.config.clone()).map_err(|error| error.to_string())?;
        Ok((Running { directory, log }, report))
    }

    /// Goes through the plan until it ends or the machine stops. Everything of the process is gone on return.
    pub(super) fn run(&self, plan: &Plan) -> Promises {
        let mut promises = Promises::default();
        let mut running = self.start().ok().map(|(running, _)| running);
        for step in &plan.steps {
            let Some(now) = running.take() else { break };
            running = match step {
                Step::Restart => self.restart(now, &mut promises),
                step => self.step(now, step, &mut promises),
            };
            assert!(running.is_some() || self.disk.has_stopped(), "{step:?} failed on a machine that runs");
        }
        self.disk.stop();
        if let Some(running) = running {
            promises.note_levels(&running.log);
            running.end();
        }
        promises
    }

    fn step(&self, running: Running, step: &Step, promises: &mut Promises) -> Option<Running> {
        let done = running.apply(step, promises);
        promises.note_levels(&running.log);
        if let Err(error) = &done {
            assert!(self.disk.has_stopped(), "{step:?} failed on a machine that runs: {error}");
            running.end();
            return None;
        }
        Some(running)
    }

    fn restart(&self, running: Running, promises: &mut Promises) -> Option<Running> {
        let closed = running.directory.close_clean();
        if closed.is_ok() {
            promises.durable = promises.end();
        }
        promises.note_levels(&running.log);
        running.end();
        closed.ok()?;
        self.start().ok().map(|(running, _)| running)
    }
}

/// Steps so small that a few KiB meet every mechanism.
fn small_settings() -> Settings {
    Settings {
        combine_bytes: 2 << 10,
        write_back_bytes: 8 << 10,
        write_back_bytes_max: 256 << 10,
        populate_bytes: 16 << 10,
        allocation_step_max: 64 << 10,
        read_threads: 1,
        sync_threads: 1,
        chunk_bytes: 64 << 10,
        pool_bytes: 1 << 20,
        open_files_max: 2,
        recycle_bytes_min: 1,
        ..Settings::default()
    }
}

impl Running {
    /// The process is over: the machine has stopped, and what a close says then is of no interest.
    pub(super) fn end(self) {
        drop(self.log.close());
    }

    pub(super) fn apply(&self, step: &Step, promises: &mut Promises) -> Result<(), LogError> {
        let log = &self.log;
        match step {
            Step::Append { records, producer, compression } => {
                let batch = promises.batch(records, *producer, *compression);
                promises.sending(batch.clone());
                let sent = promises.sent.last().expect("it is being sent");
                let (first, last) = (Offset(sent.first), Offset(sent.last));
                let appended = log.append_with_patience(&batch, LeaderEpoch(promises.epoch), PATIENCE)?;
                assert_eq!((appended.first, appended.last), (first, last), "offsets are dense");
            }
            Step::SendAgain { producer } => {
                let Some(sent) = promises.last_of(*producer) else { return Ok(()) };
                let appended = log.append_as_leader(&sent.batch, LeaderEpoch(promises.epoch))?;
                assert_eq!((appended.first.0, appended.last.0), (sent.first, sent.last), "a twin is not appended");
                assert_eq!(log.end_offset().0, promises.end());
            }
            Step::EndTransaction { producer, aborts } => {
                let batch = promises.marker(*producer, *aborts);
                promises.sending(batch.clone());
                log.append_with_patience(&batch, LeaderEpoch(promises.epoch), PATIENCE)?;
                assert_eq!(log.end_offset().0, promises.end());
            }
            Step::NextProducerEpoch { producer } => promises.next_producer_epoch(*producer),
            Step::Commit(level) => {
                let end = log.end_offset();
                log.wait_for(*level, end)?;
                promises.reached(*level, end.0);
            }
            Step::BeginCommit(level) => log.when(*level, log.end_offset(), Box::new(drop)),
            Step::Checkpoint => {
                promises.high_watermark = promises.high_watermark.max(log.ack_end().0);
                self.directory.write_checkpoints(&[(log.partition().clone(), Offset(promises.high_watermark))])?;
                promises.high_watermark_kept = promises.high_watermark;
            }
            Step::StartEpoch => {
                promises.epoch += 1;
                promises.assign_epoch(promises.end());
                log.start_epoch(LeaderEpoch(promises.epoch))?;
            }
            Step::Compact => {
                promises.compacted |= log.config().cleanup_policy.compact;
                log.compact(
                    Offset(promises.high_watermark),
                    &CompactionLimits { map_bytes: 1 << 14, ..Default::default() },
                )?;
            }
            Step::DeleteRecords { .. } | Step::Retain => self.delete(step, promises)?,
            Step::Truncate { .. } | Step::StartOver { .. } => self.truncate(step, promises)?,
            Step::Restart => unreachable!("the machine does it"),
        }
        Ok(())
    }

    fn delete(&self, step: &Step, promises: &mut Promises) -> Result<(), LogError> {
        let (log, high_watermark) = (&self.log, promises.high_watermark.min(promises.end()));
        let start = log.start_offset().0;
        match step {
            Step::DeleteRecords { share } => {
                let to = start + ((high_watermark - start).max(0) as f64 * share) as i64;
                promises.start_tried = promises.start_tried.max(to);
                log.delete_records_before(Offset(to), Offset(high_watermark))?;
            }
            _ => {
                promises.start_tried = promises.start_tried.max(high_watermark);
                log.enforce_retention(Offset(high_watermark))?;
                log.remove_deleted()?;
            }
        }
        promises.start_kept = log.start_offset().0;
        promises.start_tried = promises.start_kept;
        Ok(())
    }

    fn truncate(&self, step: &Step, promises: &mut Promises) -> Result<(), LogError> {
        let (log, end) = (&self.log, promises.end());
        match step {
            Step::StartOver { gap } => {
                promises.cut = Some(Cut::Over(end + gap));
                log.truncate_fully_and_start_at(Offset(end + gap))?;
            }
            Step::Truncate { share } => {
                let low = promises.high_watermark.max(log.start_offset().0).min(end);
                let to = low + ((end - low) as f64 * share) as i64;
                let over = to < end && to <= log.start_offset().0;
                promises.cut = Some(if over { Cut::Over(to) } else { Cut::To(promises.end_after_cut(to)) });
                log.truncate_to(Offset(to))?;
            }
            _ => {}
        }
        promises.has_cut();
        assert_eq!(log.end_offset().0, promises.end(), "after {step:?}");
        Ok(())
    }
}

impl Promises {
    fn reached(&mut self, level: Level, end: i64) {
        let reached = if level == Level::Durable { &mut self.durable } else { &mut self.written };
        *reached = end.max(*reached);
    }

    /// What the log says of itself, is a promise, too.
    fn note_levels(&mut self, log: &Log) {
        if self.cut.is_none() {
            self.reached(Level::Written, log.level_end(Level::Written).0);
            self.reached(Level::Durable, log.level_end(Level::Durable).0);
        }
    }
}
