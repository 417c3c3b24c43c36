//! Settings of the admin client.

use std::time::Duration;

use super::connection::ConnectionConfig;
use super::error::ConfigError;
use super::setting::Setting;
use super::values::Values;

/// Every setting of Kafka's admin client that has a meaning here, with Kafka 4.1's defaults.
pub static ADMIN_SETTINGS: &[Setting] = &[
    Setting::list("bootstrap.servers", "", "`host:port` of brokers to ask first, separated by commas."),
    Setting::text("client.id", "", "The name that brokers see."),
    Setting::int("request.timeout.ms", "30000", (0, i32::MAX), "How long an answer may take."),
    Setting::int("default.api.timeout.ms", "60000", (0, i32::MAX), "How long a call may take, retries included."),
    Setting::long("retry.backoff.ms", "100", (0, i64::MAX), "The pause before the first retry; it doubles after."),
    Setting::long("retry.backoff.max.ms", "1000", (0, i64::MAX), "The longest pause between retries."),
    Setting::long("reconnect.backoff.ms", "50", (0, i64::MAX), "The pause after a first failed connection."),
    Setting::long("reconnect.backoff.max.ms", "1000", (0, i64::MAX), "The longest pause between connections."),
    Setting::long("socket.connection.setup.timeout.ms", "10000", (1, i64::MAX), "How long a connection may take."),
    Setting::long("metadata.max.age.ms", "300000", (0, i64::MAX), "Metadata older than this is asked for again."),
    Setting::only(
        "security.protocol",
        "PLAINTEXT",
        "PLAINTEXT",
        "connections are plain text so far",
        "How connections are protected.",
    ),
    Setting::int("retries", "2147483647", (0, i32::MAX), "How often a retriable error is retried within the timeout."),
    Setting::not_built("send.buffer.bytes", "131072", "the kernel sizes socket buffers by itself"),
    Setting::not_built("receive.buffer.bytes", "65536", "the kernel sizes socket buffers by itself"),
    Setting::not_built("bootstrap.controllers", "", "the admin client asks brokers, which forward to the controller"),
    Setting::not_built("client.dns.lookup", "use_all_dns_ips", "all addresses of a host are tried in order"),
    Setting::only("enable.metrics.push", "false", "false", "no metrics are pushed to brokers", "Telemetry (KIP-714)."),
    Setting::not_built(
        "metadata.recovery.strategy",
        "rebootstrap",
        "bootstrap.servers are asked when no known broker answers",
    ),
    Setting::not_built("metadata.recovery.rebootstrap.trigger.ms", "300000", "bootstrap.servers are asked at once"),
    Setting::not_built("metric.reporters", "", "the admin client keeps no metrics"),
    Setting::not_built("metrics.num.samples", "2", "the admin client keeps no metrics"),
    Setting::not_built("metrics.recording.level", "INFO", "the admin client keeps no metrics"),
    Setting::not_built("metrics.sample.window.ms", "30000", "the admin client keeps no metrics"),
    Setting::not_built("security.providers", "", "connections are plain text so far"),
    Setting::not_built(
        "socket.connection.setup.timeout.max.ms",
        "30000",
        "the time for a connection does not grow; set socket.connection.setup.timeout.ms",
    ),
    Setting::not_built("connections.max.idle.ms", "300000", "connections stay open until the client closes"),
];

/// A checked configuration of the admin client.
#[derive(Clone, Debug)]
pub struct AdminConfig {
    /// How to talk to the cluster.
    pub connection: ConnectionConfig,
    /// `default.api.timeout.ms`: how long a call may take, retries included.
    pub api_timeout: Duration,
    /// `retries`: how often a retriable error is retried within the timeout.
    pub retries: u32,
}

impl AdminConfig {
    /// Checks names, values and the rules between them.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<AdminConfig, ConfigError> {
        let values = Values::check("admin", ADMIN_SETTINGS, pairs)?;
        Ok(AdminConfig {
            connection: ConnectionConfig::from_values(&values)?,
            api_timeout: values.millis("default.api.timeout.ms"),
            retries: values.number("retries"),
        })
    }
}
