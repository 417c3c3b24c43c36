//! Whether results are the shards of one load: the first thing that says no.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::part;
use crate::result::{Measured, Outcome, RunResult, Trial};

/// Windows must overlap by this share of the longest: beyond it, what one shard did was not under the load of the others.
const OVERLAP_MIN: f64 = 0.95;

pub(super) fn check(results: &[RunResult]) -> Result<(), String> {
    all_shards(results)?;
    let Some((first, others)) = results.split_first() else { return Ok(()) };
    for other in others {
        same_program(first, other)?;
        same("workload", without_file(first), without_file(other), first, other)?;
        let what = |result: &RunResult| result.trials.iter().map(subject).collect::<Vec<_>>();
        same("trials", what(first), what(other), first, other)?;
    }
    results.iter().try_for_each(all_measured)?;
    (0..first.trials.len()).try_for_each(|at| same_promise(results, at).and_then(|()| same_time(results, at)))
}

/// Each number once, and all of them.
fn all_shards(results: &[RunResult]) -> Result<(), String> {
    let mut numbers = BTreeSet::new();
    let mut count = None;
    for result in results {
        let Some(shard) = &result.shard else {
            return Err(format!(
                "the result of {} is no shard: it was not run with --shard, or it was merged already",
                result.environment.began
            ));
        };
        if *count.get_or_insert(shard.of) != shard.of {
            return Err(format!("one is a shard of {} and another one of {}", count.unwrap_or_default(), shard.of));
        }
        if !numbers.insert(shard.number) {
            return Err(format!("shard {} of {} is given twice", shard.number, shard.of));
        }
    }
    let of = count.ok_or("there is nothing to merge")?;
    match (1..=of).find(|number| !numbers.contains(number)) {
        Some(missing) => Err(format!("shard {missing} of {of} is missing: without it the load is not the workload's")),
        None => Ok(()),
    }
}

fn same_program(one: &RunResult, other: &RunResult) -> Result<(), String> {
    let program = |result: &RunResult| {
        let environment = &result.environment;
        format!("{} ({}, {} build)", environment.version, environment.commit, environment.build)
    };
    same("program", program(one), program(other), one, other)
}

/// The workload but for the path of its file, which may be another one on each machine.
fn without_file(result: &RunResult) -> Value {
    let mut value = serde_json::to_value(&result.workload).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        fields.remove("file");
    }
    value
}

fn subject(trial: &Trial) -> (String, Option<String>, Value) {
    (trial.target.clone(), trial.backend.clone(), serde_json::to_value(&trial.step).unwrap_or_default())
}

/// Names the fields in which two values differ, if they have fields.
fn same<T: Serialize>(what: &str, a: T, b: T, one: &RunResult, other: &RunResult) -> Result<(), String> {
    let [a, b] = [a, b].map(|value| serde_json::to_value(value).unwrap_or_default());
    if a == b {
        return Ok(());
    }
    let fields = |value: &Value| -> BTreeSet<String> {
        value.as_object().map(|fields| fields.keys().cloned().collect()).unwrap_or_default()
    };
    let keys: BTreeSet<String> = &fields(&a) | &fields(&b);
    let differing: Vec<String> = keys.into_iter().filter(|key| a[key] != b[key]).collect();
    let number = |result: &RunResult| result.shard.as_ref().map_or(0, |shard| shard.number);
    let (one, other) = (number(one), number(other));
    Err(match differing.first() {
        Some(key) => format!("shards {one} and {other} differ in {what}.{key}: {} and {}", a[key], b[key]),
        None => format!("shards {one} and {other} differ in {what}: {a} and {b}"),
    })
}

fn all_measured(result: &RunResult) -> Result<(), String> {
    let number = result.shard.as_ref().map_or(0, |shard| shard.number);
    if result.trials.is_empty() {
        return Err(format!("shard {number} was interrupted"));
    }
    let broken = result.trials.iter().find_map(|trial| match &trial.outcome {
        Outcome::Measured(_) => None,
        Outcome::Refused { reason } | Outcome::Failed { reason } => Some(reason),
    });
    broken.map_or(Ok(()), |reason| Err(format!("shard {number} has no measurements: {reason}")))
}

fn same_promise(results: &[RunResult], at: usize) -> Result<(), String> {
    let promise = |measured: &Measured| (measured.durability.clone(), measured.batch_size);
    let mut promises = results.iter().filter_map(|result| Some((result, promise(part(result, at)?.1))));
    let Some((first, promised)) = promises.next() else { return Ok(()) };
    promises.try_for_each(|(other, also)| same("promise", promised.clone(), also, first, other))
}

/// The shards were measured at the same time, by their wall clocks.
fn same_time(results: &[RunResult], at: usize) -> Result<(), String> {
    let windows = results.iter().filter_map(|result| {
        let (number, measured) = part(result, at)?;
        let begin_ms = measured.begin_unix_ms?;
        Some((number, begin_ms, begin_ms + i64::try_from(measured.measured_ns / 1_000_000).ok()?))
    });
    let windows: Vec<(u32, i64, i64)> = windows.collect();
    if windows.len() < results.len() {
        return Err("a shard does not say when it was measured: run it again with this version".to_owned());
    }
    let last_begin = windows.iter().map(|(_, begin, _)| *begin).max().unwrap_or_default();
    let first_end = windows.iter().map(|(_, _, end)| *end).min().unwrap_or_default();
    let longest = windows.iter().map(|(_, begin, end)| end - begin).max().unwrap_or_default();
    let overlap = (first_end - last_begin) as f64 / longest.max(1) as f64;
    if overlap >= OVERLAP_MIN {
        return Ok(());
    }
    let late = windows.iter().max_by_key(|(_, begin, _)| *begin).map_or(0, |(number, _, _)| *number);
    Err(format!(
        "the shards were measured together for only {:.0} % of the time, shard {late} as the last one: start all with the same --start-at, and keep \
         the machines' clocks together (NTP)",
        overlap.max(0.0) * 100.0
    ))
}
