//! LogDyno's harness: replays producer workloads over the whole produce–replicate–consume path, and says how fast it is
//! and where the time went.
//!
//! A workload file becomes a plan ([`workload`]), whose records go to its [`topics`]; a [`campaign`] is its trials, a [`trial`] runs a [`target`] under a
//! [`load`], is heard by a [`measure::Recorder`], shows its [`proof`] and ends in a [`result`], from which every
//! [`report`] is drawn. `logdyno` the program is [`main_with`] and the engine's own backends.

// A document goes through `commands::stdout`: `println!` panics where nobody reads any more.
#![deny(clippy::print_stdout)]

pub mod campaign;
pub mod capture;
mod commands;
pub mod crash;
mod descriptors;
pub mod exit;
pub mod limits;
pub mod live;
pub mod load;
pub mod measure;
pub mod merge;
pub mod overhead;
mod parent;
pub mod progress;
pub mod proof;
mod random;
pub mod records;
pub mod report;
pub mod result;
mod scrape;
pub mod settings;
pub mod signal;
pub mod statistics;
pub mod sweep;
pub mod target;
pub mod topics;
pub mod trace;
pub mod trial;
pub mod usage;
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
        .with_writer(|| live::screen::Above)
        .with_ansi(std::io::stderr().is_terminal())
        .with_max_level(tracing::Level::WARN)
        .with_target(false)
        .init();
    descriptors::raise_limit();
    let exit = commands::Command::parse().run(kinds).unwrap_or_else(|error| {
        eprintln!("logdyno: {error:#}");
        if error.is::<workload::WorkloadError>() { Exit::Usage } else { Exit::Error }
    });
    exit.into()
}
