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

use anyhow::{Result, bail};
use clap::{Args, Parser, Subcommand};
use logdyno_storage::{Kind, kinds};

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
        #[command(flatten)]
        backends: Backends,
    },
    /// What an append costs on 1 to 1,000 logs and on a log that grows; prints a Markdown table.
    Scale {
        /// How long the growing log becomes.
        #[arg(long, default_value_t = 30)]
        gib: u64,
        #[command(flatten)]
        backends: Backends,
    },
}

#[derive(Args)]
struct Backends {
    /// Only these backends.
    #[arg(long, value_delimiter = ',')]
    backends: Vec<String>,
}

impl Backends {
    fn kinds(&self) -> Result<Vec<Kind>> {
        if let Some(name) = self.backends.iter().find(|name| !kinds().iter().any(|kind| kind.name == **name)) {
            bail!("there is no backend '{name}'");
        }
        let is_wanted = |kind: &Kind| self.backends.is_empty() || self.backends.iter().any(|name| name == kind.name);
        Ok(kinds().into_iter().filter(is_wanted).collect())
    }
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
        Command::Paced { rounds, backends } => paced::run(&arguments.dir, rounds, &backends.kinds()?),
        Command::Scale { gib, backends } => scale::run(&arguments.dir, gib, &backends.kinds()?),
    }
}
