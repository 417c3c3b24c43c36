//! How the clients of a cluster are configured: addresses, the workload's settings in librdkafka's words, `[kafka]`.

use logdyno_engine::client::ConsumerConfig;
use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;

use super::properties;
use super::words::{self, NoWord, Property};
use crate::target::{Objection, settings};
use crate::workload::Plan;

/// Configurations of a producer, a consumer and an administrator.
pub(super) struct Cluster {
    pub(super) servers: String,
    pub(super) producer: ClientConfig,
    pub(super) consumer: ClientConfig,
    pub(super) admin: ClientConfig,
    /// Whether a client without TLS and SASL can talk to it.
    pub(super) is_plain: bool,
}

impl Cluster {
    /// Checks every setting by its name and value.
    pub(super) fn of(servers: &str, plan: &Plan) -> Result<Cluster, Objection> {
        let given = properties::of(plan)?;
        let producer = words::of_producer(&settings::producer(plan).effective(), &plan.producer);
        let producer = producer.map_err(|word| no_word("producer", word))?;
        let consumer = consumer_config(plan).map_err(|reason| object("consumer", reason))?;
        let consumer =
            words::of_consumer(&consumer.effective(), &plan.consumer).map_err(|word| no_word("consumer", word))?;
        check_said_once(&given, &[("producer", &producer), ("consumer", &consumer)])?;
        let admin = configure(servers, "", &[], &given)?;
        let protocol = given.iter().rev().find(|(name, ..)| name == "security.protocol");
        if given.iter().any(|(name, value, _)| plain_mechanism(name) && value.eq_ignore_ascii_case("oauthbearer")) {
            return Err(object("kafka.sasl.mechanism", "OAUTHBEARER is not built: PLAIN and SCRAM are".to_owned()));
        }
        Ok(Cluster {
            servers: servers.to_owned(),
            producer: configure(servers, "producer", &producer, &given)?,
            consumer: configure(servers, "consumer", &consumer, &given)?,
            admin,
            is_plain: protocol.is_none_or(|(_, value, _)| value.eq_ignore_ascii_case("plaintext")),
        })
    }
}

fn plain_mechanism(name: &str) -> bool {
    matches!(name, "sasl.mechanism" | "sasl.mechanisms")
}

fn consumer_config(plan: &Plan) -> Result<ConsumerConfig, String> {
    let pairs = std::iter::once(("bootstrap.servers", "localhost:9092")).chain(plan.consumer.iter());
    ConsumerConfig::from_pairs(pairs).map_err(|error| error.to_string())
}

fn object(setting: &str, reason: String) -> Objection {
    Objection { setting: setting.to_owned(), reason }
}

fn no_word(table: &str, word: NoWord) -> Objection {
    object(&format!("{table}.{}", word.setting), word.reason)
}

/// What `[producer]` and `[consumer]` say is not said again in `[kafka]`: a result would tell one value and mean the other.
fn check_said_once(given: &[(String, String, String)], said: &[(&str, &[Property])]) -> Result<(), Objection> {
    for (name, _, setting) in given {
        let plain = properties::plain_name(name);
        for (table, properties) in said {
            let same = properties.iter().find(|property| property.name == plain).and_then(|property| property.says);
            if let Some(says) = same {
                return Err(object(setting, format!("{name} is said by {table}.{says}: set it there")));
            }
        }
    }
    Ok(())
}

/// A configuration whose names and values librdkafka takes.
fn configure(
    servers: &str,
    table: &str,
    said: &[Property],
    given: &[(String, String, String)],
) -> Result<ClientConfig, Objection> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", servers);
    for property in said {
        config.set(property.name, property.value.as_str());
    }
    for (name, value, _) in given {
        config.set(name.as_str(), value.as_str());
    }
    match config.create_native_config() {
        Ok(_) => Ok(config),
        Err(KafkaError::ClientConfig(_, reason, name, value)) => {
            Err(refused(table, said, given, &name, &value, &reason))
        }
        Err(error) => Err(object("kafka", error.to_string())),
    }
}

fn refused(
    table: &str,
    said: &[Property],
    given: &[(String, String, String)],
    name: &str,
    value: &str,
    reason: &str,
) -> Objection {
    if let Some((.., setting)) = given.iter().find(|(known, ..)| known == name) {
        // The value may be a secret.
        return object(setting, format!("librdkafka does not take {name}: {}", reason.trim_end_matches('.')));
    }
    let says = said.iter().rev().find(|property| property.name == name).and_then(|property| property.says);
    let setting = says.map_or_else(|| "kafka".to_owned(), |says| format!("{table}.{says}"));
    object(&setting, format!("librdkafka does not take {name}={value}: {}", reason.trim_end_matches('.')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::{Overrides, parse};

    fn cluster(more: &str) -> Result<Cluster, Objection> {
        let text = format!("[records]\nsize=10\nentropy=8\ncount=1\n[load]\nrate=1\n{more}");
        Cluster::of("h:1", &parse(std::path::Path::new("w.toml"), &text, &Overrides::default()).unwrap())
    }

    fn objection(more: &str) -> Objection {
        cluster(more).err().expect("an objection")
    }

    #[test]
    fn properties_pass_through_and_are_checked_by_librdkafka() {
        let cluster = cluster("[kafka]\nsecurity.protocol = \"sasl_plaintext\"\nsasl.mechanism = \"PLAIN\"").unwrap();
        assert_eq!(cluster.producer.get("sasl.mechanism"), Some("PLAIN"));
        assert_eq!(cluster.consumer.get("sasl.mechanism"), Some("PLAIN"));
        assert_eq!(cluster.admin.get("security.protocol"), Some("sasl_plaintext"));
        assert!(!cluster.is_plain);
        let unknown = objection("[kafka]\nsasl.mechanic = \"x\"");
        assert_eq!(unknown.setting, "kafka.sasl.mechanic");
        assert!(unknown.reason.contains("sasl.mechanic"), "{}", unknown.reason);
        assert_eq!(objection("[kafka]\nsecurity.protocol = \"plane\"").setting, "kafka.security.protocol");
    }

    #[test]
    fn a_value_beyond_librdkafkas_limits_is_blamed_on_the_workloads_setting() {
        let objection = objection("[producer]\ncompression.type = \"zstd\"\ncompression.zstd.level = 19");
        assert_eq!(objection.setting, "producer.compression.zstd.level");
        assert!(objection.reason.contains("compression.level=19"), "{}", objection.reason);
    }

    #[test]
    fn a_setting_has_one_place() {
        let twice = objection("[kafka]\nqueue.buffering.max.ms = 3");
        assert_eq!(twice.setting, "kafka.queue.buffering.max.ms");
        assert!(twice.reason.contains("producer.linger.ms"), "{}", twice.reason);
        assert!(cluster("[kafka]\nsticky.partitioning.linger.ms = 3\nbatch.num.messages = 7").is_ok());
    }
}
