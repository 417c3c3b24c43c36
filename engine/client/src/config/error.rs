//! What can be wrong with a configuration.

/// Why a configuration was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Neither this client nor Kafka's has such a setting.
    #[error("unknown {client} setting `{key}`{}", suggestion.as_ref().map(|name| format!(": did you mean `{name}`?")).unwrap_or_default())]
    Unknown {
        /// "producer", "consumer" or "admin".
        client: &'static str,
        /// The key as given.
        key: String,
        /// The nearest known name.
        suggestion: Option<String>,
    },
    /// Kafka has the setting, this client does not obey it (yet).
    #[error("the {client} setting `{key}` is known to Kafka but not built here: {why}")]
    NotBuilt {
        /// "producer", "consumer" or "admin".
        client: &'static str,
        /// The key.
        key: String,
        /// What is missing, or what to do instead.
        why: String,
    },
    /// The value is not one that the setting takes.
    #[error("`{key}` cannot be `{value}`: {why}")]
    Invalid {
        /// The key.
        key: String,
        /// The value as given.
        value: String,
        /// What it takes.
        why: String,
    },
    /// A setting without default was not given.
    #[error("`{key}` is missing: {why}")]
    Missing {
        /// The key.
        key: &'static str,
        /// What it is for.
        why: &'static str,
    },
    /// Settings that exclude each other.
    #[error("{0}")]
    Conflict(String),
}
