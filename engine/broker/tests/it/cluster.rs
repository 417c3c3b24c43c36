//! Brokers to test against, and the requests that tests send them.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use logdyno_broker::{Broker, BrokerConfig};
use logdyno_record::{BatchBuilder, BatchOptions, Codec, Compression, NoProbe, SystemClock};
use logdyno_wire::messages::create_topics_request::CreatableTopic;
use logdyno_wire::messages::fetch_request::{FetchPartition, FetchTopic};
use logdyno_wire::messages::fetch_response::PartitionData;
use logdyno_wire::messages::metadata_request::MetadataRequestTopic;
use logdyno_wire::messages::produce_request::{PartitionProduceData, TopicProduceData};
use logdyno_wire::messages::produce_response::PartitionProduceResponse;
use logdyno_wire::messages::{
    BrokerId, CreateTopicsRequest, FetchRequest, MetadataRequest, MetadataResponse, ProduceRequest, TopicName,
};
use logdyno_wire::{Channel, ChannelConfig, StrBytes};
use tempfile::TempDir;

/// Starts broker `id` on `dir`; the first one (`controller` is `None`) runs the controller.
pub(crate) fn start(id: i32, dir: &Path, controller: Option<SocketAddr>, more: &str) -> Broker {
    let roles = match controller {
        None => {
            "process.roles=broker,controller\nlisteners=PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0\n".to_owned()
        }
        Some(at) => format!(
            "process.roles=broker\nlisteners=PLAINTEXT://127.0.0.1:0\ncontroller.quorum.bootstrap.servers={at}\n"
        ),
    };
    let text = format!(
        "node.id={id}\nlog.dirs={}\nbroker.heartbeat.interval.ms=200\ninitial.broker.registration.timeout.ms=20000\n{roles}{more}",
        dir.display()
    );
    let config = BrokerConfig::from_properties(&text).expect("a good configuration");
    Broker::start(config, &logdyno_storage::kinds(), Arc::new(SystemClock), Arc::new(NoProbe)).expect("a broker")
}

/// One broker with its controller, in a directory that goes with it.
pub(crate) struct Single {
    pub(crate) broker: Broker,
    _dir: TempDir,
}

pub(crate) fn single(more: &str) -> Single {
    let dir = TempDir::new().expect("a directory");
    Single { broker: start(1, dir.path(), None, more), _dir: dir }
}

pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(120), test).await.expect("in time") })
}

pub(crate) async fn channel(broker: &Broker) -> Channel {
    Channel::connect(&broker.address().to_string(), "test", ChannelConfig::default()).await.expect("a connection")
}

pub(crate) fn name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}

pub(crate) async fn create(channel: &Channel, topic: &str, partitions: i32, replicas: i16) -> i16 {
    let topic = CreatableTopic::default()
        .with_name(name(topic))
        .with_num_partitions(partitions)
        .with_replication_factor(replicas);
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(30_000);
    channel.call(request, None).await.expect("an answer").topics[0].error_code
}

pub(crate) async fn metadata(channel: &Channel, topic: &str) -> MetadataResponse {
    let asked = MetadataRequestTopic::default().with_name(Some(name(topic)));
    let request = MetadataRequest::default().with_topics(Some(vec![asked]));
    channel.call(request, None).await.expect("an answer")
}

/// A batch of these values.
pub(crate) fn batch(values: &[&str]) -> Bytes {
    let mut builder = BatchBuilder::new(Codec::new(Compression::None), 1024);
    for value in values {
        builder.append(1_700_000_000_000, None, Some(value.as_bytes()), &[]);
    }
    builder.build(&BatchOptions::default()).expect("a batch").bytes().clone()
}

pub(crate) fn produce_request(topic: &str, records: Bytes, acks: i16) -> ProduceRequest {
    let data = PartitionProduceData::default().with_index(0).with_records(Some(records));
    let topic = TopicProduceData::default().with_name(name(topic)).with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(acks).with_timeout_ms(30_000).with_topic_data(vec![topic])
}

pub(crate) async fn produce(channel: &Channel, topic: &str, records: Bytes, acks: i16) -> PartitionProduceResponse {
    let answer = channel.call(produce_request(topic, records, acks), None).await.expect("an answer");
    answer.responses[0].partition_responses[0].clone()
}

/// How a test fetches from partition 0.
#[derive(Clone, Copy)]
pub(crate) struct Fetch {
    pub(crate) from: i64,
    pub(crate) wait_ms: i32,
    pub(crate) bytes_min: i32,
    pub(crate) bytes_max: i32,
    pub(crate) partition_bytes_max: i32,
}

impl Fetch {
    pub(crate) fn from(offset: i64) -> Fetch {
        Fetch { from: offset, wait_ms: 0, bytes_min: 1, bytes_max: 50 << 20, partition_bytes_max: 1 << 20 }
    }

    pub(crate) fn request(self, topic: &str) -> FetchRequest {
        let partition =
            FetchPartition::default().with_fetch_offset(self.from).with_partition_max_bytes(self.partition_bytes_max);
        let topic = FetchTopic::default().with_topic(name(topic)).with_partitions(vec![partition]);
        FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_wait_ms(self.wait_ms)
            .with_min_bytes(self.bytes_min)
            .with_max_bytes(self.bytes_max)
            .with_session_epoch(-1)
            .with_topics(vec![topic])
    }

    /// By name: up to version 12.
    pub(crate) async fn call(self, channel: &Channel, topic: &str) -> PartitionData {
        let answer = channel.call(self.request(topic), Some(12)).await.expect("an answer");
        assert_eq!(answer.session_id, 0, "no session is given out");
        answer.responses[0].partitions[0].clone()
    }
}

/// The values of all records in fetched bytes.
pub(crate) fn values(records: Option<Bytes>) -> Vec<String> {
    let mut values = Vec::new();
    for batch in logdyno_record::batches(records.unwrap_or_default()) {
        for record in &batch.expect("a batch").records().expect("records") {
            let value = record.expect("a record").value.unwrap_or_default().to_vec();
            values.push(String::from_utf8(value).expect("text"));
        }
    }
    values
}
