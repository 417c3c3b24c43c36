//! Settings of the producer.

use std::time::Duration;

use logdyno_record::{Codec, Compression};

use super::connection::ConnectionConfig;
use super::error::ConfigError;
use super::setting::Setting;
use super::values::Values;

/// Every setting of Kafka's producer, with Kafka 4.1's defaults.
///
/// `ssl.*` and `sasl.*` are refused as a family: connections are plain text so far.
pub static PRODUCER_SETTINGS: &[Setting] = &[
    Setting::list("bootstrap.servers", "", "`host:port` of brokers to ask first, separated by commas."),
    Setting::text("client.id", "", "The name that brokers see."),
    Setting::choice(
        "acks",
        "all",
        &["all", "-1", "0", "1"],
        "Who must hold a batch before it is acknowledged: nobody (0), the leader (1), the whole in-sync set (all, -1).",
    ),
    Setting::long(
        "buffer.memory",
        "33554432",
        (0, i64::MAX),
        "Bytes for batches that wait or are in flight; when used up, send() waits.",
    ),
    Setting::choice(
        "compression.type",
        "none",
        &["none", "gzip", "snappy", "lz4", "zstd"],
        "The codec of a batch's records.",
    ),
    Setting::int("compression.gzip.level", "-1", (-1, 9), "gzip's level, 1 to 9; -1 is its default."),
    Setting::int("compression.lz4.level", "9", (1, 17), "lz4's level; Kafka knows 1 to 17."),
    Setting::int("compression.zstd.level", "3", (-131072, 22), "zstd's level."),
    Setting::int(
        "batch.size",
        "16384",
        (0, i32::MAX),
        "The most bytes of a batch; a larger record gets a batch of its own; 0 puts each record into its own batch.",
    ),
    Setting::long(
        "linger.ms",
        "5",
        (0, i64::MAX),
        "The longest time that a record waits for others to fill its batch; a full batch goes at once.",
    ),
    Setting::int(
        "delivery.timeout.ms",
        "120000",
        (0, i32::MAX),
        "From send() returning to success or failure; at least linger.ms + request.timeout.ms.",
    ),
    Setting::int(
        "request.timeout.ms",
        "30000",
        (0, i32::MAX),
        "How long an answer may take before the request is retried.",
    ),
    Setting::int("retries", "2147483647", (0, i32::MAX), "How often a batch is sent again after a retriable error."),
    Setting::long(
        "retry.backoff.ms",
        "100",
        (0, i64::MAX),
        "The pause before the first retry; it doubles after, ±20 %.",
    ),
    Setting::long("retry.backoff.max.ms", "1000", (0, i64::MAX), "The longest pause between retries."),
    Setting::long(
        "max.block.ms",
        "60000",
        (0, i64::MAX),
        "How long send() and partitions_for() may wait for metadata and buffer memory.",
    ),
    Setting::int(
        "max.request.size",
        "1048576",
        (0, i32::MAX),
        "The most bytes of a request and of a record before compression.",
    ),
    Setting::int(
        "max.in.flight.requests.per.connection",
        "5",
        (1, i32::MAX),
        "How many requests may wait for their answers on one connection: at most 5 with idempotence; without it only 1 keeps \
         order when a batch is sent again.",
    ),
    Setting::switch(
        "enable.idempotence",
        "true",
        "Whether leaders drop duplicates of batches that are sent again, and keep their order. Left unset it is off with acks \
         other than all or retries=0.",
    ),
    Setting::text(
        "partitioner.class",
        "",
        "Unset: the built-in partitioner (keys by murmur2, else sticky); RoundRobinPartitioner: by turns, keys ignored.",
    ),
    Setting::switch(
        "partitioner.adaptive.partitioning.enable",
        "true",
        "Whether the built-in partitioner prefers partitions with shorter queues.",
    ),
    Setting::long(
        "partitioner.availability.timeout.ms",
        "0",
        (0, i64::MAX),
        "Partitions whose broker has not taken ready batches for this long are avoided; 0 turns that off.",
    ),
    Setting::switch("partitioner.ignore.keys", "false", "Whether the built-in partitioner ignores keys."),
    Setting::long("reconnect.backoff.ms", "50", (0, i64::MAX), "The pause after a first failed connection."),
    Setting::long("reconnect.backoff.max.ms", "1000", (0, i64::MAX), "The longest pause between connections."),
    Setting::long("socket.connection.setup.timeout.ms", "10000", (1, i64::MAX), "How long a connection may take."),
    Setting::long("metadata.max.age.ms", "300000", (0, i64::MAX), "Metadata older than this is asked for again."),
    Setting::long(
        "metadata.max.idle.ms",
        "300000",
        (5000, i64::MAX),
        "A topic that was not sent to for this long is no longer asked for.",
    ),
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
    Setting::not_built("key.serializer", "", "serializers are given to the producer in code"),
    Setting::not_built("value.serializer", "", "serializers are given to the producer in code"),
    Setting::not_built("interceptor.classes", "", "interceptors are given to the producer in code"),
    Setting::not_built("transactional.id", "", "transactions are not there yet"),
    Setting::not_built("transaction.timeout.ms", "60000", "transactions are not there yet"),
    Setting::not_built("transaction.two.phase.commit.enable", "false", "transactions are not there yet"),
    Setting::not_built("send.buffer.bytes", "131072", "the kernel sizes socket buffers by itself"),
    Setting::not_built("receive.buffer.bytes", "32768", "the kernel sizes socket buffers by itself"),
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
    Setting::not_built("metric.reporters", "", "ask the producer for its metrics in code"),
    Setting::not_built("metrics.num.samples", "2", "ask the producer for its metrics in code"),
    Setting::not_built("metrics.recording.level", "INFO", "ask the producer for its metrics in code"),
    Setting::not_built("metrics.sample.window.ms", "30000", "ask the producer for its metrics in code"),
    Setting::not_built("security.providers", "", "connections are plain text so far"),
    Setting::not_built("config.providers", "", "values are taken as they stand"),
];

/// Who must hold a batch before it is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acks {
    /// `0`: nobody; the broker does not answer.
    None,
    /// `1`: the leader.
    Leader,
    /// `all`, `-1`: every member of the in-sync set.
    All,
}

impl Acks {
    /// As Kafka writes it on the wire.
    pub fn code(self) -> i16 {
        match self {
            Acks::None => 0,
            Acks::Leader => 1,
            Acks::All => -1,
        }
    }
}

/// What `partitioner.class` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartitionerChoice {
    /// Unset: keys by murmur2, else adaptive sticky (KIP-794).
    BuiltIn,
    /// By turns, keys ignored.
    RoundRobin,
}

/// A checked configuration of the producer.
#[derive(Clone, Debug)]
pub struct ProducerConfig {
    /// How to talk to the cluster.
    pub connection: ConnectionConfig,
    /// `acks`.
    pub acks: Acks,
    /// `buffer.memory`, in bytes.
    pub buffer_memory: usize,
    /// `compression.type` with its level, if one was given.
    pub codec: Codec,
    /// `batch.size`, in bytes; 0 puts each record into its own batch.
    pub batch_size: usize,
    /// `linger.ms`.
    pub linger: Duration,
    /// `delivery.timeout.ms`.
    pub delivery_timeout: Duration,
    /// `retries`.
    pub retries: u32,
    /// `max.block.ms`.
    pub max_block: Duration,
    /// `max.request.size`, in bytes.
    pub max_request_size: usize,
    /// `max.in.flight.requests.per.connection`.
    pub max_in_flight: usize,
    /// `enable.idempotence`, as the settings that it depends on let it be.
    pub idempotence: bool,
    /// `partitioner.class`.
    pub partitioner: PartitionerChoice,
    /// `partitioner.adaptive.partitioning.enable`.
    pub adaptive_partitioning: bool,
    /// `partitioner.availability.timeout.ms`; `None` for 0.
    pub availability_timeout: Option<Duration>,
    /// `partitioner.ignore.keys`.
    pub ignore_keys: bool,
    /// `metadata.max.idle.ms`.
    pub metadata_max_idle: Duration,
    values: Values,
}

impl ProducerConfig {
    /// Checks names, values and the rules between them.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<ProducerConfig, ConfigError> {
        let values = Values::check("producer", PRODUCER_SETTINGS, pairs)?;
        let config = ProducerConfig {
            connection: ConnectionConfig::from_values(&values)?,
            acks: acks(values.text("acks")),
            buffer_memory: values.number("buffer.memory"),
            codec: codec(&values)?,
            batch_size: values.number("batch.size"),
            linger: values.millis("linger.ms"),
            delivery_timeout: delivery_timeout(&values)?,
            retries: values.number("retries"),
            max_block: values.millis("max.block.ms"),
            max_request_size: values.number("max.request.size"),
            max_in_flight: values.number("max.in.flight.requests.per.connection"),
            idempotence: idempotence(&values)?,
            partitioner: partitioner(values.text("partitioner.class"))?,
            adaptive_partitioning: values.switch("partitioner.adaptive.partitioning.enable"),
            availability_timeout: Some(values.millis("partitioner.availability.timeout.ms"))
                .filter(|timeout| !timeout.is_zero()),
            ignore_keys: values.switch("partitioner.ignore.keys"),
            metadata_max_idle: values.millis("metadata.max.idle.ms"),
            values,
        };
        Ok(config)
    }

    /// Names and values of all settings as they are obeyed, for reports.
    pub fn effective(&self) -> Vec<(&'static str, String)> {
        let mut effective = self.values.effective();
        for (name, value) in &mut effective {
            if *name == IDEMPOTENCE {
                *value = self.idempotence.to_string();
            }
        }
        effective
    }
}

const IDEMPOTENCE: &str = "enable.idempotence";
const IN_FLIGHT: &str = "max.in.flight.requests.per.connection";

/// Kafka's `postProcessAndValidateIdempotenceConfigs`: what contradicts an idempotence that was asked for is an error; what
/// contradicts the default turns it off, but for too many requests in flight: since 4.0 they are an error too.
fn idempotence(values: &Values) -> Result<bool, ConfigError> {
    if !values.switch(IDEMPOTENCE) {
        return Ok(false);
    }
    if values.number::<usize>(IN_FLIGHT) > IN_FLIGHT_MAX {
        return Err(ConfigError::Conflict(format!(
            "{IN_FLIGHT} must be at most {IN_FLIGHT_MAX} with {IDEMPOTENCE}=true, the default: lower it, or set \
             {IDEMPOTENCE}=false"
        )));
    }
    let contradictions = [
        (acks(values.text("acks")) != Acks::All, "acks must be all"),
        (values.number::<u32>("retries") == 0, "retries must be above 0"),
    ];
    let contradiction = contradictions.into_iter().find(|(is, _)| *is);
    match contradiction {
        Some((_, rule)) if values.is_given(IDEMPOTENCE) => {
            Err(ConfigError::Conflict(format!("{rule} with {IDEMPOTENCE}=true")))
        }
        contradiction => Ok(contradiction.is_none()),
    }
}

/// As many batches of a producer does a broker remember.
const IN_FLIGHT_MAX: usize = 5;

fn acks(text: &str) -> Acks {
    match text {
        "0" => Acks::None,
        "1" => Acks::Leader,
        _ => Acks::All,
    }
}

/// The config law of KIP-91. With the default of 120 s a large linger raises it silently, as Kafka does.
fn delivery_timeout(values: &Values) -> Result<Duration, ConfigError> {
    let delivery = values.millis("delivery.timeout.ms");
    let least = values.millis("linger.ms").saturating_add(values.millis("request.timeout.ms"));
    if delivery >= least {
        return Ok(delivery);
    }
    if values.is_given("delivery.timeout.ms") {
        return Err(ConfigError::Conflict(format!(
            "delivery.timeout.ms ({} ms) must be at least linger.ms + request.timeout.ms ({} ms)",
            delivery.as_millis(),
            least.as_millis()
        )));
    }
    Ok(least)
}

fn codec(values: &Values) -> Result<Codec, ConfigError> {
    let text = values.text("compression.type");
    let compression: Compression = match text {
        "gzip" => Compression::Gzip,
        "snappy" => Compression::Snappy,
        "lz4" => Compression::Lz4,
        "zstd" => Compression::Zstd,
        _ => Compression::None,
    };
    let level_name = match compression {
        Compression::Gzip => "compression.gzip.level",
        Compression::Lz4 => "compression.lz4.level",
        Compression::Zstd => "compression.zstd.level",
        Compression::None | Compression::Snappy => return Ok(Codec::new(compression)),
    };
    if !values.is_given(level_name) || values.text(level_name) == "-1" && compression == Compression::Gzip {
        return Ok(Codec::new(compression));
    }
    Codec::with_level(compression, values.number(level_name)).map_err(|error| ConfigError::Invalid {
        key: level_name.to_owned(),
        value: values.text(level_name).to_owned(),
        why: error.to_string(),
    })
}

fn partitioner(class: &str) -> Result<PartitionerChoice, ConfigError> {
    let simple = class.strip_prefix("org.apache.kafka.clients.producer.").unwrap_or(class);
    let simple = simple.strip_prefix("internals.").unwrap_or(simple);
    let why = match simple {
        "" => return Ok(PartitionerChoice::BuiltIn),
        "RoundRobinPartitioner" => return Ok(PartitionerChoice::RoundRobin),
        "DefaultPartitioner" | "UniformStickyPartitioner" => {
            "Kafka 4.0 removed it; leave partitioner.class unset for the built-in partitioner \
             (partitioner.ignore.keys=true ignores keys)"
        }
        _ => "it is unset or RoundRobinPartitioner; partitioners of your own are given to the producer in code",
    };
    Err(ConfigError::Invalid { key: "partitioner.class".to_owned(), value: class.to_owned(), why: why.to_owned() })
}
