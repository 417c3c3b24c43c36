//! Every crash × every backend.

use logdyno_storage::seam::simulated::{Crash, Point};
use logdyno_storage::suite::crash::crash_everywhere;

fn run(backend: &str, crash: Crash) {
    for seed in [1, 1000, 2000] {
        let Some(checked) = crate::unless_refused(crash_everywhere(crate::kind(backend), crash, seed)) else { return };
        let count = |point| checked.iter().find(|(at, _)| *at == point).map_or(0, |(_, count)| *count);
        assert!(count(Point::Sync) >= 8, "the scenario syncs: {checked:?}");
        assert!(count(Point::SyncNames) >= 5, "the scenario changes names: {checked:?}");
    }
}

/// No. 8: what a process leaves behind when it dies is all that `written` promised.
mod process_crash {
    use super::*;

    #[test]
    fn buffered() {
        run("buffered", Crash::Process);
    }

    #[test]
    fn mmap() {
        run("mmap", Crash::Process);
    }

    #[test]
    fn uring() {
        run("uring", Crash::Process);
    }
}

/// No. 8: what is on the device when the power goes is all that `durable` promised.
mod power_loss {
    use super::*;

    #[test]
    fn buffered() {
        run("buffered", Crash::Power);
    }

    #[test]
    fn mmap() {
        run("mmap", Crash::Power);
    }

    #[test]
    fn uring() {
        run("uring", Crash::Power);
    }
}
