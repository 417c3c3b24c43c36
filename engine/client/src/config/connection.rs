//! Settings that every client has: where the cluster is and how patient to be with it.

use std::time::Duration;

use super::error::ConfigError;
use super::values::Values;

/// How a client talks to the cluster.
#[derive(Clone, Debug)]
pub struct ConnectionConfig {
    /// `bootstrap.servers`: `host:port` of brokers to ask first.
    pub bootstrap_servers: Vec<String>,
    /// `client.id`: the name that brokers see.
    pub client_id: String,
    /// `request.timeout.ms`: how long an answer may take.
    pub request_timeout: Duration,
    /// `retry.backoff.ms`: the pause before the first retry.
    pub retry_backoff: Duration,
    /// `retry.backoff.max.ms`: the longest pause between retries.
    pub retry_backoff_max: Duration,
    /// `reconnect.backoff.ms`: the pause after a first failed connection.
    pub reconnect_backoff: Duration,
    /// `reconnect.backoff.max.ms`: the longest pause between connections.
    pub reconnect_backoff_max: Duration,
    /// `socket.connection.setup.timeout.ms`: how long a connection may take.
    pub setup_timeout: Duration,
    /// `metadata.max.age.ms`: metadata older than this is asked for again.
    pub metadata_max_age: Duration,
}

impl ConnectionConfig {
    pub(super) fn from_values(values: &Values) -> Result<ConnectionConfig, ConfigError> {
        let bootstrap_servers = values.list("bootstrap.servers");
        if bootstrap_servers.is_empty() {
            let why = "at least one `host:port` of a broker is needed to find the cluster";
            return Err(ConfigError::Missing { key: "bootstrap.servers", why });
        }
        for server in &bootstrap_servers {
            check_server(server)?;
        }
        Ok(ConnectionConfig {
            bootstrap_servers,
            client_id: values.text("client.id").to_owned(),
            request_timeout: values.millis("request.timeout.ms"),
            retry_backoff: values.millis("retry.backoff.ms"),
            retry_backoff_max: values.millis("retry.backoff.max.ms"),
            reconnect_backoff: values.millis("reconnect.backoff.ms"),
            reconnect_backoff_max: values.millis("reconnect.backoff.max.ms"),
            setup_timeout: values.millis("socket.connection.setup.timeout.ms"),
            metadata_max_age: values.millis("metadata.max.age.ms"),
        })
    }
}

fn check_server(server: &str) -> Result<(), ConfigError> {
    let port = server.rsplit_once(':').and_then(|(host, port)| port.parse::<u16>().ok().filter(|_| !host.is_empty()));
    match port {
        Some(_) => Ok(()),
        None => Err(ConfigError::Invalid {
            key: "bootstrap.servers".to_owned(),
            value: server.to_owned(),
            why: "each entry is `host:port`".to_owned(),
        }),
    }
}
