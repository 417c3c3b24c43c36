//! `logdyno settings`.

use logdyno::settings::{Told, all};
use logdyno_engine::broker::BrokerConfig;
use logdyno_engine::client::{ConsumerConfig, ProducerConfig};

use crate::program::logdyno;
use tempfile::TempDir;

fn of(table: &str) -> impl Iterator<Item = Told> {
    all().into_iter().filter(move |told| told.table == table)
}

/// The value that a client tells of a setting when nobody has said one.
fn effective(settings: Vec<(&'static str, String)>, name: &str) -> Option<String> {
    settings.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value)
}

#[test]
fn every_setting_of_the_clients_and_the_broker_is_told_with_its_default() {
    let servers = [("bootstrap.servers", "127.0.0.1:9092")];
    let producer = ProducerConfig::from_pairs(servers).unwrap().effective();
    let consumer = ConsumerConfig::from_pairs(servers).unwrap().effective();
    for (table, settings) in [("producer", producer), ("consumer", consumer)] {
        // The target says where brokers are, and who is in no group commits nothing by itself.
        let derived = ["bootstrap.servers", "enable.auto.commit"];
        for (name, value) in settings.iter().filter(|(name, _)| !derived.contains(name)) {
            let told =
                of(table).find(|told| told.name == *name).unwrap_or_else(|| panic!("{table}.{name} is not told"));
            assert_eq!(told.default.unwrap_or_default(), *value, "{table}.{name}");
        }
        assert_eq!(effective(settings, "linger.ms").as_deref(), (table == "producer").then_some("5"));
    }
    let described = BrokerConfig::default().described();
    assert!(described.iter().all(|setting| of("broker").any(|told| told.name == setting.name)), "each of the broker's");
    let retention = of("broker").find(|told| told.name == "log.retention.ms").unwrap();
    assert_eq!(
        (retention.default.as_deref(), retention.takes.as_str()),
        (Some("604800000"), "a whole number from -1 to 9223372036854775807")
    );
}

#[test]
fn nothing_is_told_twice_or_without_a_meaning() {
    let all = all();
    for (index, told) in all.iter().enumerate() {
        assert!(!told.meaning.is_empty() && !told.takes.is_empty(), "{told:?}");
        assert!(all[..index].iter().all(|other| (other.table, other.name) != (told.table, told.name)), "{told:?}");
    }
}

#[test]
fn they_are_found_by_word_and_table() {
    let dir = TempDir::new().unwrap();
    let told = logdyno(&dir, &["settings", "linger"]);
    assert!(
        told.stdout.starts_with("[producer] ") && told.stdout.contains("\n  producer.linger.ms = 5\n"),
        "{}",
        told.stdout
    );
    assert!(told.stdout.lines().all(|line| line.chars().count() <= 100), "{}", told.stdout);
    let told = logdyno(&dir, &["settings", "--of", "run"]);
    assert!(told.stdout.contains("  run.repetitions = 1\n") && !told.stdout.contains("producer."), "{}", told.stdout);
    let told = logdyno(&dir, &["settings", "--of", "load", "--json"]);
    let list: Vec<serde_json::Value> = serde_json::from_str(&told.stdout).unwrap();
    let rate = list.iter().find(|told| told["name"] == "rate").unwrap();
    assert!(rate["table"] == "load" && rate["default"].is_null() && rate["takes"].is_string(), "{rate}");
}

#[test]
fn what_is_not_there_has_a_suggestion() {
    let refused = logdyno(&TempDir::new().unwrap(), &["settings", "lingre.ms"]);
    assert_eq!(refused.code, 1);
    assert!(
        refused.stderr.contains("no setting has `lingre.ms` in its name or meaning; did you mean linger.ms?"),
        "{}",
        refused.stderr
    );
}
