//! A Kafka cluster that somebody else runs, through librdkafka: same records, same checks, same report.
//!
//! The cluster is not ours, so neither its stages nor its disks are seen: a record's path has its generator, its wait for the
//! client's queue, and the rest up to the answer or the delivery. What was acknowledged, and that it comes out once, in order
//! and as it was, is checked as on every target. A trial has topics of its own, which are deleted at its end.

mod cluster;
mod events;
mod properties;
mod readback;
mod sink;
mod source;
mod topic;
mod words;

use std::sync::Arc;

use logdyno_engine::client::Acks;

use self::cluster::Cluster;
use self::sink::KafkaSink;
use self::source::KafkaSource;
use self::topic::TrialTopics;
use super::{
    AckPoint, KAFKA_SCHEME, Objection, Observation, Path, Running, Setup, Sink, Source, Target, TargetError, settings,
};
use crate::proof::Evidence;
use crate::workload::Plan;

/// A cluster, by the addresses of some of its brokers.
#[derive(Clone, Debug)]
pub(super) struct KafkaTarget {
    name: String,
    servers: String,
}

impl KafkaTarget {
    /// The cluster at `kafka://host:port`, or at several of them, separated by commas.
    pub(super) fn at(name: &str) -> Result<KafkaTarget, String> {
        let servers = name.strip_prefix(KAFKA_SCHEME).unwrap_or(name).trim_end_matches('/');
        let is_server = |server: &str| {
            let port =
                server.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port.parse::<u16>());
            matches!(port, Some(Ok(1..)))
        };
        match servers.split(',').find(|server| !is_server(server)) {
            Some(wrong) => Err(format!(
                "`{wrong}` of {name} is no address: a cluster is kafka://host:port, or kafka://host:port,host:port"
            )),
            None => Ok(KafkaTarget { name: name.to_owned(), servers: servers.to_owned() }),
        }
    }
}

impl Target for KafkaTarget {
    fn name(&self) -> &str {
        &self.name
    }

    fn has_storage(&self) -> bool {
        false
    }

    fn check(&self, plan: &Plan) -> Result<(), Objection> {
        if let Some((name, _)) = plan.broker.iter().next() {
            let reason =
                format!("the brokers of {} are not started here, so {name} cannot be set: leave it out", self.name);
            return Err(Objection { setting: format!("broker.{name}"), reason });
        }
        settings::check_acks(plan)?;
        settings::check_in_sync(plan)?;
        Cluster::of(&self.servers, plan).map(drop)
    }

    /// Kafka acknowledges what is in the page cache of its in-sync replicas, unless it was told to flush each message.
    fn ack_level(&self, plan: &Plan) -> Option<String> {
        let flushes_each = plan.topic.configs.get("flush.messages") == Some("1");
        Some(if flushes_each { "durable" } else { "written" }.to_owned())
    }

    fn start(&self, setup: Setup) -> Result<Box<dyn Running>, TargetError> {
        let cluster =
            Cluster::of(&self.servers, &setup.plan).map_err(|objection| TargetError::Failed(objection.reason))?;
        let topics = TrialTopics::create(&cluster, &setup)?;
        Ok(Box::new(KafkaRunning { cluster: Arc::new(cluster), topics, setup }))
    }
}

struct KafkaRunning {
    cluster: Arc<Cluster>,
    topics: TrialTopics,
    setup: Setup,
}

impl Running for KafkaRunning {
    fn path(&self) -> Path {
        Path {
            batching: false,
            appended: false,
            written: false,
            replicated: false,
            high_watermark: false,
            fetched: false,
            keeps_replicas: true,
            has_network: true,
            acknowledged_after: match settings::acks(&self.setup.plan) {
                Acks::None => AckPoint::Sent,
                Acks::Leader => AckPoint::Written,
                Acks::All => AckPoint::HighWatermark,
            },
        }
    }

    fn sink(&self, _: u32) -> Result<Box<dyn Sink>, TargetError> {
        Ok(Box::new(KafkaSink::new(&self.cluster, self.topics.names(), &self.setup)?))
    }

    fn source(&self) -> Result<Box<dyn Source>, TargetError> {
        Ok(Box::new(KafkaSource::new(&self.cluster, self.topics.names(), &self.setup)?))
    }

    fn observe(&self) -> Observation {
        Observation::default()
    }

    fn evidence(&self) -> Vec<Evidence> {
        readback::evidence(&self.cluster, self.topics.names(), &self.setup.plan).into_iter().collect()
    }

    fn stop(self: Box<Self>) -> Result<(), TargetError> {
        self.topics.delete()
    }
}

/// What librdkafka says, as a sentence of ours.
fn failed(what: &str, error: &rdkafka::error::KafkaError) -> TargetError {
    TargetError::Failed(format!("{what}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_hosts_and_ports() {
        let servers = |name| KafkaTarget::at(name).map(|target| target.servers);
        assert_eq!(servers("kafka://h:9092").as_deref(), Ok("h:9092"));
        assert_eq!(servers("kafka://h:9092,[::1]:1/").as_deref(), Ok("h:9092,[::1]:1"));
        for wrong in ["kafka://", "kafka://h", "kafka://h:0", "kafka://h:99999", "kafka://h:1,", "kafka://:9"] {
            let reason = servers(wrong).expect_err(wrong);
            assert!(reason.contains("kafka://host:port"), "{reason}");
        }
    }
}
