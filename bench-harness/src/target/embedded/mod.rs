//! Brokers in this process: records go producer → leader → followers → consumer over loopback sockets.
//!
//! The brokers share nothing but sockets and start from the text of their `server.properties`, so what runs here is
//! what runs as processes of their own, without the processes.

mod cluster;
mod sink;
mod source;
mod topic;

use logdyno_engine::client::{Acks, ConsumerConfig, ProducerConfig};

use self::cluster::Cluster;
use self::sink::EmbeddedSink;
use self::source::EmbeddedSource;
use super::settings;
use super::{AckPoint, Objection, Observation, Path, Running, Setup, Sink, Source, Target, TargetError};
use crate::proof::Evidence;
use crate::workload::Plan;

/// Replicated brokers over loopback.
#[derive(Clone, Copy, Debug, Default)]
pub struct EmbeddedTarget;

impl Target for EmbeddedTarget {
    fn name(&self) -> &str {
        "embedded"
    }

    fn has_storage(&self) -> bool {
        true
    }

    fn check(&self, plan: &Plan) -> Result<(), Objection> {
        settings::check(plan)?;
        settings::check_acks(plan)?;
        settings::check_in_sync(plan)
    }

    fn ack_level(&self, plan: &Plan) -> Option<String> {
        Some(settings::ack_level(plan))
    }

    fn start(&self, setup: Setup) -> Result<Box<dyn Running>, TargetError> {
        let cluster = Cluster::start(&setup)?;
        topic::prepare(&setup, &cluster.bootstrap_servers())?;
        Ok(Box::new(EmbeddedRunning { cluster, setup }))
    }
}

struct EmbeddedRunning {
    cluster: Cluster,
    setup: Setup,
}

impl Running for EmbeddedRunning {
    fn path(&self) -> Path {
        let plan = &self.setup.plan;
        Path {
            batching: true,
            keeps_replicas: plan.topic.replication_factor > 1,
            has_network: true,
            appended: true,
            written: settings::waits_for_storage(plan),
            replicated: plan.topic.replication_factor > 1,
            high_watermark: true,
            fetched: true,
            acknowledged_after: match settings::acks(plan) {
                Acks::None => AckPoint::Sent,
                Acks::Leader => AckPoint::Written,
                Acks::All => AckPoint::HighWatermark,
            },
        }
    }

    fn sink(&self, index: u32) -> Result<Box<dyn Sink>, TargetError> {
        let servers = self.cluster.bootstrap_servers();
        let id = format!("producer-{index}");
        let ours = [("bootstrap.servers", servers.as_str()), ("client.id", id.as_str())];
        let config = ProducerConfig::from_pairs(settings::over(&ours, &self.setup.plan.producer));
        let config = config.map_err(|error| TargetError::Failed(error.to_string()))?;
        Ok(Box::new(EmbeddedSink::new(config, &self.setup)?))
    }

    fn source(&self) -> Result<Box<dyn Source>, TargetError> {
        let servers = self.cluster.bootstrap_servers();
        let ours = [("bootstrap.servers", servers.as_str()), ("client.id", "consumer")];
        let config = ConsumerConfig::from_pairs(settings::over(&ours, &self.setup.plan.consumer));
        let config = config.map_err(|error| TargetError::Failed(error.to_string()))?;
        Ok(Box::new(EmbeddedSource::new(config, &self.setup)?))
    }

    fn observe(&self) -> Observation {
        self.cluster.observe()
    }

    fn evidence(&self) -> Vec<Evidence> {
        Vec::new()
    }

    fn stop(self: Box<Self>) -> Result<(), TargetError> {
        self.cluster.stop()
    }
}
