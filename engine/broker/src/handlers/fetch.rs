//! Fetch (1): reads for consumers and followers, and the wait for more.
//!
//! Whole batches are lent from the log to the answer. A fetch that finds less than `min_bytes` waits for the high watermark (consumers) or
//! the log end (followers) of its partitions to rise, and looks again only then. What a session wants beside what the request lists is kept in
//! [`crate::fetch_sessions`].

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use logdyno_controller::image::MetadataImage;
use logdyno_record::{BrokerId, LeaderEpoch, Offset};
use logdyno_replication::{FetchSlice, FollowerAnswer, FollowerFetch, Isolation, ReplicaError, Waiting};
use logdyno_segment_log::{self as segment_log, LogError, LogRead, Slice};
use logdyno_wire::ErrorCode;
use logdyno_wire::fetch_response::{FetchAnswer, FetchedPartition, FetchedTopic};
use logdyno_wire::messages::fetch_request::{FetchPartition, FetchTopic};
use logdyno_wire::messages::fetch_response::{AbortedTransaction, NodeEndpoint};
use logdyno_wire::messages::{FetchRequest, ProducerId};
use logdyno_wire::request::Request;
use logdyno_wire::response;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::metadata::{endpoint, text};
use super::{Answer, Desk, Unanswerable, code, named_epoch};
use crate::fetch_sessions::{Asker, refusal};
use crate::partitions::Hosted;
use crate::server::Lent;

/// The first version that names topics by id.
const BY_ID: i16 = 13;
/// The first version in which a follower names its incarnation.
const REPLICA_STATE: i16 = 15;
/// The version from which leaders' addresses can be told.
const NODE_ENDPOINTS: i16 = 16;
const READ_COMMITTED: i8 = 1;

pub(super) async fn answer(desk: &Desk, request: &Request) -> Result<Answer, Unanswerable> {
    let mut asked: FetchRequest = request.decode()?;
    let version = request.version;
    let reader = Reader::of(&asked, version);
    let asker = Asker { by_id: version >= BY_ID, is_follower: matches!(reader, Reader::Follower { .. }) };
    let begun = desk.fetch_sessions().begin(&mut asked, asker, desk.clock.now());
    let (answer, lent) = match begun {
        Ok(context) => {
            let (answer, lent) = Fetching::new(desk, &asked, &context.topics, reader, version).run().await;
            (desk.fetch_sessions().finish(context, answer, desk.clock.now(), draw), lent)
        }
        Err(error) => (refusal(error), desk.lending.begin()),
    };
    let body = answer.encode(version);
    Ok(Answer::Records(response::frame(request.api, version, request.correlation_id, body)?, lent))
}

/// A number that nobody can guess: who could, might take part in another's session.
fn draw() -> i32 {
    let (_, low) = uuid::Uuid::new_v4().as_u64_pair();
    i32::try_from(low & 0x7fff_ffff).unwrap_or(1)
}

/// Who fetches.
#[derive(Clone, Copy)]
enum Reader {
    Consumer(Isolation),
    Follower { id: BrokerId, broker_epoch: i64 },
}

impl Reader {
    fn of(asked: &FetchRequest, version: i16) -> Reader {
        let (id, broker_epoch) = if version >= REPLICA_STATE {
            (asked.replica_state.replica_id.0, asked.replica_state.replica_epoch)
        } else {
            (asked.replica_id.0, -1)
        };
        if id >= 0 {
            Reader::Follower { id: BrokerId(id), broker_epoch }
        } else {
            Reader::Consumer(isolation(asked.isolation_level))
        }
    }
}

struct Fetching<'a> {
    desk: &'a Desk,
    asked: &'a FetchRequest,
    topics: &'a [FetchTopic],
    version: i16,
    reader: Reader,
    bytes_max: usize,
    bytes_min: usize,
}

/// One look at all partitions.
struct Look {
    answer: FetchAnswer,
    lent: Lent,
    bytes: usize,
    /// Something must be told at once: an error, or where a follower's log diverges.
    urgent: bool,
    /// What to wait for: partitions, and the offset whose passing is news.
    awaited: Vec<(Hosted, Offset)>,
}

impl<'a> Fetching<'a> {
    fn new(
        desk: &'a Desk,
        asked: &'a FetchRequest,
        topics: &'a [FetchTopic],
        reader: Reader,
        version: i16,
    ) -> Fetching<'a> {
        let bytes = |number: i32| usize::try_from(number).unwrap_or(0);
        let bytes_max = bytes(asked.max_bytes).min(bytes(desk.config.fetch_max_bytes));
        let bytes_min = bytes(asked.min_bytes).min(bytes_max);
        Fetching { desk, asked, topics, version, reader, bytes_max, bytes_min }
    }

    async fn run(&self) -> (FetchAnswer, Lent) {
        let wait_max = Duration::from_millis(u64::try_from(self.asked.max_wait_ms).unwrap_or(0));
        let deadline = Instant::now() + wait_max;
        loop {
            let look = self.look().await;
            if look.urgent || look.bytes >= self.bytes_min || look.awaited.is_empty() || Instant::now() >= deadline {
                self.count(look.bytes);
                return (look.answer, look.lent);
            }
            let woken = Arc::new(Notify::new());
            let waiting: Vec<Waiting> =
                look.awaited.iter().map(|(hosted, at)| self.wait(hosted, *at, &woken)).collect();
            // What was read is read again: a log's bytes are lent, and holding on to them would hold on to its buffers.
            drop((look.answer, look.lent));
            match tokio::time::timeout_at(deadline, woken.notified()).await {
                Ok(()) => self.desk.counters.fetch_wakeups.one(),
                Err(_) => {
                    drop(waiting);
                    let last = self.look().await;
                    self.count(last.bytes);
                    return (last.answer, last.lent);
                }
            }
        }
    }

    fn count(&self, bytes: usize) {
        let counter = match self.reader {
            Reader::Consumer(_) => &self.desk.counters.fetched_bytes,
            Reader::Follower { .. } => &self.desk.counters.replicated_bytes,
        };
        counter.add(bytes as u64);
    }

    fn wait(&self, hosted: &Hosted, at: Offset, woken: &Arc<Notify>) -> Waiting {
        let woken = Arc::clone(woken);
        let wake = Box::new(move || woken.notify_one());
        match self.reader {
            Reader::Consumer(_) => hosted.replica.when_high_watermark(at, wake),
            Reader::Follower { .. } => hosted.replica.when_log_end(at, wake),
        }
    }

    async fn look(&self) -> Look {
        let image = self.desk.image();
        let (answer, lent) = (FetchAnswer::default(), self.desk.lending.begin());
        let mut look = Look { answer, lent, bytes: 0, urgent: false, awaited: Vec::new() };
        for topic in self.topics {
            let name = if self.version >= BY_ID {
                image.topic_by_id(topic.topic_id).map(|topic| topic.name.to_string())
            } else {
                Some(topic.topic.to_string())
            };
            let mut partitions = Vec::with_capacity(topic.partitions.len());
            for asked in &topic.partitions {
                partitions.push(match &name {
                    Some(name) => self.partition(&image, name, asked, &mut look).await,
                    None => {
                        look.urgent = true;
                        failed(asked, code(ErrorCode::UnknownTopicId))
                    }
                });
            }
            look.answer.topics.push(FetchedTopic { name: topic.topic.clone(), id: topic.topic_id, partitions });
        }
        look.answer.node_endpoints = self.endpoints(&image, &look.answer);
        look
    }

    async fn partition(
        &self,
        image: &MetadataImage,
        topic: &str,
        asked: &FetchPartition,
        look: &mut Look,
    ) -> FetchedPartition {
        let fetched = match self.desk.partitions.leading(image, topic, asked.partition) {
            Ok(hosted) => self.read(&hosted, asked, look).await,
            Err(code) => Err(code),
        };
        fetched.unwrap_or_else(|code| {
            look.urgent = true;
            let mut failed = failed(asked, code);
            let moved = [ErrorCode::NotLeaderOrFollower.code(), ErrorCode::FencedLeaderEpoch.code()].contains(&code);
            if moved && self.version >= 12 {
                let leader = self.desk.partitions.current_leader(image, topic, asked.partition);
                failed.current_leader = leader.map(|(leader, epoch)| (leader.0, epoch.0));
            }
            failed
        })
    }

    async fn read(&self, hosted: &Hosted, asked: &FetchPartition, look: &mut Look) -> Result<FetchedPartition, i16> {
        let left = self.bytes_max.saturating_sub(look.bytes);
        let share = look.lent.more(usize::try_from(asked.partition_max_bytes).unwrap_or(0).min(left));
        let max_bytes = share.allowed();
        let at_least_one = look.bytes == 0;
        // Unlike elsewhere, any number below 0 names none (Kafka's FetchRequest.optionalEpoch).
        let epoch = named_epoch(asked.current_leader_epoch.max(-1));
        let from = Offset(asked.fetch_offset);
        // Read before the log is: what comes in between is news.
        let log_end = hosted.replica.log().end_offset();
        let replica = &hosted.replica;
        let fetched = match self.reader {
            Reader::Consumer(isolation) => {
                replica.fetch_as_consumer(from, max_bytes, at_least_one, epoch, isolation).map(FollowerAnswer::Data)
            }
            Reader::Follower { id, broker_epoch } => replica.fetch_as_follower(FollowerFetch {
                follower: id,
                broker_epoch,
                from,
                last_fetched_epoch: LeaderEpoch(asked.last_fetched_epoch),
                current_epoch: epoch,
                log_start: (asked.log_start_offset >= 0).then_some(Offset(asked.log_start_offset)),
                max_bytes,
                at_least_one,
            }),
        };
        match fetched.map_err(|error| self.explain(&error))? {
            FollowerAnswer::Data(slice) => {
                let at = match self.reader {
                    Reader::Consumer(_) => slice.high_watermark.next(),
                    Reader::Follower { .. } => log_end.next(),
                };
                look.awaited.push((hosted.clone(), at));
                let partition = self.data(hosted, asked, slice).await?;
                let bytes = partition.records_bytes();
                share.read(bytes);
                look.bytes += bytes;
                Ok(partition)
            }
            FollowerAnswer::Diverging(end) => {
                look.urgent = true;
                let diverging_epoch = Some((end.epoch.0, end.end.0));
                Ok(FetchedPartition { index: asked.partition, diverging_epoch, ..FetchedPartition::default() })
            }
        }
    }

    async fn data(&self, hosted: &Hosted, asked: &FetchPartition, slice: FetchSlice) -> Result<FetchedPartition, i16> {
        let read = match slice.read {
            LogRead::Ready(read) => read,
            LogRead::Wait(pending) => {
                self.desk.counters.fetches_cold.one();
                let (done, read) = oneshot::channel::<Result<Slice, LogError>>();
                pending.begin(Box::new(move |result| {
                    // The connection may have ended meanwhile.
                    drop(done.send(result));
                }));
                read.await.map_err(|_| code(ErrorCode::KafkaStorageError))?.map_err(|error| {
                    tracing::error!("a read failed: {error}");
                    error.code()
                })?
            }
        };
        let aborted = matches!(self.reader, Reader::Consumer(Isolation::ReadCommitted))
            .then(|| aborted(&hosted.replica.log().aborted_in(Offset(asked.fetch_offset), &read)));
        Ok(FetchedPartition {
            index: asked.partition,
            high_watermark: slice.high_watermark.0,
            last_stable_offset: slice.last_stable.0,
            log_start_offset: slice.log_start.0,
            aborted_transactions: aborted,
            records: read.batches,
            ..FetchedPartition::default()
        })
    }

    fn explain(&self, error: &ReplicaError) -> i16 {
        if let ReplicaError::Log(error) = error {
            tracing::error!("a fetch failed: {error}");
        }
        error.code()
    }

    /// Addresses of the leaders that are named in partitions.
    fn endpoints(&self, image: &MetadataImage, answer: &FetchAnswer) -> Vec<NodeEndpoint> {
        if self.version < NODE_ENDPOINTS {
            return Vec::new();
        }
        let partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
        let named: HashMap<i32, i32> = partitions.filter_map(|partition| partition.current_leader).collect();
        let endpoint = |id: i32| {
            let broker = image.broker(BrokerId(id))?;
            let at = endpoint(broker, self.desk.listener())?;
            let node = NodeEndpoint::default().with_node_id(id.into()).with_host(text(&at.host));
            Some(node.with_port(i32::from(at.port)).with_rack(broker.rack.as_deref().map(text)))
        };
        named.into_keys().filter_map(endpoint).collect()
    }
}

/// What a client means by its `isolation_level`.
pub(super) fn isolation(level: i8) -> Isolation {
    if level == READ_COMMITTED { Isolation::ReadCommitted } else { Isolation::ReadUncommitted }
}

fn aborted(found: &[segment_log::AbortedTransaction]) -> Vec<AbortedTransaction> {
    let told = |aborted: &segment_log::AbortedTransaction| {
        let (producer, first) = (aborted.producer_id, aborted.first_offset.0);
        AbortedTransaction::default().with_producer_id(ProducerId(producer)).with_first_offset(first)
    };
    found.iter().map(told).collect()
}

fn failed(asked: &FetchPartition, error_code: i16) -> FetchedPartition {
    FetchedPartition { index: asked.partition, error_code, ..FetchedPartition::default() }
}
