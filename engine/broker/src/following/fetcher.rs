//! Fetching from one leader: all partitions that are followed from it, in one request at a time (Kafka's `ReplicaFetcherThread`).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use logdyno_controller::image::MetadataImage;
use logdyno_record::{BrokerId, LeaderEpoch, Offset, TopicId, TopicPartition, batches};
use logdyno_replication::{EpochEnd, FetchPosition, ReplicaError};
use logdyno_segment_log::LogError;
use logdyno_wire::channel::{Channel, ChannelConfig, ChannelError};
use logdyno_wire::messages::fetch_request::{FetchPartition, FetchTopic, ReplicaState};
use logdyno_wire::messages::fetch_response::PartitionData;
use logdyno_wire::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use logdyno_wire::messages::{self, FetchRequest, FetchResponse, ListOffsetsRequest, TopicName};
use logdyno_wire::{ErrorCode, StrBytes};
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::Instant;

use crate::config::{BrokerConfig, millis};
use crate::counters::Counters;
use crate::handlers::endpoint;
use crate::partitions::{Hosted, Partitions, room};

/// The version that brokers speak with each other: topic ids, and the follower's incarnation.
const FETCH_VERSION: i16 = 16;
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
/// Above `replica.fetch.wait.max.ms`, the time that a leader may take to answer (`replica.socket.timeout.ms`).
const ANSWER_TIME: Duration = Duration::from_secs(30);

pub(super) struct FetcherShared {
    pub(super) config: Arc<BrokerConfig>,
    pub(super) partitions: Arc<Partitions>,
    pub(super) metadata: watch::Receiver<Arc<MetadataImage>>,
    pub(super) counters: Arc<Counters>,
    pub(super) broker_epoch: i64,
}

pub(super) struct Fetcher {
    leader: BrokerId,
    shared: Arc<FetcherShared>,
    changed: Arc<Notify>,
    /// Partitions whose last fetch failed, and when they may be tried again.
    resting: HashMap<TopicPartition, Instant>,
    /// Partitions whose log has failed here, which has been told.
    told: HashSet<TopicPartition>,
}

/// A partition as it is asked for.
struct Asked {
    hosted: Hosted,
    position: FetchPosition,
}

impl Fetcher {
    pub(super) fn new(leader: BrokerId, shared: Arc<FetcherShared>, changed: Arc<Notify>) -> Fetcher {
        Fetcher { leader, shared, changed, resting: HashMap::new(), told: HashSet::new() }
    }

    /// Runs for ever. A broken connection is made anew after `replica.fetch.backoff.ms`.
    pub(super) async fn run(mut self) {
        let mut failures = 0_u32;
        loop {
            self.some_to_follow().await;
            match self.follow().await {
                Ok(()) => failures = 0,
                Err(error) => {
                    failures = failures.saturating_add(1);
                    self.report(failures, &error);
                    tokio::time::sleep(self.backoff()).await;
                }
            }
        }
    }

    /// A leader that stops takes its connections with it, and its goodbye comes by the metadata: only one that fails
    /// again while it should be in service is worth a warning, once.
    fn report(&self, failures: u32, error: &ChannelError) {
        let in_service = self.shared.metadata.borrow().live_epoch(self.leader).is_some();
        if failures == 2 && in_service {
            tracing::warn!(leader = %self.leader, "cannot fetch from this leader for now: {error}");
        } else {
            tracing::debug!(leader = %self.leader, failures, in_service, "a fetch from the leader failed: {error}");
        }
    }

    fn backoff(&self) -> Duration {
        millis(self.shared.config.replica_fetch_backoff_ms)
    }

    fn followed(&self) -> Vec<Hosted> {
        let image = Arc::clone(&self.shared.metadata.borrow());
        let is_followed = |hosted: &Hosted| {
            let state = image.partition(hosted.replica.partition());
            state.is_some_and(|state| state.leader == Some(self.leader)) && !hosted.replica.is_leader()
        };
        self.shared.partitions.all().into_iter().filter(is_followed).collect()
    }

    async fn some_to_follow(&self) {
        while self.followed().is_empty() {
            self.changed.notified().await;
        }
    }

    /// Fetches over one connection until it breaks or nothing is followed from this leader any more.
    async fn follow(&mut self) -> Result<(), ChannelError> {
        let Some(address) = self.address() else {
            // Its registration is on the way with the metadata.
            self.changed.notified().await;
            return Ok(());
        };
        let config = ChannelConfig { request_timeout: ANSWER_TIME, ..ChannelConfig::default() };
        let name = format!("broker-{}-fetcher", self.shared.config.node_id);
        let channel = Channel::connect(&address, &name, config).await?;
        while self.address().as_deref() == Some(&address) {
            let asked = self.ready().await;
            if asked.is_empty() {
                if self.followed().is_empty() {
                    return Ok(());
                }
                // All rest after errors, until the first may be tried again.
                let soonest = self.resting.values().min().copied().unwrap_or_else(Instant::now);
                tokio::select! {
                    () = tokio::time::sleep_until(soonest) => {}
                    () = self.changed.notified() => {}
                }
                self.resting.retain(|_, until| *until > Instant::now());
                continue;
            }
            let response = channel.call(self.request(&asked), Some(FETCH_VERSION)).await?;
            self.take(&channel, asked, response).await?;
        }
        Ok(())
    }

    fn address(&self) -> Option<String> {
        let image = self.shared.metadata.borrow();
        let listener = self.shared.config.client_listener().map_or("PLAINTEXT", |listener| listener.name.as_str());
        endpoint(image.broker(self.leader)?, listener).map(|endpoint| format!("{}:{}", endpoint.host, endpoint.port))
    }

    /// What can be asked for: the tail of each partition is at its ack level, which is waited for.
    async fn ready(&mut self) -> Vec<Asked> {
        self.resting.retain(|_, until| *until > Instant::now());
        let mut asked = Vec::new();
        for hosted in self.followed() {
            if self.resting.contains_key(hosted.replica.partition()) {
                continue;
            }
            if hosted.replica.fetch_position().is_none()
                && let Err(error) = settled(&hosted).await
            {
                self.rest(hosted.replica.partition(), &Failed::from(ReplicaError::from(error)));
                continue;
            }
            if let Some(position) = hosted.replica.fetch_position().filter(|position| position.leader == self.leader) {
                asked.push(Asked { hosted, position });
            }
        }
        asked
    }

    fn request(&self, asked: &[Asked]) -> FetchRequest {
        let config = &self.shared.config;
        let mut topics: HashMap<TopicId, Vec<FetchPartition>> = HashMap::new();
        for Asked { hosted, position } in asked {
            let partition = FetchPartition::default()
                .with_partition(hosted.replica.partition().partition)
                .with_current_leader_epoch(position.leader_epoch.0)
                .with_fetch_offset(position.offset.0)
                .with_last_fetched_epoch(position.last_fetched_epoch.0)
                .with_log_start_offset(position.log_start.0)
                .with_partition_max_bytes(config.replica_fetch_max_bytes);
            topics.entry(hosted.topic).or_default().push(partition);
        }
        let topics = topics
            .into_iter()
            .map(|(id, partitions)| FetchTopic::default().with_topic_id(id).with_partitions(partitions));
        let follower = ReplicaState::default()
            .with_replica_id(messages::BrokerId(config.node_id))
            .with_replica_epoch(self.shared.broker_epoch);
        FetchRequest::default()
            .with_replica_state(follower)
            .with_max_wait_ms(config.replica_fetch_wait_max_ms)
            .with_min_bytes(config.replica_fetch_min_bytes)
            .with_max_bytes(config.replica_fetch_response_max_bytes)
            .with_session_epoch(-1)
            .with_topics(topics.collect())
    }

    async fn take(
        &mut self,
        channel: &Channel,
        asked: Vec<Asked>,
        response: FetchResponse,
    ) -> Result<(), ChannelError> {
        let mut answers: HashMap<(TopicId, i32), PartitionData> = HashMap::new();
        for topic in response.responses {
            let partitions = topic.partitions.into_iter();
            answers.extend(partitions.map(|answer| ((topic.topic_id, answer.partition_index), answer)));
        }
        for Asked { hosted, position } in asked {
            let partition = hosted.replica.partition().clone();
            let outcome = match answers.remove(&(hosted.topic, partition.partition)) {
                Some(answer) if answer.error_code == ErrorCode::OffsetOutOfRange.code() => {
                    self.start_over(channel, &hosted, &position).await?
                }
                Some(answer) => match self.apply(&hosted, &position, answer) {
                    // What fitted is in the log; the next fetch asks for the rest.
                    Err(Failed::Replica(ReplicaError::Log(LogError::Full { .. })))
                        if room(&hosted, self.backoff()).await =>
                    {
                        Ok(())
                    }
                    other => other,
                },
                None => Err(Failed::Code(response.error_code)),
            };
            match outcome {
                Ok(()) => _ = self.told.remove(&partition),
                Err(error) => self.rest(&partition, &error),
            }
        }
        Ok(())
    }

    /// Leaves a partition alone for a while. That it cannot go on here is told, once until it can.
    fn rest(&mut self, partition: &TopicPartition, error: &Failed) {
        if error.is_ours() && self.told.insert(partition.clone()) {
            tracing::error!(%partition, leader = %self.leader, "this replica does not follow its leader for now: {error}");
        } else {
            tracing::debug!(%partition, leader = %self.leader, "a fetch failed: {error}");
        }
        self.resting.insert(partition.clone(), Instant::now() + self.backoff());
    }

    fn apply(&self, hosted: &Hosted, position: &FetchPosition, answer: PartitionData) -> Result<(), Failed> {
        if answer.error_code != 0 {
            return Err(Failed::Code(answer.error_code));
        }
        let diverging = &answer.diverging_epoch;
        if diverging.epoch >= 0 {
            let leaders = EpochEnd { epoch: LeaderEpoch(diverging.epoch), end: Offset(diverging.end_offset) };
            hosted.replica.on_diverging(position.leader_epoch, leaders)?;
            return Ok(());
        }
        let records = whole_batches(answer.records.unwrap_or_default())?;
        let bytes = records.len() as u64;
        let (high_watermark, log_start) = (Offset(answer.high_watermark), Offset(answer.log_start_offset));
        if hosted.replica.apply_fetched(position.leader_epoch, position.offset, records, high_watermark, log_start)? {
            self.shared.counters.followed_bytes.add(bytes);
        }
        Ok(())
    }

    /// The leader's log does not reach ours: asks where it lies.
    async fn start_over(
        &self,
        channel: &Channel,
        hosted: &Hosted,
        position: &FetchPosition,
    ) -> Result<Result<(), Failed>, ChannelError> {
        let (start, end) = match (
            self.leaders_offset(channel, hosted, position, EARLIEST).await?,
            self.leaders_offset(channel, hosted, position, LATEST).await?,
        ) {
            (Ok(start), Ok(end)) => (start, end),
            (Err(code), _) | (_, Err(code)) => return Ok(Err(Failed::Code(code))),
        };
        Ok(hosted.replica.on_out_of_range(position.leader_epoch, start, end).map_err(Failed::from))
    }

    async fn leaders_offset(
        &self,
        channel: &Channel,
        hosted: &Hosted,
        position: &FetchPosition,
        timestamp: i64,
    ) -> Result<Result<Offset, i16>, ChannelError> {
        let partition = hosted.replica.partition();
        let asked = ListOffsetsPartition::default()
            .with_partition_index(partition.partition)
            .with_current_leader_epoch(position.leader_epoch.0)
            .with_timestamp(timestamp);
        let topic = ListOffsetsTopic::default()
            .with_name(TopicName(StrBytes::from_string(partition.topic.to_string())))
            .with_partitions(vec![asked]);
        let request = ListOffsetsRequest::default()
            .with_replica_id(messages::BrokerId(self.shared.config.node_id))
            .with_topics(vec![topic]);
        let response = channel.call(request, Some(9)).await?;
        let answer = response.topics.into_iter().flat_map(|topic| topic.partitions).next();
        Ok(match answer {
            Some(answer) if answer.error_code == 0 => Ok(Offset(answer.offset)),
            Some(answer) => Err(answer.error_code),
            None => Err(ErrorCode::UnknownServerError.code()),
        })
    }
}

/// Why a partition rests for a while.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("the leader answered with error {0}")]
    Code(i16),
    #[error(transparent)]
    Replica(#[from] ReplicaError),
    #[error("what the leader sent is damaged: {0}")]
    Damaged(#[from] logdyno_record::BatchError),
}

impl Failed {
    /// Whether the log here is at fault, and not only slow.
    fn is_ours(&self) -> bool {
        matches!(self, Failed::Replica(error) if !matches!(error, ReplicaError::Log(LogError::Full { .. })))
    }
}

/// The bytes are checked before they enter the log: a bit that flipped on the way would spread to every replica that starts from here.
fn whole_batches(records: Bytes) -> Result<Bytes, Failed> {
    let mut all = batches(records.clone());
    for batch in &mut all {
        batch?.verify_crc()?;
    }
    let whole = records.len() - all.rest().len();
    Ok(records.slice(..whole))
}

/// Waits until the log's tail is at its ack level, or never will be.
async fn settled(hosted: &Hosted) -> Result<(), LogError> {
    let (done, settled) = oneshot::channel();
    hosted.replica.when_settled(Box::new(move |result| {
        // Nobody waits any more when the broker stops.
        drop(done.send(result));
    }));
    settled.await.unwrap_or(Ok(()))
}
