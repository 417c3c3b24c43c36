//! The commands: a file for each.

mod capture;
mod doctor;
mod dump;
mod export;
mod init;
mod limits;
mod merge;
mod overhead;
mod report;
mod run;
mod serve;
mod settings;
mod shell;
mod stdout;
mod sweep;
mod victim;

use clap::{Parser, Subcommand};
use logdyno_engine::storage::Kind;

use crate::campaign::Jobs;
use crate::exit::Exit;
use crate::target;

/// A dynamometer for Kafka-style logs.
#[derive(Parser, Debug)]
#[command(name = "logdyno", version, arg_required_else_help = true)]
pub(crate) struct Command {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    Init(init::Init),
    Run(run::Run),
    Sweep(sweep::SweepCommand),
    Limits(limits::LimitsCommand),
    Overhead(overhead::OverheadCommand),
    Report(report::Report),
    Merge(merge::Merge),
    Serve(serve::Serve),
    Settings(settings::Settings),
    Doctor(doctor::Doctor),
    Dump(dump::Dump),
    Capture(capture::Capture),
    Completions(shell::Completions),
    Man(shell::Man),
    Victim(victim::Victim),
}

impl Command {
    /// Runs the command; what it returns is the process's exit code.
    pub(crate) fn run(self, kinds: &[Kind]) -> anyhow::Result<Exit> {
        match self.verb {
            Verb::Init(init) => init.run()?,
            Verb::Run(run) => return run.run(kinds, &target::targets()),
            Verb::Sweep(sweep) => return sweep.run(&Jobs { kinds, targets: &target::targets() }),
            Verb::Limits(limits) => limits.run()?,
            Verb::Overhead(overhead) => return overhead.run(kinds, &target::targets()),
            Verb::Report(report) => report.run()?,
            Verb::Merge(merge) => return merge.run(),
            Verb::Serve(serve) => serve.run(kinds)?,
            Verb::Settings(settings) => settings.run()?,
            Verb::Doctor(doctor) => doctor.run(kinds)?,
            Verb::Dump(dump) => dump.run()?,
            Verb::Capture(capture) => capture.run()?,
            Verb::Completions(completions) => completions.run()?,
            Verb::Man(man) => man.run()?,
            Verb::Victim(victim) => return victim.run(kinds, &target::targets()),
        }
        Ok(Exit::Pass)
    }
}
