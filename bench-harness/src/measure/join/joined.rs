//! What a join has measured.

use super::super::bands::Bands;
use super::super::distribution::{Distribution, Spread};
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
    /// Steps up to the batch's closing of records that were counted on both paths at once; once the join is finished they are the paths' own.
    pub own: [Distribution; OwnTimes::COUNT],
    /// The producers' batches; one with records of two parts is of that of its first measured record.
    pub panel: BatchPanel,
}

impl JoinedPart {
    pub(super) fn new(path: &Path) -> JoinedPart {
        JoinedPart {
            to_acknowledgement: PathJoined::new(),
            to_delivery: PathJoined::new(),
            service: Distribution::new(),
            own: own_steps(),
            timeline: Timeline::default(),
            panel: BatchPanel::new(path.batching),
        }
    }

    /// Adds records that were acknowledged at `acknowledged`, with the steps that they share on the two paths; the part began at `began`.
    pub(super) fn record(
        &mut self,
        group: &Group,
        [to_acknowledgement, to_delivery]: [&StepTimes; 2],
        (acknowledged, began): (Nanos, Nanos),
        partition: i32,
    ) {
        if group.records.is_empty() {
            return;
        }
        self.to_acknowledgement.record(group, to_acknowledgement, partition);
        self.to_delivery.record(group, to_delivery, partition);
        group.record_own(&mut self.own);
        self.record_moments(group, to_acknowledgement.total(), (acknowledged, began));
    }

    /// Adds records that were not delivered, or whose stamps are out of order on one of the paths, to the first of them.
    pub(super) fn record_acknowledged(
        &mut self,
        group: &Group,
        shared: &StepTimes,
        moments: (Nanos, Nanos),
        partition: i32,
    ) {
        self.to_acknowledgement.record_whole(group, shared, partition);
        self.record_moments(group, shared.total(), moments);
    }

    /// What follows from a latency of which the end is known.
    fn record_moments(&mut self, group: &Group, tail: u64, (acknowledged, began): (Nanos, Nanos)) {
        let count = group.records.len();
        let services = group.records.iter().map(|record| record.since_called() + tail);
        self.service.record_all(services, group.since_called.longer_by(tail, count));
        let since_began = |total: u64| acknowledged.0.saturating_sub(total).saturating_sub(began.0);
        let totals = group.totals.longer_by(tail, count);
        let due = since_began(totals.max_ns)..=since_began(totals.min_ns);
        let latencies = group.records.iter().map(|record| record.total + tail);
        self.timeline.record_all(due, latencies.map(|ns| (since_began(ns), ns)));
    }

    /// Nothing more comes: what is on both paths is added to each.
    pub(super) fn finish(&mut self) {
        for (index, own) in std::mem::replace(&mut self.own, own_steps()).iter().enumerate() {
            self.to_acknowledgement.steps[index].merge(own);
            self.to_delivery.steps[index].merge(own);
        }
    }
}

fn own_steps() -> [Distribution; OwnTimes::COUNT] {
    std::array::from_fn(|_| Distribution::new())
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

    /// Adds records of one batch, but for their own steps. Of them the slowest may be kept whole.
    fn record(&mut self, group: &Group, shared: &StepTimes, partition: i32) {
        let Some(slowest) = group.records.get(group.slowest) else { return };
        let (tail, count) = (shared.total(), group.records.len());
        self.slowest.offer(slowest.total + tail, || slowest.whole(shared, partition));
        self.bands.record(&group.records, shared, partition);
        let totals = group.records.iter().map(|record| record.total + tail);
        self.total.record_all(totals, group.totals.longer_by(tail, count));
        for (durations, step) in self.steps.iter_mut().zip(Step::ALL).skip(OwnTimes::COUNT) {
            durations.record_n(shared.get(step), count as u64);
        }
    }

    /// As [`PathJoined::record`], and their own steps.
    pub(super) fn record_whole(&mut self, group: &Group, shared: &StepTimes, partition: i32) {
        self.record(group, shared, partition);
        group.record_own(&mut self.steps);
    }
}

/// Records of one batch that share their steps from its closing on.
#[derive(Debug)]
pub(crate) struct Group {
    records: Vec<Counted>,
    /// Of their own steps.
    own: [Spread; OwnTimes::COUNT],
    /// Of these together.
    totals: Spread,
    /// Of these from the call of `send` on.
    since_called: Spread,
    slowest: usize,
}

impl Group {
    pub(super) fn with_capacity(records: usize) -> Group {
        let own = [Spread::EMPTY; OwnTimes::COUNT];
        let (totals, since_called) = (Spread::EMPTY, Spread::EMPTY);
        Group { records: Vec::with_capacity(records), own, totals, since_called, slowest: 0 }
    }

    pub(super) fn of(record: Counted) -> Group {
        let mut group = Group::with_capacity(1);
        group.push(record);
        group
    }

    pub(super) fn push(&mut self, record: Counted) {
        if record.total > self.totals.max_ns {
            self.slowest = self.records.len();
        }
        self.totals.add(record.total);
        self.since_called.add(record.since_called());
        self.own.iter_mut().zip(record.own.0).for_each(|(spread, ns)| spread.add(ns));
        self.records.push(record);
    }

    /// Leaves it empty, with the room that it has.
    pub(super) fn clear(&mut self) {
        let mut records = std::mem::take(&mut self.records);
        records.clear();
        *self = Group { records, ..Group::with_capacity(0) };
    }

    /// Adds the steps up to the batch's closing to the first of these.
    fn record_own(&self, steps: &mut [Distribution]) {
        for (index, (durations, spread)) in steps.iter_mut().zip(self.own).enumerate() {
            if spread.min_ns == spread.max_ns {
                // As a rule nobody waits to be admitted.
                durations.record_n(spread.max_ns, self.records.len() as u64);
            } else {
                durations.record_all(self.records.iter().map(|record| record.own.0[index]), spread);
            }
        }
    }
}

/// A record on its way into the distributions: what it does not share with its batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted {
    pub(crate) offset: i64,
    pub(crate) own: OwnTimes,
    /// Of its own steps.
    pub(crate) total: u64,
}

impl Counted {
    pub(crate) fn new(offset: i64, own: OwnTimes) -> Counted {
        Counted { offset, own, total: own.total() }
    }

    /// Of its own steps from the call of `send` on.
    fn since_called(&self) -> u64 {
        self.total - self.own.0[Step::Schedule as usize]
    }

    /// With the steps that it shares.
    pub(crate) fn whole(&self, shared: &StepTimes, partition: i32) -> Slow {
        Slow { partition, offset: self.offset, times: shared.with(&self.own) }
    }
}
