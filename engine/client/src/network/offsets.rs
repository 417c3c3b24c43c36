//! Asking leaders where partitions begin, end, or pass a moment (ListOffsets).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use logdyno_record::{LeaderEpoch, Offset, TopicPartition};
use logdyno_wire::ErrorCode;
use logdyno_wire::kafka_protocol::protocol::StrBytes;
use logdyno_wire::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use logdyno_wire::messages::{BrokerId, ListOffsetsRequest, TopicName};
use tokio::task::JoinSet;

use super::{Leader, Network, Purpose, is_stale_metadata};
use crate::backoff::Backoff;
use crate::error::ClientError;

/// An answer: −1 and no time where no record matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FoundOffset {
    pub(crate) offset: Offset,
    pub(crate) timestamp: i64,
    pub(crate) leader_epoch: LeaderEpoch,
}

/// By partition.
pub(crate) type Answers = HashMap<TopicPartition, Result<FoundOffset, ClientError>>;

/// Whether a consumer is told of an error at once. All others it tries again, as Kafka's `OffsetFetcherUtils` does.
pub(crate) fn is_told(error: &ClientError) -> bool {
    match error {
        ClientError::Topic { .. } => !error.is_retriable(),
        ClientError::Refused { code, .. } => *code == ErrorCode::TopicAuthorizationFailed,
        _ => false,
    }
}

/// What one leader is asked: where each partition passes a time.
pub(crate) struct ToLeader {
    address: String,
    asked: Vec<(TopicPartition, Leader, i64)>,
}

impl ToLeader {
    /// The partitions that it is about.
    pub(crate) fn partitions(&self) -> impl Iterator<Item = &TopicPartition> {
        self.asked.iter().map(|(partition, ..)| partition)
    }

    /// Asks once.
    pub(crate) async fn ask(self, network: Arc<Network>, isolation_level: i8) -> Answers {
        ask_node(&network, &self.address, self.asked, isolation_level).await
    }
}

/// Questions by leader, and the answers for partitions without one that is known.
pub(crate) fn by_leader(network: &Network, questions: &BTreeMap<TopicPartition, i64>) -> (Vec<ToLeader>, Answers) {
    let cluster = network.metadata.cluster();
    let mut by_node: BTreeMap<String, Vec<(TopicPartition, Leader, i64)>> = BTreeMap::new();
    let mut answers = Answers::new();
    for (partition, timestamp) in questions {
        match cluster.leader_node(partition) {
            Some((node, leader)) => {
                by_node.entry(node.address.clone()).or_default().push((partition.clone(), leader, *timestamp));
            }
            None => {
                network.metadata.want(&partition.topic);
                network.metadata.request_update();
                let unknown = || ClientError::Disconnected {
                    doing: format!("listing offsets of {partition}"),
                    reason: "its leader is not known yet".to_owned(),
                };
                answers.insert(partition.clone(), Err(cluster.refused(&partition.topic).unwrap_or_else(unknown)));
            }
        }
    }
    let to_leaders = by_node.into_iter().map(|(address, asked)| ToLeader { address, asked });
    (to_leaders.collect(), answers)
}

/// Asks until every partition has its answer, an error comes that `ends` it, or the time is over.
pub(crate) async fn list_offsets(
    network: Arc<Network>,
    questions: BTreeMap<TopicPartition, i64>,
    isolation_level: i8,
    patience: Duration,
    ends: fn(&ClientError) -> bool,
) -> Result<BTreeMap<TopicPartition, FoundOffset>, ClientError> {
    let mut last_error = String::new();
    let asking = ask_until_found(&network, questions, isolation_level, ends, &mut last_error);
    match tokio::time::timeout(patience, asking).await {
        Ok(found) => found,
        Err(_) => {
            let doing = "listing offsets".to_owned();
            Err(ClientError::Timeout { doing, waited: patience, reason: last_error })
        }
    }
}

/// All leaders at once, and those again that had no answer.
async fn ask_until_found(
    network: &Arc<Network>,
    mut questions: BTreeMap<TopicPartition, i64>,
    isolation_level: i8,
    ends: fn(&ClientError) -> bool,
    last_error: &mut String,
) -> Result<BTreeMap<TopicPartition, FoundOffset>, ClientError> {
    let config = network.connections.config();
    let backoff = Backoff { first: config.retry_backoff, most: config.retry_backoff_max };
    let mut found = BTreeMap::new();
    for attempt in 1.. {
        let (to_leaders, mut answers) = by_leader(network, &questions);
        let asking = to_leaders.into_iter().map(|to_leader| to_leader.ask(Arc::clone(network), isolation_level));
        let mut asking: JoinSet<Answers> = asking.collect();
        loop {
            for (partition, answer) in answers {
                match answer {
                    Ok(offset) => {
                        questions.remove(&partition);
                        found.insert(partition, offset);
                    }
                    Err(error) if ends(&error) => return Err(error),
                    Err(error) => *last_error = error.to_string(),
                }
            }
            let Some(Ok(next)) = asking.join_next().await else { break };
            answers = next;
        }
        if questions.is_empty() {
            break;
        }
        tokio::time::sleep(backoff.pause(attempt, (network.random)())).await;
    }
    Ok(found)
}

async fn ask_node(
    network: &Network,
    address: &str,
    asked: Vec<(TopicPartition, Leader, i64)>,
    isolation_level: i8,
) -> Answers {
    let exchange = async {
        let channel = network.connections.open(address, Purpose::Control).await?;
        channel.call(request(&asked, isolation_level), None).await.map_err(|error| ClientError::Disconnected {
            doing: format!("asking {address} for offsets"),
            reason: error.to_string(),
        })
    };
    let response = match exchange.await {
        Ok(response) => response,
        Err(error) => {
            network.metadata.request_update();
            return asked.into_iter().map(|(partition, ..)| (partition, Err(error.clone()))).collect();
        }
    };
    let mut answers = Answers::new();
    for topic in &response.topics {
        for told in &topic.partitions {
            let partition = TopicPartition::new(&*topic.name.0, told.partition_index);
            let answer = match ErrorCode::try_from_code(told.error_code) {
                None => Ok(FoundOffset {
                    offset: Offset(told.offset),
                    timestamp: told.timestamp,
                    leader_epoch: LeaderEpoch(told.leader_epoch),
                }),
                Some(code) => {
                    if is_stale_metadata(code) {
                        network.metadata.request_update();
                    }
                    let doing = format!("listing offsets of {partition}");
                    Err(ClientError::Refused { doing, code, message: None })
                }
            };
            answers.insert(partition, answer);
        }
    }
    answers
}

fn request(asked: &[(TopicPartition, Leader, i64)], isolation_level: i8) -> ListOffsetsRequest {
    let mut topics: Vec<ListOffsetsTopic> = Vec::new();
    for (partition, leader, timestamp) in asked {
        let question = ListOffsetsPartition::default()
            .with_partition_index(partition.partition)
            .with_current_leader_epoch(leader.epoch)
            .with_timestamp(*timestamp);
        match topics.iter_mut().find(|topic| *topic.name.0 == *partition.topic) {
            Some(topic) => topic.partitions.push(question),
            None => {
                let name = TopicName(StrBytes::from_string(partition.topic.to_string()));
                topics.push(ListOffsetsTopic::default().with_name(name).with_partitions(vec![question]));
            }
        }
    }
    ListOffsetsRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_isolation_level(isolation_level)
        .with_topics(topics)
}
