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

impl Foundation {
    /// The metadata log lies beside the partitions. A cluster that is new gets an id.
    pub(super) async fn start_controller(&self, cluster_id: &str) -> Result<Controller, StartError> {
        let config = &self.config;
        let partition = TopicPartition::new(METADATA_TOPIC, 0);
        let (directory, clock) = (Arc::clone(&self.directory), Arc::clone(&self.clock));
        // Opening may recover, which reads from the disk.
        let opened = tokio::task::spawn_blocking(move || {
            let (log, report) = directory.open_log(&partition, metadata_topic_id(), LogConfig::default())?;
            tell_recovery(&log, &report);
            Ok::<_, StartError>(SingleVoter::open(log, clock)?)
        });
        let log = opened.await.map_err(|failed| StartError::Threads(failed.to_string()))??;
        let settings = ControllerConfig {
            listen: config.controller_listener().map(|listener| listener.bind_address()).unwrap_or_default(),
            cluster_id: if cluster_id.is_empty() { Uuid::new_v4().simple().to_string() } else { cluster_id.to_owned() },
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
