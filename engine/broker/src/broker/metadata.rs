//! The controller of this process, and the line to the controller, wherever it is.

use std::sync::Arc;

use logdyno_controller::client::{Client, ClientConfig};
use logdyno_controller::decide::create_topics::TopicDefaults;
use logdyno_controller::metadata_log::SingleVoter;
use logdyno_controller::{Controller, ControllerConfig};
use logdyno_record::TopicPartition;
use logdyno_segment_log::LogConfig;
use uuid::Uuid;

use super::foundation::Foundation;
use super::registration::reachable;
use crate::config::millis;
use crate::error::StartError;
use crate::partitions::{METADATA_TOPIC, tell_recovery};

/// A change is one batch, so that a crash leaves all of it or nothing. The largest is a broker's coming and going, which changes each
/// partition that it leads, at some 70 bytes each: this is room for 900,000.
const METADATA_BATCH_BYTES_MAX: usize = 64 << 20;

impl Foundation {
    /// The metadata log lies beside the partitions.
    pub(super) async fn start_controller(&self, cluster_id: Option<String>) -> Result<Controller, StartError> {
        let config = &self.config;
        let partition = TopicPartition::new(METADATA_TOPIC, 0);
        let (directory, clock) = (Arc::clone(&self.directory), Arc::clone(&self.clock));
        // Opening may recover, which reads from the disk.
        let opened = tokio::task::spawn_blocking(move || {
            let config = LogConfig { max_message_bytes: METADATA_BATCH_BYTES_MAX, ..LogConfig::default() };
            let (log, report) = directory.open_log(&partition, metadata_topic_id(), config)?;
            tell_recovery(&log, &report);
            Ok::<_, StartError>(SingleVoter::open(log, clock)?)
        });
        let log = opened.await.map_err(|failed| StartError::Threads(failed.to_string()))??;
        let settings = ControllerConfig {
            listen: config.controller_listener().map(|listener| listener.bind_address()).unwrap_or_default(),
            cluster_id,
            session_timeout: millis(config.broker_session_timeout_ms),
            defaults: TopicDefaults {
                partitions: config.num_partitions,
                replication_factor: config.default_replication_factor,
            },
            request_bytes_max: usize::try_from(config.socket_request_max_bytes).unwrap_or(usize::MAX),
        };
        Ok(Controller::start(settings, Arc::new(log), Arc::clone(&self.clock)).await?)
    }

    pub(super) fn client(&self, controller: Option<&Controller>) -> Client {
        let own = controller.map(|controller| reachable(controller.address()).to_string());
        let controllers = own.map_or_else(|| self.config.controllers(), |own| vec![own]);
        let client_id = format!("broker-{}", self.config.node_id);
        Client::new(ClientConfig { controllers, client_id, ..ClientConfig::default() })
    }
}

/// Kafka's constant id of the metadata topic (`Uuid.METADATA_TOPIC_ID`).
fn metadata_topic_id() -> Uuid {
    Uuid::from_u128(1)
}
