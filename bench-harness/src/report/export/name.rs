//! What a run is called in other tools. They take what has one name for one thing, so only repetitions share one.

use std::collections::BTreeMap;

use crate::result::{Measured, RunResult, Trial, Workload};

/// Settings that change nothing of a run, or that its name tells anyhow.
const TOLD: [&str; 4] = ["run.backends", "run.target", "run.repetitions", "workload.question"];

/// As `key=value` between slashes, which benchstat reads. Durability is part of it: only equal promises are compared.
pub(super) fn name(result: &RunResult, trial: &Trial, measured: &Measured) -> String {
    let mut parts = vec![("workload", result.workload.name.clone()), ("target", trial.target.clone())];
    parts.extend(trial.backend.clone().map(|backend| ("backend", backend)));
    if let Some(step) = &trial.step {
        parts.extend([("step", step.number.to_string()), ("rate", step.rate.clone())]);
    }
    parts.extend(result.shard.as_ref().map(|shard| ("shard", format!("{}of{}", shard.number, shard.of))));
    parts.extend(changed(&result.workload).into_iter().map(|(key, value)| (key, value.to_owned())));
    // At the end, where benchstat would take a hyphen and a number for GOMAXPROCS.
    let durability = &measured.durability;
    parts.extend([("ack", durability.level.clone()), ("replicas", durability.replicas.to_string())]);
    parts.iter().map(|(key, value)| format!("{}={}", escaped(key), escaped(value))).collect::<Vec<_>>().join("/")
}

/// The system under test, and the step of its load if that has steps.
pub(super) fn system(trial: &Trial) -> String {
    let backend = trial.backend.iter().map(|backend| format!(" {backend}"));
    let step = trial.step.iter().map(|step| format!(" step {} at {}/s", step.number, step.rate));
    std::iter::once(trial.target.clone()).chain(backend).chain(step).collect()
}

/// The workload's name, and what tells this run of it from others.
pub(super) fn workload(result: &RunResult) -> String {
    format!("{}{}", result.workload.name, changes(result))
}

/// The shard, and what the command line changed in the workload, each behind a space.
pub(super) fn changes(result: &RunResult) -> String {
    let shard = result.shard.iter().map(|shard| format!(" shard {} of {}", shard.number, shard.of));
    let changed = changed(&result.workload).into_iter().map(|(key, value)| format!(" {key}={value}"));
    shard.chain(changed).collect()
}

/// What the command line changed, by key: of several values of one the last holds.
fn changed(workload: &Workload) -> BTreeMap<&str, &str> {
    let pairs = workload.overrides.iter().filter_map(|setting| setting.split_once('='));
    pairs.map(|(key, value)| (key.trim(), value.trim())).filter(|(key, _)| !TOLD.contains(key)).collect()
}

/// Without spaces, which end a name, and without slashes and commas, which end a part and a tag: as in an address, so that no two become one.
fn escaped(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    for sign in text.chars() {
        if sign.is_whitespace() || sign.is_control() || "/,%".contains(sign) {
            let mut bytes = [0; 4];
            name.extend(sign.encode_utf8(&mut bytes).bytes().map(|byte| format!("%{byte:02X}")));
        } else {
            name.push(sign);
        }
    }
    name
}
