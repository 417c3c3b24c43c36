//! What was done for the records: batches, requests, bytes, copies, system calls.

use std::collections::BTreeMap;

use comfy_table::{Table, presets};

use super::cells::{NOTHING, align, table};
use super::format::{bytes, number, percent, whole};
use crate::result::Measured;

pub(super) fn batches(trials: &[(String, &Measured)]) -> Table {
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
pub(super) fn counters(trials: &[(String, &Measured)]) -> Table {
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
