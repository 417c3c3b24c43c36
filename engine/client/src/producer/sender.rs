//! The producer's thread: takes batches that are ready, sends them, and has the answers dealt with (`verdict`).
//!
//! Kafka's `Sender`. All decisions about batches are made on this one thread; each request waits for its
//! answer in a small task that reports back. Batches in flight stay here, not in the task, so that they can
//! expire while their request is still out.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use logdyno_record::{Clock, Nanos, Probe, TopicPartition};
use tokio::sync::mpsc;

use super::accumulator::{Accumulator, DrainIndex, NodeLatencies, PartitionQueue, Ready};
use super::batch::ProducerBatch;
use super::identity::{Given, Identity};
use super::metrics::Counters;
use super::request::{Departure, Exchange, depart, produce_request};
use super::verdict::Verdicts;
use crate::backoff::Backoff;
use crate::config::ProducerConfig;
use crate::error::ClientError;
use crate::network::{Network, Purpose, Readiness, Wake};

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
                    self.shared.fail(batch, error.clone());
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
                    self.shared.fail(batch, ClientError::Compression { partition, reason: error.to_string() });
                }
            }
        }
        (batches, records)
    }

    fn expire(&mut self, now: Nanos) {
        for batch in self.shared.accumulator.take_expired(now) {
            let error = batch.timed_out(now);
            self.shared.fail(batch, error);
        }
        let timeout = self.shared.config.delivery_timeout;
        let in_flight = self.in_flight.values_mut().flat_map(|request| &mut request.batches);
        let expired: Vec<ProducerBatch> = in_flight
            .filter(|slot| slot.batch.as_ref().is_some_and(|batch| batch.deadline(timeout) <= now))
            .filter_map(|slot| slot.batch.take())
            .collect();
        for batch in expired {
            let error = batch.timed_out(now);
            self.shared.fail(batch, error);
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
            self.shared.conclude(&queue, batch, &verdicts, answered);
        }
    }

    fn fail_all(&mut self) {
        self.shared.accumulator.close();
        let in_flight = std::mem::take(&mut self.in_flight).into_values().flat_map(|request| request.batches);
        let in_flight: Vec<ProducerBatch> = in_flight.filter_map(|slot| slot.batch).collect();
        for batch in in_flight.into_iter().chain(self.shared.accumulator.remove_all()) {
            self.shared.fail(batch, ClientError::Closed { client: "producer" });
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
