//! The text of a properties file: lines of `name=value`, comments, blank lines.

use super::absent::{Absent, passed_over};
use super::coarser::Coarser;
use super::settings::{BrokerConfig, NAMES};
use super::suggestion::suggestion;

/// What is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A line without `=`.
    #[error("line {line}: '{text}' is not of the form name=value")]
    Form {
        /// From 1.
        line: usize,
        /// The line.
        text: String,
    },
    /// A name that nobody knows.
    #[error("line {line}: there is no broker setting '{name}'{}", .suggestion.as_ref().map_or(String::new(), |name| format!("; did you mean '{name}'?")))]
    Unknown {
        /// From 1.
        line: usize,
        /// The name.
        name: String,
        /// A name like it.
        suggestion: Option<String>,
    },
    /// A setting of Kafka's that is not obeyed here.
    #[error("line {line}: Kafka's setting '{name}' is not built in LogDyno: leave it out")]
    NotBuilt {
        /// From 1.
        line: usize,
        /// The name.
        name: String,
    },
    /// A name that stands there twice.
    #[error("line {line}: '{name}' is set a second time")]
    Twice {
        /// From 1.
        line: usize,
        /// The name.
        name: String,
    },
    /// A value that the setting cannot have.
    #[error("line {line}: {name} cannot be '{value}': {reason}")]
    Value {
        /// From 1.
        line: usize,
        /// The name.
        name: String,
        /// The value.
        value: String,
        /// What it can be.
        reason: String,
    },
    /// Settings that do not go together, or one that is missing.
    #[error("{0}")]
    Together(String),
}

/// A setting of Kafka's that was passed over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {name} is not obeyed, it is about {about}")]
pub struct NotObeyed {
    /// From 1.
    pub line: usize,
    /// The name.
    pub name: String,
    /// What LogDyno does not have, or has in any case.
    pub about: &'static str,
}

/// Kafka's other names for settings.
const ALIASES: &[(&str, &str)] = &[("broker.id", "node.id"), ("log.dir", "log.dirs")];

impl BrokerConfig {
    /// Reads properties all of which are obeyed: what Kafka knows and LogDyno does not have is an error.
    pub fn from_properties(text: &str) -> Result<BrokerConfig, ConfigError> {
        match BrokerConfig::from_server_properties(text)? {
            (config, passed_over) if passed_over.is_empty() => Ok(config),
            (_, passed_over) => {
                let NotObeyed { line, name, .. } = passed_over[0].clone();
                Err(ConfigError::NotBuilt { line, name })
            }
        }
    }

    /// Reads a `server.properties` as it may have been written for Kafka. What is about features that are not here is passed over and
    /// told; what cannot be passed over without breaking a promise is an error, and so is what nobody knows.
    pub fn from_server_properties(text: &str) -> Result<(BrokerConfig, Vec<NotObeyed>), ConfigError> {
        let mut config = BrokerConfig::default();
        let mut passed = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        let mut coarser = Coarser::default();
        for (line, text) in (1..).zip(text.lines()) {
            let text = text.trim();
            if text.is_empty() || text.starts_with(['#', '!']) {
                continue;
            }
            let (name, value) =
                text.split_once('=').ok_or_else(|| ConfigError::Form { line, text: text.to_owned() })?;
            let (name, value) = (official(name.trim()), value.trim());
            match coarser.take(name, value).or_else(|| config.set(name, value)) {
                None => passed.push(absent(line, name, value)?),
                Some(Err(reason)) => {
                    let (name, value) = (name.to_owned(), value.to_owned());
                    return Err(ConfigError::Value { line, name, value, reason });
                }
                Some(Ok(())) => {}
            }
            if !seen.insert(name.to_owned()) {
                return Err(ConfigError::Twice { line, name: name.to_owned() });
            }
        }
        for (name, value) in coarser.in_ms().filter(|(name, _)| !seen.contains(*name)) {
            let set = config.set(name, &value).unwrap_or(Ok(()));
            set.map_err(|reason| ConfigError::Together(format!("{name}, in hours or minutes: {reason}")))?;
        }
        config.check().map_err(ConfigError::Together)?;
        Ok((config, passed))
    }

    /// The whole configuration as `server.properties`, defaults included.
    pub fn to_properties(&self) -> String {
        self.pairs().iter().map(|(name, value)| format!("{name}={value}\n")).collect()
    }
}

fn official(name: &str) -> &str {
    ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, official)| official)
}

/// A setting that is not here.
fn absent(line: usize, name: &str, value: &str) -> Result<NotObeyed, ConfigError> {
    let fate = passed_over(name, value);
    let name = name.to_owned();
    match fate {
        Some(Ok(about)) => Ok(NotObeyed { line, name, about }),
        Some(Err(Absent::NotBuilt)) => Err(ConfigError::NotBuilt { line, name }),
        Some(Err(Absent::OtherValue(here))) => {
            let (value, reason) = (value.to_owned(), format!("another value than {here} is not built in LogDyno"));
            Err(ConfigError::Value { line, name, value, reason })
        }
        None => {
            let suggestion = suggestion(&name, NAMES.iter().copied()).map(str::to_owned);
            Err(ConfigError::Unknown { line, name, suggestion })
        }
    }
}
