//! A running controller.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use logdyno_record::Clock;
use logdyno_wire::transport::Listener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::active::Active;
use crate::decide::create_topics::TopicDefaults;
use crate::error::ControllerError;
use crate::image::MetadataImage;
use crate::metadata_log::MetadataLog;
use crate::service::{self, Desk};

/// How a controller is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControllerConfig {
    /// Where its listener binds, as `host:port`; port 0 lets the system choose.
    pub listen: String,
    /// `cluster.id`, if it is known: an empty metadata log takes it, any other must have it. If not, it is the log's own, and an empty
    /// log gets a new one.
    pub cluster_id: Option<String>,
    /// `broker.session.timeout.ms` (9 s): how long a broker may be silent before it is fenced.
    pub session_timeout: Duration,
    /// What CreateTopics leaves open.
    pub defaults: TopicDefaults,
    /// `socket.request.max.bytes` (100 MiB).
    pub request_bytes_max: usize,
}

impl Default for ControllerConfig {
    fn default() -> ControllerConfig {
        ControllerConfig {
            listen: "127.0.0.1:0".to_owned(),
            cluster_id: None,
            session_timeout: Duration::from_secs(9),
            defaults: TopicDefaults { partitions: 1, replication_factor: 1 },
            request_bytes_max: 100 << 20,
        }
    }
}

/// The active controller and its listener, on the tokio runtime that started it.
pub struct Controller {
    address: SocketAddr,
    active: Arc<Active>,
    tasks: [JoinHandle<()>; 2],
}

impl Controller {
    /// Replays the log and serves. What the log says is served from the first request on.
    pub async fn start(
        config: ControllerConfig,
        log: Arc<dyn MetadataLog>,
        clock: Arc<dyn Clock>,
    ) -> Result<Controller, ControllerError> {
        let listen = |error: std::io::Error| ControllerError::Listen {
            address: config.listen.clone(),
            reason: error.to_string(),
        };
        // First: a start that ends here has written no record.
        let listener = Listener::bind(&config.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let (cluster_id, timeout, defaults) = (config.cluster_id.clone(), config.session_timeout, config.defaults);
        let opened =
            tokio::task::spawn_blocking(move || Active::open(log, cluster_id.as_deref(), defaults, timeout, clock));
        let active = Arc::new(opened.await.map_err(|_| ControllerError::Stopped)??);
        let desk = Desk { active: Arc::clone(&active), committed: follow_commits(active.log().as_ref()) };
        let serving = tokio::spawn(service::accept(listener, desk, config.request_bytes_max));
        let fencing = tokio::spawn(fence_silent(Arc::clone(&active), config.session_timeout));
        tracing::info!(%address, cluster = active.image().cluster_id(), "the controller is active");
        Ok(Controller { address, active, tasks: [serving, fencing] })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The newest metadata.
    pub fn image(&self) -> Arc<MetadataImage> {
        self.active.image()
    }

    /// Stops serving and closes all connections. The metadata log stays open: whoever opened it closes it.
    pub async fn stop(self) {
        for task in self.tasks {
            task.abort();
            // What comes back is that it was aborted.
            drop(task.await);
        }
    }
}

fn follow_commits(log: &dyn MetadataLog) -> watch::Receiver<logdyno_record::Offset> {
    let (sender, receiver) = watch::channel(log.committed_end());
    log.subscribe(Arc::new(move |end| {
        sender.send_replace(end);
    }));
    receiver
}

/// Looks for silent brokers a few times per session.
async fn fence_silent(active: Arc<Active>, session_timeout: Duration) {
    let mut looks = tokio::time::interval((session_timeout / 8).max(Duration::from_millis(1)));
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        if let Err(error) = service::blocking(&active, Active::fence_silent).await {
            tracing::error!("silent brokers could not be fenced: {error}");
        }
    }
}
