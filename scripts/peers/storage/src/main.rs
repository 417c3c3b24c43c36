//! LogDyno's storage against the device (fio) and against other logs, as ratios of one run.
//!
//! Each round measures every cell once, in a shuffled order, each in a process of its own, on memory that the host
//! backs; a row divides two cells of the same round. `storage-peers table` prints the rows in Markdown.

mod cells;
mod logs;
mod machine;
mod paced;
mod rows;
mod scale;
mod table;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Measures LogDyno's storage beside fio, raft-engine, commitlog and walrus")]
struct Arguments {
    /// Where files are written: on the device that is to be measured.
    #[arg(long, default_value = ".", global = true)]
    dir: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measures all rows and prints them as a Markdown table.
    Table {
        /// Rounds; a figure is the median of as many ratios.
        #[arg(long, default_value_t = 5)]
        rounds: u32,
        /// Only these rows, by number.
        #[arg(long, value_delimiter = ',')]
        rows: Vec<u32>,
        /// The seed of the cells' order.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Measures one cell and prints its figures as JSON.
    Cell {
        /// As `table` prints it.
        name: String,
    },
    /// A steady writer on each backend, through segment rolls and beside readers; prints a Markdown table.
    Paced {
        /// Rounds; a line for each.
        #[arg(long, default_value_t = 3)]
        rounds: u32,
    },
    /// What an append costs on 1 to 1,000 logs and on a log that grows; prints a Markdown table.
    Scale {
        /// How long the growing log becomes.
        #[arg(long, default_value_t = 30)]
        gib: u64,
    },
}

#[global_allocator]
static ALLOCATOR: scale::Counting = scale::Counting;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match arguments.command {
        Command::Table { rounds, rows, seed } => table::run(&arguments.dir, rounds, &rows, seed),
        Command::Cell { name } => {
            let figures = cells::measure(&name, &arguments.dir)?;
            println!("{}", serde_json::to_string(&figures)?);
            Ok(())
        }
        Command::Paced { rounds } => paced::run(&arguments.dir, rounds),
        Command::Scale { gib } => scale::run(&arguments.dir, gib),
    }
}
