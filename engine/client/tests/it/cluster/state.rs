//! What scripted brokers share: topics, logs, the script, and what they were asked.

use std::collections::{BTreeMap, VecDeque};
use std::net::TcpStream;

use bytes::Bytes;
use logdyno_wire::kafka_protocol::protocol::StrBytes;
use logdyno_wire::messages::fetch_response::{AbortedTransaction, FetchableTopicResponse, PartitionData};
use logdyno_wire::messages::metadata_response::{MetadataResponsePartition, MetadataResponseTopic};
use logdyno_wire::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use logdyno_wire::messages::{
    BrokerId, FetchRequest, FetchResponse, ProduceRequest, ProduceResponse, ProducerId, TopicName,
};

use super::log::{Log, values};
use super::{Produced, Reaction};

#[derive(Default)]
pub(super) struct State {
    pub(super) nodes: BTreeMap<i32, u16>,
    /// Topic → leader of each partition; −1 for none.
    pub(super) topics: BTreeMap<String, Vec<i32>>,
    pub(super) leader_epoch: i32,
    /// The node that answers no ListOffsets.
    pub(super) frozen: Option<i32>,
    /// The node that Metadata does not tell of.
    pub(super) left_out: Option<i32>,
    pub(super) logs: BTreeMap<(String, i32), Log>,
    pub(super) script: VecDeque<Reaction>,
    pub(super) fetch_errors: VecDeque<i16>,
    pub(super) offset_errors: VecDeque<i16>,
    /// What Metadata says of topics instead of their partitions.
    pub(super) refused_topics: BTreeMap<String, i16>,
    pub(super) held: bool,
    pub(super) received: usize,
    pub(super) produced: Vec<Produced>,
    pub(super) fetches: Vec<FetchRequest>,
    pub(super) max_batch_bytes: Option<usize>,
    pub(super) producer_ids: i64,
    pub(super) knows_no_producers: bool,
    /// Sockets, to be cut.
    pub(super) streams: Vec<TcpStream>,
}

impl State {
    pub(super) fn describe(&self, name: &str) -> MetadataResponseTopic {
        let topic = MetadataResponseTopic::default().with_name(Some(TopicName(StrBytes::from_string(name.to_owned()))));
        if let Some(code) = self.refused_topics.get(name) {
            return topic.with_error_code(*code);
        }
        let Some(leaders) = self.topics.get(name) else {
            return topic.with_error_code(if name.contains(' ') { 17 } else { 3 });
        };
        let partitions = (0..).zip(leaders).map(|(index, leader)| {
            MetadataResponsePartition::default()
                .with_partition_index(index)
                .with_error_code(if *leader < 0 { 5 } else { 0 })
                .with_leader_id(BrokerId(*leader))
                .with_leader_epoch(self.leader_epoch)
                .with_replica_nodes(vec![BrokerId(*leader)])
                .with_isr_nodes(vec![BrokerId(*leader)])
        });
        topic.with_partitions(partitions.collect())
    }

    pub(super) fn leads(&self, node: i32, (topic, partition): &(String, i32)) -> bool {
        self.topics.get(topic).and_then(|leaders| leaders.get(*partition as usize)) == Some(&node)
    }

    pub(super) fn note(&mut self, node: i32, request: &ProduceRequest) {
        let partitions = request.topic_data.iter().flat_map(|topic| &topic.partition_data);
        let batches = partitions.map(|data| {
            let bytes = data.records.as_ref().unwrap();
            (data.index, bytes.len(), values(bytes))
        });
        self.produced.push(Produced { node, acks: request.acks, batches: batches.collect() });
    }

    pub(super) fn produce(&mut self, node: i32, request: &ProduceRequest, code: i16) -> ProduceResponse {
        let mut responses = Vec::new();
        for topic in &request.topic_data {
            let mut answers = Vec::new();
            for data in &topic.partition_data {
                let key = (topic.name.0.to_string(), data.index);
                let bytes = data.records.as_ref().unwrap();
                let too_large = self.max_batch_bytes.is_some_and(|limit| bytes.len() > limit);
                let code = match code {
                    0 if !self.leads(node, &key) => 6,
                    0 if too_large => 10,
                    code => code,
                };
                let epoch = self.leader_epoch;
                let (code, base) = match code {
                    0 => self.logs.entry(key).or_default().judge(bytes, epoch),
                    code => (code, -1),
                };
                answers.push(
                    PartitionProduceResponse::default()
                        .with_index(data.index)
                        .with_error_code(code)
                        .with_base_offset(base)
                        .with_log_append_time_ms(-1),
                );
            }
            responses
                .push(TopicProduceResponse::default().with_name(topic.name.clone()).with_partition_responses(answers));
        }
        ProduceResponse::default().with_responses(responses)
    }

    pub(super) fn fetch(&self, node: i32, request: &FetchRequest, code: i16) -> FetchResponse {
        let mut room = request.max_bytes as usize;
        let mut first = true;
        let mut responses = Vec::new();
        for topic in &request.topics {
            let mut partitions = Vec::new();
            for asked in &topic.partitions {
                let key = (topic.topic.0.to_string(), asked.partition);
                let data = PartitionData::default().with_partition_index(asked.partition).with_high_watermark(0);
                let empty = Log::default();
                let log = self.logs.get(&key).unwrap_or(&empty);
                let code = match code {
                    0 if !self.leads(node, &key) => 6,
                    0 if asked.current_leader_epoch != self.leader_epoch => 74,
                    0 if asked.fetch_offset < log.start || asked.fetch_offset > log.end => 1,
                    code => code,
                };
                let records = if code == 0 {
                    log.read(asked.fetch_offset, room.min(asked.partition_max_bytes as usize), first)
                } else {
                    Bytes::new()
                };
                first &= records.is_empty();
                room = room.saturating_sub(records.len());
                let aborted = log.aborted.iter().map(|(producer, offset)| {
                    AbortedTransaction::default().with_producer_id(ProducerId(*producer)).with_first_offset(*offset)
                });
                partitions.push(
                    data.with_error_code(code)
                        .with_high_watermark(log.end)
                        .with_last_stable_offset(log.end)
                        .with_log_start_offset(log.start)
                        .with_aborted_transactions((request.isolation_level == 1).then(|| aborted.collect()))
                        .with_records(Some(records)),
                );
            }
            responses
                .push(FetchableTopicResponse::default().with_topic(topic.topic.clone()).with_partitions(partitions));
        }
        FetchResponse::default().with_responses(responses)
    }
}
