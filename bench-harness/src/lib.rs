//! LogDyno's harness: replays producer workloads over the whole produce–replicate–consume path, and says how fast it is
//! and where the time went.
//!
//! A workload file becomes a plan ([`workload`]); each trial of it runs a [`target`] under a [`load`], is heard by a
//! [`measure::Recorder`] and ends in a result. `logdyno` the program is [`main_with`] and the engine's own backends.

mod commands;
pub mod exit;
pub mod load;
pub mod measure;
mod signal;
pub mod target;
pub mod workload;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser;
use logdyno_engine::storage::Kind;

use exit::Exit;

/// The program, with these storage backends: a binary of yours may add one of its own to
/// [`logdyno_engine::storage::kinds`].
pub fn main_with(kinds: &[Kind]) -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(tracing::Level::WARN)
        .with_target(false)
        .init();
    let exit = commands::Command::parse().run(kinds).unwrap_or_else(|error| {
        eprintln!("logdyno: {error:#}");
        Exit::Error
    });
    exit.into()
}
