//! Records wait here, grouped by partition into batches, until the sender takes them.
//!
//! Kafka's `RecordAccumulator`. Callers lock only the queue of the partition they append to; the sender walks
//! over all queues. What is ready, and what is taken, is decided here without I/O, from `now` and the leaders.

mod drain;
mod incomplete;
mod queue;
mod ready;
mod reserved;
#[cfg(test)]
mod tests;
mod topic;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use logdyno_record::{Clock, CloseReason, Codec, Nanos, TopicPartition};

pub(crate) use self::drain::DrainIndex;
pub(crate) use self::incomplete::Incomplete;
pub(crate) use self::queue::PartitionQueue;
pub(crate) use self::ready::{NodeLatencies, Ready};
pub(crate) use self::reserved::Reserved;
pub(crate) use self::topic::TopicQueues;
use super::batch::{NewBatch, ProducerBatch, RecordParts};
use super::buffer_pool::{BufferPool, Exhausted};
use super::completion::{Callback, Completion, RecordPlace};
use super::partitioner::sticky::Choices;
use crate::config::ProducerConfig;
use crate::error::ClientError;
use crate::network::ByTopic;
use crate::random::Random;

/// The settings that rule the accumulator.
#[derive(Clone, Debug)]
pub(crate) struct AccumulatorSettings {
    pub(crate) batch_size: usize,
    pub(crate) linger: Duration,
    pub(crate) buffer_memory: usize,
    pub(crate) codec: Codec,
    pub(crate) delivery_timeout: Duration,
    pub(crate) adaptive: bool,
    pub(crate) availability_timeout: Option<Duration>,
}

impl AccumulatorSettings {
    /// From the producer's.
    pub(crate) fn of(config: &ProducerConfig) -> AccumulatorSettings {
        AccumulatorSettings {
            batch_size: config.batch_size,
            linger: config.linger,
            buffer_memory: config.buffer_memory,
            codec: config.codec,
            delivery_timeout: config.delivery_timeout,
            adaptive: config.adaptive_partitioning,
            availability_timeout: config.availability_timeout,
        }
    }
}

/// The accumulator.
pub(crate) struct Accumulator {
    pub(crate) settings: AccumulatorSettings,
    pool: Arc<BufferPool>,
    topics: RwLock<ByTopic<Arc<TopicQueues>>>,
    incomplete: Incomplete,
    clock: Arc<dyn Clock>,
    random: Random,
    flushes: AtomicUsize,
    closed: AtomicBool,
}

/// Where an appended record is.
#[derive(Debug)]
pub(crate) struct Appended {
    pub(crate) completion: Arc<Completion>,
    pub(crate) place: RecordPlace,
    /// The sender should have a look: a batch is full, or a new one begins to wait.
    pub(crate) wakes_sender: bool,
}

/// Which partition an append goes to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target<'a> {
    /// This one.
    Partition(i32),
    /// The topic's sticky one, chosen from these.
    Sticky(Choices<'a>),
}

impl Accumulator {
    /// An empty accumulator.
    pub(crate) fn new(settings: AccumulatorSettings, clock: Arc<dyn Clock>, random: Random) -> Accumulator {
        Accumulator {
            pool: Arc::new(BufferPool::new(settings.buffer_memory)),
            settings,
            topics: RwLock::default(),
            incomplete: Incomplete::default(),
            clock,
            random,
            flushes: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
        }
    }

    /// `buffer.memory`.
    pub(crate) fn pool(&self) -> &Arc<BufferPool> {
        &self.pool
    }

    /// Batches that are not done yet.
    pub(crate) fn incomplete(&self) -> &Incomplete {
        &self.incomplete
    }

    /// The queues of a topic; made when first asked for.
    pub(crate) fn topic(&self, name: &Arc<str>) -> Arc<TopicQueues> {
        if let Some(topic) = self.topics.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Arc::clone(topic);
        }
        let mut topics = self.topics.write().unwrap_or_else(PoisonError::into_inner);
        let make = || Arc::new(TopicQueues::new(Arc::clone(name), self.settings.batch_size, Arc::clone(&self.random)));
        Arc::clone(topics.entry(Arc::clone(name)).or_insert_with(make))
    }

    pub(super) fn all_topics(&self) -> Vec<Arc<TopicQueues>> {
        self.topics.read().unwrap_or_else(PoisonError::into_inner).values().map(Arc::clone).collect()
    }

    /// Appends a record and takes its callback, waiting until `deadline` for memory. `on_wait` runs before waiting.
    pub(crate) fn append(
        &self,
        topic: &Arc<TopicQueues>,
        target: Target<'_>,
        record: RecordParts<'_>,
        callback: &mut Option<Callback>,
        deadline: Nanos,
        on_wait: impl Fn(),
    ) -> Result<Appended, ClientError> {
        let mut reserved = None;
        loop {
            match self.try_once(topic, target, record, callback, &mut reserved) {
                Attempt::Done(appended) => return Ok(appended),
                Attempt::Closed => return Err(ClientError::Closed { client: "producer" }),
                Attempt::Moved => {}
                Attempt::NeedsMemory => {
                    let patience = deadline.since(self.clock.now());
                    match self.pool.allocate(self.write_limit(record), patience, &on_wait) {
                        Ok(memory) => reserved = Some(memory),
                        Err(why) => return Err(self.exhausted(topic, record, why, patience)),
                    }
                }
            }
        }
    }

    fn try_once(
        &self,
        topic: &Arc<TopicQueues>,
        target: Target<'_>,
        record: RecordParts<'_>,
        callback: &mut Option<Callback>,
        reserved: &mut Option<Reserved>,
    ) -> Attempt {
        let sticky = match target {
            Target::Partition(_) => None,
            Target::Sticky(choices) => Some((topic.sticky.peek(choices), choices)),
        };
        let partition = match (target, &sticky) {
            (Target::Partition(partition), _) => partition,
            (_, Some((sticky, _))) => sticky.partition,
            (Target::Sticky(_), None) => unreachable!("a sticky target was peeked"),
        };
        let queue = topic.queue(partition);
        let mut state = queue.lock();
        // Under the lock: who closes looks into the queues afterwards, so a record is either refused or found there.
        if self.is_closed() {
            return Attempt::Closed;
        }
        if let Some((sticky, choices)) = &sticky
            && topic.has_moved(sticky, &state, *choices)
        {
            return Attempt::Moved;
        }
        let now = self.clock.now();
        let before = if sticky.is_some() { state.last_mut().map_or(0, |batch| batch.estimated_size()) } else { 0 };
        let (completion, place, is_new) = match append_to_last(&mut state, record, callback, now) {
            Some((completion, place)) => (completion, place, false),
            None => {
                let Some(memory) = reserved.take() else { return Attempt::NeedsMemory };
                let mut batch = self.new_batch(topic, queue.partition().clone(), &mut state, record, memory);
                let Some(place) = batch.try_append(record, callback, now) else {
                    unreachable!("the first record of a batch always fits")
                };
                let completion = Arc::clone(batch.completion());
                self.incomplete.add(&completion);
                state.push(batch);
                (completion, place, true)
            }
        };
        if let Some(last) = state.last_mut() {
            if self.settings.batch_size == 0 || last.is_full() {
                last.close(CloseReason::Size, now);
            }
            if let Some((sticky, choices)) = &sticky {
                let grown = last.estimated_size().saturating_sub(if is_new { 0 } else { before });
                let at_boundary = last.is_full();
                topic.sticky.update(sticky, grown as u64, at_boundary, *choices);
            }
        }
        let wakes_sender = is_new || state.is_at_boundary();
        Attempt::Done(Appended { completion, place, wakes_sender })
    }

    fn new_batch(
        &self,
        topic: &TopicQueues,
        partition: TopicPartition,
        state: &mut queue::QueueState,
        record: RecordParts<'_>,
        memory: Reserved,
    ) -> ProducerBatch {
        ProducerBatch::new(NewBatch {
            number: state.take_number(),
            partition,
            codec: self.settings.codec,
            write_limit: self.write_limit(record),
            ratio: topic.ratio.get(),
            memory: Arc::new(memory),
            created: self.clock.now(),
        })
    }

    /// Bytes that a batch beginning with `record` may take, and takes from the pool.
    fn write_limit(&self, record: RecordParts<'_>) -> usize {
        self.settings.batch_size.max(record.upper_bound())
    }

    fn exhausted(&self, topic: &TopicQueues, record: RecordParts<'_>, why: Exhausted, waited: Duration) -> ClientError {
        let (wanted, total) = (self.write_limit(record), self.pool.total());
        match why {
            Exhausted::TooLarge => ClientError::RecordTooLarge {
                topic: topic.name().to_string(),
                size: wanted,
                setting: "buffer.memory",
                limit: total,
            },
            Exhausted::TimedOut => ClientError::BufferExhausted { wanted, total, waited },
            Exhausted::Closed => ClientError::Closed { client: "producer" },
        }
    }

    /// From now on every batch is ready at once, until [`end_flush`](Self::end_flush).
    pub(crate) fn begin_flush(&self) {
        self.flushes.fetch_add(1, Ordering::AcqRel);
    }

    /// A flush is over.
    pub(crate) fn end_flush(&self) {
        self.flushes.fetch_sub(1, Ordering::AcqRel);
    }

    fn is_flushing(&self) -> bool {
        self.flushes.load(Ordering::Acquire) > 0
    }

    /// Takes no further record; what is queued is ready at once.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.pool.close();
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// True if a batch waits in some queue.
    pub(crate) fn has_queued(&self) -> bool {
        self.all_topics().iter().any(|topic| topic.queues().iter().any(|queue| queue.lock().len() > 0))
    }

    /// When the first batch that waits expires; `None` if none waits.
    pub(crate) fn next_deadline(&self) -> Option<Nanos> {
        let topics = self.all_topics();
        let queues = topics.iter().flat_map(|topic| topic.queues());
        let deadline = |queue: Arc<PartitionQueue>| {
            queue.lock().first().map(|batch| batch.deadline(self.settings.delivery_timeout))
        };
        queues.filter_map(deadline).min()
    }

    /// Takes everything out of the queues.
    pub(crate) fn remove_all(&self) -> Vec<ProducerBatch> {
        let topics = self.all_topics();
        topics.iter().flat_map(|topic| topic.queues()).flat_map(|queue| queue.lock().remove_all()).collect()
    }
}

enum Attempt {
    Done(Appended),
    Closed,
    /// The sticky partition changed meanwhile: try again.
    Moved,
    /// A new batch is needed, and memory for it.
    NeedsMemory,
}

fn append_to_last(
    state: &mut queue::QueueState,
    record: RecordParts<'_>,
    callback: &mut Option<Callback>,
    now: Nanos,
) -> Option<(Arc<Completion>, RecordPlace)> {
    let last = state.last_mut()?;
    let place = last.try_append(record, callback, now)?;
    Some((Arc::clone(last.completion()), place))
}
