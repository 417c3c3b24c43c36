//! Cluster metadata: what is true of brokers, topics and partitions, who decides it, and how it is kept.
//!
//! * [`record`] facts and their bytes · [`image`] all of them applied · [`assignment`] where replicas go;
//! * [`decide`] what the controller answers, as pure functions;
//! * [`metadata_log`] the log that makes answers true: one voter now, a quorum later;
//! * [`Controller`] serves all that on a listener of its own; [`client`] is the broker's side of it.

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
