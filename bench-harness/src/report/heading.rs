//! What was run, where and by what.

use super::format::{bytes, whole};
use crate::result::{Outcome, RunResult, Trial};

pub(super) fn heading(text: &mut String, result: &RunResult) {
    let (workload, machine) = (&result.workload, &result.environment);
    let mut line = |content: String| text.push_str(&(content + "\n"));
    line(format!("{} · {}", workload.name, result.targets().join(" and ")));
    if !workload.question.is_empty() {
        line(workload.question.clone());
    }
    line(format!(
        "  records  {} of {} on average, {} distinct · {}",
        whole(workload.records),
        bytes(workload.records_bytes as f64 / workload.records.max(1) as f64),
        whole(workload.records_distinct),
        workload.load
    ));
    let producers =
        if workload.producers == 1 { "1 producer".to_owned() } else { format!("{} producers", workload.producers) };
    line(format!("  topic    {} · {producers} · acks={}", workload.topic, setting(&workload.producer, "acks")));
    line(format!(
        "  machine  {} · {} cores · {} MiB · Linux {} · {}",
        machine.processor, machine.cores, machine.memory_mib, machine.kernel, machine.file_system
    ));
    line(format!("  logdyno  {} ({}, {} build) · {}", machine.version, machine.commit, machine.build, machine.began));
    line(format!("  command  {}", machine.command));
    if let Some(shard) = &result.shard {
        line(format!(
            "  shard    {} of {}: its part of the load, to be merged with the others",
            shard.number, shard.of
        ));
    }
    for (number, machine) in (1..).zip(&result.merged) {
        let cores = format!("{} · {} cores · {} MiB", machine.processor, machine.cores, machine.memory_mib);
        line(format!("  shard {number}  {cores} · {}", machine.began));
    }
    unseen(result).into_iter().for_each(|sentence| line(format!("  stages   {sentence}")));
}

/// Says of which targets no stages are seen, and where their time is.
pub(super) fn unseen(result: &RunResult) -> Option<String> {
    let hides = |trial: &&Trial| match &trial.outcome {
        Outcome::Measured(measured) => measured.batches.work.is_none(),
        Outcome::Refused { .. } | Outcome::Failed { .. } => false,
    };
    let trial = result.trials.iter().find(hides)?;
    Some(format!(
        "{} shows nothing between the acceptance of a record and its answer, no bytes of batches and nothing of its brokers: what \
         is blank was not seen, the time in between is in `acknowledge` and `deliver`, processor time and memory are the clients'",
        trial.target
    ))
}

fn setting<'a>(settings: &'a [(String, String)], name: &str) -> &'a str {
    settings.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
}
