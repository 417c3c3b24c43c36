//! Resident memory of this process, and its turn at the machine.

use std::sync::{Mutex, MutexGuard, PoisonError};

const KIB: usize = 1024;

/// Only one test at a time may fill the memory that they all measure.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bytes of anonymous memory in RAM: what is mapped from files is the page cache's.
pub(crate) fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("a line RssAnon");
    let kib: usize = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib * KIB
}

/// Says how much was added since `before`, and holds it to a bound.
#[track_caller]
pub(crate) fn assert_added(what: &str, before: usize, bound: usize) -> usize {
    let added = resident().saturating_sub(before);
    println!("{what}: {} KiB more in memory (bound {} KiB)", added / KIB, bound / KIB);
    assert!(added <= bound, "{what}: {added} bytes more in memory, more than {bound}");
    added
}
