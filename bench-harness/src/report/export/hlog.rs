//! HdrHistogram's interval log (version 1.3) of all runs whose latencies count, in nanoseconds: as `latency.hlog`, its tags behind the runs' names.

use super::Reporter;
use super::numbers::sound_runs;
use crate::result::{Countable, RunResult, write_log};

pub(super) struct Hlog;

impl Reporter for Hlog {
    fn name(&self) -> &'static str {
        "hlog"
    }

    fn render(&self, results: &[RunResult]) -> String {
        let runs = sound_runs(results).into_iter().filter(|run| run.measured.countable() == Countable::Everything);
        let tagged = runs.map(|run| (format!("{}/{}", run.name, run.trial.repetition), run.measured));
        let mut log = Vec::new();
        write_log(&mut log, "values in nanoseconds", tagged)
            .unwrap_or_else(|error| unreachable!("memory takes any bytes: {error}"));
        String::from_utf8_lossy(&log).into_owned()
    }
}
