//! A broker's configuration: Kafka's `server.properties`, under Kafka's names and with its defaults.
//!
//! What is accepted is obeyed, or told that it is not: settings of Kafka's features that are not here are passed over in a
//! `server.properties`, unless that would break a promise (`absent`). What nobody knows is refused.

mod absent;
mod coarser;
mod entries;
mod properties;
mod settings;
mod suggestion;
mod values;

pub(crate) use entries::Entry;
pub use properties::{ConfigError, NotObeyed};
pub(crate) use settings::millis;
pub use settings::{BrokerConfig, Described};
pub use values::{AckLevel, CleanupSetting, Endpoints, ListenerAddress, Roles, TimestampSetting, Voters};
pub(crate) use values::{cleanup_policy, parse_ack_level, parse_timestamp_type};
