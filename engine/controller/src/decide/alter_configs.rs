//! IncrementalAlterConfigs and AlterConfigs of topics: Kafka's rules of `ConfigurationControlManager`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::topic_config::{ValueType, check_all, find, items, joined};
use super::{Refusal, topic_name};
use crate::image::{MetadataImage, Topic};
use crate::record::MetadataRecord;

/// What is to become of one setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It gets this value.
    Set(Option<String>),
    /// It gets its default.
    Delete,
    /// A list gets these items as well.
    Append(Option<String>),
    /// A list loses these items.
    Subtract(Option<String>),
}

/// What is to become of a topic's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alteration {
    /// These change, the others stay (IncrementalAlterConfigs).
    Some(Vec<(String, Change)>),
    /// These are all that differ from the defaults (AlterConfigs).
    All(Vec<(String, Option<String>)>),
}

/// The records by which a topic gets other settings; none if it has them already.
pub fn alter_configs(
    image: &MetadataImage,
    topic: &str,
    alteration: &Alteration,
) -> Result<Vec<MetadataRecord>, Refusal> {
    let known = image.topic(topic);
    let none = BTreeMap::new();
    let configs = known.map_or(&none, |topic| &topic.configs);
    // In Kafka's order: what is asked for, of which topic, whether its settings allow it, whether there is such a topic.
    let wanted = match alteration {
        Alteration::Some(changes) => changed(configs, changes)?,
        Alteration::All(configs) => replaced(configs)?,
    };
    if topic.is_empty() {
        let reason = "topics have no defaults of their own that could be altered: name a topic".to_owned();
        return Err(Refusal::InvalidRequest { reason });
    }
    topic_name::check_form(topic)?;
    let wanted = check_all(wanted.iter().map(|(name, value)| (name.as_str(), Some(value.as_str()))))?;
    let known = known.ok_or_else(|| Refusal::UnknownTopic { name: topic.to_owned() })?;
    Ok(records(known, &wanted))
}

fn changed(
    configs: &BTreeMap<String, String>,
    changes: &[(String, Change)],
) -> Result<BTreeMap<String, String>, Refusal> {
    each_once(changes.iter().map(|(name, _)| name))?;
    for (name, change) in changes {
        if let Change::Set(value) | Change::Append(value) | Change::Subtract(value) = change {
            needed(name, value)?;
        }
    }
    let mut wanted = configs.clone();
    for (name, change) in changes {
        let value = match change {
            Change::Delete => None,
            Change::Set(value) => Some(needed(name, value)?.to_owned()),
            Change::Append(value) => Some(with(present(configs, name)?, needed(name, value)?)),
            Change::Subtract(value) => Some(without(present(configs, name)?, needed(name, value)?)),
        };
        match value {
            Some(value) => drop(wanted.insert(name.clone(), value)),
            None => drop(wanted.remove(name)),
        }
    }
    Ok(wanted)
}

fn replaced(configs: &[(String, Option<String>)]) -> Result<BTreeMap<String, String>, Refusal> {
    each_once(configs.iter().map(|(name, _)| name))?;
    configs.iter().map(|(name, value)| Ok((name.clone(), needed(name, value)?.to_owned()))).collect()
}

fn each_once<'a>(names: impl Iterator<Item = &'a String>) -> Result<(), Refusal> {
    let mut seen = std::collections::BTreeSet::new();
    match names.into_iter().find(|name| !seen.insert(name.as_str())) {
        Some(twice) => Err(Refusal::InvalidRequest { reason: format!("the request changes '{twice}' more than once") }),
        None => Ok(()),
    }
}

fn needed<'a>(name: &str, value: &'a Option<String>) -> Result<&'a str, Refusal> {
    let missing = || Refusal::InvalidRequest { reason: format!("the request gives '{name}' no value") };
    value.as_deref().ok_or_else(missing)
}

/// A list as it is now: items are added to and taken from it.
fn present<'a>(configs: &'a BTreeMap<String, String>, name: &str) -> Result<&'a str, Refusal> {
    match find(name) {
        Some(setting) if setting.rule.value_type() == ValueType::List => {
            Ok(configs.get(name).map_or(setting.default, String::as_str))
        }
        Some(_) => {
            let reason = format!("'{name}' is not a list: nothing can be appended to it or subtracted from it");
            Err(Refusal::InvalidConfig { reason })
        }
        None => Err(Refusal::InvalidConfig { reason: format!("'{name}' is not a topic setting") }),
    }
}

fn with(list: &str, more: &str) -> String {
    joined(items(list).chain(items(more)))
}

fn without(list: &str, less: &str) -> String {
    joined(items(list).filter(|item| !items(less).any(|gone| gone == *item)))
}

fn records(topic: &Arc<Topic>, wanted: &BTreeMap<String, String>) -> Vec<MetadataRecord> {
    let set = wanted.iter().filter(|(name, value)| topic.configs.get(*name) != Some(value));
    let set = set.map(|(name, value)| MetadataRecord::TopicConfig {
        topic: topic.id,
        name: name.clone(),
        value: value.clone(),
    });
    let gone = topic.configs.keys().filter(|name| !wanted.contains_key(*name));
    let gone = gone.map(|name| MetadataRecord::TopicConfigRemoved { topic: topic.id, name: name.clone() });
    set.chain(gone).collect()
}
