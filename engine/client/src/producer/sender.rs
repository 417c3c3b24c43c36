//! The producer's thread: takes batches that are ready, sends them, and deals with the answers.
//!
//! Kafka's `Sender`. All decisions about batches are made on this one thread; each request waits for its
//! answer in a small task that reports back. Batches in flight stay here, not in the task, so that they can
//! expire while their request is still out.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use logdyno_record::{Clock, Nanos, Offset, Probe, TopicPartition};
use logdyno_wire::ErrorCode;
use logdyno_wire::messages::ProduceResponse;
use logdyno_wire::messages::produce_response::PartitionProduceResponse;
use tokio::sync::mpsc;

use super::accumulator::{Accumulator, DrainIndex, NodeLatencies, PartitionQueue, Ready};
use super::batch::ProducerBatch;
use super::completion::Outcome;
use super::identity::{Given, Identity};
use super::metrics::Counters;
use super::request::{Departure, Exchange, depart, produce_request};
use crate::backoff::Backoff;
use crate::config::ProducerConfig;
use crate::error::ClientError;
use crate::network::{Leader, Network, Purpose, Readiness, Wake, is_stale_metadata};

/// What the sender shares with the producer's callers.
pub(crate) struct SenderShared {
    pub(crate) config: ProducerConfig,
    pub(crate) accumulator: Accumulator,
    pub(crate) network: Arc<Network>,
    pub(crate) wake: Wake,
    pub(crate) closing: AtomicBool,
    pub(crate) abort: AtomicBool,
    pub(crate) counters: Counters,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) probe: Arc<dyn Probe>,
}

/// The sender's own state.
pub(crate) struct Sender {
    shared: Arc<SenderShared>,
    in_flight: HashMap<u64, InFlight>,
    in_flight_by_node: HashMap<i32, usize>,
    next_request: u64,
    answers: mpsc::UnboundedReceiver<Exchange>,
    answer_to: mpsc::UnboundedSender<Exchange>,
    drain_index: DrainIndex,
    latencies: NodeLatencies,
    identity: Identity,
    ids: mpsc::UnboundedReceiver<Given>,
    id_to: mpsc::UnboundedSender<Given>,
}

struct InFlight {
    node: i32,
    batches: Vec<InFlightBatch>,
}

struct InFlightBatch {
    queue: Arc<PartitionQueue>,
    was_retry: bool,
    /// `None` once it has expired; the answer is not its any more.
    batch: Option<ProducerBatch>,
}

impl Sender {
    /// A sender with nothing in flight.
    pub(crate) fn new(shared: Arc<SenderShared>) -> Sender {
        let (answer_to, answers) = mpsc::unbounded_channel();
        let (id_to, ids) = mpsc::unbounded_channel();
        Sender {
            identity: Identity::new(shared.config.idempotence),
            ids,
            id_to,
            shared,
            in_flight: HashMap::new(),
            in_flight_by_node: HashMap::new(),
            next_request: 0,
            answers,
            answer_to,
            drain_index: DrainIndex::default(),
            latencies: NodeLatencies::default(),
        }
    }

    /// Runs until the producer is closed and everything is done, or it is told to abort.
    pub(crate) async fn run(mut self) {
        while !self.is_done() {
            let look_again = self.send_what_is_ready();
            let pause = look_again.map_or(Duration::from_secs(3600), |at| at.since(self.shared.clock.now()));
            let wake = Arc::clone(&self.shared.wake);
            tokio::select! {
                biased;
                Some(answer) = self.answers.recv() => self.handle(answer),
                Some(given) = self.ids.recv() => self.take_id(given),
                () = wake.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
            while let Ok(answer) = self.answers.try_recv() {
                self.handle(answer);
            }
        }
    }

    fn is_done(&self) -> bool {
        if self.shared.abort.load(Ordering::Acquire) {
            return true;
        }
        self.shared.closing.load(Ordering::Acquire)
            && self.in_flight.is_empty()
            && !self.shared.accumulator.has_queued()
    }

    /// One round; returns when to look again if nothing happens before.
    fn send_what_is_ready(&mut self) -> Option<Nanos> {
        let now = self.shared.clock.now();
        self.expire(now);
        if let Err(later) = self.identify(now) {
            return self.next_expiry().into_iter().chain(later).min();
        }
        let cluster = self.shared.network.metadata.cluster();
        let Ready { nodes, mut look_again, leaderless } =
            self.shared.accumulator.ready(&*cluster, &self.latencies, now);
        if !leaderless.is_empty() {
            leaderless.iter().for_each(|topic| self.shared.network.metadata.want(topic));
            self.shared.network.metadata.request_update();
        }
        for (node, queues) in nodes {
            let Some(address) = cluster.nodes.get(&node).map(|node| node.address.as_str()) else {
                self.shared.network.metadata.request_update();
                continue;
            };
            let in_flight = self.in_flight_by_node.get(&node).copied().unwrap_or(0);
            let channel = match self.shared.network.connections.ready(address, Purpose::Data) {
                Readiness::Open(channel) if in_flight < self.shared.config.max_in_flight => channel,
                readiness => {
                    self.latencies.note(node, now, false);
                    if let Readiness::Pausing(until) = readiness {
                        look_again = Some(look_again.map_or(until, |at| at.min(until)));
                        self.shared.network.metadata.request_update();
                    }
                    continue;
                }
            };
            self.latencies.note(node, now, true);
            let limit = self.shared.config.max_request_size;
            let taken = self.shared.accumulator.drain(node, &queues, &*cluster, limit, &mut self.drain_index, now);
            if !taken.is_empty() {
                self.send(node, address, channel, taken);
                look_again = Some(now);
            }
        }
        self.next_expiry().into_iter().chain(look_again).min()
    }

    /// Sees to it that an idempotent producer has its id before anything is sent. `Err` tells when to look again.
    fn identify(&mut self, now: Nanos) -> Result<(), Option<Nanos>> {
        if std::mem::take(&mut self.drain_index.wants_other_id) {
            self.identity.renew();
        }
        match &self.identity {
            Identity::Off => return Ok(()),
            Identity::Known(id) => {
                self.drain_index.producer = Some(*id);
                return Ok(());
            }
            Identity::Refused(error) => {
                let error = error.clone();
                for batch in self.shared.accumulator.remove_all() {
                    self.fail(batch, error.clone());
                }
                return Err(None);
            }
            Identity::Wanted { .. } | Identity::Asked { .. } => {}
        }
        let queued = self.shared.accumulator.next_deadline();
        // Nobody is asked before there is something to send.
        let asking = queued.and_then(|_| self.identity.pursue(&self.shared.network, &self.id_to, now));
        Err(asking.into_iter().chain(queued).min())
    }

    fn take_id(&mut self, given: Given) {
        let config = &self.shared.config.connection;
        let backoff = Backoff { first: config.retry_backoff, most: config.retry_backoff_max };
        let pause = |failures| backoff.pause(failures, (self.shared.network.random)());
        self.identity.learn(given, pause, self.shared.clock.now());
    }

    fn send(&mut self, node: i32, address: &str, channel: logdyno_wire::channel::Channel, taken: Vec<ProducerBatch>) {
        let (batches, records) = self.seal(taken);
        if batches.is_empty() {
            return;
        }
        let bytes: u64 = records.iter().map(|(_, bytes)| bytes.len() as u64).sum();
        let request = self.next_request;
        self.next_request += 1;
        let produce = produce_request(&self.shared.config, records);
        let count = u32::try_from(batches.len()).unwrap_or(u32::MAX);
        self.in_flight.insert(request, InFlight { node, batches });
        *self.in_flight_by_node.entry(node).or_default() += 1;
        self.shared.probe.requested(count, bytes);
        Counters::add(&self.shared.counters.requests, 1);
        Counters::add(&self.shared.counters.bytes_sent, bytes);
        let (acks, clock) = (self.shared.config.acks, Arc::clone(&self.shared.clock));
        let departure = Departure { request, address: address.to_owned(), channel, produce, acks, clock };
        depart(departure, self.answer_to.clone());
    }

    /// Compresses batches here, off the callers' threads. A batch that cannot be compressed fails.
    fn seal(&mut self, taken: Vec<ProducerBatch>) -> (Vec<InFlightBatch>, Vec<(TopicPartition, bytes::Bytes)>) {
        let mut batches = Vec::with_capacity(taken.len());
        let mut records = Vec::with_capacity(taken.len());
        for mut batch in taken {
            let topic = self.shared.accumulator.topic(&batch.partition().topic);
            let queue = topic.queue(batch.partition().partition);
            let was_retry = batch.attempts > 0;
            match batch.seal(&|| self.shared.clock.now()) {
                Ok(bytes) => {
                    if !was_retry {
                        topic.ratio.observe(batch.compression_ratio());
                    }
                    batch.attempts += 1;
                    records.push((batch.partition().clone(), bytes));
                    batches.push(InFlightBatch { queue, was_retry, batch: Some(batch) });
                }
                Err(error) => {
                    queue.lock().landed(was_retry);
                    let partition = batch.partition().clone();
                    self.fail(batch, ClientError::Compression { partition, reason: error.to_string() });
                }
            }
        }
        (batches, records)
    }

    fn expire(&mut self, now: Nanos) {
        for batch in self.shared.accumulator.take_expired(now) {
            let error = batch.timed_out(now);
            self.fail(batch, error);
        }
        let timeout = self.shared.config.delivery_timeout;
        let in_flight = self.in_flight.values_mut().flat_map(|request| &mut request.batches);
        let expired: Vec<ProducerBatch> = in_flight
            .filter(|slot| slot.batch.as_ref().is_some_and(|batch| batch.deadline(timeout) <= now))
            .filter_map(|slot| slot.batch.take())
            .collect();
        for batch in expired {
            let error = batch.timed_out(now);
            self.fail(batch, error);
        }
    }

    fn next_expiry(&self) -> Option<Nanos> {
        let timeout = self.shared.config.delivery_timeout;
        let batches = self.in_flight.values().flat_map(|request| &request.batches);
        batches.filter_map(|slot| slot.batch.as_ref()).map(|batch| batch.deadline(timeout)).min()
    }

    fn handle(&mut self, exchange: Exchange) {
        let Some(request) = self.in_flight.remove(&exchange.request) else { return };
        if let Some(count) = self.in_flight_by_node.get_mut(&request.node) {
            *count -= 1;
        }
        let Exchange { sent, answered, result, .. } = exchange;
        let verdicts = match &result {
            Ok(Some(response)) => Verdicts::of(response),
            Ok(None) => Verdicts::Unanswered,
            Err(error) => {
                self.shared.network.metadata.request_update();
                Verdicts::Lost(error)
            }
        };
        for InFlightBatch { queue, was_retry, batch } in request.batches {
            queue.lock().landed(was_retry);
            let Some(mut batch) = batch else { continue };
            batch.mark_sent(sent.unwrap_or(answered));
            self.conclude(&queue, batch, &verdicts, answered);
        }
    }

    fn conclude(&self, queue: &PartitionQueue, batch: ProducerBatch, verdicts: &Verdicts<'_>, answered: Nanos) {
        match verdicts {
            Verdicts::Unanswered => self.acknowledge(batch, Offset(-1), -1, answered),
            Verdicts::Lost(error) => self.retry_or_fail(queue, batch, (*error).clone(), answered),
            Verdicts::Answered(answers) => match answers.get(&key(queue.partition())) {
                Some(answer) => self.conclude_answered(queue, batch, answer, answered),
                None => {
                    let error = ClientError::Disconnected {
                        doing: format!("producing to {}", queue.partition()),
                        reason: "the answer does not speak of the partition".to_owned(),
                    };
                    self.retry_or_fail(queue, batch, error, answered);
                }
            },
        }
    }

    fn conclude_answered(
        &self,
        queue: &PartitionQueue,
        batch: ProducerBatch,
        answer: &PartitionProduceResponse,
        answered: Nanos,
    ) {
        let Some(code) = ErrorCode::try_from_code(answer.error_code) else {
            return self.acknowledge(batch, Offset(answer.base_offset), answer.log_append_time_ms, answered);
        };
        if code == ErrorCode::MessageTooLarge && batch.records() > 1 {
            return self.split(queue, batch);
        }
        if code == ErrorCode::DuplicateSequenceNumber && batch.stamped.is_some() {
            // It came with an earlier attempt; where it is, the broker has forgotten.
            return self.acknowledge(batch, Offset(-1), -1, answered);
        }
        if is_stale_metadata(code) {
            self.shared.network.metadata.request_update();
            let leader = Leader { node: answer.current_leader.leader_id.0, epoch: answer.current_leader.leader_epoch };
            if leader.node >= 0 && leader.epoch >= 0 {
                self.shared.network.metadata.learn_leader(queue.partition(), leader);
            }
        }
        let error = ClientError::Refused {
            doing: format!("producing to {}", queue.partition()),
            code,
            message: answer.error_message.as_ref().map(|message| message.to_string()),
        };
        if let Some(stamped) = batch.stamped.filter(|_| is_out_of_sequence(code)) {
            queue.lock().sequences().refused(stamped.position);
            self.retry_or_fail(queue, batch, error, answered);
        } else if code.is_retriable() {
            self.retry_or_fail(queue, batch, error, answered);
        } else {
            self.fail(batch, error);
        }
    }

    fn retry_or_fail(&self, queue: &PartitionQueue, mut batch: ProducerBatch, error: ClientError, now: Nanos) {
        if batch.deadline(self.shared.config.delivery_timeout) <= now {
            batch.last_error = Some(error);
            let error = batch.timed_out(now);
            return self.fail(batch, error);
        }
        if batch.attempts > self.shared.config.retries || self.shared.abort.load(Ordering::Acquire) {
            return self.fail(batch, error);
        }
        let config = &self.shared.config.connection;
        let backoff = Backoff { first: config.retry_backoff, most: config.retry_backoff_max };
        batch.not_before = now.after(backoff.pause(batch.attempts, (self.shared.network.random)()));
        tracing::debug!(partition = %queue.partition(), attempts = batch.attempts, %error, "a batch is sent again");
        batch.last_error = Some(error);
        Counters::add(&self.shared.counters.retries, 1);
        queue.lock().put_back(vec![batch]);
    }

    fn split(&self, queue: &PartitionQueue, batch: ProducerBatch) {
        let settings = &self.shared.accumulator.settings;
        let topic = self.shared.accumulator.topic(&queue.partition().topic);
        topic.ratio.reset(batch.compression_ratio());
        let records = u64::from(batch.records());
        let (whole, stamped) = (Arc::clone(batch.completion()), batch.stamped);
        match batch.split(settings.codec, settings.batch_size) {
            Ok(parts) => {
                parts.iter().for_each(|part| self.shared.accumulator.incomplete().add(part.completion()));
                Counters::add(&self.shared.counters.splits, 1);
                let mut state = queue.lock();
                if let Some(stamped) = stamped {
                    let positions = parts.iter().filter_map(|part| part.stamped).map(|part| part.position);
                    state.sequences().split(stamped.position, positions);
                }
                state.put_back(parts);
            }
            Err(_) => {
                Counters::add(&self.shared.counters.records_failed, records);
                stamped.into_iter().for_each(|stamped| queue.lock().sequences().finished(stamped.position));
            }
        }
        self.shared.accumulator.incomplete().remove(&whole);
    }

    fn acknowledge(&self, batch: ProducerBatch, base_offset: Offset, log_append_time: i64, at: Nanos) {
        self.shared.probe.produced(&batch.report(Some(base_offset).filter(|offset| offset.0 >= 0), at));
        Counters::add(&self.shared.counters.batches_acknowledged, 1);
        Counters::add(&self.shared.counters.records_acknowledged, u64::from(batch.records()));
        self.complete(batch, Outcome::Acknowledged { base_offset, log_append_time });
    }

    fn fail(&self, batch: ProducerBatch, error: ClientError) {
        tracing::debug!(partition = %batch.partition(), %error, "a batch failed");
        Counters::add(&self.shared.counters.records_failed, u64::from(batch.records()));
        self.complete(batch, Outcome::Failed(error));
    }

    fn complete(&self, batch: ProducerBatch, outcome: Outcome) {
        let completion = Arc::clone(batch.completion());
        if let Some(stamped) = batch.stamped {
            let queue = self.shared.accumulator.topic(&batch.partition().topic).queue(batch.partition().partition);
            queue.lock().sequences().finished(stamped.position);
        }
        batch.complete(outcome);
        self.shared.accumulator.incomplete().remove(&completion);
    }

    fn fail_all(&mut self) {
        self.shared.accumulator.close();
        let in_flight = std::mem::take(&mut self.in_flight).into_values().flat_map(|request| request.batches);
        let in_flight: Vec<ProducerBatch> = in_flight.filter_map(|slot| slot.batch).collect();
        for batch in in_flight.into_iter().chain(self.shared.accumulator.remove_all()) {
            self.fail(batch, ClientError::Closed { client: "producer" });
        }
        self.shared.network.metadata.close();
    }
}

impl Drop for Sender {
    /// Also after a panic nobody waits for ever.
    fn drop(&mut self) {
        self.fail_all();
    }
}

/// What a broker says that waits for another sequence, or does not know the producer's epoch any more (Kafka's
/// `TransactionManager.canRetry`): it has not got the batch.
fn is_out_of_sequence(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::OutOfOrderSequenceNumber | ErrorCode::UnknownProducerId | ErrorCode::InvalidProducerEpoch)
}

type AnswerKey<'a> = (&'a str, i32);

enum Verdicts<'a> {
    Answered(HashMap<AnswerKey<'a>, &'a PartitionProduceResponse>),
    /// `acks=0`: handed to the socket, nobody answers.
    Unanswered,
    Lost(&'a ClientError),
}

impl<'a> Verdicts<'a> {
    fn of(response: &'a ProduceResponse) -> Verdicts<'a> {
        let topics = response.responses.iter();
        let answers = topics
            .flat_map(|topic| topic.partition_responses.iter().map(|answer| ((&*topic.name.0, answer.index), answer)));
        Verdicts::Answered(answers.collect())
    }
}

fn key(partition: &TopicPartition) -> AnswerKey<'_> {
    (&partition.topic, partition.partition)
}
