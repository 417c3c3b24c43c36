//! A broker's configuration: Kafka's `server.properties`, under Kafka's names and with its defaults.
//!
//! Everything that is accepted is obeyed. What Kafka knows and LogDyno has not built is refused by name, and so is what nobody knows.

mod coarser;
mod entries;
mod known;
mod properties;
mod settings;
mod values;

pub(crate) use entries::Entry;
pub use properties::ConfigError;
pub use settings::BrokerConfig;
pub(crate) use settings::millis;
pub use values::{AckLevel, CleanupSetting, Endpoints, ListenerAddress, Roles, TimestampSetting, Voters};
pub(crate) use values::{cleanup_policy, parse_ack_level, parse_timestamp_type};
