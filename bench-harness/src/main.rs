//! The program `logdyno`, with the engine's own backends.

use std::process::ExitCode;

fn main() -> ExitCode {
    logdyno::main_with(&logdyno_engine::storage::kinds())
}
