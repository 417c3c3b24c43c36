//! The consumer's thread: asks leaders for what comes next, ahead of `poll`, within the limits of the buffer.
//!
//! One fetch per broker is out at a time; as soon as it is answered the next one goes, whether or not `poll` has
//! taken what it brought. A partition is left out while it holds `max.partition.fetch.bytes` unpolled, all are while
//! partitions that are not paused hold `fetch.max.bytes`: so the buffer is bounded by what one answer of each broker may
//! bring beyond that. What is held back for paused partitions comes on top and keeps nobody out.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use logdyno_record::{Nanos, Offset, Stage, TopicPartition};
use logdyno_wire::ErrorCode;
use logdyno_wire::messages::FetchResponse;
use logdyno_wire::messages::fetch_response::PartitionData;
use tokio::sync::mpsc;

use super::assignment::{Assignment, Wanted};
use super::digest::digest;
use super::fetched::Buffered;
use super::isolation::Aborted;
use super::request::{fetch_request, versions};
use super::shared::ConsumerShared;
use crate::backoff::Backoff;
use crate::config::{IsolationLevel, OffsetReset};
use crate::error::ClientError;
use crate::network::{Cluster, FoundOffset, Leader, Leaders, Purpose, Readiness, is_stale_metadata, list_offsets_once};

/// ListOffsets' names for the ends of a log.
pub(super) const LATEST: i64 = -1;
pub(super) const EARLIEST: i64 = -2;

pub(super) struct Fetcher {
    shared: Arc<ConsumerShared>,
    /// Brokers with a fetch out.
    busy: HashSet<i32>,
    answers: mpsc::UnboundedReceiver<Answer>,
    answer_to: mpsc::UnboundedSender<Answer>,
}

enum Answer {
    Fetched { node: i32, asked: Vec<Wanted>, result: Result<FetchResponse, ClientError>, at: Nanos },
    Found { asked: HashMap<TopicPartition, u64>, answers: HashMap<TopicPartition, Result<FoundOffset, ClientError>> },
}

impl Fetcher {
    pub(super) fn new(shared: Arc<ConsumerShared>) -> Fetcher {
        let (answer_to, answers) = mpsc::unbounded_channel();
        Fetcher { shared, busy: HashSet::new(), answers, answer_to }
    }

    /// Runs until the consumer is closed.
    pub(super) async fn run(mut self) {
        while !self.shared.is_closing() {
            let look_again = self.ask_what_is_wanted();
            let pause = look_again.map_or(Duration::from_secs(3600), |at| at.since(self.shared.clock.now()));
            let wake = Arc::clone(&self.shared.wake);
            tokio::select! {
                Some(answer) = self.answers.recv() => self.handle(answer),
                () = wake.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// One round; returns when to look again if nothing happens before.
    fn ask_what_is_wanted(&mut self) -> Option<Nanos> {
        let now = self.shared.clock.now();
        let cluster = self.shared.network.metadata.cluster();
        let shared = Arc::clone(&self.shared);
        let mut assignment = shared.lock();
        self.ask_resets(&mut assignment, now);
        let mut look_again = pauses(&mut assignment, now);
        let Some(room) = self.room(&assignment) else { return look_again };
        for (node, wanted) in self.wanted_by_node(&mut assignment, &cluster, now) {
            let Some(address) = cluster.nodes.get(&node).map(|node| node.address.clone()) else { continue };
            match shared.network.connections.ready(&address, Purpose::Data) {
                Readiness::Open(channel) => {
                    self.busy.insert(node);
                    for (asked, _) in &wanted {
                        if let Some(state) = assignment.same(&asked.partition, asked.generation) {
                            state.fetching = true;
                        }
                    }
                    self.send(node, address, channel, &cluster, wanted, room);
                }
                Readiness::Connecting => {}
                Readiness::Pausing(until) => {
                    shared.network.metadata.request_update();
                    look_again = Some(look_again.map_or(until, |at| at.min(until)));
                }
            }
        }
        look_again
    }

    /// How many bytes may be asked for; `None` while enough is buffered. Where nothing is, a first batch always may come.
    fn room(&self, assignment: &Assignment) -> Option<usize> {
        let most = usize::try_from(self.shared.config.fetch_max_bytes).unwrap_or(0);
        match assignment.bytes_to_poll() {
            0 => Some(most.max(1)),
            buffered => most.checked_sub(buffered).filter(|room| *room > 0),
        }
    }

    fn wanted_by_node(
        &self,
        assignment: &mut Assignment,
        cluster: &Cluster,
        now: Nanos,
    ) -> BTreeMap<i32, Vec<(Wanted, Leader)>> {
        let per_partition = usize::try_from(self.shared.config.max_partition_fetch_bytes).unwrap_or(0).max(1);
        let mut by_node: BTreeMap<i32, Vec<(Wanted, Leader)>> = BTreeMap::new();
        let mut leaderless = false;
        for (partition, state) in assignment.all_mut() {
            let Some(offset) = state.wants_fetch(per_partition, now) else { continue };
            let Some(leader) = cluster.leader(partition) else {
                leaderless = true;
                continue;
            };
            if !self.busy.contains(&leader.node) {
                let wanted = Wanted { partition: partition.clone(), generation: state.generation, offset };
                by_node.entry(leader.node).or_default().push((wanted, leader));
            }
        }
        if leaderless {
            self.shared.network.metadata.request_update();
        }
        for wanted in by_node.values_mut() {
            let turn = self.shared.next_turn() % wanted.len();
            wanted.rotate_left(turn);
        }
        by_node
    }

    fn send(
        &self,
        node: i32,
        address: String,
        channel: logdyno_wire::channel::Channel,
        cluster: &Cluster,
        wanted: Vec<(Wanted, Leader)>,
        room: usize,
    ) {
        let request = fetch_request(&self.shared.config, cluster, &wanted, room);
        let version = versions(cluster, &wanted);
        let asked: Vec<Wanted> = wanted.into_iter().map(|(wanted, _)| wanted).collect();
        let (answer_to, clock) = (self.answer_to.clone(), Arc::clone(&self.shared.clock));
        tokio::spawn(async move {
            let result = channel.call(request, Some(version)).await.map_err(|error| ClientError::Disconnected {
                doing: format!("fetching from {address}"),
                reason: error.to_string(),
            });
            // The fetcher only goes away with the whole runtime.
            drop(answer_to.send(Answer::Fetched { node, asked, result, at: clock.now() }));
        });
    }

    fn ask_resets(&self, assignment: &mut Assignment, now: Nanos) {
        let mut questions = BTreeMap::new();
        let mut asked = HashMap::new();
        for (partition, state) in assignment.all_mut() {
            let Some(reset) = state.wants_reset(now) else { continue };
            let timestamp = match reset {
                OffsetReset::Earliest => EARLIEST,
                OffsetReset::Latest => LATEST,
                OffsetReset::ByDuration(age) => {
                    self.shared.clock.wall_ms().saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX))
                }
                OffsetReset::None => {
                    state.reset = None;
                    state.failure = Some(ClientError::NoOffset { partition: partition.clone() });
                    self.shared.changed.notify_all();
                    continue;
                }
            };
            state.resetting = true;
            questions.insert(partition.clone(), timestamp);
            asked.insert(partition.clone(), state.generation);
        }
        if questions.is_empty() {
            return;
        }
        let (network, answer_to) = (Arc::clone(&self.shared.network), self.answer_to.clone());
        let isolation = self.shared.config.isolation_level.code();
        tokio::spawn(async move {
            let answers = list_offsets_once(&network, &questions, isolation).await;
            // The fetcher only goes away with the whole runtime.
            drop(answer_to.send(Answer::Found { asked, answers }));
        });
    }

    fn handle(&mut self, answer: Answer) {
        match answer {
            Answer::Fetched { node, asked, result, at } => {
                self.busy.remove(&node);
                self.handle_fetched(asked, result, at);
            }
            Answer::Found { asked, mut answers } => {
                for (partition, generation) in asked {
                    let answer = answers.remove(&partition);
                    self.handle_found(&partition, generation, answer);
                }
            }
        }
        self.shared.changed.notify_all();
    }

    fn handle_found(
        &self,
        partition: &TopicPartition,
        generation: u64,
        answer: Option<Result<FoundOffset, ClientError>>,
    ) {
        let now = self.shared.clock.now();
        let mut assignment = self.shared.lock();
        let Some(state) = assignment.same(partition, generation) else { return };
        state.resetting = false;
        match answer {
            Some(Ok(found)) if found.offset.0 >= 0 => {
                state.position = Some(found.offset);
                state.fetch_position = Some(found.offset);
                (state.reset, state.failures) = (None, 0);
            }
            // No record is as young as was asked: the end is where the next such record will be.
            Some(Ok(_)) => state.reset = Some(OffsetReset::Latest),
            Some(Err(error)) if !error.is_retriable() => state.failure = Some(error),
            Some(Err(_)) | None => self.pause(state, now),
        }
    }

    fn handle_fetched(&self, asked: Vec<Wanted>, result: Result<FetchResponse, ClientError>, at: Nanos) {
        let cluster = self.shared.network.metadata.cluster();
        let answers = match &result {
            Ok(response) if response.error_code == 0 => by_partition(&cluster, response),
            Ok(_) | Err(_) => HashMap::new(),
        };
        if result.is_err() {
            self.shared.network.metadata.request_update();
        }
        for wanted in &asked {
            let answer = answers.get(&(&*wanted.partition.topic, wanted.partition.partition)).copied();
            self.handle_partition(wanted, answer, at);
        }
    }

    fn handle_partition(&self, wanted: &Wanted, answer: Option<&PartitionData>, at: Nanos) {
        let digested = answer.filter(|data| data.error_code == 0).map(|data| {
            let records = data.records.clone().unwrap_or_default();
            digest(&wanted.partition, wanted.offset, records, self.aborted(data), self.shared.config.check_crcs)
        });
        let mut assignment = self.shared.lock();
        let Some(state) = assignment.same(&wanted.partition, wanted.generation) else { return };
        state.fetching = false;
        match (answer, digested) {
            (Some(data), Some(digested)) => {
                (state.failures, state.failure) = (0, digested.failure);
                state.high_watermark = Some(Offset(data.high_watermark));
                for entry in &digested.entries {
                    if let Buffered::Batch(batch) = entry {
                        let offsets = batch.first_offset()..batch.end_offset();
                        self.shared.probe.passed(Stage::Fetched, &wanted.partition, offsets, at);
                    }
                }
                assignment.buffer(&wanted.partition, wanted.generation, digested.entries);
            }
            (Some(data), None) => self.handle_error(state, wanted, data, at),
            (None, _) => self.pause(state, at),
        }
    }

    fn handle_error(
        &self,
        state: &mut super::assignment::PartitionState,
        wanted: &Wanted,
        data: &PartitionData,
        now: Nanos,
    ) {
        let code = ErrorCode::try_from_code(data.error_code).unwrap_or(ErrorCode::UnknownServerError);
        if code == ErrorCode::OffsetOutOfRange {
            match self.shared.config.offset_reset {
                OffsetReset::None => {
                    let (partition, offset) = (wanted.partition.clone(), wanted.offset);
                    state.failure = Some(ClientError::OffsetOutOfRange { partition, offset });
                }
                reset => {
                    tracing::info!(partition = %wanted.partition, offset = %wanted.offset, "out of range: resetting");
                    state.reset = Some(reset);
                }
            }
            return;
        }
        if is_stale_metadata(code) {
            let leader = Leader { node: data.current_leader.leader_id.0, epoch: data.current_leader.leader_epoch };
            if leader.node >= 0 && leader.epoch >= 0 {
                self.shared.network.metadata.learn_leader(&wanted.partition, leader);
            }
            self.shared.network.metadata.request_update();
            return self.pause(state, now);
        }
        if code.is_retriable() && code != ErrorCode::CorruptMessage {
            return self.pause(state, now);
        }
        let doing = format!("fetching {} from offset {}", wanted.partition, wanted.offset);
        state.failure = Some(ClientError::Refused { doing, code, message: None });
    }

    fn pause(&self, state: &mut super::assignment::PartitionState, now: Nanos) {
        let config = &self.shared.config.connection;
        let backoff = Backoff { first: config.retry_backoff, most: config.retry_backoff_max };
        state.failures += 1;
        state.not_before = now.after(backoff.pause(state.failures, (self.shared.network.random)()));
    }

    fn aborted(&self, data: &PartitionData) -> Aborted {
        if self.shared.config.isolation_level == IsolationLevel::ReadUncommitted {
            return Aborted::default();
        }
        let list = data.aborted_transactions.iter().flatten();
        Aborted::new(list.map(|aborted| (aborted.producer_id.0, aborted.first_offset)))
    }
}

/// When the first pause after an error ends.
fn pauses(assignment: &mut Assignment, now: Nanos) -> Option<Nanos> {
    assignment.all_mut().map(|(_, state)| state.not_before).filter(|at| *at > now).min()
}

/// Answers by topic name and partition; version 13 and later name topics by id.
fn by_partition<'a>(cluster: &'a Cluster, response: &'a FetchResponse) -> HashMap<(&'a str, i32), &'a PartitionData> {
    let ids: HashMap<_, &str> = cluster.topics.iter().map(|(name, topic)| (topic.id, &**name)).collect();
    let mut answers = HashMap::new();
    for topic in &response.responses {
        let by_name = Some(&*topic.topic.0).filter(|name| !name.is_empty());
        let Some(name) = by_name.or_else(|| ids.get(&topic.topic_id).copied()) else { continue };
        answers.extend(topic.partitions.iter().map(|data| ((name, data.partition_index), data)));
    }
    answers
}
