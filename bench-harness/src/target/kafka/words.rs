//! The clients' settings in librdkafka's words.
//!
//! Both name most settings alike and mean the same. What differs is here, after librdkafka's CONFIGURATION.md. Defaults are
//! said, too: librdkafka's own differ from Kafka's, and a comparison is one of systems, not of defaults.

use crate::workload::Settings;

/// A property for librdkafka.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Property {
    pub(super) name: &'static str,
    pub(super) value: String,
    /// The setting that it says, such as `linger.ms`; `None` for what only makes room for one.
    pub(super) says: Option<&'static str>,
}

/// What librdkafka has for a setting.
enum Word {
    /// The same thing.
    Is(&'static str),
    /// The same thing, and more that must go with it.
    Are(Vec<(&'static str, String)>),
    /// This target does it itself, or it makes no difference.
    Ours,
    /// Nothing; why.
    None(&'static str),
}

/// A setting that librdkafka has no word for, and the sentence about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NoWord {
    pub(super) setting: &'static str,
    pub(super) reason: String,
}

/// The producer's settings; `effective` are all of them, `given` those of the workload.
pub(super) fn of_producer(effective: &[(&'static str, String)], given: &Settings) -> Result<Vec<Property>, NoWord> {
    let codec = value_of(effective, "compression.type").to_owned();
    // A batch ends by its bytes alone, and memory is bounded by bytes alone, as in Kafka's producer.
    let mut properties = vec![room("batch.num.messages", "1000000"), room("queue.buffering.max.messages", "0")];
    properties.extend(translate(effective, given, |name, value| producer_word(name, value, &codec))?);
    let ignores_keys = value_of(effective, "partitioner.ignore.keys") == "true";
    let partitioner = if ignores_keys { "random" } else { "murmur2_random" };
    let says = Some("partitioner.ignore.keys");
    properties.push(Property { name: "partitioner", value: partitioner.to_owned(), says });
    Ok(properties)
}

/// The consumer's.
pub(super) fn of_consumer(effective: &[(&'static str, String)], given: &Settings) -> Result<Vec<Property>, NoWord> {
    let mut properties = translate(effective, given, consumer_word)?;
    let fetch: u64 = value_of(effective, "fetch.max.bytes").parse().unwrap_or(0);
    // librdkafka refuses answers that are larger than this, and wants it to have room for fetch.max.bytes.
    properties.push(room("receive.message.max.bytes", &(fetch + 512).max(100_000_000).to_string()));
    Ok(properties)
}

fn value_of<'a>(effective: &'a [(&'static str, String)], name: &str) -> &'a str {
    effective.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
}

fn room(name: &'static str, value: &str) -> Property {
    Property { name, value: value.to_owned(), says: None }
}

fn translate(
    effective: &[(&'static str, String)],
    given: &Settings,
    word: impl Fn(&str, &str) -> Word,
) -> Result<Vec<Property>, NoWord> {
    let mut properties = Vec::new();
    for (setting, value) in effective {
        let says = Some(*setting);
        match word(setting, value) {
            Word::Is(name) => properties.push(Property { name, value: value.clone(), says }),
            Word::Are(all) => {
                properties.extend(all.into_iter().map(|(name, value)| Property { name, value, says }));
            }
            Word::None(why) if given.get(setting).is_some() => {
                let reason = format!("librdkafka has no word for {setting}={value}: {why}");
                return Err(NoWord { setting, reason });
            }
            Word::Ours | Word::None(_) => {}
        }
    }
    Ok(properties)
}

fn producer_word(name: &str, value: &str, codec: &str) -> Word {
    match name {
        "acks" => Word::Is("acks"),
        "buffer.memory" => kibibytes(value),
        "compression.type" => Word::Is("compression.type"),
        "compression.gzip.level" => level(codec == "gzip", value),
        "compression.lz4.level" => level(codec == "lz4", value),
        "compression.zstd.level" => level(codec == "zstd", value),
        // A batch of nothing but its first record.
        "batch.size" if value == "0" => Word::Are(vec![("batch.num.messages", "1".to_owned())]),
        "batch.size" => Word::Is("batch.size"),
        "linger.ms" => Word::Is("linger.ms"),
        "delivery.timeout.ms" => Word::Is("delivery.timeout.ms"),
        "retries" => Word::Is("message.send.max.retries"),
        // Kafka's producer retries while the batch has time left and has no second limit.
        "max.request.size" => Word::Is("message.max.bytes"),
        "max.in.flight.requests.per.connection" => Word::Is("max.in.flight.requests.per.connection"),
        "enable.idempotence" => Word::Is("enable.idempotence"),
        // `send` waits here, as Kafka's does.
        "max.block.ms" => Word::Ours,
        "partitioner.class" if value.is_empty() => Word::Ours,
        "partitioner.class" => Word::None("its partitioners are murmur2 and random ones, not by turns"),
        // Said by `partitioner`.
        "partitioner.ignore.keys" => Word::Ours,
        "partitioner.adaptive.partitioning.enable" if value == "false" => Word::Ours,
        "partitioner.adaptive.partitioning.enable" => Word::None("it does not prefer partitions with short queues"),
        "partitioner.availability.timeout.ms" if value == "0" => Word::Ours,
        "partitioner.availability.timeout.ms" => Word::None("it avoids no partition for its broker's slowness"),
        "metadata.max.idle.ms" => Word::None("it asks for every topic that it has sent to"),
        name => connection_word(name, value),
    }
}

fn consumer_word(name: &str, value: &str) -> Word {
    match name {
        "fetch.min.bytes" => Word::Is("fetch.min.bytes"),
        "fetch.max.wait.ms" => Word::Is("fetch.wait.max.ms"),
        "fetch.max.bytes" => Word::Is("fetch.max.bytes"),
        "max.partition.fetch.bytes" => Word::Is("max.partition.fetch.bytes"),
        "isolation.level" => Word::Is("isolation.level"),
        "check.crcs" if value == "true" => Word::Is("check.crcs"),
        "check.crcs" => Word::None("it hides batches, so nobody else could check them"),
        // The topic is there. A question about it that arrives after its deletion would create it again.
        "allow.auto.create.topics" => Word::Are(vec![("allow.auto.create.topics", "false".to_owned())]),
        // Positions are given, so nothing is reset or committed.
        "auto.offset.reset" => Word::Are(vec![("auto.offset.reset", "error".to_owned())]),
        "enable.auto.commit" => Word::Is("enable.auto.commit"),
        // How many records are handed out at once.
        "max.poll.records" => Word::Ours,
        "default.api.timeout.ms" => Word::None("its calls take a time each"),
        name => connection_word(name, value),
    }
}

fn connection_word(name: &str, value: &str) -> Word {
    match name {
        "bootstrap.servers" => Word::Ours,
        "client.id" if value.is_empty() => Word::Ours,
        "client.id" => Word::Is("client.id"),
        "request.timeout.ms" => Word::Is("socket.timeout.ms"),
        "retry.backoff.ms" => Word::Is("retry.backoff.ms"),
        "retry.backoff.max.ms" => Word::Is("retry.backoff.max.ms"),
        "reconnect.backoff.ms" => Word::Is("reconnect.backoff.ms"),
        "reconnect.backoff.max.ms" => Word::Is("reconnect.backoff.max.ms"),
        "socket.connection.setup.timeout.ms" => Word::Is("socket.connection.setup.timeout.ms"),
        "metadata.max.age.ms" => Word::Is("topic.metadata.refresh.interval.ms"),
        // [kafka] says how connections are protected.
        "security.protocol" => Word::Ours,
        "enable.metrics.push" => Word::Is("enable.metrics.push"),
        _ => Word::None("it is not known there"),
    }
}

/// librdkafka has one level for all codecs; the workload's counts where its codec is used.
fn level(is_used: bool, value: &str) -> Word {
    if is_used { Word::Are(vec![("compression.level", value.to_owned())]) } else { Word::Ours }
}

/// `buffer.memory` is counted in KiB there, rounded down, at least one.
fn kibibytes(bytes: &str) -> Word {
    let kib = bytes.parse::<u64>().map_or(0, |bytes| bytes / 1024).max(1);
    Word::Are(vec![("queue.buffering.max.kbytes", kib.to_string())])
}

#[cfg(test)]
mod tests {
    use logdyno_engine::client::{ConsumerConfig, ProducerConfig};

    use super::*;

    const SERVER: (&str, &str) = ("bootstrap.servers", "h:1");

    fn given(pairs: &[(&str, &str)]) -> Settings {
        Settings { pairs: pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect() }
    }

    fn producer(pairs: &[(&str, &str)]) -> Result<Vec<Property>, NoWord> {
        let config = ProducerConfig::from_pairs([SERVER].into_iter().chain(pairs.iter().copied())).unwrap();
        of_producer(&config.effective(), &given(pairs))
    }

    fn consumer(pairs: &[(&str, &str)]) -> Result<Vec<Property>, NoWord> {
        let config = ConsumerConfig::from_pairs([SERVER].into_iter().chain(pairs.iter().copied())).unwrap();
        of_consumer(&config.effective(), &given(pairs))
    }

    /// The last one said, as librdkafka takes it.
    fn find<'a>(properties: &'a [Property], name: &str) -> Option<&'a str> {
        properties.iter().rev().find(|property| property.name == name).map(|property| property.value.as_str())
    }

    /// librdkafka's own defaults are 1,000,000 bytes, 5 ms, no idempotence and crc32 by key.
    #[test]
    fn kafkas_defaults_are_said() {
        let said = producer(&[]).unwrap();
        for (name, value) in [
            ("acks", "all"),
            ("batch.size", "16384"),
            ("linger.ms", "5"),
            ("enable.idempotence", "true"),
            ("partitioner", "murmur2_random"),
            ("queue.buffering.max.kbytes", "32768"),
            ("queue.buffering.max.messages", "0"),
            ("message.max.bytes", "1048576"),
            ("socket.timeout.ms", "30000"),
            ("max.in.flight.requests.per.connection", "5"),
        ] {
            assert_eq!(find(&said, name), Some(value), "{name}");
        }
        let said = consumer(&[]).unwrap();
        assert_eq!(find(&said, "isolation.level"), Some("read_uncommitted"), "librdkafka's default is read_committed");
        assert_eq!(find(&said, "fetch.wait.max.ms"), Some("500"));
        assert_eq!(find(&said, "check.crcs"), Some("true"), "librdkafka's default is false");
    }

    #[test]
    fn what_is_given_is_said_in_its_words() {
        let said = producer(&[
            ("compression.type", "zstd"),
            ("compression.zstd.level", "7"),
            ("batch.size", "0"),
            ("partitioner.ignore.keys", "true"),
            ("buffer.memory", "1048576"),
        ]);
        let said = said.unwrap();
        assert_eq!(find(&said, "compression.level"), Some("7"));
        assert_eq!(find(&said, "batch.num.messages"), Some("1"));
        assert_eq!(find(&said, "batch.size"), None);
        assert_eq!(find(&said, "partitioner"), Some("random"));
        assert_eq!(find(&said, "queue.buffering.max.kbytes"), Some("1024"));
        let other = producer(&[("compression.type", "zstd"), ("compression.gzip.level", "1")]).unwrap();
        assert_eq!(find(&other, "compression.level"), Some("3"), "zstd's own");
    }

    /// What is not given is not objected to: nobody relies on it.
    #[test]
    fn a_setting_without_a_word_is_refused_where_it_is_given() {
        let refused = |pairs: &[(&str, &str)]| producer(pairs).unwrap_err();
        for (name, value) in [
            ("partitioner.class", "RoundRobinPartitioner"),
            ("partitioner.adaptive.partitioning.enable", "true"),
            ("partitioner.availability.timeout.ms", "5"),
            ("metadata.max.idle.ms", "5000"),
        ] {
            let NoWord { setting, reason } = refused(&[(name, value)]);
            assert_eq!(setting, name);
            assert!(reason.contains(&format!("{name}={value}")), "{reason}");
        }
        assert_eq!(consumer(&[("check.crcs", "false")]).unwrap_err().setting, "check.crcs");
        assert_eq!(consumer(&[("default.api.timeout.ms", "5")]).unwrap_err().setting, "default.api.timeout.ms");
        assert!(producer(&[("partitioner.adaptive.partitioning.enable", "false")]).is_ok());
    }
}
