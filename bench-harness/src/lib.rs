//! LogDyno's harness: replays producer workloads over the whole produce–replicate–consume path, and says how fast it is
//! and where the time went.
//!
//! A workload file becomes a plan ([`workload`]); each trial of it runs a [`target`] under a [`load`], is heard by a
//! [`measure::Recorder`] and ends in a result. `logdyno` the program is [`main_with`] and the engine's own backends.

pub mod load;
pub mod measure;
pub mod target;
pub mod workload;
