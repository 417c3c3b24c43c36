//! Brokers as processes that are killed, stopped, frozen and started in vain, on every backend that runs here.
//!
//! Signals go only to processes that a test started. Whatever a test waits for has a deadline, and its brokers end
//! with it, however it ends.

mod backends;
mod clients;
mod freeze;
mod kill;
mod process;
mod refusal;
mod replicas;
mod segments;
mod stop;

use std::time::{Duration, Instant};

/// How long anything may take before a test gives up: long, because two busy cores are slow.
const PATIENCE: Duration = Duration::from_secs(90);

/// Asks until there is an answer.
fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "{what}: not within {} s", PATIENCE.as_secs());
        std::thread::sleep(Duration::from_millis(20));
    }
}
