//! Every setting there is, told from the tables by which each part reads its own: nothing is written down twice.

use logdyno_engine::broker::BrokerConfig;
use logdyno_engine::broker::config::Described;
use logdyno_engine::client::config::{CONSUMER_SETTINGS, Kind, PRODUCER_SETTINGS, Setting};
use logdyno_engine::controller::decide::topic_config::{self, Rule, ValueType};
use serde::Serialize;

use crate::workload::keys::{Key, OWN};

/// A setting, as a workload file or `--set` names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Told {
    /// Its table: `run`, `producer`, `broker` …
    pub table: &'static str,
    /// Its name in that table.
    pub name: &'static str,
    /// Its default as it would be written; `None` if there is none.
    pub default: Option<String>,
    /// What its value can be, in words.
    pub takes: String,
    /// What it does, in a sentence.
    pub meaning: String,
}

/// All settings, table by table in the order of a workload file.
#[must_use]
pub fn all() -> Vec<Told> {
    let own = |wanted: &str| {
        let keys = OWN.into_iter().filter(|(table, _)| *table == wanted).collect::<Vec<_>>();
        keys.into_iter().flat_map(|(table, keys)| keys.iter().map(move |key| of_key(table, key))).collect::<Vec<_>>()
    };
    let client = |table, settings: &'static [Setting]| {
        // The target says where its brokers are.
        let settings = settings.iter().filter(|setting| setting.name != "bootstrap.servers");
        settings.map(|setting| of_client(table, setting)).collect::<Vec<_>>()
    };
    let topic = topic_config::SETTINGS.iter().map(of_topic).collect();
    let broker = BrokerConfig::default().described().into_iter().map(of_broker).collect();
    let tables = [
        own("workload"),
        own("records"),
        client("producer", PRODUCER_SETTINGS),
        client("consumer", CONSUMER_SETTINGS),
        own("topic"),
        topic,
        broker,
        own("load"),
        own("run"),
    ];
    tables.into_iter().flatten().collect()
}

/// What a table is for.
#[must_use]
pub fn purpose(table: &str) -> &'static str {
    match table {
        "workload" => "what it is called",
        "records" => "what is sent",
        "producer" => "the producers, under Kafka's names",
        "consumer" => "the consumer, under Kafka's names",
        "topic" => "the topics: how many, where records go, and Kafka's topic settings",
        "broker" => "the brokers: what server.properties of `logdyno serve` takes, too",
        "load" => "when records are sent",
        "run" => "how often, for how long and on what",
        _ => "",
    }
}

fn of_key(table: &'static str, key: &Key) -> Told {
    told(table, key.name, key.default, key.takes.to_string(), key.meaning)
}

fn of_client(table: &'static str, setting: &Setting) -> Told {
    let takes = match setting.kind {
        Kind::Int(least, most) => format!("a whole number from {least} to {most}"),
        Kind::Long(least, most) => format!("a whole number from {least} to {most}"),
        Kind::Bool => "true or false".to_owned(),
        Kind::Text => "text".to_owned(),
        Kind::List => "a list, separated by commas".to_owned(),
        Kind::Choice(words) => words.join(", "),
        Kind::Only { value, why } => format!("only {value}: {why}"),
        Kind::NotBuilt(_) => "nothing: it is not built".to_owned(),
    };
    let default = match setting.kind {
        Kind::Only { value, .. } => value,
        Kind::NotBuilt(_) => "",
        _ => setting.default,
    };
    told(table, setting.name, default, takes, setting.doc)
}

fn of_topic(setting: &topic_config::Setting) -> Told {
    let takes = match setting.rule {
        Rule::Int(least, most) | Rule::Long(least, most) => format!("a whole number from {least} to {most}"),
        Rule::Double(least, most) => format!("a number from {least} to {most}"),
        Rule::OneOf(words) => words.join(", "),
        Rule::AnyOf(words) => format!("any of {}, separated by commas", words.join(", ")),
        Rule::OnlyDefault(_) => "only its default".to_owned(),
    };
    let broker = setting.broker.map(|name| format!(" The brokers' {name} is the default of all topics."));
    let meaning = format!("{}{}", setting.documentation, broker.unwrap_or_default());
    told("topic", setting.name, setting.default, takes, &meaning)
}

fn of_broker(setting: Described) -> Told {
    let takes = match (setting.limits, setting.value_type) {
        (Some((least, most)), ValueType::Double) => format!("a number from {least} to {most}"),
        (Some((least, most)), _) => format!("a whole number from {least} to {most}"),
        (None, ValueType::Boolean) => "true or false".to_owned(),
        (None, ValueType::List) => "a list, separated by commas".to_owned(),
        (None, _) => "text".to_owned(),
    };
    let mut letters = setting.documentation.trim().chars();
    let capital: String = letters.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    told("broker", setting.name, &setting.default, takes, &format!("{capital}{}", letters.as_str()))
}

fn told(table: &'static str, name: &'static str, default: &str, takes: String, meaning: &str) -> Told {
    let default = Some(default).filter(|default| !default.is_empty()).map(str::to_owned);
    Told { table, name, default, takes, meaning: meaning.to_owned() }
}
