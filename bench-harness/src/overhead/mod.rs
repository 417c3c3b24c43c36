//! What the harness itself costs: the same records over the same path with all stamps and checks, and bare, in pairs whose order is
//! random. The run is the sample; a slow drift of the machine meets both sides of a pair alike.

mod bare;
mod run;

use std::path::Path;
use std::sync::Arc;

use logdyno_engine::storage::Kind;
use serde::{Deserialize, Serialize};

use crate::random::Random;
use crate::records::RecordSet;
use crate::signal::Stop;
use crate::statistics::hodges_lehmann;
use crate::target::Target;
use crate::workload::Plan;

/// All comparisons take the same order, so that they can be compared.
const ORDER_SEED: u64 = 0x4F56_4552_4845_4144;

/// What is run.
#[derive(Clone)]
pub struct Subject<'a> {
    /// The plan; its load is not kept to: records are sent as fast as the path takes them.
    pub plan: Arc<Plan>,
    /// Its records.
    pub records: &'a RecordSet,
    /// The system.
    pub target: &'a dyn Target,
    /// Its storage backend, if it has one.
    pub backend: Option<Kind>,
}

/// Whether a run is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Tickets, stamps, digests, the join and its histograms.
    Watched,
    /// None of them: records are only counted.
    Bare,
}

/// What one run came to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Records acknowledged and delivered in a second.
    pub records_per_second: f64,
    /// Processor time of the process for each record, in nanoseconds.
    pub cpu_ns_per_record: f64,
}

/// A watched run and a bare one, next to each other in time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// With stamps and checks.
    pub watched: Sample,
    /// Without.
    pub bare: Sample,
}

/// All pairs, and what they say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Overhead {
    /// How many records each run sent, of which the first tenth is warm-up.
    pub records: u64,
    /// In the order in which they ran.
    pub pairs: Vec<Pair>,
    /// By how much watching changes records a second, as a share.
    pub throughput: Change,
    /// By how much it changes processor time for a record, as a share.
    pub cpu: Change,
}

/// A relative change with its interval: Hodges–Lehmann of the logarithms' differences.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The change.
    pub share: f64,
    /// Its interval's lower end.
    pub low: f64,
    /// Its interval's upper end.
    pub high: f64,
    /// How often such an interval is right.
    pub confidence: f64,
}

/// Runs one side once; `None` if it was interrupted.
pub fn once(
    subject: &Subject<'_>,
    side: Side,
    records: u64,
    dir: &Path,
    stop: &Stop,
) -> anyhow::Result<Option<Sample>> {
    run::run(subject, side, records, dir, stop)
}

/// Runs `pairs` pairs of `records` records each; `tell` hears of each pair. `None` if it was interrupted.
pub fn overhead(
    subject: &Subject<'_>,
    (pairs, records): (usize, u64),
    dir: &Path,
    stop: &Stop,
    tell: &mut dyn FnMut(usize, &Pair),
) -> anyhow::Result<Option<Overhead>> {
    let mut random = Random::of_seed(ORDER_SEED);
    let run = |side| run::run(subject, side, records, dir, stop);
    // One of each that counts for nothing: whatever happens for the first time happens there.
    let mut is_stopped = run(Side::Watched)?.is_none() || run(Side::Bare)?.is_none();
    let mut done: Vec<Pair> = Vec::with_capacity(pairs);
    while done.len() < pairs && !is_stopped {
        let bare_first = random.below(2) == 0;
        let order = if bare_first { [Side::Bare, Side::Watched] } else { [Side::Watched, Side::Bare] };
        let (Some(first), Some(second)) = (run(order[0])?, run(order[1])?) else {
            is_stopped = true;
            continue;
        };
        let (bare, watched) = if bare_first { (first, second) } else { (second, first) };
        done.push(Pair { watched, bare });
        tell(done.len(), &done[done.len() - 1]);
    }
    if is_stopped {
        return Ok(None);
    }
    let change = |of: fn(&Sample) -> f64| {
        change(&done, of).ok_or_else(|| anyhow::anyhow!("{} pairs support no interval: it takes 6", done.len()))
    };
    let (throughput, cpu) = (change(|sample| sample.records_per_second)?, change(|sample| sample.cpu_ns_per_record)?);
    Ok(Some(Overhead { records, pairs: done, throughput, cpu }))
}

/// From bare to watched.
fn change(pairs: &[Pair], of: fn(&Sample) -> f64) -> Option<Change> {
    let logs: Vec<f64> = pairs.iter().map(|pair| (of(&pair.watched) / of(&pair.bare)).ln()).collect();
    let shift = hodges_lehmann(&logs)?;
    let [share, low, high] = [shift.estimate, shift.low, shift.high].map(f64::exp_m1);
    Some(Change { share, low, high, confidence: shift.confidence })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the machine does from pair to pair: a watched run that takes 3 % fewer records is 3 % slower.
    #[test]
    fn a_drift_of_the_machine_is_no_change() {
        let sample = |records_per_second| Sample { records_per_second, cpu_ns_per_record: 1.0 };
        let pair = |n: u32| {
            let machine = 100_000.0 - 4_000.0 * f64::from(n);
            let noise = if n.is_multiple_of(2) { 1.001 } else { 0.999 };
            Pair { watched: sample(machine * 0.97 * noise), bare: sample(machine) }
        };
        let found = change(&(0..20).map(pair).collect::<Vec<_>>(), |sample| sample.records_per_second).unwrap();
        assert!((found.share + 0.03).abs() < 0.001, "{found:?}");
        assert!(found.low < -0.03 && found.high > -0.031 && found.high < -0.028, "{found:?}");
        assert!(found.confidence >= 0.95);
    }
}
