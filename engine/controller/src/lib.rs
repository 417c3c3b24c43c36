//! Cluster metadata: what is true of brokers, topics and partitions, who decides it, and how it is kept.
//!
//! * [`record`] facts and their bytes · [`image`] all of them applied · [`assignment`] where replicas go;
//! * [`decide`] what the controller answers, as pure functions;
//! * [`metadata_log`] the log that makes answers true: one voter now, a quorum later;
//! * [`Controller`] serves all that on a listener of its own; [`client`] is the broker's side of it.
//!
//! # What happens when a broker is silent
//! After `broker.session.timeout.ms` it is fenced: it leaves the ISR of every partition that a live broker leads, at
//! once, and gets no new leaderships. A partition that it leads itself keeps it as leader, with its ISR as it was:
//! leadership does not move until a quorum can vouch for the move ([`decide::leadership`]). Clients see such a
//! partition without a leader and wait. A leader that is alive but cut off from the controller goes on serving with
//! the ISR it has; it cannot change it, so acks=all stops as soon as a follower falls behind.
//!
//! # What a restart means
//! A process that registers is a new incarnation: it is fenced until it has caught up with the metadata, and what it
//! led it leads again in the next leader epoch, which is in the log before anybody hears of it. A follower that
//! restarts while its leader is out stays in the ISR, also if it lost its disk meanwhile; Kafka closes that hole with
//! eligible leader replicas (KIP-966), which come with elections.

mod active;
pub mod assignment;
pub mod client;
mod controller;
pub mod decide;
mod error;
pub mod image;
pub mod metadata_log;
pub mod record;
mod service;

pub use client::Client;
pub use controller::{Controller, ControllerConfig};
pub use error::ControllerError;
