//! What the controller answers, as pure functions: the image, a request and the time in, records and an answer out.
//!
//! Nothing here writes, sends or waits. A decision is made on the newest image, its records are made
//! durable, and only then is the answer given.

pub mod alter_configs;
pub mod alter_partition;
pub mod create_partitions;
pub mod create_topics;
pub mod delete_topics;
pub mod leadership;
pub mod producer_ids;
pub mod refusal;
pub mod registration;
pub mod sessions;
pub mod topic_config;
pub mod topic_name;

pub use refusal::Refusal;
