//! The server: connections, a handler per API, and the partitions that a broker leads or follows.
//!
//! * [`BrokerConfig`] is Kafka's `server.properties` · `server` takes connections · `handlers` answer;
//! * `fetch_sessions` remember what readers want · `partitions` are the replicas here, made what the metadata say · `following` fetches from leaders;
//! * `membership` registers with the controller, sends heartbeats and follows the metadata.
//!
//! Brokers share nothing but sockets, also when several run in one process.

mod broker;
pub mod config;
mod counters;
mod error;
mod fetch_sessions;
mod figures;
mod following;
mod groups;
mod handlers;
mod membership;
mod partitions;
mod producer_ids;
mod server;

pub use broker::Broker;
pub use config::{BrokerConfig, ConfigError, NotObeyed};
pub use counters::BrokerCounts;
pub use error::{StartError, StopError};
pub use figures::{BrokerFigures, ReplicaFigures};
