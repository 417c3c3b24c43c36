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
        let seconds = measured.counted_seconds().max(1e-9);
        let seen = |cell: Option<String>| cell.unwrap_or_else(|| NOTHING.to_owned());
        let work = panel.work.as_ref();
        let sent_each = work.map(|work| work.bytes_sent as f64 / count);
        let ratio = work.map(|work| percent(work.bytes_sent as f64 / work.bytes_uncompressed.max(1) as f64));
        let reasons = work.map(|work| {
            let reasons =
                work.close_reasons.iter().map(|(reason, n)| format!("{} {reason}", percent(*n as f64 / count)));
            reasons.collect::<Vec<_>>().join(", ")
        });
        table.add_row([
            label.clone(),
            whole(panel.batches),
            number(panel.records as f64 / count),
            seen(sent_each.map(bytes)),
            seen(sent_each.map(|each| percent(each / measured.batch_size.max(1) as f64))),
            seen(ratio),
            seen(measured.requests.map(|requests| number(requests as f64 / seconds))),
            seen(measured.requests.map(|requests| number(panel.batches as f64 / requests.max(1) as f64))),
            seen(work.map(|work| whole(work.retries))),
            seen(reasons),
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
            let values: Vec<Option<u64>> = trials.iter().map(|(_, measured)| of(measured).get(key).copied()).collect();
            if values.iter().flatten().all(|value| *value == 0) {
                continue;
            }
            let cell = |measured: &Measured, value: Option<u64>| {
                value.map_or_else(|| NOTHING.to_owned(), |value| per_record(measured, value))
            };
            let mut row = vec![format!("{name} {}", key.replace('_', " "))];
            row.extend(trials.iter().zip(&values).map(|((_, measured), value)| cell(measured, *value)));
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
