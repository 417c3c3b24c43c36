//! A producer without a network: a thread takes closed batches, compresses and appends them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use logdyno_engine::client::{Acks, ProducerConfig};
use logdyno_engine::record::{BatchOptions, Clock, CloseReason, Nanos, Probe, ProducedBatch};
use logdyno_engine::segment_log::Log;

use super::accumulator::{Accumulator, ClosedBatch, charge};
use super::acknowledging::{Message, Pending, acknowledge_all};
use super::arrivals::Arrivals;
use super::{EPOCH, failed};
use crate::target::{Outgoing, Receipts, Setup, Sink, TargetError, Ticket};
use crate::topics::Topics;

/// A producer of the topics' logs.
pub(super) struct LogSink {
    shared: Arc<Shared>,
    memory_max: usize,
    max_block: Duration,
    threads: Vec<JoinHandle<()>>,
}

/// What the application's thread, the appending and the acknowledging one have in common.
pub(super) struct Shared {
    state: Mutex<State>,
    /// Wakes the appending thread.
    work: Condvar,
    /// Wakes who waits for memory or for the end of a flush.
    released: Condvar,
    /// By the index of the partition over all topics.
    logs: Arc<[Arc<Log>]>,
    topics: Arc<Topics>,
    arrivals: Arc<Arrivals>,
    acks: Acks,
    delivery_timeout: Duration,
    batches: AtomicU64,
    memory_waits: AtomicU64,
    /// Where time comes from.
    pub(super) clock: Arc<dyn Clock>,
    /// Who is told of batches.
    pub(super) probe: Arc<dyn Probe>,
    /// Who is told of records.
    pub(super) receipts: Arc<dyn Receipts>,
}

struct State {
    accumulator: Accumulator,
    used_bytes: usize,
    /// Records without a receipt.
    under_way: usize,
    is_closing: bool,
}

impl LogSink {
    pub(super) fn new(
        index: u32,
        config: &ProducerConfig,
        setup: &Setup,
        logs: &Arc<[Arc<Log>]>,
        arrivals: &Arc<Arrivals>,
    ) -> Result<LogSink, TargetError> {
        let accumulator = Accumulator::new(config, setup.topics.count(), logs.len() / setup.topics.count());
        let shared = Arc::new(Shared {
            state: Mutex::new(State { accumulator, used_bytes: 0, under_way: 0, is_closing: false }),
            work: Condvar::new(),
            released: Condvar::new(),
            logs: Arc::clone(logs),
            topics: Arc::clone(&setup.topics),
            arrivals: Arc::clone(arrivals),
            acks: config.acks,
            delivery_timeout: config.delivery_timeout,
            batches: AtomicU64::new(0),
            memory_waits: AtomicU64::new(0),
            clock: Arc::clone(&setup.clock),
            probe: Arc::clone(&setup.probe),
            receipts: Arc::clone(&setup.receipts),
        });
        let (to_acknowledge, appended) = channel();
        let (appending, acknowledging) = (Arc::clone(&shared), Arc::clone(&shared));
        let partitions = logs.len();
        let named = |name: &str| std::thread::Builder::new().name(format!("log-{name}-{index}"));
        // If the second thread cannot be started, the first one ends with the channel.
        let acknowledging = named("acks").spawn(move || acknowledge_all(&acknowledging, partitions, &appended));
        let mut threads = vec![acknowledging.map_err(failed)?];
        let appending = named("append").spawn(move || appending.append_all(&to_acknowledge));
        threads.insert(0, appending.map_err(failed)?);
        Ok(LogSink { shared, memory_max: config.buffer_memory, max_block: config.max_block, threads })
    }

    /// Waits for memory; the reason if there is none in time.
    fn reserve(&self, bytes: usize) -> Result<MutexGuard<'_, State>, String> {
        let mut state = self.shared.lock();
        let is_short = |state: &mut State| state.used_bytes + bytes > self.memory_max;
        if bytes > self.memory_max {
            return Err(format!("a record of {bytes} bytes does not fit into buffer.memory ({})", self.memory_max));
        }
        if is_short(&mut state) {
            state.accumulator.close_all(CloseReason::MemoryPressure, self.shared.clock.now());
            self.shared.work.notify_one();
            self.shared.memory_waits.fetch_add(1, Ordering::Relaxed);
            let waited = self.shared.released.wait_timeout_while(state, self.max_block, is_short);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            if is_short(&mut state) {
                return Err(format!(
                    "no room in buffer.memory within max.block.ms ({} ms)",
                    self.max_block.as_millis()
                ));
            }
        }
        state.used_bytes += bytes;
        state.under_way += 1;
        Ok(state)
    }
}

impl Sink for LogSink {
    fn send(&mut self, record: Outgoing) {
        match self.reserve(charge(&record)) {
            Ok(mut state) => {
                let now = self.shared.clock.now();
                let topic = self.shared.topics.of_record(record.ticket.number);
                if state.accumulator.push(topic, &record, now) {
                    self.shared.work.notify_one();
                }
            }
            Err(reason) => self.shared.receipts.failed(record.ticket, &reason),
        }
    }

    fn flush(&mut self) {
        let mut state = self.shared.lock();
        state.accumulator.close_all(CloseReason::Flush, self.shared.clock.now());
        self.shared.work.notify_one();
        drop(self.shared.released.wait_while(state, |state| state.under_way > 0));
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        vec![("batches_appended", read(&self.shared.batches)), ("memory_waits", read(&self.shared.memory_waits))]
    }
}

impl Drop for LogSink {
    fn drop(&mut self) {
        self.shared.lock().is_closing = true;
        self.shared.work.notify_one();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the log target's producer panicked");
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its records have their receipts.
    pub(super) fn release(&self, records: usize, bytes: usize) {
        let mut state = self.lock();
        state.under_way -= records;
        state.used_bytes -= bytes;
        self.released.notify_all();
    }

    /// Tells of each record that it failed.
    pub(super) fn fail(&self, tickets: &[Ticket], bytes: usize, reason: &str) {
        tickets.iter().for_each(|ticket| self.receipts.failed(*ticket, reason));
        self.release(tickets.len(), bytes);
    }

    fn append_all(&self, to_acknowledge: &Sender<Message>) {
        while let Some(batch) = self.next_batch() {
            self.append(batch, to_acknowledge);
        }
    }

    /// Waits for a batch that is closed or has lingered; `None` once the producer is closing and all is appended.
    fn next_batch(&self) -> Option<ClosedBatch> {
        let mut state = self.lock();
        loop {
            let now = self.clock.now();
            if state.is_closing {
                state.accumulator.close_all(CloseReason::Flush, now);
            }
            if let Some(batch) = state.accumulator.take(now) {
                return Some(batch);
            }
            if state.is_closing {
                return None;
            }
            state = match state.accumulator.next_due() {
                None => self.work.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(due) => {
                    let waited = self.work.wait_timeout(state, due.since(now));
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn append(&self, batch: ClosedBatch, to_acknowledge: &Sender<Message>) {
        let ClosedBatch { partition, mut builder, tickets, charged_bytes, created, closed, reason } = batch;
        let log = &self.logs[partition];
        let (drained, bytes_uncompressed) = (self.clock.now(), bytes_u32(builder.size()));
        let built = match builder.build(&BatchOptions::default()) {
            Ok(built) => built,
            Err(error) => return self.fail(&tickets, charged_bytes, &error.to_string()),
        };
        let compressed = self.clock.now();
        self.probe.requested(1, built.size() as u64);
        self.batches.fetch_add(1, Ordering::Relaxed);
        let appended = match log.append_with_patience(&built, EPOCH, self.delivery_timeout) {
            Ok(appended) => appended,
            Err(error) => return self.fail(&tickets, charged_bytes, &error.to_string()),
        };
        let report = ProducedBatch {
            partition: log.partition().clone(),
            base_offset: Some(appended.first),
            records: bytes_u32(tickets.len()),
            bytes_uncompressed,
            bytes_sent: bytes_u32(built.size()),
            close_reason: reason,
            retries: 0,
            created,
            closed,
            drained,
            compressed,
            // There is no socket: the batch goes straight to the log.
            sent: compressed,
            acknowledged: Nanos(0),
        };
        let end = appended.last.next();
        let pending = Pending { report, tickets, charged_bytes, end };
        tell(to_acknowledge, Message::Appended { partition, pending });
        if self.acks == Acks::None {
            tell(to_acknowledge, Message::Reached { partition, end, result: Ok(()) });
        }
        // Also if nobody waits for it: the consumer reads what has reached the level.
        let (arrivals, to_acknowledge) = (Arc::clone(&self.arrivals), to_acknowledge.clone());
        log.when(
            log.ack_level(),
            end,
            Box::new(move |result| {
                arrivals.tell();
                tell(&to_acknowledge, Message::Reached { partition, end, result });
            }),
        );
    }
}

/// The acknowledging thread listens as long as somebody can tell it something, unless it panicked.
fn tell(to_acknowledge: &Sender<Message>, message: Message) {
    if to_acknowledge.send(message).is_err() {
        tracing::error!("the thread that acknowledges the log target's batches is gone");
    }
}

fn bytes_u32(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
