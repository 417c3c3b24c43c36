//! Settings as DescribeConfigs tells them: the value that holds, where it comes from, and what it hides.

use std::collections::BTreeMap;

use logdyno_controller::decide::topic_config::{self, Rule, Setting, ValueType};

use super::BrokerConfig;
use super::settings::Described;

/// Kafka's `ConfigSource`, as far as there are such sources here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Set for the topic.
    Topic = 1,
    /// In the broker's properties file.
    Broker = 4,
    /// Nobody said anything.
    Default = 5,
}

/// One value that a setting has or would have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Synonym {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    pub(crate) source: Source,
}

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    pub(crate) source: Source,
    pub(crate) value_type: ValueType,
    pub(crate) read_only: bool,
    pub(crate) documentation: &'static str,
    /// By precedence; the first is the one that holds.
    pub(crate) synonyms: Vec<Synonym>,
}

/// Kafka gives these no default of their own (they stand for others in hours), so that none is told.
const WITHOUT_DEFAULT: &[&str] = &["log.flush.interval.ms", "log.retention.ms", "log.roll.jitter.ms", "log.roll.ms"];

impl BrokerConfig {
    /// All settings of a topic with these overrides.
    pub(crate) fn topic_entries(&self, overrides: &BTreeMap<String, String>) -> Vec<Entry> {
        let own = self.described();
        let entry = |setting: &Setting| {
            let mut synonyms = Vec::with_capacity(3);
            if let Some(value) = overrides.get(setting.name) {
                synonyms.push(Synonym { name: setting.name, value: value.clone(), source: Source::Topic });
            }
            let own = own.iter().find(|own| Some(own.name) == setting.broker);
            let mut value = setting.default.to_owned();
            if let Some(own) = own {
                value.clone_from(&own.value);
                synonyms.extend(static_synonyms(own));
            } else if let Some(name) = setting.broker.filter(|name| !WITHOUT_DEFAULT.contains(name)) {
                synonyms.push(Synonym { name, value: value.clone(), source: Source::Default });
            }
            let (value, source) =
                synonyms.first().map_or((value, Source::Default), |first| (first.value.clone(), first.source));
            Entry {
                name: setting.name,
                value,
                source,
                value_type: setting.rule.value_type(),
                read_only: matches!(setting.rule, Rule::OnlyDefault(_)),
                documentation: setting.documentation,
                synonyms,
            }
        };
        topic_config::SETTINGS.iter().map(entry).collect()
    }

    /// All settings of this broker. None can be altered while it runs.
    pub(crate) fn broker_entries(&self) -> Vec<Entry> {
        let entry = |own: Described| {
            let synonyms = static_synonyms(&own);
            let source = synonyms.first().map_or(Source::Default, |first| first.source);
            let Described { name, value, value_type, documentation, .. } = own;
            Entry { name, value, source, value_type, read_only: true, documentation, synonyms }
        };
        self.described().into_iter().map(entry).collect()
    }
}

/// What the broker says, and what it would say of itself. A default that is spelled out is told as a default.
fn static_synonyms(own: &Described) -> Vec<Synonym> {
    let mut synonyms = Vec::with_capacity(2);
    if own.value != own.default {
        synonyms.push(Synonym { name: own.name, value: own.value.clone(), source: Source::Broker });
    }
    if !WITHOUT_DEFAULT.contains(&own.name) {
        synonyms.push(Synonym { name: own.name, value: own.default.clone(), source: Source::Default });
    }
    synonyms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(
        config: &str,
        overrides: &[(&str, &str)],
        name: &str,
    ) -> (String, Source, Vec<(&'static str, String)>) {
        let text = format!(
            "process.roles=broker,controller\nlisteners=PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0\n{config}"
        );
        let config = BrokerConfig::from_properties(&text).expect("a good configuration");
        let overrides = overrides.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let entries = config.topic_entries(&overrides);
        let entry = entries.into_iter().find(|entry| entry.name == name).expect("a topic setting");
        (entry.value, entry.source, entry.synonyms.into_iter().map(|other| (other.name, other.value)).collect())
    }

    /// As Kafka 4.1 tells it, but for the broker's defaults that it spells out in its dynamic configuration.
    #[test]
    fn sources_and_synonyms() {
        let pair = |name, value: &str| (name, value.to_owned());
        let size = "segment.bytes";
        assert_eq!(
            described("", &[], size),
            ("1073741824".to_owned(), Source::Default, vec![pair("log.segment.bytes", "1073741824")])
        );
        assert_eq!(
            described("log.segment.bytes=2000000", &[], size),
            (
                "2000000".to_owned(),
                Source::Broker,
                vec![pair("log.segment.bytes", "2000000"), pair("log.segment.bytes", "1073741824")]
            )
        );
        assert_eq!(
            described("log.segment.bytes=2000000", &[(size, "3000000")], size),
            (
                "3000000".to_owned(),
                Source::Topic,
                vec![
                    pair(size, "3000000"),
                    pair("log.segment.bytes", "2000000"),
                    pair("log.segment.bytes", "1073741824")
                ]
            )
        );
        assert_eq!(described("", &[], "segment.ms"), ("604800000".to_owned(), Source::Default, vec![]));
        assert_eq!(
            described("", &[], "compression.type"),
            ("producer".to_owned(), Source::Default, vec![pair("compression.type", "producer")])
        );
    }

    /// The table of topic settings and the broker's own defaults say the same.
    #[test]
    fn defaults_agree() {
        let own = BrokerConfig::default().described();
        for setting in topic_config::SETTINGS {
            if let Some(own) = own.iter().find(|own| Some(own.name) == setting.broker) {
                assert_eq!(
                    (own.default.as_str(), own.value_type),
                    (setting.default, setting.rule.value_type()),
                    "{}",
                    own.name
                );
            }
        }
    }
}
