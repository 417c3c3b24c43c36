//! Puts the measurements of a trial together.

use std::collections::BTreeMap;

use logdyno_engine::client::Acks;
use logdyno_engine::record::Nanos;
use logdyno_engine::storage::counters::Counts;

use super::drive::{Counted, Driven};
use super::{Backlog, Trial, backlog_verdict, generator_verdict, inherited_verdict, steady_states, steady_verdict};
use crate::load::{Bounds, Limit, Schedule};
use crate::measure::{Distribution, JoinSettings, JoinedPart, PathJoined, Step};
use crate::proof::{Asked, BatchesOnDisk, Evidence, Looked, judge, judge_topics};
use crate::result::{
    BandResult, Durability, Measured, PathResult, RecordCounts, SlowRecord, SteadyState, StepResult, Verdict,
    VerdictKind,
};
use crate::target::{AckPoint, Path, settings};
use crate::topics::Topics;
use crate::usage::Usage;
use crate::workload::Load;

/// How many looks at the backlog there are.
const BACKLOG_SAMPLES: u64 = 40;

/// A run that was driven.
pub(super) struct Run<'a> {
    pub(super) trial: &'a Trial<'a>,
    pub(super) schedule: &'a Schedule,
    pub(super) bounds: Bounds,
    /// Where the measured part is cut into parts that are measured on their own.
    pub(super) cuts: &'a [Nanos],
    pub(super) settings: &'a JoinSettings,
}

/// A part that is measured on its own.
struct Part {
    begin: Nanos,
    end: Nanos,
    /// How far its counters go.
    counted_to: Nanos,
    joined: JoinedPart,
    before: Counted,
    after: Counted,
    usage: Usage,
    lag: Distribution,
    /// Of the keys and values of its records that were sent.
    bytes: u64,
    backlog: Option<Backlog>,
    /// What it began with, if it is not the first.
    inherited: Option<Verdict>,
    /// Whether the run was given up in it.
    is_last: bool,
}

impl Run<'_> {
    /// The results of what was driven: of each part that began, in order.
    pub(super) fn measured(&self, mut driven: Driven, batches: &BatchesOnDisk) -> Vec<Measured> {
        let durability = durability(self.trial, self.settings.path.copies(self.trial.plan));
        let storage = storage_counts(driven.counted.first(), driven.counted.last());
        let mut proof = proof(self.trial, &durability, &storage, &driven, batches);
        proof.extend(judge_topics(&self.settings.topics, &driven.joined.ends));
        let parts = self.parts(&mut driven);
        let measure = |part| self.part(part, &driven, &durability, &proof);
        parts.into_iter().map(measure).collect()
    }

    /// Cuts what was driven.
    fn parts(&self, driven: &mut Driven) -> Vec<Part> {
        let count = driven.usage.len();
        let joined = std::mem::take(&mut driven.joined.parts).into_iter().take(count);
        let (counted, usage) = (std::mem::take(&mut driven.counted), std::mem::take(&mut driven.usage));
        let lag = std::mem::take(&mut driven.lag);
        let mut parts: Vec<Part> = Vec::with_capacity(count);
        for (at, (((joined, counted), usage), lag)) in joined.zip(counted.windows(2)).zip(usage).zip(lag).enumerate() {
            let is_last = at + 1 == count;
            let begin = at.checked_sub(1).map_or(driven.begin, |cut| self.cuts[cut]);
            let end = if is_last { self.end(driven) } else { self.cuts[at] };
            let counted_to = if is_last { end.max(driven.drained) } else { end };
            let inherited = parts.last().and_then(|before| {
                let waiting = self.waiting(driven, begin)?;
                inherited_verdict(waiting, before.backlog.as_ref()?)
            });
            let backlog = self.backlog(driven, begin, end);
            let (before, after, bytes) = (counted[0].clone(), counted[1].clone(), driven.bytes[at]);
            parts.push(Part {
                begin,
                end,
                counted_to,
                joined,
                before,
                after,
                usage,
                lag,
                bytes,
                backlog,
                inherited,
                is_last,
            });
        }
        parts
    }

    fn part(&self, part: Part, driven: &Driven, durability: &Durability, proof: &[Evidence]) -> Measured {
        let (trial, path, topics) = (self.trial, &self.settings.path, &*self.settings.topics);
        let measured_ns = part.end.0.saturating_sub(part.begin.0);
        let achieved_per_second = achieved_per_second(driven, &part);
        let over_time = part.joined.timeline.over(part.begin, part.end, &driven.joined.acknowledged);
        let steady = steady_states(&over_time, is_even(&trial.plan.load));
        let verdicts = verdicts(trial, topics, driven, proof, &part, &steady);
        let mean_bytes = part.bytes as f64 / part.lag.count().max(1) as f64;
        let JoinedPart { to_acknowledgement, to_delivery, service, panel, .. } = part.joined;
        let (before, after) = (&part.before, &part.after);
        let counts = storage_counts(Some(before), Some(after));
        let mut measured = Measured {
            durability: durability.clone(),
            copies: Some(path.copies(trial.plan)),
            has_network: Some(path.has_network),
            records: RecordCounts {
                sent: driven.sent,
                acknowledged: driven.joined.acknowledged_count,
                failed: driven.joined.failed.0,
                delivered: driven.joined.delivered_count,
                passes: driven.sent / trial.records.len(),
                measured: to_acknowledgement.total.count(),
            },
            measured_ns,
            counted_ns: Some(part.counted_to.0.saturating_sub(part.begin.0)),
            begin_unix_ms: Some(self.settings.timestamp(part.begin)),
            offered_per_second: part
                .backlog
                .map(|backlog| backlog.offered as f64 / (measured_ns as f64 / 1e9).max(1e-9)),
            achieved_per_second,
            achieved_bytes_per_second: achieved_per_second * mean_bytes,
            to_acknowledgement: path_result(topics, to_acknowledgement, panel.batches, |step| {
                is_on_ack_path(path, step)
            }),
            to_delivery: path_result(topics, to_delivery, panel.batches, |step| is_on_delivery_path(path, step)),
            service,
            over_time: Some(over_time),
            steady,
            generator_lag: part.lag,
            batches: panel,
            batch_size: settings::producer(trial.plan).batch_size as u64,
            requests: path.batching.then(|| after.requests.0 - before.requests.0),
            request_bytes: path.batching.then(|| after.requests.1 - before.requests.1),
            storage: named(&counts, after.target.storage.is_some()),
            target: difference(&before.target.counters, &after.target.counters),
            producers: difference(&[], &driven.producers),
            usage: Some(part.usage),
            limits: None,
            proof: proof.to_vec(),
            verdicts,
        };
        measured.fill_in_quantiles();
        measured
    }

    /// The end of the measured part: on the schedule, when the record after the last would be due.
    fn end(&self, driven: &Driven) -> Nanos {
        match self.bounds.end {
            Limit::Number(end) if driven.overflow.is_none() => {
                let intended_ns = self.schedule.intended_ns(end);
                intended_ns.map_or(driven.ended, |ns| Nanos(self.settings.start.0.saturating_add(ns)))
            }
            _ => driven.ended,
        }
    }

    /// Records that were due by `at` and not acknowledged then; `None` in a closed loop, which waits for them.
    fn waiting(&self, driven: &Driven, at: Nanos) -> Option<i64> {
        let due = self.due(at)?;
        Some(due.cast_signed() - driven.joined.acknowledged.until(at).cast_signed())
    }

    /// Records of this shard that were due by `at`.
    fn due(&self, at: Nanos) -> Option<u64> {
        let run = &self.trial.plan.run;
        let due = self.schedule.due(at.0.saturating_sub(self.settings.start.0))?;
        Some(run.shard.share(run.producers, due))
    }

    /// How far acknowledgements were behind the schedule in a part; `None` in a closed loop.
    fn backlog(&self, driven: &Driven, begin: Nanos, end: Nanos) -> Option<Backlog> {
        let start = self.settings.start;
        let length = end.0.saturating_sub(begin.0);
        let sample = |index: u64| self.waiting(driven, Nanos(begin.0 + length / BACKLOG_SAMPLES * index));
        let samples = (1..=BACKLOG_SAMPLES).map(sample).collect::<Option<Vec<i64>>>()?;
        let before = |at: Nanos| self.due(Nanos(at.0.saturating_sub(1)));
        let offered = before(end)?.saturating_sub(before(begin).filter(|_| begin > start).unwrap_or(0));
        Some(Backlog { samples, offered, seconds: length as f64 / 1e9 })
    }
}

/// Records a second that were acknowledged within a part, also those of before: under overload none of its own
/// may be. Working off what was due before is not throughput, so it is at most what was offered.
fn achieved_per_second(driven: &Driven, part: &Part) -> f64 {
    let series = &driven.joined.acknowledged;
    let acknowledged = series.until(part.end).saturating_sub(series.until(part.begin));
    let counted = part.backlog.as_ref().map_or(acknowledged, |backlog| acknowledged.min(backlog.offered));
    counted as f64 / (part.end.0.saturating_sub(part.begin.0) as f64 / 1e9).max(1e-9)
}

/// What an ack promises where there are so many copies in the end.
fn durability(trial: &Trial<'_>, copies: u32) -> Durability {
    let replicas = match settings::acks(trial.plan) {
        Acks::None => 0,
        Acks::Leader => 1,
        Acks::All => copies,
    };
    match trial.target.ack_level(trial.plan) {
        Some(level) if replicas > 0 => Durability { level, replicas },
        _ => Durability { level: "none".to_owned(), replicas: 0 },
    }
}

/// Without storage there is nothing to count, not even zeros.
fn named(counts: &Counts, has_storage: bool) -> BTreeMap<String, u64> {
    let counted = has_storage.then(|| counts.named()).into_iter().flatten();
    counted.map(|(name, value)| (name.to_owned(), value)).collect()
}

fn storage_counts(before: Option<&Counted>, after: Option<&Counted>) -> Counts {
    let storage = |counted: Option<&Counted>| counted.and_then(|counted| counted.target.storage);
    let before = storage(before).unwrap_or_default();
    storage(after).map(|after| after.since(&before)).unwrap_or_default()
}

fn proof(
    trial: &Trial<'_>,
    durability: &Durability,
    counts: &Counts,
    driven: &Driven,
    batches: &BatchesOnDisk,
) -> Vec<Evidence> {
    let Some(backend) = trial.backend else { return driven.evidence.clone() };
    let codec = trial.plan.producer.get("compression.type").unwrap_or("none");
    let measured: u64 = driven.joined.parts.iter().map(|part| part.to_acknowledgement.total.count()).sum();
    let elapsed = driven.ended.since(driven.begin);
    let flush = settings::demanded_flush(trial.plan, measured, elapsed);
    let is_durable = durability.level == "durable";
    let asked = Asked { backend: backend.name, codec, is_durable, flush: flush.as_deref() };
    judge(&asked, &Looked { counts, files: &driven.files, batches })
}

fn verdicts(
    trial: &Trial<'_>,
    topics: &Topics,
    driven: &Driven,
    proof: &[Evidence],
    part: &Part,
    steady: &[SteadyState],
) -> Vec<Verdict> {
    let joined = &driven.joined;
    let mut reasons: Vec<String> = driven.corrupt.iter().map(|reason| format!("CORRUPT: {reason}")).collect();
    reasons.extend(joined.violations.sentences(topics));
    if joined.failed.0 > 0 {
        let first = joined.failed.1.as_deref().unwrap_or_default();
        reasons.push(format!("{} records failed; the first: {first}", joined.failed.0));
    }
    let (acknowledged, failed, _) = (joined.acknowledged_count, joined.failed.0, joined.delivered_count);
    if acknowledged + failed < driven.sent && driven.overflow.is_none() && driven.corrupt.is_none() {
        reasons.push(format!("{} records were neither acknowledged nor failed", driven.sent - acknowledged - failed));
    }
    if joined.unmeasured > 0 && reasons.is_empty() {
        reasons
            .push(format!("{} records have no complete set of stamps and are not in the figures", joined.unmeasured));
    }
    if trial.records.repeat_one_value() && driven.sent > 1 {
        reasons.push(
            "all values are the same: what codecs, caches and checks make of them says nothing of real records"
                .to_owned(),
        );
    }
    reasons.extend(
        proof
            .iter()
            .filter(|evidence| !evidence.holds)
            .map(|evidence| format!("no proof of effect: {}: {}", evidence.name, evidence.detail)),
    );
    let mut verdicts: Vec<Verdict> =
        reasons.into_iter().map(|reason| Verdict { kind: VerdictKind::Invalid, reason }).collect();
    verdicts.extend(part.inherited.clone());
    match driven.overflow.as_ref().filter(|_| part.is_last) {
        Some(reason) => verdicts.push(Verdict { kind: VerdictKind::Backlogged, reason: reason.clone() }),
        None => verdicts.extend(part.backlog.as_ref().and_then(backlog_verdict)),
    }
    // What grows with the backlog needs no further accusation.
    if !verdicts.iter().any(|verdict| verdict.kind == VerdictKind::Backlogged) {
        verdicts.extend(steady_verdict(steady));
    }
    verdicts.extend(generator_verdict(&part.lag, &part.joined.to_acknowledgement.total));
    verdicts
}

/// Whether a load stays the same throughout, so that throughput and latency may be asked to.
fn is_even(load: &Load) -> bool {
    match load {
        Load::Rate(_) | Load::Poisson(_) | Load::Closed { .. } => true,
        // Each step is measured on its own, and a ramp not at all.
        Load::Steps(_) | Load::Ramp(_) => true,
        Load::Times(_) => false,
    }
}

fn path_result(topics: &Topics, path: PathJoined, samples: u64, is_on_path: impl Fn(Step) -> bool) -> PathResult {
    let steps = Step::ALL.into_iter().zip(path.steps).filter(|(step, _)| is_on_path(*step));
    PathResult {
        total: path.total,
        quantiles: Vec::new(),
        steps: steps.map(|(step, durations)| StepResult { step, durations }).collect(),
        slowest: path.slowest.into_sorted().iter().map(|slow| SlowRecord::of(slow, topics)).collect(),
        bands: BandResult::cut(&path.bands, samples, topics),
    }
}

/// Steps that are never stamped are left out; they are zero throughout.
fn is_on_ack_path(path: &Path, step: Step) -> bool {
    let waits_for = |point| path.acknowledged_after == point;
    match step {
        Step::Fetch | Step::Deliver => false,
        Step::Batch | Step::Queue | Step::Compress | Step::Send => path.batching,
        Step::Append => path.appended && !waits_for(AckPoint::Sent),
        Step::Disk => path.written && !waits_for(AckPoint::Sent),
        Step::Replicate => path.replicated && waits_for(AckPoint::HighWatermark),
        Step::HighWatermark => path.high_watermark && waits_for(AckPoint::HighWatermark),
        _ => true,
    }
}

fn is_on_delivery_path(path: &Path, step: Step) -> bool {
    match step {
        Step::Acknowledge => false,
        Step::Batch | Step::Queue | Step::Compress | Step::Send => path.batching,
        Step::Append => path.appended,
        Step::Disk => path.written,
        Step::Replicate => path.replicated,
        Step::HighWatermark => path.high_watermark,
        Step::Fetch => path.fetched,
        _ => true,
    }
}

fn difference(before: &[(&'static str, u64)], after: &[(&'static str, u64)]) -> BTreeMap<String, u64> {
    let known = |name: &str| before.iter().find(|(known, _)| *known == name).map_or(0, |(_, value)| *value);
    after.iter().map(|(name, value)| ((*name).to_owned(), value.saturating_sub(known(name)))).collect()
}
