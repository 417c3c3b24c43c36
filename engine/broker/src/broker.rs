//! A running broker.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use logdyno_controller::client::{Client, ClientConfig};
use logdyno_controller::decide::create_topics::TopicDefaults;
use logdyno_controller::decide::registration::Registration;
use logdyno_controller::image::MetadataImage;
use logdyno_controller::metadata_log::SingleVoter;
use logdyno_controller::record::Endpoint;
use logdyno_controller::{Controller, ControllerConfig};
use logdyno_record::{Clock, Probe, TopicPartition};
use logdyno_segment_log::{LogConfig, LogDirectory, Meta};
use logdyno_storage::Kind;
use logdyno_storage::contract::Backend;
use logdyno_wire::transport::Listener;
use tokio::runtime::Runtime;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::config::{BrokerConfig, millis};
use crate::counters::{BrokerCounts, Counters};
use crate::error::{StartError, StopError};
use crate::following::{Fetchers, IsrLine, propose_changes};
use crate::handlers::Desk;
use crate::membership::{Member, act_on};
use crate::partitions::{METADATA_TOPIC, Partitions, Surroundings, checkpoint, flush, tick};
use crate::server::serve;

/// What still runs when a broker is told to stop gets this long.
const STOP_TIME: Duration = Duration::from_secs(10);

/// A broker, on threads of its own. [`Broker::stop`] stops it cleanly; one that is dropped stops as if its process had died.
pub struct Broker {
    runtime: Option<Runtime>,
    running: Option<Running>,
    address: SocketAddr,
    controller_address: Option<SocketAddr>,
    backend: Arc<dyn Backend>,
    counters: Arc<Counters>,
}

struct Running {
    member: Member,
    metadata: watch::Receiver<Arc<MetadataImage>>,
    partitions: Arc<Partitions>,
    fetchers: Arc<Mutex<Option<Fetchers>>>,
    controller: Option<Controller>,
    stopping: watch::Sender<bool>,
    serving: JoinHandle<()>,
    tasks: Vec<JoinHandle<()>>,
}

/// Everything that exists before the first task runs.
struct Foundation {
    config: Arc<BrokerConfig>,
    directory: Arc<LogDirectory>,
    backend: Arc<dyn Backend>,
    counters: Arc<Counters>,
    clock: Arc<dyn Clock>,
    probe: Arc<dyn Probe>,
}

impl Broker {
    /// Starts a broker, and its controller if `process.roles` says so. Returns once the controller has let it into service.
    pub fn start(
        config: BrokerConfig,
        kinds: &[Kind],
        clock: Arc<dyn Clock>,
        probe: Arc<dyn Probe>,
    ) -> Result<Broker, StartError> {
        let backend = start_backend(&config, kinds)?;
        let directory =
            LogDirectory::open(&config.log_dirs, Arc::clone(&backend), Arc::clone(&clock), Arc::clone(&probe))?;
        check_owner(&config, &directory)?;
        let counters = Arc::new(Counters::default());
        let foundation = Foundation {
            config: Arc::new(config),
            directory: Arc::new(directory),
            backend: Arc::clone(&backend),
            counters: Arc::clone(&counters),
            clock,
            probe,
        };
        let runtime = runtime(&foundation.config)?;
        let (running, address) = runtime.block_on(foundation.start())?;
        let controller_address = running.controller.as_ref().map(Controller::address);
        Ok(Broker { runtime: Some(runtime), running: Some(running), address, controller_address, backend, counters })
    }

    /// Where clients come in.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where other brokers find the controller, if it runs here.
    pub fn controller_address(&self) -> Option<SocketAddr> {
        self.controller_address
    }

    /// What the broker has done so far.
    pub fn counters(&self) -> BrokerCounts {
        self.counters.counts(self.backend.counters())
    }

    /// Stops: answers nothing more, tells the controller, closes the logs cleanly.
    pub fn stop(mut self) -> Result<(), StopError> {
        let (Some(runtime), Some(running)) = (self.runtime.take(), self.running.take()) else { return Ok(()) };
        let stopped = runtime.block_on(running.stop());
        runtime.shutdown_timeout(STOP_TIME);
        stopped
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn start_backend(config: &BrokerConfig, kinds: &[Kind]) -> Result<Arc<dyn Backend>, StartError> {
    let Some(kind) = kinds.iter().find(|kind| kind.name == config.backend) else {
        let known = kinds.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", ");
        return Err(StartError::UnknownBackend { name: config.backend.clone(), known });
    };
    Ok(kind.start_on(&config.log_dirs)?)
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

fn runtime(config: &BrokerConfig) -> Result<Runtime, StartError> {
    let threads = |number: i32| usize::try_from(number).unwrap_or(1);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads(config.num_network_threads))
        .max_blocking_threads(threads(config.num_io_threads))
        .thread_name(format!("broker-{}", config.node_id))
        .enable_all()
        .build()
        .map_err(|error| StartError::Threads(error.to_string()))
}

impl Foundation {
    async fn start(self) -> Result<(Running, SocketAddr), StartError> {
        let config = Arc::clone(&self.config);
        let listener = self.listen().await?;
        let address = local_address(&listener, &config)?;
        let cluster_id = self.directory.meta()?.map(|meta| meta.cluster_id).unwrap_or_default();
        let controller = match config.process_roles.controller {
            true => Some(self.start_controller(&cluster_id).await?),
            false => None,
        };
        let client = Arc::new(self.client(controller.as_ref()));
        let registration = self.registration(address, cluster_id);
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

    /// The metadata log lies beside the partitions. A cluster that is new gets an id.
    async fn start_controller(&self, cluster_id: &str) -> Result<Controller, StartError> {
        let config = &self.config;
        let partition = TopicPartition::new(METADATA_TOPIC, 0);
        let (directory, clock) = (Arc::clone(&self.directory), Arc::clone(&self.clock));
        // Opening may recover, which reads from the disk.
        let opened = tokio::task::spawn_blocking(move || {
            let (log, _) = directory.open_log(&partition, metadata_topic_id(), LogConfig::default())?;
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

    fn client(&self, controller: Option<&Controller>) -> Client {
        let own = controller.map(|controller| reachable(controller.address()).to_string());
        let controllers = own.map_or_else(|| self.config.controllers(), |own| vec![own]);
        let client_id = format!("broker-{}", self.config.node_id);
        Client::new(ClientConfig { controllers, client_id, ..ClientConfig::default() })
    }

    fn registration(&self, address: SocketAddr, cluster_id: String) -> Registration {
        let config = &self.config;
        let name = config.client_listener().map_or_else(String::new, |listener| listener.name.clone());
        let advertised = config.advertised_listeners.named(&name);
        let address = reachable(address);
        let (host, port) = advertised.map_or((address.ip().to_string(), 0), |to| (to.host.clone(), to.port));
        // Port 0, advertised or not, is the one that the kernel chose.
        let port = if port == 0 { address.port() } else { port };
        Registration {
            broker: config.id(),
            cluster_id,
            incarnation: Uuid::new_v4(),
            endpoints: vec![Endpoint { listener: name, host, port }],
            rack: (!config.broker_rack.is_empty()).then(|| config.broker_rack.clone()),
        }
    }

    fn run(&self, member: Member, listener: Listener, controller: Option<Controller>) -> Running {
        let config = Arc::clone(&self.config);
        let (news, fresh) = watch::channel(Arc::new(MetadataImage::default()));
        let (acted_on, metadata) = watch::channel(Arc::new(MetadataImage::default()));
        let isr_line = Arc::new(IsrLine::new(metadata.clone()));
        let queue = isr_line.take_queue();
        let partitions = Arc::new(Partitions::new(Surroundings {
            config: Arc::clone(&config),
            directory: Arc::clone(&self.directory),
            clock: Arc::clone(&self.clock),
            probe: Arc::clone(&self.probe),
            isr_changes: isr_line,
        }));
        let fetchers = Fetchers::new(
            Arc::clone(&config),
            Arc::clone(&partitions),
            metadata.clone(),
            Arc::clone(&self.counters),
            member.epoch,
        );
        let fetchers = Arc::new(Mutex::new(Some(fetchers)));
        let desk = Arc::new(Desk {
            config: Arc::clone(&config),
            partitions: Arc::clone(&partitions),
            metadata: metadata.clone(),
            controller: Arc::clone(&member.controller),
            counters: Arc::clone(&self.counters),
            clock: Arc::clone(&self.clock),
        });
        let (stopping, stop) = watch::channel(false);
        let high_watermarks = millis(config.replica_high_watermark_checkpoint_interval_ms);
        let recovery_points = millis(config.log_flush_offset_checkpoint_interval_ms);
        let mut tasks = vec![
            tokio::spawn(member.clone().follow_metadata(news)),
            tokio::spawn(act_on(fresh, acted_on, Arc::clone(&partitions), Arc::clone(&fetchers), member.clone())),
            tokio::spawn(member.clone().beat_on(metadata.clone(), millis(config.broker_heartbeat_interval_ms))),
            tokio::spawn(tick(Arc::clone(&partitions))),
            tokio::spawn(checkpoint(Arc::clone(&partitions), high_watermarks)),
            tokio::spawn(flush(Arc::clone(&partitions), recovery_points)),
        ];
        let proposing = |queue| {
            let controller = Arc::clone(&member.controller);
            tokio::spawn(propose_changes(queue, controller, Arc::clone(&partitions), config, member.epoch))
        };
        tasks.extend(queue.map(proposing));
        let serving = tokio::spawn(serve(listener, desk, stop));
        Running { member, metadata, partitions, fetchers, controller, stopping, serving, tasks }
    }

    /// Writes down whose directory this is, so that it is not used in another cluster or by another broker.
    fn remember_cluster(&self, running: &Running) -> Result<(), StartError> {
        if self.directory.meta()?.is_none() {
            let cluster_id = running.metadata.borrow().cluster_id().unwrap_or_default().to_owned();
            self.directory.write_meta(&Meta { cluster_id, node_id: self.config.node_id })?;
        }
        Ok(())
    }
}

/// Kafka's constant id of the metadata topic (`Uuid.METADATA_TOPIC_ID`).
fn metadata_topic_id() -> Uuid {
    Uuid::from_u128(1)
}

fn local_address(listener: &Listener, config: &BrokerConfig) -> Result<SocketAddr, StartError> {
    listener.local_addr().map_err(|error| StartError::Listen {
        address: config.client_listener().map(|listener| listener.bind_address()).unwrap_or_default(),
        reason: error.to_string(),
    })
}

/// "All interfaces" is no address to connect to; from this machine loopback is.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => SocketAddr::from(([127, 0, 0, 1], v4.port())),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, v6.port())),
        other => other,
    }
}

impl Running {
    async fn in_service(&self, patience: Duration) -> Result<(), StartError> {
        let mut metadata = self.metadata.clone();
        let in_service = metadata.wait_for(|image| image.live_epoch(self.member.id) == Some(self.member.epoch));
        match tokio::time::timeout(patience, in_service).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(StartError::NotInService { seconds: patience.as_secs() }),
        }
    }

    async fn stop(self) -> Result<(), StopError> {
        self.stopping.send_replace(true);
        self.member.leave(&self.metadata).await;
        // Connections end by themselves: they have been told.
        drop(self.serving.await);
        for task in self.tasks {
            task.abort();
            // What comes back is that it was aborted.
            drop(task.await);
        }
        if let Some(fetchers) = self.fetchers.lock().await.take() {
            fetchers.stop().await;
        }
        if let Some(controller) = self.controller {
            controller.stop().await;
        }
        let partitions = self.partitions;
        let closed = tokio::task::spawn_blocking(move || partitions.close()).await;
        closed.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()))?;
        Ok(())
    }
}
