//! What exists before the first task runs, and the start.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use logdyno_record::{Clock, Probe};
use logdyno_segment_log::{LogDirectory, Meta};
use logdyno_storage::contract::Backend;
use logdyno_storage::seam::Disk;
use logdyno_storage::{BackendOptions, Kind};
use logdyno_wire::transport::Listener;
use tokio::runtime::Runtime;

use super::running::Running;
use crate::config::{BrokerConfig, millis};
use crate::counters::Counters;
use crate::error::StartError;
use crate::membership::Member;

/// Everything that exists before the first task runs.
pub(super) struct Foundation {
    pub(super) config: Arc<BrokerConfig>,
    pub(super) directory: Arc<LogDirectory>,
    pub(super) backend: Arc<dyn Backend>,
    pub(super) counters: Arc<Counters>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) probe: Arc<dyn Probe>,
}

impl Foundation {
    /// Takes the data directory, and makes sure that it is this broker's.
    pub(super) fn new(
        config: BrokerConfig,
        kinds: &[Kind],
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        probe: Arc<dyn Probe>,
    ) -> Result<Foundation, StartError> {
        make_directory(&config.log_dirs)?;
        let backend = start_backend(&config, kinds, disk)?;
        let directory =
            LogDirectory::open(&config.log_dirs, Arc::clone(&backend), Arc::clone(&clock), Arc::clone(&probe))?;
        check_owner(&config, &directory)?;
        let (config, directory, counters) = (Arc::new(config), Arc::new(directory), Arc::default());
        Ok(Foundation { config, directory, backend, counters, clock, probe })
    }

    pub(super) async fn start(self) -> Result<(Running, SocketAddr), StartError> {
        let config = Arc::clone(&self.config);
        let listener = self.listen().await?;
        let address = local_address(&listener, &config)?;
        let cluster_id = self.directory.meta()?.map(|meta| meta.cluster_id).filter(|id| !id.is_empty());
        let controller = match config.process_roles.controller {
            true => Some(self.start_controller(cluster_id.clone()).await?),
            false => None,
        };
        let client = Arc::new(self.client(controller.as_ref()));
        let registration = self.registration(address, cluster_id.unwrap_or_default());
        let patience = millis(config.initial_broker_registration_timeout_ms);
        let epoch = client.register(&registration, patience).await?;
        let member = Member { id: config.id(), epoch, controller: Arc::clone(&client) };
        let running = self.run(member, listener, controller);
        running.in_service(patience).await?;
        self.remember_cluster(&running)?;
        tracing::info!(broker = %config.id(), %address, backend = self.backend.name(), "the broker serves");
        Ok((running, address))
    }

    async fn listen(&self) -> Result<Listener, StartError> {
        let address = self.config.client_listener().map(|listener| listener.bind_address()).unwrap_or_default();
        Listener::bind(&address).await.map_err(|error| StartError::Listen { address, reason: error.to_string() })
    }

    /// The threads that everything asynchronous runs on.
    pub(super) fn runtime(&self) -> Result<Runtime, StartError> {
        let threads = |number: i32| usize::try_from(number).unwrap_or(1);
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads(self.config.num_network_threads))
            .max_blocking_threads(threads(self.config.num_io_threads))
            .thread_name(format!("broker-{}", self.config.node_id))
            .enable_all()
            .build()
            .map_err(|error| StartError::Threads(error.to_string()))
    }

    /// Writes down whose directory this is, so that it is not used in another cluster or by another broker.
    fn remember_cluster(&self, running: &Running) -> Result<(), StartError> {
        let is_known = self.directory.meta()?.is_some_and(|meta| !meta.cluster_id.is_empty());
        let cluster_id = running.metadata.borrow().cluster_id().unwrap_or_default().to_owned();
        if is_known || cluster_id.is_empty() {
            return Ok(());
        }
        Ok(self.directory.write_meta(&Meta { cluster_id, node_id: self.config.node_id })?)
    }
}

/// Before a backend looks at it, so that a wrong path is not the backend's fault.
fn make_directory(dir: &Path) -> Result<(), StartError> {
    std::fs::create_dir_all(dir)
        .map_err(|error| StartError::Unmakeable { dir: dir.display().to_string(), reason: error.to_string() })
}

fn start_backend(config: &BrokerConfig, kinds: &[Kind], disk: Arc<dyn Disk>) -> Result<Arc<dyn Backend>, StartError> {
    let Some(kind) = kinds.iter().find(|kind| kind.name == config.backend) else {
        let known = kinds.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", ");
        return Err(StartError::UnknownBackend { name: config.backend.clone(), known });
    };
    Ok((kind.start)(BackendOptions { disk, dir: config.log_dirs.clone(), settings: config.storage_settings() })?)
}

fn check_owner(config: &BrokerConfig, directory: &LogDirectory) -> Result<(), StartError> {
    match directory.meta()? {
        Some(meta) if meta.node_id != config.node_id => Err(StartError::OtherBroker {
            dir: config.log_dirs.display().to_string(),
            found: meta.node_id,
            configured: config.node_id,
        }),
        _ => Ok(()),
    }
}

fn local_address(listener: &Listener, config: &BrokerConfig) -> Result<SocketAddr, StartError> {
    listener.local_addr().map_err(|error| StartError::Listen {
        address: config.client_listener().map(|listener| listener.bind_address()).unwrap_or_default(),
        reason: error.to_string(),
    })
}
