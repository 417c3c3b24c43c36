//! Trials by what an acknowledgement promised, and whether they kept it.

use super::super::crashes::lost_in_words;
use super::super::figures::{absent, latency, throughput};
use super::super::format::whole;
use super::super::promises::{Promised, by_promise};
use super::grid::Grid;
use crate::result::{Measured, RunResult};

/// Trials whose acknowledgements promise the same: only these are compared.
pub(super) struct Class {
    pub(super) promise: String,
    /// What that withstands.
    pub(super) meaning: &'static str,
    /// What became of what was acknowledged.
    pub(super) lost: String,
    pub(super) throughput: Grid,
    pub(super) latency: Grid,
    /// Why quantiles are missing.
    pub(super) absent: Vec<String>,
}

pub(super) fn classes(result: &RunResult, trials: &[(String, &Measured)]) -> Vec<Class> {
    let class = |Promised { promise, trials: members }: Promised<'_>| Class {
        meaning: members.first().map_or("", |(_, measured)| meaning(&measured.durability.level)),
        lost: lost(result, &members),
        throughput: throughput(&members).into(),
        latency: latency(&members).into(),
        absent: absent(&members),
        promise,
    };
    by_promise(trials).into_iter().map(class).collect()
}

/// What a level withstands on each of its replicas.
pub(super) fn meaning(level: &str) -> &'static str {
    match level {
        "durable" => "What is acknowledged is on the device: it survives a loss of power.",
        "written" => "What is acknowledged is with the kernel: it survives a killed process, not a loss of power.",
        "visible" => "What is acknowledged can be read, and may be gone when the process is.",
        "none" => "Nothing is promised: the producer does not wait for an answer.",
        _ => "",
    }
}

/// What was lost when the class's cells were made to crash, or else in the trials themselves.
fn lost(result: &RunResult, trials: &[(String, &Measured)]) -> String {
    let crashed: Vec<String> = trials.iter().filter_map(|(label, _)| lost_in_words(result, label)).collect();
    if !crashed.is_empty() {
        return format!("Lost of what was acknowledged, when made to crash: {}.", crashed.join(". "));
    }
    let each = |(label, measured): &(String, &Measured)| {
        let records = &measured.records;
        let lost = records.acknowledged.saturating_sub(records.delivered);
        format!("{label} {} of {} acknowledged", whole(lost), whole(records.acknowledged))
    };
    format!(
        "Lost in these trials, in which nothing was made to crash (--verify-crash does): {}.",
        trials.iter().map(each).collect::<Vec<_>>().join(", ")
    )
}
