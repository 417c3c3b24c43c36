//! Why a broker does not start, or does not stop cleanly.

use logdyno_controller::ControllerError;
use logdyno_controller::client::ClientError;
use logdyno_segment_log::LogError;
use logdyno_storage::error::Refused;

use crate::config::ConfigError;

/// Why a broker does not start.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration makes no sense.
    #[error("the configuration is not usable: {0}")]
    Config(#[from] ConfigError),
    /// The listener could not be opened.
    #[error("cannot listen on {address} ({reason}): free the port or choose another in listeners")]
    Listen {
        /// `HOST:PORT`.
        address: String,
        /// The system's words.
        reason: String,
    },
    /// The data directory is not there and cannot be made.
    #[error("the data directory {dir} cannot be made ({reason}): choose another in log.dirs")]
    Unmakeable {
        /// `log.dirs`.
        dir: String,
        /// The system's words.
        reason: String,
    },
    /// A backend that nobody has registered.
    #[error("there is no storage backend '{name}' (logdyno.backend); there are {known}")]
    UnknownBackend {
        /// As configured.
        name: String,
        /// Those that exist.
        known: String,
    },
    /// The backend cannot run here.
    #[error(transparent)]
    Backend(#[from] Refused),
    /// The data directory cannot be used.
    #[error(transparent)]
    Directory(#[from] LogError),
    /// The directory belongs to another broker.
    #[error("{dir} belongs to broker {found}, this is broker {configured}: correct node.id or log.dirs")]
    OtherBroker {
        /// `log.dirs`.
        dir: String,
        /// Of the directory.
        found: i32,
        /// Of the configuration.
        configured: i32,
    },
    /// The controller in this process.
    #[error(transparent)]
    Controller(#[from] ControllerError),
    /// The controller did not take this broker.
    #[error("this broker was not admitted to the cluster: {0}")]
    Registration(#[from] ClientError),
    /// The controller took this broker, but did not let it into service in time.
    #[error("the controller did not let this broker into service within {seconds} s: see its log")]
    NotInService {
        /// `initial.broker.registration.timeout.ms`.
        seconds: u64,
    },
    /// No threads.
    #[error("the broker's threads cannot be started: {0}")]
    Threads(String),
}

/// What went wrong while stopping. Everything else was stopped nevertheless.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StopError {
    /// The logs could not be closed cleanly: the next start recovers them.
    #[error("the logs were not closed cleanly, the next start will recover them: {0}")]
    Logs(#[from] LogError),
}
