//! The controller: its decisions as tables, its log across restarts, and the service over loopback.

mod alter_configs;
mod alter_partition;
mod cluster;
mod format;
mod image;
mod memory_log;
mod metadata_log;
mod registration;
mod service;
mod topics;
