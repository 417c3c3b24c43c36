//! One segment log without a network: what storage and batching alone cost.
//!
//! A partition is a log in this process. Producers fill batches as a client does (`batch.size`, `linger.ms`,
//! `buffer.memory`, the codec) and append them as leader; the consumer reads what has reached the log's ack level.
//! There is one replica whatever the topic asks for, and nothing for settings of sockets, retries and replicas to act
//! on. Nothing is deleted or compacted: settings that ask for it are objected to. `batch.size` is a batch's size before compression here: a client guesses what a codec will make of it.

mod accumulator;
mod acknowledging;
mod arrivals;
mod flushing;
mod sink;
mod source;

use std::sync::Arc;

use logdyno_engine::client::{Acks, ConsumerConfig};
use logdyno_engine::record::{LeaderEpoch, TopicId};
use logdyno_engine::segment_log::{Log, LogDirectory};
use logdyno_engine::storage::{Backend, BackendOptions};

use self::arrivals::Arrivals;
use self::flushing::Flushing;
use self::sink::LogSink;
use self::source::LogSource;
use super::settings;
use super::{AckPoint, Objection, Observation, Path, Running, Setup, Sink, Source, Target, TargetError};
use crate::proof::Evidence;
use crate::workload::Plan;

/// The epoch of the one leader that these logs ever have.
const EPOCH: LeaderEpoch = LeaderEpoch(0);

/// The id of the topic at this place among the topics: also when its logs are found again.
fn topic_id(topic: u128) -> TopicId {
    TopicId::from_u128(0x10C + topic)
}

/// Segment logs without a network.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogTarget;

impl Target for LogTarget {
    fn name(&self) -> &str {
        "log"
    }

    fn has_storage(&self) -> bool {
        true
    }

    fn check(&self, plan: &Plan) -> Result<(), Objection> {
        settings::check(plan)?;
        settings::check_kept(plan)?;
        settings::check_obeyed(plan)
    }

    fn ack_level(&self, plan: &Plan) -> Option<String> {
        Some(settings::ack_level(plan))
    }

    fn start(&self, setup: Setup) -> Result<Box<dyn Running>, TargetError> {
        let Some(kind) = &setup.backend else {
            return Err(TargetError::Failed("the log target was started without a storage backend".to_owned()));
        };
        let settings = settings::storage_settings(&setup.plan).map_err(TargetError::Failed)?;
        let options = BackendOptions { disk: Arc::clone(&setup.disk), dir: setup.dir.clone(), settings };
        let backend = (kind.start)(options)?;
        let (clock, probe) = (Arc::clone(&setup.clock), Arc::clone(&setup.probe));
        let directory = LogDirectory::open(&setup.dir, Arc::clone(&backend), clock, probe).map_err(failed)?;
        let config = settings::log_config(&setup.plan).map_err(TargetError::Failed)?;
        let ids = (0..).flat_map(|topic| (0..setup.topics.partitions_each()).map(move |_| topic_id(topic)));
        let logs = setup.topics.partitions().zip(ids).map(|(partition, id)| {
            let (log, _) = directory.open_log(&partition, id, config.clone()).map_err(failed)?;
            log.start_epoch(EPOCH).map_err(failed)?;
            log.set_leading(true);
            Ok(log)
        });
        let logs = logs.collect::<Result<Arc<[Arc<Log>]>, TargetError>>()?;
        let flushing = Flushing::start(&logs)?;
        Ok(Box::new(LogRunning { logs, directory, backend, arrivals: Arc::default(), flushing, setup }))
    }
}

struct LogRunning {
    /// By the index of the partition over all topics.
    logs: Arc<[Arc<Log>]>,
    directory: LogDirectory,
    backend: Arc<dyn Backend>,
    arrivals: Arc<Arrivals>,
    flushing: Option<Flushing>,
    setup: Setup,
}

impl Running for LogRunning {
    fn path(&self) -> Path {
        Path {
            batching: true,
            keeps_replicas: false,
            has_network: false,
            appended: true,
            written: settings::waits_for_storage(&self.setup.plan),
            replicated: false,
            high_watermark: false,
            fetched: true,
            acknowledged_after: match settings::acks(&self.setup.plan) {
                Acks::None => AckPoint::Sent,
                Acks::Leader | Acks::All => AckPoint::Written,
            },
        }
    }

    fn sink(&self, index: u32) -> Result<Box<dyn Sink>, TargetError> {
        let config = settings::producer(&self.setup.plan);
        Ok(Box::new(LogSink::new(index, &config, &self.setup, &self.logs, &self.arrivals)?))
    }

    fn source(&self) -> Result<Box<dyn Source>, TargetError> {
        let ours = [("bootstrap.servers", "localhost:9092")];
        let config = ConsumerConfig::from_pairs(settings::over(&ours, &self.setup.plan.consumer));
        let config = config.map_err(|error| TargetError::Failed(error.to_string()))?;
        Ok(Box::new(LogSource::new(&config, &self.setup, &self.logs, &self.arrivals)))
    }

    fn observe(&self) -> Observation {
        Observation { storage: Some(self.backend.counters()), counters: Vec::new() }
    }

    fn evidence(&self) -> Vec<Evidence> {
        Vec::new()
    }

    fn stop(self: Box<Self>) -> Result<(), TargetError> {
        drop(self.flushing);
        self.directory.close_clean().map_err(failed)
    }
}

fn failed(error: impl std::fmt::Display) -> TargetError {
    TargetError::Failed(error.to_string())
}
