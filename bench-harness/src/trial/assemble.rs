//! Puts the measurements of a trial together.

use std::collections::BTreeMap;

use logdyno_engine::record::Nanos;
use logdyno_engine::storage::counters::Counts;

use super::drive::Driven;
use super::{
    Backlog, Trial, backlog_verdict, generator_verdict, producer_config, replicas, steady_states, steady_verdict,
};
use crate::load::{Bounds, Limit, Schedule};
use crate::measure::{JoinSettings, Joined, PathJoined, Step};
use crate::proof::{Asked, BatchesOnDisk, Evidence, Looked, judge};
use crate::result::{
    BandResult, Durability, Measured, PathResult, RecordCounts, SlowRecord, SteadyState, StepResult, Verdict,
    VerdictKind,
};
use crate::target::{AckPoint, Path};
use crate::workload::Load;

/// How many looks at the backlog there are.
const BACKLOG_SAMPLES: u64 = 40;

/// The result of what was driven.
pub(super) fn measured(
    trial: &Trial<'_>,
    schedule: &Schedule,
    bounds: Bounds,
    settings: &JoinSettings,
    driven: Driven,
    batches: &BatchesOnDisk,
) -> Measured {
    let end = end(schedule, bounds, settings, &driven);
    let measured_ns = end.0.saturating_sub(driven.begin.0);
    let seconds = measured_ns as f64 / 1e9;
    let backlog = backlog(schedule, settings, &driven, end);
    let achieved_per_second = achieved_per_second(&driven, end, backlog.as_ref());
    let config = producer_config(trial.plan, "127.0.0.1:9092");
    let durability = durability(trial, &settings.path, replicas(trial.plan, config.acks));
    let counts = storage_counts(&driven);
    let proof = proof(trial, &durability, &counts, &driven, batches);
    let over_time = driven.joined.timeline.over(driven.begin, end, &driven.joined.acknowledged);
    let steady = steady_states(&over_time, is_even(&trial.plan.load));
    let verdicts = verdicts(trial, &driven, &proof, backlog.as_ref(), &steady);
    let mean_bytes = trial.records.bytes() as f64 / trial.records.len() as f64;
    let Joined { to_acknowledgement, to_delivery, service, panel, failed, .. } = driven.joined;
    let mut measured = Measured {
        durability,
        records: RecordCounts {
            sent: driven.sent,
            acknowledged: driven.joined.acknowledged_count,
            failed: failed.0,
            delivered: driven.joined.delivered_count,
            passes: driven.sent / trial.records.len(),
            measured: to_acknowledgement.total.count(),
        },
        measured_ns,
        offered_per_second: backlog.map(|backlog| backlog.offered as f64 / seconds.max(1e-9)),
        achieved_per_second,
        achieved_bytes_per_second: achieved_per_second * mean_bytes,
        to_acknowledgement: path_result(to_acknowledgement, panel.batches, |step| is_on_ack_path(&settings.path, step)),
        to_delivery: path_result(to_delivery, panel.batches, |step| is_on_delivery_path(&settings.path, step)),
        service,
        over_time: Some(over_time),
        steady,
        generator_lag: driven.generated.lag,
        batches: panel,
        batch_size: config.batch_size as u64,
        requests: settings.path.batching.then(|| driven.after.requests.0 - driven.before.requests.0),
        request_bytes: settings.path.batching.then(|| driven.after.requests.1 - driven.before.requests.1),
        storage: named(&counts, driven.after.target.storage.is_some()),
        target: difference(&driven.before.target.counters, &driven.after.target.counters),
        producers: difference(&[], &driven.producers),
        usage: Some(driven.usage),
        limits: None,
        proof,
        verdicts,
    };
    measured.fill_in_quantiles();
    measured
}

/// The end of the measured part: on the schedule, when the record after the last would be due.
fn end(schedule: &Schedule, bounds: Bounds, settings: &JoinSettings, driven: &Driven) -> Nanos {
    match bounds.end {
        Limit::Number(end) if driven.overflow.is_none() => {
            schedule.intended_ns(end).map_or(driven.ended, |ns| Nanos(settings.start.0.saturating_add(ns)))
        }
        _ => driven.ended,
    }
}

/// Records a second that were acknowledged within the measured part, also those of before: under overload none of its own
/// may be. Working off what was due before is not throughput, so it is at most what was offered.
fn achieved_per_second(driven: &Driven, end: Nanos, backlog: Option<&Backlog>) -> f64 {
    let acknowledged = driven.joined.acknowledged.until(end) - driven.joined.acknowledged.until(driven.begin);
    let counted = backlog.map_or(acknowledged, |backlog| acknowledged.min(backlog.offered));
    counted as f64 / (end.0.saturating_sub(driven.begin.0) as f64 / 1e9).max(1e-9)
}

/// How far acknowledgements were behind the schedule; `None` in a closed loop, which waits for them.
fn backlog(schedule: &Schedule, settings: &JoinSettings, driven: &Driven, end: Nanos) -> Option<Backlog> {
    let due = |at: Nanos| schedule.due(at.0.saturating_sub(settings.start.0));
    let length = end.0.saturating_sub(driven.begin.0);
    let sample = |index: u64| {
        let at = Nanos(driven.begin.0 + length / BACKLOG_SAMPLES * index);
        Some(due(at)?.cast_signed() - driven.joined.acknowledged.until(at).cast_signed())
    };
    let samples = (1..=BACKLOG_SAMPLES).map(sample).collect::<Option<Vec<i64>>>()?;
    let before = |at: Nanos| due(Nanos(at.0.saturating_sub(1)));
    let offered =
        before(end)?.saturating_sub(before(driven.begin).filter(|_| driven.begin > settings.start).unwrap_or(0));
    Some(Backlog { samples, offered, seconds: length as f64 / 1e9 })
}

fn durability(trial: &Trial<'_>, path: &Path, replicas: u32) -> Durability {
    match trial.target.ack_level(trial.plan) {
        Some(level) if replicas > 0 => {
            // A target that does not replicate has one copy, whatever the plan says.
            Durability { level, replicas: if path.keeps_replicas { replicas } else { 1 } }
        }
        _ => Durability { level: "none".to_owned(), replicas: 0 },
    }
}

/// Without storage there is nothing to count, not even zeros.
fn named(counts: &Counts, has_storage: bool) -> BTreeMap<String, u64> {
    let counted = has_storage.then(|| counts.named()).into_iter().flatten();
    counted.map(|(name, value)| (name.to_owned(), value)).collect()
}

fn storage_counts(driven: &Driven) -> Counts {
    let before = driven.before.target.storage.unwrap_or_default();
    driven.after.target.storage.map(|after| after.since(&before)).unwrap_or_default()
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
    let asked = Asked { backend: backend.name, codec, is_durable: durability.level == "durable" };
    judge(&asked, &Looked { counts, files: &driven.files, batches })
}

fn verdicts(
    trial: &Trial<'_>,
    driven: &Driven,
    proof: &[Evidence],
    backlog: Option<&Backlog>,
    steady: &[SteadyState],
) -> Vec<Verdict> {
    let joined = &driven.joined;
    let mut reasons = joined.violations.sentences();
    reasons.extend(driven.corrupt.iter().map(|reason| format!("CORRUPT: {reason}")));
    if joined.failed.0 > 0 {
        let first = joined.failed.1.as_deref().unwrap_or_default();
        reasons.push(format!("{} records failed; the first: {first}", joined.failed.0));
    }
    let (acknowledged, failed, _) = (joined.acknowledged_count, joined.failed.0, joined.delivered_count);
    if acknowledged + failed < driven.sent && driven.overflow.is_none() {
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
    match &driven.overflow {
        Some(reason) => verdicts.push(Verdict { kind: VerdictKind::Backlogged, reason: reason.clone() }),
        None => verdicts.extend(backlog.and_then(backlog_verdict)),
    }
    // What grows with the backlog needs no further accusation.
    if !verdicts.iter().any(|verdict| verdict.kind == VerdictKind::Backlogged) {
        verdicts.extend(steady_verdict(steady));
    }
    verdicts.extend(generator_verdict(&driven.generated.lag, &joined.to_acknowledgement.total));
    verdicts
}

/// Whether a load stays the same throughout, so that throughput and latency may be asked to.
fn is_even(load: &Load) -> bool {
    matches!(load, Load::Rate(_) | Load::Poisson(_) | Load::Closed { .. })
}

fn path_result(path: PathJoined, samples: u64, is_on_path: impl Fn(Step) -> bool) -> PathResult {
    let steps = Step::ALL.into_iter().zip(path.steps).filter(|(step, _)| is_on_path(*step));
    PathResult {
        total: path.total,
        quantiles: Vec::new(),
        steps: steps.map(|(step, durations)| StepResult { step, durations }).collect(),
        slowest: path.slowest.into_sorted().iter().map(SlowRecord::of).collect(),
        bands: BandResult::cut(&path.bands, samples),
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
