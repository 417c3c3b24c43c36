//! The text of a properties file: lines of `name=value`, comments, blank lines.

use super::coarser::Coarser;
use super::known::{is_known_to_kafka, suggestion};
use super::settings::{BrokerConfig, NAMES};

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

impl BrokerConfig {
    /// Reads a `server.properties`.
    pub fn from_properties(text: &str) -> Result<BrokerConfig, ConfigError> {
        let mut config = BrokerConfig::default();
        let mut seen = std::collections::BTreeSet::new();
        let mut coarser = Coarser::default();
        for (line, text) in (1..).zip(text.lines()) {
            let text = text.trim();
            if text.is_empty() || text.starts_with(['#', '!']) {
                continue;
            }
            let (name, value) =
                text.split_once('=').ok_or_else(|| ConfigError::Form { line, text: text.to_owned() })?;
            let (name, value) = (name.trim(), value.trim());
            match coarser.take(name, value).or_else(|| config.set(name, value)) {
                None => return Err(unknown(line, name)),
                Some(Err(reason)) => {
                    let (name, value) = (name.to_owned(), value.to_owned());
                    return Err(ConfigError::Value { line, name, value, reason });
                }
                Some(Ok(())) if !seen.insert(name.to_owned()) => {
                    return Err(ConfigError::Twice { line, name: name.to_owned() });
                }
                Some(Ok(())) => {}
            }
        }
        for (name, value) in coarser.in_ms().filter(|(name, _)| !seen.contains(*name)) {
            let set = config.set(name, &value).unwrap_or(Ok(()));
            set.map_err(|reason| ConfigError::Together(format!("{name}, in hours or minutes: {reason}")))?;
        }
        config.check().map_err(ConfigError::Together)?;
        Ok(config)
    }

    /// The whole configuration as `server.properties`, defaults included.
    pub fn to_properties(&self) -> String {
        self.pairs().iter().map(|(name, value)| format!("{name}={value}\n")).collect()
    }
}

fn unknown(line: usize, name: &str) -> ConfigError {
    let name = name.to_owned();
    if is_known_to_kafka(&name) {
        return ConfigError::NotBuilt { line, name };
    }
    let suggestion = suggestion(&name, NAMES.iter().copied()).map(str::to_owned);
    ConfigError::Unknown { line, name, suggestion }
}
