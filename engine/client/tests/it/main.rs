//! Producer, consumer and admin against scripted brokers over loopback TCP.

mod admin;
mod callbacks;
mod cluster;
mod configuration;
mod consumer;
mod failures;
mod fetching;
mod idempotence;
mod ordering;
mod producer;
mod retries;
