//! Produce (0): validation, append, and the wait for the replicas that `acks` asks for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use logdyno_record::validate::{check_beginning, only_batch};
use logdyno_record::{Batch, Nanos, Offset, ProduceRules, Refusal, patch, validate_for_produce};
use logdyno_replication::{Acks, AppendDone, Replica, ReplicaError};
use logdyno_segment_log::Appended;
use logdyno_wire::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use logdyno_wire::messages::produce_response::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, PartitionProduceResponse, TopicProduceResponse,
};
use logdyno_wire::messages::{self, ProduceResponse, TopicName};
use logdyno_wire::request::Request;
use logdyno_wire::{ErrorCode, StrBytes};
use tokio::sync::oneshot;

use super::metadata::{is_internal, text, topic_name};
use super::{Answer, Desk, Pending, Unanswerable, code, encode};
use crate::partitions::{Hosted, room, state};

const NO_TRANSACTIONS: &str = "transactional producers are not served by this broker yet: leave transactional.id out";
/// Who may append to internal topics: Kafka's `AdminUtils.ADMIN_CLIENT_ID`.
const ADMIN_CLIENT: &str = "__admin_client";
/// The first version that may carry zstd (KIP-110).
const ZSTD: i16 = 7;
/// The first version with messages and record errors.
const MESSAGES: i16 = 8;
/// The first version that tells who leads instead (KIP-951).
const CURRENT_LEADER: i16 = 10;

/// What became of one partition's batch.
enum Outcome {
    /// Refused: nothing was appended.
    Refused(Refused),
    /// Appended, or refused by the replica; told by and by.
    Waiting { told: oneshot::Receiver<Result<Appended, ReplicaError>>, replica: Arc<Replica> },
}

#[derive(Default)]
struct Refused {
    code: i16,
    message: Option<String>,
    /// Records to blame, and why.
    blamed: Vec<(u32, String)>,
    /// Where the log starts; told only of what the log itself refuses.
    log_start: Option<Offset>,
}

struct Partition {
    index: i32,
    outcome: Outcome,
}

/// Appends now; the answer comes when `acks` are there.
pub(super) async fn take(desk: &Arc<Desk>, mut request: Request) -> Result<Pending, Unanswerable> {
    let asked: ProduceRequest = request.decode()?;
    // Whoever waits for replicas holds nothing of the memory that the request came in.
    request.body = Bytes::new();
    request.client_id = request.client_id.as_deref().map(text);
    let acks = asked.acks;
    let timeout = Duration::from_millis(u64::try_from(asked.timeout_ms).unwrap_or(0));
    let deadline = desk.clock.now().after(timeout);
    let is_admin = request.client_id.as_deref() == Some(ADMIN_CLIENT);
    let is_transactional = asked.transactional_id.is_some();
    let all = asked.topic_data.iter().flat_map(|topic| &topic.partition_data);
    let unreadable = all.filter_map(|data| check_beginning(data.records.as_deref()?).err()).next();
    let producing =
        Producing { desk, version: request.version, acks, deadline, is_admin, is_transactional, unreadable };
    let mut topics = Vec::with_capacity(asked.topic_data.len());
    for topic in asked.topic_data {
        let (name, partitions) = producing.topic(topic).await;
        topics.push((topic_name(&name), partitions));
    }
    let desk = Arc::clone(desk);
    Ok(Box::pin(async move {
        if acks == 0 {
            return unacknowledged(topics);
        }
        let mut responses = Vec::with_capacity(topics.len());
        for (name, partitions) in topics {
            let mut answers = Vec::with_capacity(partitions.len());
            for partition in partitions {
                answers.push(response(&desk, request.version, &name, partition).await);
            }
            responses.push(TopicProduceResponse::default().with_name(name).with_partition_responses(answers));
        }
        encode(&request, &ProduceResponse::default().with_responses(responses))
    }))
}

/// Nobody is told that it went well; that it did not, only by the end of the connection.
fn unacknowledged(topics: Vec<(TopicName, Vec<Partition>)>) -> Result<Answer, Unanswerable> {
    for partition in topics.into_iter().flat_map(|(_, partitions)| partitions) {
        let code = match partition.outcome {
            Outcome::Refused(refused) => refused.code,
            // What the replica refuses, it refuses at once.
            Outcome::Waiting { mut told, .. } => match told.try_recv() {
                Ok(Err(error)) => error.code(),
                _ => continue,
            },
        };
        return Err(Unanswerable::Unacknowledged { code });
    }
    Ok(Answer::Silent)
}

struct Producing<'a> {
    desk: &'a Desk,
    version: i16,
    acks: i16,
    deadline: Nanos,
    is_admin: bool,
    is_transactional: bool,
    /// What is wrong with some partition's bytes that none is taken.
    unreadable: Option<Refusal>,
}

impl Producing<'_> {
    async fn topic(&self, topic: TopicProduceData) -> (TopicName, Vec<Partition>) {
        let mut seen = BTreeMap::new();
        for data in &topic.partition_data {
            *seen.entry(data.index).or_insert(0) += 1;
        }
        let mut partitions = Vec::with_capacity(topic.partition_data.len());
        for data in topic.partition_data {
            let index = data.index;
            let outcome = match seen.get(&index) > Some(&1) {
                true => Outcome::Refused(refused(
                    ErrorCode::InvalidRequest,
                    format!("the request names partition {index} more than once"),
                )),
                false => self.append(&topic.name, data).await.unwrap_or_else(Outcome::Refused),
            };
            partitions.push(Partition { index, outcome });
        }
        (topic.name, partitions)
    }

    async fn append(&self, topic: &str, data: PartitionProduceData) -> Result<Outcome, Refused> {
        if let Some(refusal) = &self.unreadable {
            return Err(by_format(refusal.clone()));
        }
        // In Kafka's order: the partition, the batch's form, acks, the leadership, the log.
        let only = |code| Refused { code, ..Refused::default() };
        if state(&self.desk.image(), topic, data.index).is_none() {
            return Err(only(code(ErrorCode::UnknownTopicOrPartition)));
        }
        let batch = only_batch(data.records.unwrap_or_default(), self.version >= ZSTD).map_err(by_format)?;
        if !(-1..=1).contains(&self.acks) {
            let message = format!("acks is 0, 1 or -1 (all), not {}", self.acks);
            return Err(refused(ErrorCode::InvalidRequiredAcks, message));
        }
        if is_internal(topic) && !self.is_admin {
            let message = format!("{topic} is the brokers' own topic: clients do not append to it");
            return Err(refused(ErrorCode::InvalidTopicException, message));
        }
        let led = self.desk.partitions.leading(&self.desk.image(), topic, data.index);
        let hosted = led.map_err(only)?;
        let batch = self.checked(&hosted, batch).map_err(|refused| refused.by(&hosted.replica))?;
        let acks = if self.acks == -1 { Acks::All } else { Acks::Leader };
        let (done, told) = oneshot::channel();
        self.desk.counters.produced_bytes.add(batch.bytes().len() as u64);
        let mut unserved: Option<AppendDone> = Some(Box::new(move |result| {
            // Nobody listens where acks=0, or where the connection has ended.
            drop(done.send(result));
        }));
        while let Some(done) = unserved.take() {
            unserved = hosted.replica.append(&batch, acks, None, self.deadline, done);
            if unserved.is_some() && !room(&hosted, self.deadline.since(self.desk.clock.now())).await {
                let message = "the disk does not keep up with the appends: nothing was appended; try again".to_owned();
                return Err(refused(ErrorCode::RequestTimedOut, message));
            }
        }
        Ok(Outcome::Waiting { told, replica: Arc::clone(&hosted.replica) })
    }

    /// The batch, if it is one that the log may take (Kafka's `LogValidator`).
    fn checked(&self, hosted: &Hosted, batch: Batch) -> Result<Batch, Refused> {
        let (size, limit) = (batch.size(), hosted.settings.log.max_message_bytes);
        if size > limit {
            let message = format!("the batch has {size} bytes, max.message.bytes is {limit}");
            return Err(refused(ErrorCode::MessageTooLarge, message));
        }
        if self.is_transactional || batch.header().is_transactional() {
            return Err(refused(ErrorCode::UnsupportedForMessageFormat, NO_TRANSACTIONS.to_owned()));
        }
        let (timestamp_min, timestamp_max) = hosted.settings.timestamps.around(self.desk.clock.wall_ms());
        let rules = ProduceRules {
            timestamp_type: hosted.settings.log.timestamp_type,
            timestamp_min,
            timestamp_max,
            key_required: hosted.settings.log.cleanup_policy.compact,
            ..ProduceRules::default()
        };
        let validated = validate_for_produce(&batch, &rules).map_err(by_format)?;
        if validated.max_timestamp_true {
            return Ok(batch);
        }
        let mut corrected = batch.bytes().to_vec();
        patch::max_timestamp(&mut corrected, validated.max_timestamp);
        Batch::parse(corrected.into()).map_err(|error| by_format(error.into()))
    }
}

impl Refused {
    /// Told by the log, not before it: Kafka then says where the log starts, but for these errors.
    fn by(self, replica: &Replica) -> Refused {
        use ErrorCode::{
            CorruptMessage, KafkaStorageError, MessageTooLarge, NotLeaderOrFollower, RecordListTooLarge,
            UnknownTopicOrPartition, UnsupportedCompressionType,
        };
        let silent = [
            CorruptMessage,
            KafkaStorageError,
            MessageTooLarge,
            NotLeaderOrFollower,
            RecordListTooLarge,
            UnknownTopicOrPartition,
            UnsupportedCompressionType,
        ];
        let starts = !silent.map(code).contains(&self.code);
        Refused { log_start: starts.then(|| replica.log().start_offset()), ..self }
    }
}

fn refused(error: ErrorCode, message: String) -> Refused {
    Refused { code: code(error), message: Some(message), ..Refused::default() }
}

fn by_format(refusal: Refusal) -> Refused {
    let (code, blamed) = (refusal.code(), refusal.blamed());
    Refused { code, message: Some(refusal.to_string()), blamed, log_start: None }
}

async fn response(desk: &Desk, version: i16, topic: &TopicName, partition: Partition) -> PartitionProduceResponse {
    let response = PartitionProduceResponse::default().with_index(partition.index);
    let refused = match partition.outcome {
        Outcome::Refused(refused) => refused,
        Outcome::Waiting { told, replica } => match told.await {
            Ok(Ok(appended)) => return success(response, version, &appended),
            Ok(Err(error)) => {
                let (code, message) = (error.code(), Some(error.to_string()));
                Refused { code, message, ..Refused::default() }.by(&replica)
            }
            // The replica went away without a word: the broker stops.
            Err(_) => Refused { code: code(ErrorCode::NotLeaderOrFollower), ..Refused::default() },
        },
    };
    failure(desk, response, version, topic, refused)
}

fn success(response: PartitionProduceResponse, version: i16, appended: &Appended) -> PartitionProduceResponse {
    let response = response.with_base_offset(appended.first.0).with_log_append_time_ms(appended.log_append_time);
    if version >= 5 { response.with_log_start_offset(appended.log_start.0) } else { response }
}

fn failure(
    desk: &Desk,
    response: PartitionProduceResponse,
    version: i16,
    topic: &TopicName,
    refused: Refused,
) -> PartitionProduceResponse {
    let index = response.index;
    let response = response.with_error_code(refused.code).with_base_offset(-1);
    let response = match refused.log_start {
        Some(Offset(start)) if version >= 5 => response.with_log_start_offset(start),
        _ => response,
    };
    let message = refused.message.map(StrBytes::from_string);
    let response = if version < MESSAGES {
        response
    } else {
        let blamed = refused.blamed.into_iter().map(|(record, why)| {
            BatchIndexAndErrorMessage::default()
                .with_batch_index(i32::try_from(record).unwrap_or(i32::MAX))
                .with_batch_index_error_message(Some(StrBytes::from_string(why)))
        });
        response.with_record_errors(blamed.collect()).with_error_message(message)
    };
    let moved = refused.code == code(ErrorCode::NotLeaderOrFollower);
    match desk.partitions.current_leader(&desk.image(), topic, index) {
        Some((leader, epoch)) if moved && version >= CURRENT_LEADER => response.with_current_leader(
            LeaderIdAndEpoch::default().with_leader_id(messages::BrokerId(leader.0)).with_leader_epoch(epoch.0),
        ),
        _ => response,
    }
}
