//! The human report of a result.

use std::collections::BTreeMap;
use std::fmt::Write;

use comfy_table::{CellAlignment, Table, presets};

use super::format::{bytes, duration, number, percent, whole};
use crate::measure::{Distribution, Step};
use crate::result::{Measured, Outcome, PathResult, RunResult, SlowRecord, Trial};

/// Quantiles that are printed, and how many independent samples each needs: the records of a batch share their fate, so
/// batches are counted. The counts are where a 95 % interval of the quantile first has both ends inside the sample.
const QUANTILES: [(&str, f64, u64); 4] =
    [("p50", 0.5, 1), ("p99", 0.99, 368), ("p99.9", 0.999, 3_688), ("p99.99", 0.9999, 36_887)];

/// What stands where a number would say nothing.
const NOTHING: &str = "–";

/// The whole report.
#[must_use]
pub fn render(result: &RunResult) -> String {
    let mut text = String::new();
    heading(&mut text, result);
    let measured: Vec<(String, &Measured)> = result.trials.iter().filter_map(measured_of).collect();
    if !measured.is_empty() {
        section(&mut text, "Throughput", &throughput(&measured));
        section(&mut text, "Latency from the intended time", &latency(&measured));
        section(&mut text, "Where the time went: to the acknowledgement", &steps(&measured, |m| &m.to_acknowledgement));
        section(&mut text, "Where the time went: to the delivery", &steps(&measured, |m| &m.to_delivery));
        slowest(&mut text, &measured);
        section(&mut text, "Batches", &batches(&measured));
        section(&mut text, "Work for each record acknowledged or delivered in the measured part", &counters(&measured));
        proof(&mut text, &measured);
    }
    verdicts(&mut text, result);
    text
}

fn measured_of(trial: &Trial) -> Option<(String, &Measured)> {
    match &trial.outcome {
        Outcome::Measured(measured) => Some((label(trial), measured)),
        Outcome::Refused { .. } | Outcome::Failed { .. } => None,
    }
}

/// Backend and, from the second on, repetition.
fn label(trial: &Trial) -> String {
    let name = trial.backend.as_deref().unwrap_or(&trial.target);
    if trial.repetition == 1 { name.to_owned() } else { format!("{name} #{}", trial.repetition) }
}

fn heading(text: &mut String, result: &RunResult) {
    let (workload, machine) = (&result.workload, &result.environment);
    let mut line = |content: String| text.push_str(&(content + "\n"));
    line(format!("{} · {}", workload.name, result.trials.first().map_or("", |trial| &trial.target)));
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
}

fn setting<'a>(settings: &'a [(String, String)], name: &str) -> &'a str {
    settings.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
}

fn section(text: &mut String, title: &str, table: &Table) {
    text.push_str(&format!("\n{title}\n"));
    for line in table.to_string().lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

/// A table whose first column is left, the others right.
fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(header);
    align(&mut table);
    table
}

fn align(table: &mut Table) {
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_cell_alignment(if index == 0 { CellAlignment::Left } else { CellAlignment::Right });
    }
}

fn throughput(trials: &[(String, &Measured)]) -> Table {
    let mut table = table(["", "an ack promises", "offered/s", "achieved/s", "bytes/s", "measured", "in", "verified"]);
    for (label, measured) in trials {
        let durability = &measured.durability;
        let promise = match durability.replicas {
            0 => "nothing".to_owned(),
            1 => format!("{} on 1 replica", durability.level),
            replicas => format!("{} on {replicas} replicas", durability.level),
        };
        let records = &measured.records;
        table.add_row([
            label.clone(),
            promise,
            measured.offered_per_second.map_or_else(|| "closed loop".to_owned(), number),
            number(measured.achieved_per_second),
            bytes(measured.achieved_bytes_per_second),
            whole(records.measured),
            duration(measured.measured_ns as f64),
            format!("{} of {}", whole(records.delivered), whole(records.sent)),
        ]);
    }
    table
}

fn latency(trials: &[(String, &Measured)]) -> Table {
    let [p50, p99, p999, p9999] = QUANTILES.map(|(name, _, _)| name);
    let mut table = table(["", "to", p50, p99, p999, p9999, "max", "mean", "clipped", "batches"]);
    for (label, measured) in trials {
        let paths = [
            ("ack", &measured.to_acknowledgement.total),
            ("delivery", &measured.to_delivery.total),
            ("ack, from send()", &measured.service),
        ];
        for (index, (name, distribution)) in paths.into_iter().enumerate() {
            let mut row = vec![if index == 0 { label.clone() } else { String::new() }, name.to_owned()];
            row.extend(QUANTILES.map(|quantile| quantile_cell(measured, distribution, quantile)));
            row.push(duration_cell(measured, distribution.max_ns() as f64));
            row.push(duration_cell(measured, distribution.mean_ns()));
            row.push(whole(distribution.clipped()));
            row.push(whole(measured.batches.batches));
            table.add_row(row);
        }
    }
    table
}

/// A quantile, if enough independent samples support it and the run was not a growing backlog.
fn quantile_cell(measured: &Measured, distribution: &Distribution, (_, quantile, samples): (&str, f64, u64)) -> String {
    if measured.batches.batches < samples || distribution.count() == 0 {
        return NOTHING.to_owned();
    }
    duration_cell(measured, distribution.quantile_ns(quantile) as f64)
}

fn duration_cell(measured: &Measured, ns: f64) -> String {
    if measured.is_backlogged() { NOTHING.to_owned() } else { duration(ns) }
}

fn steps(trials: &[(String, &Measured)], path: impl Fn(&Measured) -> &PathResult) -> Table {
    let mut table = Table::new();
    let mut header = vec![String::new()];
    for (label, _) in trials {
        header.extend([format!("{label} p50"), "p99".to_owned(), "mean".to_owned(), "share".to_owned()]);
    }
    header.push(String::new());
    let columns = header.len();
    table.load_preset(presets::NOTHING).set_header(header);
    align(&mut table);
    if let Some(column) = table.column_mut(columns - 1) {
        column.set_cell_alignment(CellAlignment::Left);
    }
    let shown = Step::ALL.into_iter().filter(|step| trials.iter().any(|(_, m)| has_step(path(m), *step)));
    for step in shown {
        let mut row = vec![step.name().to_owned()];
        for (_, measured) in trials {
            row.extend(step_cells(measured, path(measured), step));
        }
        row.push(step.meaning().to_owned());
        table.add_row(row);
    }
    for (name, cells) in
        [("sum of the means", sum_cells as fn(&Measured, &PathResult) -> [String; 4]), ("whole path", total_cells)]
    {
        let mut row = vec![name.to_owned()];
        for (_, measured) in trials {
            row.extend(cells(measured, path(measured)));
        }
        table.add_row(row);
    }
    table
}

fn has_step(path: &PathResult, step: Step) -> bool {
    path.steps.iter().any(|result| result.step == step)
}

fn step_cells(measured: &Measured, path: &PathResult, step: Step) -> [String; 4] {
    let Some(result) = path.steps.iter().find(|result| result.step == step) else {
        return [const { String::new() }; 4];
    };
    let durations = &result.durations;
    let share = durations.sum_ns() as f64 / path.total.sum_ns().max(1) as f64;
    [
        quantile_cell(measured, durations, QUANTILES[0]),
        quantile_cell(measured, durations, QUANTILES[1]),
        duration_cell(measured, durations.mean_ns()),
        percent(share),
    ]
}

fn sum_cells(measured: &Measured, path: &PathResult) -> [String; 4] {
    let sum: f64 = path.steps.iter().map(|step| step.durations.mean_ns()).sum();
    [String::new(), String::new(), duration_cell(measured, sum), String::new()]
}

fn total_cells(measured: &Measured, path: &PathResult) -> [String; 4] {
    [
        quantile_cell(measured, &path.total, QUANTILES[0]),
        quantile_cell(measured, &path.total, QUANTILES[1]),
        duration_cell(measured, path.total.mean_ns()),
        String::new(),
    ]
}

fn slowest(text: &mut String, trials: &[(String, &Measured)]) {
    text.push_str("\nWhat the slowest records waited for\n");
    for (label, measured) in trials {
        for (name, path) in [("ack", &measured.to_acknowledgement), ("delivery", &measured.to_delivery)] {
            let count = path.slowest.len();
            text.push_str(&format!("  {label}, to {name}, {count} records: {}\n", composition(&path.slowest)));
        }
    }
}

/// The steps that make up the records' time, largest first.
fn composition(records: &[SlowRecord]) -> String {
    let mut sums: BTreeMap<Step, u64> = BTreeMap::new();
    for (step, ns) in records.iter().flat_map(|record| &record.steps_ns) {
        *sums.entry(*step).or_default() += ns;
    }
    let total: u64 = sums.values().sum();
    let mut shares: Vec<(Step, f64)> =
        sums.into_iter().map(|(step, ns)| (step, ns as f64 / total.max(1) as f64)).collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1));
    let shares = shares.iter().take_while(|(_, share)| *share >= 0.01);
    shares.map(|(step, share)| format!("{} {}", percent(*share), step.name())).collect::<Vec<_>>().join(", ")
}

fn batches(trials: &[(String, &Measured)]) -> Table {
    let mut table = table([
        "",
        "batches",
        "records each",
        "bytes each",
        "fill",
        "compressed to",
        "requests/s",
        "batches each",
        "retries",
        "closed by",
    ]);
    for (label, measured) in trials {
        let panel = &measured.batches;
        let count = panel.batches.max(1) as f64;
        let sent_each = panel.bytes_sent as f64 / count;
        let seconds = measured.measured_ns.max(1) as f64 / 1e9;
        let reasons = panel.close_reasons.iter().map(|(reason, n)| format!("{} {reason}", percent(*n as f64 / count)));
        table.add_row([
            label.clone(),
            whole(panel.batches),
            number(panel.records as f64 / count),
            bytes(sent_each),
            percent(sent_each / measured.batch_size.max(1) as f64),
            percent(panel.bytes_sent as f64 / panel.bytes_uncompressed.max(1) as f64),
            number(measured.requests as f64 / seconds),
            number(panel.batches as f64 / measured.requests.max(1) as f64),
            whole(panel.retries),
            reasons.collect::<Vec<_>>().join(", "),
        ]);
    }
    table
}

/// Counters that are not zero for every trial, per measured record; copies also per byte appended.
fn counters(trials: &[(String, &Measured)]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(std::iter::once(String::new()).chain(trials.iter().map(|(label, _)| label.clone())));
    align(&mut table);
    let per_record = |measured: &Measured, value: u64| number(value as f64 / measured.records.measured.max(1) as f64);
    for (name, of) in [("storage", storage as fn(&Measured) -> &BTreeMap<String, u64>), ("target", target)] {
        let mut keys: Vec<&String> = trials.iter().flat_map(|(_, measured)| of(measured).keys()).collect();
        keys.sort();
        keys.dedup();
        for key in keys {
            let values: Vec<u64> =
                trials.iter().map(|(_, measured)| of(measured).get(key).copied().unwrap_or(0)).collect();
            if values.iter().all(|value| *value == 0) {
                continue;
            }
            let mut row = vec![format!("{name} {}", key.replace('_', " "))];
            row.extend(trials.iter().zip(&values).map(|((_, measured), value)| per_record(measured, *value)));
            table.add_row(row);
        }
    }
    for (name, key) in
        [("copies in per byte appended", "bytes_copied_in"), ("copies out per byte appended", "bytes_copied_out")]
    {
        let mut row = vec![name.to_owned()];
        for (_, measured) in trials {
            let get = |key: &str| measured.storage.get(key).copied().unwrap_or(0);
            let appended = get("bytes_appended");
            row.push(if appended == 0 { NOTHING.to_owned() } else { number(get(key) as f64 / appended as f64) });
        }
        table.add_row(row);
    }
    table
}

fn storage(measured: &Measured) -> &BTreeMap<String, u64> {
    &measured.storage
}

fn target(measured: &Measured) -> &BTreeMap<String, u64> {
    &measured.target
}

fn proof(text: &mut String, trials: &[(String, &Measured)]) {
    if trials.iter().all(|(_, measured)| measured.proof.is_empty()) {
        return;
    }
    text.push_str("\nProof of effect\n");
    for (label, measured) in trials {
        for evidence in &measured.proof {
            let mark = if evidence.holds { "yes" } else { "NO " };
            text.push_str(&format!("  {mark} {label}, {}: {}\n", evidence.name, evidence.detail));
        }
    }
}

fn verdicts(text: &mut String, result: &RunResult) {
    text.push('\n');
    for trial in &result.trials {
        let label = label(trial);
        let mut line = |content: String| {
            // Writing to a string cannot fail.
            writeln!(text, "{label}: {content}").unwrap_or_default();
        };
        match &trial.outcome {
            Outcome::Refused { reason } => line(format!("REFUSED: {reason}")),
            Outcome::Failed { reason } => line(format!("FAILED: {reason}")),
            Outcome::Measured(measured) if measured.verdicts.is_empty() => line(sound(result, measured)),
            Outcome::Measured(measured) => {
                for verdict in &measured.verdicts {
                    line(format!("{}: {}", verdict.kind.name(), verdict.reason));
                }
            }
        }
    }
}

fn sound(result: &RunResult, measured: &Measured) -> String {
    let records = &measured.records;
    let source = result.workload.records;
    let what = match (records.passes, records.sent % source.max(1)) {
        (passes, 0) if passes > 1 => format!("all {} records in each of {passes} passes", whole(source)),
        (1, 0) => format!("all {} records", whole(source)),
        _ => format!("{} records", whole(records.sent)),
    };
    format!("{what} verified: none lost, doubled, out of order or altered")
}
