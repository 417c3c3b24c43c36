//! A producer: records go in from the generator's thread, reports come back on a thread of its own.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use logdyno_engine::record::{Clock, CloseReason, Nanos, Offset, Probe, ProducedBatch, TopicPartition};
use rdkafka::client::ClientContext;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};
use rdkafka::types::RDKafkaErrorCode;

use super::cluster::Cluster;
use super::events::{self, Event, Events, Report};
use super::failed;
use crate::target::{Outgoing, Receipts, Setup, Sink, TargetError, Ticket, settings};
use crate::topics::Topics;

/// How long the thread of reports waits for one before it asks whether it shall end.
const LOOK: Duration = Duration::from_millis(100);

/// How long metadata may take before the first record.
const METADATA_TIME: Duration = Duration::from_secs(60);

/// What is known of a record while librdkafka has it.
pub(super) struct Pending {
    ticket: Ticket,
    /// When librdkafka's queue had room for it.
    accepted: Nanos,
}

/// A producer of the topics.
pub(super) struct KafkaSink {
    producer: Arc<BaseProducer<Context>>,
    shared: Arc<Shared>,
    /// As they are named on the cluster.
    topics: Topics,
    /// `max.block.ms`.
    max_block: Duration,
    reports: Option<JoinHandle<()>>,
}

/// What the generator's thread and that of the reports share.
pub(super) struct Shared {
    /// As the harness knows them.
    topics: Arc<Topics>,
    clock: Arc<dyn Clock>,
    probe: Arc<dyn Probe>,
    receipts: Arc<dyn Receipts>,
    /// Records that librdkafka has.
    pending: Mutex<u64>,
    fewer: Condvar,
    shall_end: AtomicBool,
    batches: AtomicU64,
    troubles: AtomicU64,
    queue_full: AtomicU64,
}

impl KafkaSink {
    pub(super) fn new(cluster: &Cluster, topics: &Topics, setup: &Setup) -> Result<KafkaSink, TargetError> {
        let shared = Arc::new(Shared {
            topics: Arc::clone(&setup.topics),
            clock: Arc::clone(&setup.clock),
            probe: Arc::clone(&setup.probe),
            receipts: Arc::clone(&setup.receipts),
            pending: Mutex::new(0),
            fewer: Condvar::new(),
            shall_end: AtomicBool::new(false),
            batches: AtomicU64::new(0),
            troubles: AtomicU64::new(0),
            queue_full: AtomicU64::new(0),
        });
        let context = Context(Arc::clone(&shared));
        let producer = BaseProducer::from_config_and_context(&cluster.producer, context);
        let producer = Arc::new(producer.map_err(|error| failed("librdkafka's producer does not start", &error))?);
        // Asked for now, the metadata are not part of the first record's latency.
        for topic in topics.names() {
            let metadata = producer.client().fetch_metadata(Some(topic), METADATA_TIME);
            metadata.map_err(|error| failed(&format!("the metadata of topic {topic} do not come"), &error))?;
        }
        let config = settings::producer(&setup.plan);
        let reports = std::thread::Builder::new().name("delivery-reports".to_owned()).spawn({
            let (producer, shared) = (Arc::clone(&producer), Arc::clone(&shared));
            move || shared.take_reports(&producer)
        });
        let reports = reports.map_err(|error| TargetError::Failed(format!("a thread cannot be started: {error}")))?;
        Ok(KafkaSink { producer, shared, topics: topics.clone(), max_block: config.max_block, reports: Some(reports) })
    }
}

impl Sink for KafkaSink {
    fn send(&mut self, record: Outgoing) {
        let Outgoing { ticket, key, value, timestamp } = record;
        let topic = &*self.topics.names()[self.topics.of_record(ticket.number)];
        let begun = Instant::now();
        let mut pending = Box::new(Pending { ticket, accepted: self.shared.clock.now() });
        // Counted before: its report may come before `send` returns.
        *self.shared.lock_pending() += 1;
        loop {
            let record = BaseRecord::with_opaque_to(topic, pending).payload(&value[..]).timestamp(timestamp);
            let record = match &key {
                Some(key) => record.key(&key[..]),
                None => record,
            };
            let (error, record) = match self.producer.send(record) {
                Ok(()) => return,
                Err(refused) => refused,
            };
            pending = record.delivery_opaque;
            let is_full = matches!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull));
            if !is_full || begun.elapsed() >= self.max_block {
                return self.shared.fail(&pending, &error.to_string());
            }
            self.shared.wait_for_room();
            pending.accepted = self.shared.clock.now();
        }
    }

    fn flush(&mut self) {
        // Every record is reported within delivery.timeout.ms.
        while *self.shared.lock_pending() > 0 {
            events::flush(&self.producer, LOOK);
            self.shared.wait_for_reports();
        }
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        vec![
            ("batches_acknowledged", count(&self.shared.batches)),
            ("waits_for_queue", count(&self.shared.queue_full)),
            ("client_errors", count(&self.shared.troubles)),
        ]
    }
}

impl Drop for KafkaSink {
    fn drop(&mut self) {
        self.shared.shall_end.store(true, Ordering::Relaxed);
        if let Some(Err(panic)) = self.reports.take().map(JoinHandle::join) {
            tracing::error!("the thread of delivery reports panicked: {panic:?}");
        }
    }
}

impl Shared {
    fn lock_pending(&self) -> MutexGuard<'_, u64> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_for_room(&self) {
        self.queue_full.fetch_add(1, Ordering::Relaxed);
        // librdkafka tells nobody of room, but room comes with reports; the wait is bounded for those that came meanwhile.
        let waited = self.fewer.wait_timeout(self.lock_pending(), Duration::from_millis(1));
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn wait_for_reports(&self) {
        let waited = self.fewer.wait_timeout_while(self.lock_pending(), LOOK, |pending| *pending > 0);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn take_reports(&self, producer: &BaseProducer<Context>) {
        let events = Events::of(producer);
        while !self.shall_end.load(Ordering::Relaxed) {
            match events.next(LOOK) {
                Some(Event::Batch(reports)) => self.answered(&reports),
                Some(Event::Trouble(code)) => {
                    self.troubles.fetch_add(1, Ordering::Relaxed);
                    tracing::warn!("librdkafka: {code}");
                }
                None => {}
            }
        }
    }

    /// Tells the batch before its records: whoever has a record's receipt finds its batch.
    fn answered(&self, reports: &[Report]) {
        let acknowledged = self.clock.now();
        let good: Vec<&Report> = reports.iter().filter(|report| report.error.is_none()).collect();
        if let Some(first) = good.first() {
            self.batches.fetch_add(1, Ordering::Relaxed);
            self.probe.produced(&self.batch(first, good.len(), acknowledged));
        }
        for report in reports {
            match report.error {
                None => self.receipts.acknowledged(report.pending.ticket, report.partition, offset_of(report)),
                Some(code) => self.receipts.failed(report.pending.ticket, &code.to_string()),
            }
        }
        *self.lock_pending() -= reports.len() as u64;
        self.fewer.notify_all();
    }

    /// What is not seen is not told: [`crate::target::Path::batching`] is false.
    fn batch(&self, first: &Report, records: usize, acknowledged: Nanos) -> ProducedBatch {
        let accepted = first.pending.accepted.min(acknowledged);
        let topic = &self.topics.names()[self.topics.of_record(first.pending.ticket.number)];
        ProducedBatch {
            partition: TopicPartition::new(Arc::clone(topic), first.partition),
            base_offset: offset_of(first),
            records: u32::try_from(records).unwrap_or(u32::MAX),
            bytes_uncompressed: 0,
            bytes_sent: 0,
            close_reason: CloseReason::Size,
            retries: 0,
            created: accepted,
            closed: accepted,
            drained: accepted,
            compressed: accepted,
            sent: accepted,
            acknowledged,
        }
    }

    fn fail(&self, pending: &Pending, reason: &str) {
        self.receipts.failed(pending.ticket, reason);
        *self.lock_pending() -= 1;
        self.fewer.notify_all();
    }
}

/// With acks=0 nobody tells it.
fn offset_of(report: &Report) -> Option<Offset> {
    (report.offset >= 0).then_some(Offset(report.offset))
}

/// Hears what librdkafka says outside of [`Events`]: on its way out it gives up what it still has.
pub(super) struct Context(Arc<Shared>);

impl ClientContext for Context {}

impl ProducerContext for Context {
    type DeliveryOpaque = Box<Pending>;

    fn delivery(&self, result: &DeliveryResult<'_>, pending: Box<Pending>) {
        let reason =
            result.as_ref().err().map_or_else(|| "the run has ended".to_owned(), |(error, _)| error.to_string());
        self.0.fail(&pending, &reason);
    }
}
