//! Asks Apache Kafka and LogDyno the same, by chance and by seed, and compares the answers field by field.

mod allowed;
mod compare;
mod exchange;
mod generate;
mod logs;
mod random;
mod run;
mod settle;
mod side;
mod tally;
mod tree;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "The same requests to Apache Kafka and to LogDyno, answers compared field by field")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Asks both servers, which are new and empty; exit 1 if they differ without a reason.
    Ask(run::Options),
    /// Compares the segment files that both have left.
    Logs {
        /// Kafka's data directory.
        kafka: PathBuf,
        /// Ours.
        ours: PathBuf,
    },
}

fn main() -> Result<ExitCode> {
    match Arguments::parse().command {
        Command::Ask(options) => run::run(&options),
        Command::Logs { kafka, ours } => {
            println!("{} bytes of segments are the same", logs::compare(&kafka, &ours)?);
            Ok(ExitCode::SUCCESS)
        }
    }
}
