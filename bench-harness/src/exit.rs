//! What the process says at its end.

use std::process::ExitCode;

/// Exit codes, as documented for scripts and CI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: done, and all was well.
    Pass,
    /// 1: something failed.
    Error,
    /// 2: the command line or a workload file is wrong.
    Usage,
    /// 5: a run broke one of the rules that make its numbers true.
    Invalid,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Pass => 0,
            Exit::Error => 1,
            Exit::Usage => 2,
            Exit::Invalid => 5,
        })
    }
}
