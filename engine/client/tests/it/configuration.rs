//! §7 no. 30: names and defaults are Apache Kafka 4.1's.

use std::time::Duration;

use logdyno_client::config::{ADMIN_SETTINGS, CONSUMER_SETTINGS, Kind, PRODUCER_SETTINGS, PartitionerChoice, Setting};
use logdyno_client::{Acks, ConfigError, ConsumerConfig, OffsetReset, ProducerConfig};
use logdyno_record::Compression;

const SERVER: (&str, &str) = ("bootstrap.servers", "localhost:9092");

fn producer(pairs: &[(&str, &str)]) -> Result<ProducerConfig, ConfigError> {
    ProducerConfig::from_pairs([SERVER].into_iter().chain(pairs.iter().copied()))
}

fn consumer(pairs: &[(&str, &str)]) -> Result<ConsumerConfig, ConfigError> {
    ConsumerConfig::from_pairs([SERVER].into_iter().chain(pairs.iter().copied()))
}

fn default<'a>(table: &'a [Setting], name: &str) -> &'a str {
    table.iter().find(|setting| setting.name == name).unwrap_or_else(|| panic!("{name} is missing")).default
}

/// Rows 61 to 71.
#[test]
fn producer_defaults_are_kafkas() {
    let table = [
        ("acks", "all"),
        ("buffer.memory", "33554432"),
        ("max.block.ms", "60000"),
        ("retries", "2147483647"),
        ("delivery.timeout.ms", "120000"),
        ("request.timeout.ms", "30000"),
        ("batch.size", "16384"),
        ("linger.ms", "5"),
        ("partitioner.class", ""),
        ("enable.idempotence", "true"),
        ("max.in.flight.requests.per.connection", "5"),
        ("max.request.size", "1048576"),
        ("retry.backoff.ms", "100"),
        ("retry.backoff.max.ms", "1000"),
        ("compression.type", "none"),
        ("partitioner.adaptive.partitioning.enable", "true"),
        ("partitioner.availability.timeout.ms", "0"),
        ("partitioner.ignore.keys", "false"),
    ];
    for (name, value) in table {
        assert_eq!(default(PRODUCER_SETTINGS, name), value, "{name}");
    }
    let config = producer(&[]).unwrap();
    assert_eq!((config.acks, config.batch_size, config.buffer_memory), (Acks::All, 16384, 32 << 20));
    assert_eq!((config.linger, config.delivery_timeout), (Duration::from_millis(5), Duration::from_secs(120)));
    assert_eq!((config.partitioner, config.retries), (PartitionerChoice::BuiltIn, i32::MAX as u32));
    assert_eq!(config.codec.compression(), Compression::None);
}

/// Rows 95 and 105 to 109.
#[test]
fn consumer_defaults_are_kafkas() {
    let table = [
        ("enable.auto.commit", "true"),
        ("auto.commit.interval.ms", "5000"),
        ("auto.offset.reset", "latest"),
        ("session.timeout.ms", "45000"),
        ("heartbeat.interval.ms", "3000"),
        ("max.poll.interval.ms", "300000"),
        ("isolation.level", "read_uncommitted"),
        ("max.poll.records", "500"),
        ("fetch.min.bytes", "1"),
        ("fetch.max.wait.ms", "500"),
        ("fetch.max.bytes", "52428800"),
        ("max.partition.fetch.bytes", "1048576"),
        ("check.crcs", "true"),
    ];
    for (name, value) in table {
        assert_eq!(default(CONSUMER_SETTINGS, name), value, "{name}");
    }
    assert_eq!(consumer(&[]).unwrap().offset_reset, OffsetReset::Latest);
}

/// Every default passes its own validator, and every name stands once.
#[test]
fn the_tables_agree_with_themselves() {
    for table in [PRODUCER_SETTINGS, CONSUMER_SETTINGS, ADMIN_SETTINGS] {
        for (place, setting) in table.iter().enumerate() {
            assert!(table[..place].iter().all(|other| other.name != setting.name), "{} stands twice", setting.name);
            assert!(!setting.doc.is_empty());
            match setting.kind {
                Kind::Int(min, max) => assert!((min..=max).contains(&setting.default.parse().unwrap())),
                Kind::Long(min, max) => assert!((min..=max).contains(&setting.default.parse().unwrap())),
                Kind::Bool => assert!(setting.default.parse::<bool>().is_ok()),
                Kind::Choice(words) => assert!(words.contains(&setting.default)),
                Kind::Text | Kind::List | Kind::Only { .. } | Kind::NotBuilt(_) => {}
            }
        }
    }
}

#[test]
fn values_parse_as_kafkas_do() {
    assert_eq!(producer(&[("acks", "-1")]).unwrap().acks, Acks::All);
    assert_eq!(producer(&[("acks", " 1 ")]).unwrap().acks, Acks::Leader);
    let servers = producer(&[("bootstrap.servers", "a:1, b:2 ,c:3")]).unwrap().connection.bootstrap_servers;
    assert_eq!(servers, ["a:1", "b:2", "c:3"]);
    assert!(producer(&[("partitioner.ignore.keys", "TRUE")]).unwrap().ignore_keys);
    assert_eq!(producer(&[("linger.ms", "1"), ("linger.ms", "2")]).unwrap().linger, Duration::from_millis(2));
    let reset = consumer(&[("auto.offset.reset", "by_duration:PT1M")]).unwrap().offset_reset;
    assert_eq!(reset, OffsetReset::ByDuration(Duration::from_secs(60)));
    for (key, value) in [
        ("acks", "2"),
        ("batch.size", "-1"),
        ("batch.size", "16k"),
        ("linger.ms", ""),
        ("compression.type", "brotli"),
        ("retries", "2147483648"),
        ("bootstrap.servers", "nowhere"),
        ("max.in.flight.requests.per.connection", "0"),
        ("compression.gzip.level", "10"),
    ] {
        assert!(matches!(producer(&[(key, value)]), Err(ConfigError::Invalid { .. })), "{key}={value}");
    }
}

/// Row 58.
#[test]
fn bootstrap_servers_are_required() {
    assert!(matches!(ProducerConfig::from_pairs([]), Err(ConfigError::Missing { key: "bootstrap.servers", .. })));
}

#[test]
fn an_unknown_key_is_an_error_with_a_suggestion() {
    let said =
        producer(&[("linger", "5")]).map(drop).or_else(|_| producer(&[("batch.sise", "5")]).map(drop)).unwrap_err();
    assert_eq!(said.to_string(), "unknown producer setting `batch.sise`: did you mean `batch.size`?");
    assert!(matches!(producer(&[("colour", "red")]), Err(ConfigError::Unknown { suggestion: None, .. })));
}

/// Row 71: asked for, idempotence does not bear what contradicts it; by default it gives way, but not to many requests in flight.
#[test]
fn idempotence_and_what_contradicts_it() {
    const ON: (&str, &str) = ("enable.idempotence", "true");
    const IN_FLIGHT: &str = "max.in.flight.requests.per.connection";
    let on = |pairs: &[(&str, &str)]| producer(pairs).unwrap().idempotence;
    assert!(on(&[]) && on(&[ON]) && on(&[ON, ("acks", "-1"), (IN_FLIGHT, "5"), ("retries", "1")]));
    assert!(!on(&[("enable.idempotence", "false")]));
    for contradiction in [("acks", "1"), ("acks", "0"), ("retries", "0")] {
        let given_way = producer(&[contradiction]).unwrap();
        assert!(!given_way.idempotence, "{contradiction:?}");
        assert!(given_way.effective().contains(&("enable.idempotence", "false".to_owned())));
        let said = producer(&[ON, contradiction]).unwrap_err().to_string();
        assert!(said.contains(contradiction.0) && said.contains("enable.idempotence=true"), "{said}");
    }
    // Since Kafka 4.0 nobody loses idempotence by this without knowing it.
    for also in [&[][..], &[ON], &[("acks", "1")]] {
        let said = producer(&[also, &[(IN_FLIGHT, "6")]].concat()).unwrap_err().to_string();
        assert!(said.contains(IN_FLIGHT) && said.contains("enable.idempotence=false"), "{said}");
    }
    assert!(!on(&[("enable.idempotence", "false"), (IN_FLIGHT, "6")]));
}

/// All that Kafka knows and we do not obey.
#[test]
fn what_is_not_built_is_refused_by_name() {
    for key in ["transactional.id", "key.serializer", "ssl.keystore.location", "sasl.mechanism", "send.buffer.bytes"] {
        assert!(matches!(producer(&[(key, "x")]), Err(ConfigError::NotBuilt { .. })), "{key}");
    }
    for key in ["group.id", "session.timeout.ms", "client.rack"] {
        assert!(matches!(consumer(&[(key, "1")]), Err(ConfigError::NotBuilt { .. })), "{key}");
    }
    assert!(matches!(consumer(&[("enable.auto.commit", "true")]), Err(ConfigError::Conflict(_))));
    assert!(matches!(producer(&[("security.protocol", "SSL")]), Err(ConfigError::Invalid { .. })));
}

/// Rows 49, 50 and 55.
#[test]
fn removed_partitioners_are_refused_with_advice() {
    for class in ["DefaultPartitioner", "org.apache.kafka.clients.producer.UniformStickyPartitioner"] {
        let said = producer(&[("partitioner.class", class)]).unwrap_err().to_string();
        assert!(said.contains("Kafka 4.0 removed it"), "{said}");
    }
    for class in ["RoundRobinPartitioner", "org.apache.kafka.clients.producer.RoundRobinPartitioner"] {
        assert_eq!(producer(&[("partitioner.class", class)]).unwrap().partitioner, PartitionerChoice::RoundRobin);
    }
}

/// KIP-91's law; a default gives way, an explicit value does not.
#[test]
fn delivery_timeout_covers_linger_and_request() {
    let said = producer(&[("delivery.timeout.ms", "30004")]).unwrap_err().to_string();
    assert!(said.contains("at least linger.ms + request.timeout.ms (30005 ms)"), "{said}");
    producer(&[("delivery.timeout.ms", "30005")]).unwrap();
    let raised = producer(&[("linger.ms", "100000")]).unwrap();
    assert_eq!(raised.delivery_timeout, Duration::from_secs(130));
}

#[test]
fn the_effective_settings_tell_what_is_obeyed() {
    let effective = producer(&[("batch.size", "1")]).unwrap().effective();
    assert!(effective.contains(&("batch.size", "1".to_owned())));
    assert!(effective.contains(&("enable.idempotence", "true".to_owned())));
    assert!(consumer(&[]).unwrap().effective().contains(&("enable.auto.commit", "false".to_owned())));
}
