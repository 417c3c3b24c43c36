//! Configuration under Kafka's names: one table of settings per client, checked before anything starts.
//!
//! A name that nobody knows is an error with a suggestion; a name that Kafka knows and this client does not
//! obey is refused with a sentence, so that no setting is ever read and ignored.

mod admin;
mod connection;
mod consumer;
mod error;
mod producer;
mod setting;
mod suggestion;
mod values;

pub use admin::{ADMIN_SETTINGS, AdminConfig};
pub use connection::ConnectionConfig;
pub use consumer::{CONSUMER_SETTINGS, ConsumerConfig, IsolationLevel, OffsetReset};
pub use error::ConfigError;
pub use producer::{Acks, PRODUCER_SETTINGS, PartitionerChoice, ProducerConfig};
pub use setting::{Kind, Setting};
