//! The measurements of shards, added up.

use std::collections::BTreeMap;

use crate::measure::{BatchPanel, Distribution};
use crate::proof::Evidence;
use crate::result::{Measured, PathResult, RecordCounts, SlowRecord, StepResult, Verdict};
use crate::usage::{Process, Usage};

/// So many of the slowest records are kept, as in a run.
const SLOWEST_MAX: usize = 100;

/// The sum of what shards measured, each with its number; there is at least one.
pub(super) fn sum(parts: &[(u32, &Measured)]) -> Measured {
    let all = || parts.iter().map(|(_, measured)| *measured);
    let first = parts[0].1;
    let mut sum = Measured {
        durability: first.durability.clone(),
        copies: first.copies,
        has_network: first.has_network,
        records: records(all()),
        measured_ns: all().map(|part| part.measured_ns).max().unwrap_or_default(),
        counted_ns: all()
            .map(|part| part.counted_ns)
            .collect::<Option<Vec<u64>>>()
            .and_then(|all| all.into_iter().max()),
        begin_unix_ms: all().filter_map(|part| part.begin_unix_ms).min(),
        offered_per_second: all().map(|part| part.offered_per_second).sum(),
        achieved_per_second: all().map(|part| part.achieved_per_second).sum(),
        achieved_bytes_per_second: all().map(|part| part.achieved_bytes_per_second).sum(),
        to_acknowledgement: path(all().map(|part| &part.to_acknowledgement)),
        to_delivery: path(all().map(|part| &part.to_delivery)),
        service: distribution(all().map(|part| &part.service)),
        over_time: None,
        steady: Vec::new(),
        generator_lag: distribution(all().map(|part| &part.generator_lag)),
        batches: batches(all().map(|part| &part.batches)),
        batch_size: first.batch_size,
        requests: all().map(|part| part.requests).sum(),
        request_bytes: all().map(|part| part.request_bytes).sum(),
        storage: counters(all().map(|part| &part.storage)),
        target: counters(all().map(|part| &part.target)),
        producers: counters(all().map(|part| &part.producers)),
        usage: usage(all().map(|part| part.usage.as_ref())),
        limits: None,
        proof: parts.iter().flat_map(|(number, part)| part.proof.iter().map(|one| of_shard(*number, one))).collect(),
        verdicts: parts
            .iter()
            .flat_map(|(number, part)| part.verdicts.iter().map(|one| said_of(*number, one)))
            .collect(),
    };
    sum.fill_in_quantiles();
    sum
}

fn records<'a>(parts: impl Iterator<Item = &'a Measured>) -> RecordCounts {
    let zero = RecordCounts { sent: 0, acknowledged: 0, failed: 0, delivered: 0, passes: 0, measured: 0 };
    parts.fold(zero, |sum, part| RecordCounts {
        sent: sum.sent + part.records.sent,
        acknowledged: sum.acknowledged + part.records.acknowledged,
        failed: sum.failed + part.records.failed,
        delivered: sum.delivered + part.records.delivered,
        // Each shard has a part of every pass: the caller knows how many records one has.
        passes: 0,
        measured: sum.measured + part.records.measured,
    })
}

fn distribution<'a>(parts: impl Iterator<Item = &'a Distribution>) -> Distribution {
    parts.fold(Distribution::new(), |mut sum, part| {
        sum.merge(part);
        sum
    })
}

/// Without bands: each shard's are cut at quantiles of its own.
fn path<'a>(parts: impl Iterator<Item = &'a PathResult> + Clone) -> PathResult {
    let mut steps: Vec<StepResult> = Vec::new();
    for step in parts.clone().flat_map(|part| &part.steps) {
        match steps.iter_mut().find(|known| known.step == step.step) {
            Some(known) => known.durations.merge(&step.durations),
            None => steps.push(step.clone()),
        }
    }
    let mut slowest: Vec<SlowRecord> = parts.clone().flat_map(|part| part.slowest.iter().cloned()).collect();
    slowest.sort_by_key(|record| std::cmp::Reverse(record.steps_ns.values().sum::<u64>()));
    slowest.truncate(SLOWEST_MAX);
    PathResult {
        total: distribution(parts.map(|part| &part.total)),
        quantiles: Vec::new(),
        steps,
        slowest,
        bands: Vec::new(),
    }
}

fn batches<'a>(parts: impl Iterator<Item = &'a BatchPanel>) -> BatchPanel {
    parts.fold(BatchPanel::default(), |mut sum, part| {
        sum.merge(part);
        sum
    })
}

fn counters<'a>(parts: impl Iterator<Item = &'a BTreeMap<String, u64>>) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for (name, value) in parts.flatten() {
        *sums.entry(name.clone()).or_default() += value;
    }
    sums
}

/// What all processes took; unknown if it is of one.
fn usage<'a>(parts: impl Iterator<Item = Option<&'a Usage>>) -> Option<Usage> {
    let parts: Vec<&Usage> = parts.collect::<Option<_>>()?;
    let mut sum = Usage::default();
    for part in &parts {
        for role in &part.roles {
            match sum.roles.iter_mut().find(|known| known.role == role.role) {
                Some(known) => {
                    known.threads += role.threads;
                    known.cpu_ns += role.cpu_ns;
                }
                None => sum.roles.push(role.clone()),
            }
        }
    }
    let of = |field: fn(&Process) -> u64| parts.iter().map(|part| field(&part.process)).sum();
    sum.process = Process {
        cpu_user_ns: of(|process| process.cpu_user_ns),
        cpu_system_ns: of(|process| process.cpu_system_ns),
        resident_bytes_max: parts.iter().map(|part| part.process.resident_bytes_max).sum(),
        faults_minor: of(|process| process.faults_minor),
        faults_major: of(|process| process.faults_major),
        switches_voluntary: of(|process| process.switches_voluntary),
        switches_involuntary: of(|process| process.switches_involuntary),
        read_calls: of(|process| process.read_calls),
        write_calls: of(|process| process.write_calls),
    };
    Some(sum)
}

fn of_shard(number: u32, evidence: &Evidence) -> Evidence {
    Evidence { name: format!("shard {number}, {}", evidence.name), ..evidence.clone() }
}

fn said_of(number: u32, verdict: &Verdict) -> Verdict {
    Verdict { kind: verdict.kind, reason: format!("shard {number}: {}", verdict.reason) }
}
