//! The consumer's thread: asks leaders for what comes next, ahead of `poll`, within the limits of the buffer.
//!
//! One fetch per broker is out at a time; as soon as it is answered the next one goes, whether or not `poll` has
//! taken what it brought. A partition is left out while it holds `max.partition.fetch.bytes` unpolled, all are while
//! partitions that are not paused hold `fetch.max.bytes`: so the buffer is bounded by what one answer of each broker may
//! bring beyond that. What is held back for paused partitions comes on top and keeps nobody out.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use logdyno_record::{Nanos, TopicPartition};
use logdyno_wire::messages::FetchResponse;
use tokio::sync::mpsc;

use super::assignment::{Assignment, Failure, Wanted};
use super::request::{fetch_request, versions};
use super::shared::ConsumerShared;
use crate::config::OffsetReset;
use crate::error::ClientError;
use crate::network::{Answers, Cluster, Leader, Leaders, Purpose, Readiness, by_leader};

/// ListOffsets' names for the ends of a log.
pub(super) const LATEST: i64 = -1;
pub(super) const EARLIEST: i64 = -2;

pub(super) struct Fetcher {
    pub(super) shared: Arc<ConsumerShared>,
    /// Brokers with a fetch out.
    busy: HashSet<i32>,
    answers: mpsc::UnboundedReceiver<Answer>,
    answer_to: mpsc::UnboundedSender<Answer>,
}

enum Answer {
    Fetched { node: i32, asked: Vec<Wanted>, result: Result<FetchResponse, ClientError>, at: Nanos },
    Found { asked: HashMap<TopicPartition, u64>, answers: Answers },
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
            let Some(address) = cluster.nodes.get(&node).map(|node| node.address.clone()) else {
                shared.network.metadata.request_update();
                continue;
            };
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
        let mut failed = Vec::new();
        for (partition, state) in assignment.all_mut() {
            let Some(offset) = state.wants_fetch(per_partition, now) else { continue };
            let Some(leader) = cluster.leader(partition) else {
                leaderless = true;
                if let Some(error) = cluster.refused(&partition.topic) {
                    self.pause(state, now);
                    failed.push((partition.clone(), state.generation, error));
                }
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
        for (partition, generation, error) in failed {
            assignment.fail(&partition, generation, Failure::Passing(error));
            self.shared.changed.notify_all();
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
        let mut failed = Vec::new();
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
                    failed.push((partition.clone(), state.generation));
                    continue;
                }
            };
            state.resetting = true;
            questions.insert(partition.clone(), timestamp);
            asked.insert(partition.clone(), state.generation);
        }
        for (partition, generation) in failed {
            let failure = Failure::Lasting(ClientError::NoOffset { partition: partition.clone() });
            assignment.fail(&partition, generation, failure);
            self.shared.changed.notify_all();
        }
        if questions.is_empty() {
            return;
        }
        // One leader's answer waits for no other one's.
        let (to_leaders, unanswerable) = by_leader(&self.shared.network, &questions);
        let isolation = self.shared.config.isolation_level.code();
        for to_leader in to_leaders {
            let its = to_leader.partitions().map(|partition| (partition.clone(), asked[partition])).collect();
            let (network, answer_to) = (Arc::clone(&self.shared.network), self.answer_to.clone());
            tokio::spawn(async move {
                let answers = to_leader.ask(network, isolation).await;
                // The fetcher only goes away with the whole runtime.
                drop(answer_to.send(Answer::Found { asked: its, answers }));
            });
        }
        if !unanswerable.is_empty() {
            asked.retain(|partition, _| unanswerable.contains_key(partition));
            drop(self.answer_to.send(Answer::Found { asked, answers: unanswerable }));
        }
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
}

/// When the first pause after an error ends.
fn pauses(assignment: &mut Assignment, now: Nanos) -> Option<Nanos> {
    assignment.all_mut().map(|(_, state)| state.not_before).filter(|at| *at > now).min()
}
