//! How late a timer of 100 µs is: what a load generator that sleeps, or spins, cannot do better.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::quantile;
use crate::load::sharpen_timer;

const ASKED: Duration = Duration::from_micros(100);
const TIMES: usize = 1_000;

/// The lateness of one kind of timer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimerError {
    /// `sleep` or `spin`.
    pub kind: String,
    /// Half of them are less late.
    pub p50_ns: u64,
    /// One in a hundred is later.
    pub p99_ns: u64,
}

/// Of a thread with the timer slack of load generators.
pub(crate) fn errors() -> Vec<TimerError> {
    std::thread::spawn(measured).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn measured() -> Vec<TimerError> {
    sharpen_timer();
    let sleep = |until: Instant| std::thread::sleep(until.saturating_duration_since(Instant::now()));
    let spin = |until: Instant| {
        while Instant::now() < until {
            std::hint::spin_loop();
        }
    };
    vec![error("sleep", sleep), error("spin", spin)]
}

fn error(kind: &str, wait: impl Fn(Instant)) -> TimerError {
    let late = |_| {
        let due = Instant::now() + ASKED;
        wait(due);
        u64::try_from(due.elapsed().as_nanos()).unwrap_or(u64::MAX)
    };
    let mut late: Vec<u64> = (0..TIMES).map(late).collect();
    late.sort_unstable();
    TimerError { kind: kind.to_owned(), p50_ns: quantile(&late, 0.5), p99_ns: quantile(&late, 0.99) }
}
