//! The harness's library, from outside, and the program that it makes.

mod attribution;
mod batching;
mod capture;
mod counts;
mod crash;
mod export;
mod invalid;
#[cfg(feature = "kafka")]
mod kafka;
mod limits;
mod metrics;
mod mistakes;
mod overhead;
mod page;
mod planted;
mod program;
mod proof;
mod rates;
mod readme;
mod report;
mod scene;
mod serve;
mod settings;
mod shards;
mod steps;
mod sweep;
mod sweep_page;
mod targets;
mod topics;
mod twisted;
mod workload_errors;
