//! Results of the shards of one load, made into the result of the whole: distributions are added bucket by bucket, so that nothing
//! is lost, and what cannot be added (a median over time, a band of latencies) is left out.
//!
//! Each latency is the difference of two readings of one machine's monotonic clock: a record is sent, acknowledged and consumed by
//! the same process. So latencies of machines whose clocks differ can be added up. Wall clocks only say whether the shards were
//! measured at the same time.

mod agree;
mod measured;

use crate::result::{Measured, Outcome, RunResult, Trial};

/// The result of the whole load, or a sentence that says why these are not its shards.
pub fn merge(mut shards: Vec<RunResult>) -> Result<RunResult, String> {
    agree::check(&shards)?;
    shards.sort_by_key(|result| result.shard.as_ref().map(|shard| shard.number));
    let Some(first) = shards.first() else { return Err("there is nothing to merge".to_owned()) };
    let trial = |at: usize| {
        let parts: Vec<(u32, &Measured)> = shards.iter().filter_map(|result| part(result, at)).collect();
        let mut sum = measured::sum(&parts);
        // Together the shards send every record of every pass.
        sum.records.passes = sum.records.sent / first.workload.records.max(1);
        let outcome = Outcome::Measured(Box::new(sum));
        Trial { outcome, ..first.trials[at].clone() }
    };
    Ok(RunResult {
        trials: (0..first.trials.len()).map(trial).collect(),
        shard: None,
        merged: shards.iter().map(|result| result.environment.clone()).collect(),
        ..first.clone()
    })
}

/// What a shard measured in one of its trials, with the shard's number.
fn part(result: &RunResult, at: usize) -> Option<(u32, &Measured)> {
    match &result.trials.get(at)?.outcome {
        Outcome::Measured(measured) => Some((result.shard.as_ref()?.number, measured)),
        Outcome::Refused { .. } | Outcome::Failed { .. } => None,
    }
}
