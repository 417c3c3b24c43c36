//! What a join has measured.

use super::super::bands::Bands;
use super::super::distribution::Distribution;
use super::super::over_time::Timeline;
use super::super::panel::BatchPanel;
use super::super::path::{OwnTimes, Step, StepTimes};
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
    /// The slowest records, one of a batch.
    pub slowest: Slowest,
    /// Where the time went, by how slow records were.
    pub bands: Bands,
}

impl PathJoined {
    fn new() -> PathJoined {
        let steps = Step::ALL.iter().map(|_| Distribution::new()).collect();
        PathJoined { total: Distribution::new(), steps, slowest: Slowest::default(), bands: Bands::default() }
    }

    /// Adds records of one batch that share their steps from its closing on. Of them the slowest may be kept whole.
    pub(super) fn record(&mut self, records: &[Counted], shared: &StepTimes, partition: i32) {
        let Some(slowest) = Counted::slowest(records) else { return };
        let tail = shared.total();
        self.slowest.offer(slowest.own.total() + tail, || slowest.whole(shared, partition));
        self.bands.record(records, shared, partition);
        self.total.record_all(records.iter().map(|record| record.own.total() + tail));
        let (own, others) = self.steps.split_at_mut(OwnTimes::COUNT);
        for (index, durations) in own.iter_mut().enumerate() {
            durations.record_all(records.iter().map(|record| record.own.0[index]));
        }
        for (durations, step) in others.iter_mut().zip(&Step::ALL[OwnTimes::COUNT..]) {
            durations.record_n(shared.get(*step), records.len() as u64);
        }
    }
}

/// A record on its way into the distributions: what it does not share with its batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted {
    pub(crate) offset: i64,
    pub(crate) own: OwnTimes,
}

impl Counted {
    /// The slowest of records that share their other steps.
    pub(crate) fn slowest(records: &[Counted]) -> Option<&Counted> {
        records.iter().max_by_key(|record| record.own.total())
    }

    /// With the steps that it shares.
    pub(crate) fn whole(&self, shared: &StepTimes, partition: i32) -> Slow {
        Slow { partition, offset: self.offset, times: shared.with(&self.own) }
    }
}
