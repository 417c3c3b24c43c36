//! Settings of the consumer.

use std::time::Duration;

use super::connection::ConnectionConfig;
use super::error::ConfigError;
use super::setting::Setting;
use super::values::Values;

const NO_GROUPS: &str = "consumer groups are not there yet: assign partitions instead of subscribing";

/// Every setting of Kafka's consumer, with Kafka 4.1's defaults.
///
/// `ssl.*` and `sasl.*` are refused as a family: connections are plain text so far.
pub static CONSUMER_SETTINGS: &[Setting] = &[
    Setting::list("bootstrap.servers", "", "`host:port` of brokers to ask first, separated by commas."),
    Setting::text("client.id", "", "The name that brokers see."),
    Setting::int(
        "fetch.min.bytes",
        "1",
        (0, i32::MAX),
        "A broker waits until it has this many bytes, or fetch.max.wait.ms.",
    ),
    Setting::int(
        "fetch.max.wait.ms",
        "500",
        (0, i32::MAX),
        "The longest time that a broker waits for fetch.min.bytes.",
    ),
    Setting::int(
        "fetch.max.bytes",
        "52428800",
        (0, i32::MAX),
        "The most bytes of an answer and of the buffer of records not yet polled; a larger first batch still comes whole.",
    ),
    Setting::int(
        "max.partition.fetch.bytes",
        "1048576",
        (0, i32::MAX),
        "The most bytes per partition of an answer; a larger first batch still comes whole.",
    ),
    Setting::int("max.poll.records", "500", (1, i32::MAX), "The most records that one poll() returns."),
    Setting::text(
        "auto.offset.reset",
        "latest",
        "Where to start without a position or when it is out of range: earliest, latest, none, by_duration:<ISO 8601>.",
    ),
    Setting::choice(
        "isolation.level",
        "read_uncommitted",
        &["read_uncommitted", "read_committed"],
        "Whether records of open or aborted transactions are returned.",
    ),
    Setting::switch("check.crcs", "true", "Whether the checksum of each batch is verified."),
    Setting::switch("allow.auto.create.topics", "true", "Whether asking for a topic may create it on the broker."),
    Setting::switch(
        "enable.auto.commit",
        "true",
        "Whether positions are committed in the background; needs a group, so it is off without one.",
    ),
    Setting::int("request.timeout.ms", "30000", (0, i32::MAX), "How long an answer may take."),
    Setting::int("default.api.timeout.ms", "60000", (0, i32::MAX), "How long a call may take, retries included."),
    Setting::long(
        "retry.backoff.ms",
        "100",
        (0, i64::MAX),
        "The pause before the first retry; it doubles after, ±20 %.",
    ),
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
    Setting::only(
        "enable.metrics.push",
        "true",
        "false",
        "no metrics are pushed to brokers",
        "Client telemetry (KIP-714).",
    ),
    Setting::not_built("group.id", "", NO_GROUPS),
    Setting::not_built("group.instance.id", "", NO_GROUPS),
    Setting::not_built("group.protocol", "classic", NO_GROUPS),
    Setting::not_built("group.remote.assignor", "", NO_GROUPS),
    Setting::not_built("session.timeout.ms", "45000", NO_GROUPS),
    Setting::not_built("heartbeat.interval.ms", "3000", NO_GROUPS),
    Setting::not_built("max.poll.interval.ms", "300000", NO_GROUPS),
    Setting::not_built("auto.commit.interval.ms", "5000", NO_GROUPS),
    Setting::not_built("partition.assignment.strategy", "RangeAssignor,CooperativeStickyAssignor", NO_GROUPS),
    Setting::not_built("exclude.internal.topics", "true", NO_GROUPS),
    Setting::not_built("share.acknowledgement.mode", "implicit", "share groups are not there yet"),
    Setting::not_built("key.deserializer", "", "deserializers are given to the consumer in code"),
    Setting::not_built("value.deserializer", "", "deserializers are given to the consumer in code"),
    Setting::not_built("interceptor.classes", "", "consumers have no interceptors yet"),
    Setting::not_built("client.rack", "", "consumers read from leaders only"),
    Setting::not_built("send.buffer.bytes", "131072", "the kernel sizes socket buffers by itself"),
    Setting::not_built("receive.buffer.bytes", "65536", "the kernel sizes socket buffers by itself"),
    Setting::not_built("connections.max.idle.ms", "540000", "connections stay open until the client closes"),
    Setting::not_built(
        "socket.connection.setup.timeout.max.ms",
        "30000",
        "the time for a connection does not grow; set socket.connection.setup.timeout.ms",
    ),
    Setting::not_built("client.dns.lookup", "use_all_dns_ips", "all addresses of a host are tried in order"),
    Setting::not_built(
        "metadata.recovery.strategy",
        "rebootstrap",
        "bootstrap.servers are asked when no known broker answers",
    ),
    Setting::not_built("metadata.recovery.rebootstrap.trigger.ms", "300000", "bootstrap.servers are asked at once"),
    Setting::not_built("metric.reporters", "", "consumers report to a probe given in code"),
    Setting::not_built("metrics.num.samples", "2", "consumers report to a probe given in code"),
    Setting::not_built("metrics.recording.level", "INFO", "consumers report to a probe given in code"),
    Setting::not_built("metrics.sample.window.ms", "30000", "consumers report to a probe given in code"),
    Setting::not_built("security.providers", "", "connections are plain text so far"),
    Setting::not_built("config.providers", "", "values are taken as they stand"),
];

/// `isolation.level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsolationLevel {
    /// All records up to the high watermark.
    ReadUncommitted,
    /// Only what transactions have committed, up to the last stable offset.
    ReadCommitted,
}

impl IsolationLevel {
    /// As Kafka writes it on the wire.
    pub fn code(self) -> i8 {
        match self {
            IsolationLevel::ReadUncommitted => 0,
            IsolationLevel::ReadCommitted => 1,
        }
    }
}

/// `auto.offset.reset`: where to go without a position, or when it is out of range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetReset {
    /// To the log start offset.
    Earliest,
    /// To the end: the high watermark, or the last stable offset.
    Latest,
    /// Nowhere: `poll` fails.
    None,
    /// To the first record not older than this (KIP-1106).
    ByDuration(Duration),
}

/// A checked configuration of the consumer.
#[derive(Clone, Debug)]
pub struct ConsumerConfig {
    /// How to talk to the cluster.
    pub connection: ConnectionConfig,
    /// `fetch.min.bytes`.
    pub fetch_min_bytes: i32,
    /// `fetch.max.wait.ms`.
    pub fetch_max_wait: Duration,
    /// `fetch.max.bytes`.
    pub fetch_max_bytes: i32,
    /// `max.partition.fetch.bytes`.
    pub max_partition_fetch_bytes: i32,
    /// `max.poll.records`.
    pub max_poll_records: usize,
    /// `auto.offset.reset`.
    pub offset_reset: OffsetReset,
    /// `isolation.level`.
    pub isolation_level: IsolationLevel,
    /// `check.crcs`.
    pub check_crcs: bool,
    /// `allow.auto.create.topics`.
    pub allow_auto_create_topics: bool,
    /// `default.api.timeout.ms`.
    pub api_timeout: Duration,
    values: Values,
}

impl ConsumerConfig {
    /// Checks names, values and the rules between them.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<ConsumerConfig, ConfigError> {
        let values = Values::check("consumer", CONSUMER_SETTINGS, pairs)?;
        if values.is_given("enable.auto.commit") && values.switch("enable.auto.commit") {
            let why = "enable.auto.commit=true needs a group.id, and consumer groups are not there yet";
            return Err(ConfigError::Conflict(why.to_owned()));
        }
        Ok(ConsumerConfig {
            connection: ConnectionConfig::from_values(&values)?,
            fetch_min_bytes: values.number("fetch.min.bytes"),
            fetch_max_wait: values.millis("fetch.max.wait.ms"),
            fetch_max_bytes: values.number("fetch.max.bytes"),
            max_partition_fetch_bytes: values.number("max.partition.fetch.bytes"),
            max_poll_records: values.number("max.poll.records"),
            offset_reset: offset_reset(values.text("auto.offset.reset"))?,
            isolation_level: match values.text("isolation.level") {
                "read_committed" => IsolationLevel::ReadCommitted,
                _ => IsolationLevel::ReadUncommitted,
            },
            check_crcs: values.switch("check.crcs"),
            allow_auto_create_topics: values.switch("allow.auto.create.topics"),
            api_timeout: values.millis("default.api.timeout.ms"),
            values,
        })
    }

    /// Names and values of all settings as they are obeyed, for reports.
    pub fn effective(&self) -> Vec<(&'static str, String)> {
        let mut pairs = self.values.effective();
        for (name, value) in &mut pairs {
            if *name == "enable.auto.commit" {
                "false".clone_into(value);
            }
        }
        pairs
    }
}

fn offset_reset(text: &str) -> Result<OffsetReset, ConfigError> {
    let invalid = |why: &str| ConfigError::Invalid {
        key: "auto.offset.reset".to_owned(),
        value: text.to_owned(),
        why: why.to_owned(),
    };
    match text {
        "earliest" => Ok(OffsetReset::Earliest),
        "latest" => Ok(OffsetReset::Latest),
        "none" => Ok(OffsetReset::None),
        _ => match text.strip_prefix("by_duration:").map(iso_duration) {
            Some(Some(duration)) => Ok(OffsetReset::ByDuration(duration)),
            Some(None) => Err(invalid("the duration is ISO 8601 without years and months, such as PT1H30M or P2D")),
            None => Err(invalid("it takes earliest, latest, none or by_duration:<ISO 8601 duration>")),
        },
    }
}

/// The part of ISO 8601 that Java's `Duration.parse` reads, without signs: `PnDTnHnMn.nS`.
fn iso_duration(text: &str) -> Option<Duration> {
    let text = text.to_ascii_uppercase();
    let (days, time) = match text.strip_prefix('P')?.split_once('T') {
        Some((_, "")) => return None,
        Some((days, time)) => (days, time),
        None => (text.strip_prefix('P')?, ""),
    };
    let mut seconds = 0.0;
    let mut found = false;
    for (mut rest, units) in [(days, &[('D', 86_400.0)][..]), (time, &[('H', 3600.0), ('M', 60.0), ('S', 1.0)])] {
        for (unit, worth) in units {
            if let Some((number, after)) = rest.split_once(*unit) {
                let plain = number.starts_with(|c: char| c.is_ascii_digit()) && (*unit == 'S' || !number.contains('.'));
                seconds += number.parse::<f64>().ok().filter(|_| plain)? * worth;
                found = true;
                rest = after;
            }
        }
        if !rest.is_empty() {
            return None;
        }
    }
    if found { Duration::try_from_secs_f64(seconds).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso_durations_as_java_reads_them() {
        assert_eq!(iso_duration("PT1H30M"), Some(Duration::from_secs(5400)));
        assert_eq!(iso_duration("P2DT1S"), Some(Duration::from_secs(172_801)));
        assert_eq!(iso_duration("PT0.5S"), Some(Duration::from_millis(500)));
        for wrong in ["", "P", "PT", "1H", "PT1", "PT1H2X", "P1H", "PT1.5H", "PTH"] {
            assert_eq!(iso_duration(wrong), None, "{wrong}");
        }
    }
}
