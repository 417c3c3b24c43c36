//! Processes that this program starts of itself, and that do not outlive it, however it ends.

use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{Signal, getppid, set_parent_process_death_signal};

/// Names the parent to a child of ours.
const PARENT: &str = "LOGDYNO_PARENT";

/// Has a command's process end with this one: it must call [`end_with_parent`].
///
/// It gets a process group of its own, so that Ctrl-C in a terminal reaches this process alone, which ends its children as they are to be
/// ended: a second signal would end them at once.
pub(crate) fn bind(command: &mut Command) -> &mut Command {
    command.process_group(0).env(PARENT, std::process::id().to_string())
}

/// A process that was started with [`bind`] asks for SIGTERM when its parent ends, be it by kill -9.
pub(crate) fn end_with_parent() {
    let Some(parent) = std::env::var(PARENT).ok().and_then(|pid| pid.parse::<i32>().ok()) else { return };
    if let Err(error) = set_parent_process_death_signal(Some(Signal::TERM)) {
        tracing::warn!("this process will outlive its parent: {error}");
    }
    // The parent may have ended before the signal was asked for.
    if getppid().is_none_or(|found| found.as_raw_pid() != parent) {
        std::process::exit(1);
    }
}
