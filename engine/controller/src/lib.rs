//! Cluster metadata: what is true of brokers, topics and partitions, who decides it, and how it is kept.
//!
//! * [`record`] facts and their bytes · [`image`] all of them applied · [`assignment`] where replicas go;
//! * [`decide`] what the controller answers, as pure functions.

pub mod assignment;
pub mod decide;
pub mod image;
pub mod record;
