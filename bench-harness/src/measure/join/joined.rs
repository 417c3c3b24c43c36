//! What a join has measured.

use super::super::bands::Bands;
use super::super::distribution::Distribution;
use super::super::over_time::Timeline;
use super::super::panel::BatchPanel;
use super::super::path::{Step, StepTimes};
use super::super::series::Series;
use super::super::slowest::{Slow, Slowest};
use super::super::verify::Violations;
use crate::target::Path;
use logdyno_engine::record::Nanos;

/// The measurements of a run.
#[derive(Clone, Debug)]
pub struct Joined {
    /// Those of each part that is measured on its own; one if nothing is cut.
    pub parts: Vec<JoinedPart>,
    /// All records that were acknowledged, over time.
    pub acknowledged: Series,
    /// How many records were acknowledged in all.
    pub acknowledged_count: u64,
    /// How many were delivered in all, each once.
    pub delivered_count: u64,
    /// The offset after the last that was delivered, by the index of the partition; once the join is finished.
    pub ends: Vec<u64>,
    /// How many failed, and the first reason.
    pub failed: (u64, Option<String>),
    /// What was wrong.
    pub violations: Violations,
    /// Records that came out although a stamp of theirs is missing: they are not in the distributions.
    pub unmeasured: u64,
}

/// The measurements of the records that were to be sent in one part of a run.
#[derive(Clone, Debug)]
pub struct JoinedPart {
    /// To the acknowledgement.
    pub to_acknowledgement: PathJoined,
    /// To the delivery.
    pub to_delivery: PathJoined,
    /// From the call of `send` to the acknowledgement: what a generator that waits would have seen.
    pub service: Distribution,
    /// Latencies to the acknowledgement over the part.
    pub timeline: Timeline,
    /// The producers' batches; one with records of two parts is of that of its first measured record.
    pub panel: BatchPanel,
}

impl JoinedPart {
    pub(super) fn new(path: &Path) -> JoinedPart {
        JoinedPart {
            to_acknowledgement: PathJoined::new(),
            to_delivery: PathJoined::new(),
            service: Distribution::new(),
            timeline: Timeline::default(),
            panel: BatchPanel::new(path.batching),
        }
    }
}

impl Joined {
    pub(super) fn starting_at(start: Nanos, path: &Path) -> Joined {
        Joined {
            parts: vec![JoinedPart::new(path)],
            acknowledged: Series::starting_at(start),
            acknowledged_count: 0,
            delivered_count: 0,
            ends: Vec::new(),
            failed: (0, None),
            violations: Violations::default(),
            unmeasured: 0,
        }
    }
}

/// One of the two paths.
#[derive(Clone, Debug)]
pub struct PathJoined {
    /// Whole durations.
    pub total: Distribution,
    /// By step, in the order of [`Step::ALL`].
    pub steps: Vec<Distribution>,
    /// The slowest records.
    pub slowest: Slowest,
    /// Where the time went, by how slow records were.
    pub bands: Bands,
}

impl PathJoined {
    fn new() -> PathJoined {
        let steps = Step::ALL.iter().map(|_| Distribution::new()).collect();
        PathJoined { total: Distribution::new(), steps, slowest: Slowest::default(), bands: Bands::default() }
    }

    pub(super) fn record(&mut self, times: &StepTimes, partition: i32, offset: i64) {
        let total = times.total();
        self.total.record(total);
        let slow = Slow { partition, offset, times: *times };
        self.slowest.offer(total, || slow);
        self.bands.record(&slow);
        // The first steps differ from record to record of a batch, the others mostly do not: see `Shared`.
        for step in OWN_STEPS {
            self.steps[step as usize].record(times.get(step));
        }
    }
}

/// Steps that each record of a batch has for itself.
const OWN_STEPS: [Step; 3] = [Step::Schedule, Step::Admit, Step::Batch];

/// Counts how many records in a row had the same times in the steps that a batch shares, to record them at once.
#[derive(Debug, Default)]
pub(super) struct Shared {
    times: Option<StepTimes>,
    count: u64,
}

impl Shared {
    pub(super) fn add(&mut self, times: &StepTimes, path: &mut PathJoined) {
        let same = self.times.is_some_and(|known| shared_steps().all(|step| known.get(step) == times.get(step)));
        if !same {
            self.flush(path);
            self.times = Some(*times);
        }
        self.count += 1;
    }

    pub(super) fn flush(&mut self, path: &mut PathJoined) {
        if let Some(times) = self.times.take() {
            for step in shared_steps() {
                path.steps[step as usize].record_n(times.get(step), self.count);
            }
        }
        self.count = 0;
    }
}

fn shared_steps() -> impl Iterator<Item = Step> {
    Step::ALL.into_iter().filter(|step| !OWN_STEPS.contains(step))
}
