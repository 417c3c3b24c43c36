//! Brokers in this process, on loopback.

mod admin;
mod cluster;
mod committed;
mod compaction;
mod config;
mod configs;
mod connections;
mod expiry;
mod groups;
mod idempotence;
mod isolation;
mod kcat;
mod metadata;
mod produce_fetch;
mod replication;
mod retention;
mod robustness;
mod sessions;
mod takeover;
