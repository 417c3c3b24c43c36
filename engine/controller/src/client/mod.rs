//! How brokers talk to the controller.
//!
//! Requests, heartbeats and the long poll that follows the metadata go over connections of their own: the controller answers each one by
//! one, and a broker shall not be missed while many topics are being made. A connection
//! that breaks is opened anew by the next call; what was under way on it fails, because it may or may not
//! have been carried out. What is retried, and what is left to the caller, is said at each call.

mod error;
mod follow;
mod isr;
mod producer_ids;
mod registration;
mod topics;

use std::time::Duration;

use logdyno_wire::channel::{Channel, ChannelConfig};
use logdyno_wire::kafka_protocol::protocol::Request;
use tokio::sync::Mutex;

pub use error::ClientError;
pub use follow::MetadataDelta;
pub use isr::IsrOutcome;

/// How a client is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientConfig {
    /// `controller.quorum.voters`: addresses of controllers as `host:port`, tried in turn.
    pub controllers: Vec<String>,
    /// Names this broker in requests.
    pub client_id: String,
    /// `controller.socket.timeout.ms` (30 s).
    pub request_timeout: Duration,
    /// `retry.backoff.ms` (100 ms): the pause before something is tried again.
    pub retry_backoff: Duration,
}

impl Default for ClientConfig {
    fn default() -> ClientConfig {
        ClientConfig {
            controllers: Vec::new(),
            client_id: "logdyno-broker".to_owned(),
            request_timeout: Duration::from_secs(30),
            retry_backoff: Duration::from_millis(100),
        }
    }
}

/// A broker's line to the controller. Calls may run at the same time.
pub struct Client {
    config: ClientConfig,
    requests: Line,
    heartbeats: Line,
    following: Line,
}

/// A connection that is opened when it is needed.
type Line = Mutex<Option<Channel>>;

impl Client {
    /// A client; nothing is connected yet.
    pub fn new(config: ClientConfig) -> Client {
        let line = || Mutex::new(None);
        Client { config, requests: line(), heartbeats: line(), following: line() }
    }

    async fn call<R: Request>(&self, line: &Line, request: R, version_max: i16) -> Result<R::Response, ClientError> {
        let channel = self.channel(line).await?;
        match channel.call(request, Some(version_max)).await {
            Ok(response) => Ok(response),
            Err(error) => {
                line.lock().await.take_if(|current| current.is_closed());
                Err(ClientError::Unanswered { reason: error.to_string() })
            }
        }
    }

    /// The line's connection, or a new one to the first controller that takes it.
    async fn channel(&self, line: &Line) -> Result<Channel, ClientError> {
        let mut line = line.lock().await;
        if let Some(open) = line.as_ref().filter(|channel| !channel.is_closed()) {
            return Ok(open.clone());
        }
        let mut reason = "no controller is configured (controller.quorum.voters)".to_owned();
        for address in &self.config.controllers {
            let config = ChannelConfig { request_timeout: self.config.request_timeout, ..ChannelConfig::default() };
            match Channel::connect(address, &self.config.client_id, config).await {
                Ok(channel) => return Ok(line.insert(channel).clone()),
                Err(error) => reason = error.to_string(),
            }
        }
        Err(ClientError::Unreachable { controllers: self.config.controllers.join(", "), reason })
    }
}
