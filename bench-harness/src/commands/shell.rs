//! `logdyno completions` and `logdyno man`: what a shell and `man` want to know of the program, from the same
//! definitions as `--help`.

use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Command;
use super::stdout::print;

/// Print what a shell needs to complete this program's commands and flags.
#[derive(Args, Debug)]
pub(super) struct Completions {
    /// For bash: logdyno completions bash > ~/.local/share/bash-completion/completions/logdyno
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Command::command(), "logdyno", &mut script);
        print(String::from_utf8_lossy(&script))
    }
}

/// Write manual pages, one for each command.
#[derive(Args, Debug)]
pub(super) struct Man {
    /// The folder that they go to, such as ~/.local/share/man/man1.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

impl Man {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let failed = |error: std::io::Error| anyhow::anyhow!("{}: {error}", self.dir.display());
        std::fs::create_dir_all(&self.dir).map_err(failed)?;
        clap_mangen::generate_to(Command::command(), &self.dir).map_err(failed)
    }
}
