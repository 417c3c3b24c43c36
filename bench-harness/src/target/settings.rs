//! What a plan's settings mean to the targets that keep records: broker settings over what a target chooses itself.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use logdyno_engine::broker::{BrokerConfig, ConfigError};
use logdyno_engine::client::{Acks, ProducerConfig};
use logdyno_engine::controller::decide::topic_config;
use logdyno_engine::segment_log::{Level, LogConfig};
use logdyno_engine::storage::Settings as StorageSettings;

use super::Objection;
use crate::workload::{Plan, Settings};

/// What a target chooses for each broker: a workload cannot.
const OURS: [&str; 10] = [
    "node.id",
    "process.roles",
    "listeners",
    "advertised.listeners",
    "controller.listener.names",
    "controller.quorum.voters",
    "controller.quorum.bootstrap.servers",
    "log.dirs",
    "log.dir",
    "logdyno.backend",
];

/// How much later than `flush.ms` says a log may be synced before that is held against the run.
const FLUSH_SLACK: Duration = Duration::from_secs(3);

/// The setting that says what an acknowledgement waits for.
const ACK_LEVEL: &str = "logdyno.ack.level";

/// Checks the plan's `[broker]` and the topic's settings.
pub(super) fn check(plan: &Plan) -> Result<(), Objection> {
    for (name, value) in plan.broker.iter() {
        let object = |reason: String| Err(Objection { setting: format!("broker.{name}"), reason });
        if OURS.contains(&name) {
            return object(format!("{name} is chosen for each broker of the run: leave it out"));
        }
        if let Err(error) = BrokerConfig::from_properties(&format!("{name}={value}\n")) {
            return object(reason(error));
        }
    }
    for (name, value) in plan.topic.configs.iter() {
        if let Err(refusal) = topic_config::check(name, Some(value)) {
            return Err(Objection { setting: format!("topic.{name}"), reason: refusal.to_string() });
        }
    }
    Ok(())
}

/// Without the line, which is not the workload's.
fn reason(error: ConfigError) -> String {
    match error {
        ConfigError::Unknown { name, suggestion: Some(other), .. } => {
            format!("there is no broker setting '{name}'; did you mean '{other}'?")
        }
        ConfigError::Unknown { name, suggestion: None, .. } => format!("there is no broker setting '{name}'"),
        ConfigError::NotBuilt { name, .. } => {
            format!("Kafka's setting '{name}' is not built in LogDyno: leave it out")
        }
        ConfigError::Value { name, value, reason, .. } => format!("{name} cannot be '{value}': {reason}"),
        error => error.to_string(),
    }
}

/// With more replicas required than there are, no batch would ever be acknowledged.
pub(super) fn check_in_sync(plan: &Plan) -> Result<(), Objection> {
    let replicas = i32::from(plan.topic.replication_factor.max(1));
    let of_topic = plan.topic.configs.get("min.insync.replicas").map(|text| ("topic", text));
    let given = of_topic.or_else(|| plan.broker.get("min.insync.replicas").map(|text| ("broker", text)));
    match given {
        Some((table, text)) if text.trim().parse().is_ok_and(|required: i32| required > replicas) => Err(Objection {
            setting: format!("{table}.min.insync.replicas"),
            reason: format!("{text} replicas cannot be in sync: there are {replicas} (topic.replication.factor)"),
        }),
        _ => Ok(()),
    }
}

/// Without offsets a record is told from others by its place among the producer's own: two producers' records lie in an order that nobody
/// is told.
pub(super) fn check_acks(plan: &Plan) -> Result<(), Objection> {
    if plan.run.producers < 2 || acks(plan) != Acks::None {
        return Ok(());
    }
    let reason = format!(
        "acks=0 gives no offsets, without which the records of {} producers cannot be told apart: take acks=1, or run.producers=1",
        plan.run.producers
    );
    Err(Objection { setting: "producer.acks".to_owned(), reason })
}

/// Without a broker nobody deletes or compacts segments.
pub(super) fn check_kept(plan: &Plan) -> Result<(), Objection> {
    let tables = [("topic", &plan.topic.configs), ("broker", &plan.broker)];
    let mut given = tables.iter().flat_map(|(table, settings)| settings.iter().map(move |setting| (table, setting)));
    match given.find(|(_, setting)| removes_records(setting)) {
        Some((table, (name, _))) => Err(Objection {
            setting: format!("{table}.{name}"),
            reason: format!("the log target deletes and compacts nothing: leave {name} out, or run on embedded"),
        }),
        None => Ok(()),
    }
}

/// Without a broker only what logs and their storage obey has an effect.
pub(super) fn check_obeyed(plan: &Plan) -> Result<(), Objection> {
    let config = |text: &str| BrokerConfig::from_properties(text).ok();
    let obeyed = |config: &BrokerConfig| (config.log_config(&BTreeMap::new()), config.storage_settings());
    let Some(default) = config("") else { return Ok(()) };
    let has_none = |(name, value): &(&str, &str)| {
        let with = config(&format!("{name}={value}\n"));
        with.is_some_and(|with| with != default && obeyed(&with) == obeyed(&default))
    };
    match plan.broker.iter().find(has_none) {
        Some((name, _)) => Err(Objection {
            setting: format!("broker.{name}"),
            reason: format!(
                "the log target has no broker, on which alone it has an effect: leave {name} out, or run on embedded"
            ),
        }),
        None => Ok(()),
    }
}

/// Whether a setting of a topic or a broker has records removed.
pub(crate) fn removes_records((name, value): &(&str, &str)) -> bool {
    let name = name.trim_start_matches("log.");
    (name.starts_with("retention.") && *value != "-1") || (name == "cleanup.policy" && *value != "delete")
}

/// A broker's `server.properties`; the one without a `controller` to look for is the controller.
pub(super) fn properties(plan: &Plan, dir: &Path, backend: &str, id: u32, controller: Option<SocketAddr>) -> String {
    let roles = match controller {
        None => {
            "process.roles=broker,controller\nlisteners=PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0\n".to_owned()
        }
        Some(address) => {
            format!("process.roles=broker\nlisteners=PLAINTEXT://127.0.0.1:0\ncontroller.quorum.voters=1@{address}\n")
        }
    };
    let dir = dir.display();
    let given: String = plan.broker.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    format!("node.id={id}\n{roles}log.dirs={dir}\nlogdyno.backend={backend}\n{given}")
}

/// A client's settings: the plan's, and those of the target that the plan does not set.
pub(super) fn over<'a>(
    ours: &'a [(&'a str, &'a str)],
    given: &'a Settings,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    ours.iter().copied().filter(|(name, _)| given.get(name).is_none()).chain(given.iter())
}

/// The producer's settings, with an address that stands in where nothing is connected to.
pub(crate) fn producer(plan: &Plan) -> ProducerConfig {
    ProducerConfig::from_pairs(over(&[("bootstrap.servers", "localhost:9092")], &plan.producer))
        .unwrap_or_else(|error| unreachable!("the plan's producer settings were checked: {error}"))
}

/// Whose word the producer waits for.
pub(crate) fn acks(plan: &Plan) -> Acks {
    producer(plan).acks
}

/// What the topic's logs obey: the topic's settings over the broker's.
pub(super) fn log_config(plan: &Plan) -> Result<LogConfig, String> {
    Ok(broker_config(plan)?.log_config(&plan.topic.configs.pairs.iter().cloned().collect()))
}

/// What a storage backend obeys that no broker starts.
pub(super) fn storage_settings(plan: &Plan) -> Result<StorageSettings, String> {
    Ok(broker_config(plan)?.storage_settings())
}

fn broker_config(plan: &Plan) -> Result<BrokerConfig, String> {
    let text: String = plan.broker.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    BrokerConfig::from_properties(&text).map_err(|error| error.to_string())
}

/// The flush policy, in words, by which at least one log must have been synced while so many records were taken, and so long.
pub(crate) fn demanded_flush(plan: &Plan, records: u64, elapsed: Duration) -> Option<String> {
    let config = log_config(plan).ok()?;
    // Some partition has its share or more.
    let partitions = u64::from(plan.topic.count) * u64::try_from(plan.topic.partitions).unwrap_or(1);
    if config.flush_interval_messages <= records / partitions.max(1) {
        let messages = config.flush_interval_messages;
        return Some(format!("flush.messages={messages} and {records} records in {partitions} partitions"));
    }
    // It is looked at once a second, a first time to see that something waits; a busy machine takes longer.
    let aged = Duration::from_millis(config.flush_ms).saturating_mul(3).saturating_add(FLUSH_SLACK);
    let seconds = elapsed.as_secs_f64();
    (elapsed >= aged && records > 0).then(|| format!("flush.ms={} over {seconds:.1} s", config.flush_ms))
}

/// What a replica has done with a record when it is acknowledged: a topic's setting over its broker's.
pub(super) fn ack_level(plan: &Plan) -> String {
    let given = plan.topic.configs.get(ACK_LEVEL).or_else(|| plan.broker.get(ACK_LEVEL));
    given.unwrap_or("written").to_owned()
}

/// Whether an acknowledgement waits for storage: at `visible` the log stamps no `Stage::Written`.
pub(super) fn waits_for_storage(plan: &Plan) -> bool {
    log_config(plan).is_ok_and(|config| config.ack_level != Level::Visible)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::{Overrides, parse};

    fn plan(topic: &str) -> Plan {
        let text = format!("[records]\nsize = 9\nentropy = 1\n[load]\nrate = 1\n[topic]\npartitions = 4\n{topic}");
        parse(Path::new("flushed.toml"), &text, &Overrides::default()).expect("a good workload")
    }

    /// 24 logs have 500 records each: none was due at 1,000.
    #[test]
    fn a_sync_is_demanded_of_the_partitions_of_all_topics() {
        let plan = plan("count = 6\nflush.messages = 1000");
        assert_eq!(demanded_flush(&plan, 12_000, Duration::ZERO), None);
        let demanded = demanded_flush(&plan, 24_000, Duration::ZERO).expect("one has its share");
        assert_eq!(demanded, "flush.messages=1000 and 24000 records in 24 partitions");
    }

    #[test]
    fn several_producers_need_offsets() {
        let plan = |more: &str| plan(&format!("[run]\nproducers = 2\n{more}"));
        assert!(check_acks(&plan("")).is_ok());
        let objection = check_acks(&plan("[producer]\nacks = 0")).expect_err("nobody could tell their records apart");
        assert_eq!(objection.setting, "producer.acks");
    }

    #[test]
    fn a_sync_is_demanded_only_where_the_policy_was_due() {
        let second = Duration::from_secs(1);
        assert_eq!(demanded_flush(&plan(""), u64::MAX, second * 1000), None, "nothing is flushed by default");
        let messages = plan("flush.messages = 100");
        assert_eq!(demanded_flush(&messages, 399, second), None, "each of 4 partitions may have had 99");
        let due = demanded_flush(&messages, 400, second).expect("one of them had 100");
        assert_eq!(due, "flush.messages=100 and 400 records in 4 partitions");
        let aged = plan("flush.ms = 1000");
        assert_eq!(demanded_flush(&aged, 400, second * 5), None);
        assert_eq!(demanded_flush(&aged, 0, second * 60), None, "there was nothing to be synced");
        assert_eq!(demanded_flush(&aged, 1, second * 6).as_deref(), Some("flush.ms=1000 over 6.0 s"));
    }
}
