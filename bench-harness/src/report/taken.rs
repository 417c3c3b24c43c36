//! What the run took of the machine: processor time by what threads are for, memory, calls.

use comfy_table::{Table, presets};

use super::cells::{NOTHING, align};
use super::format::{bytes, number, percent};
use crate::result::Measured;
use crate::usage::{Role, Usage};

/// `None` if no trial tells it: results of before it was saved.
pub(super) fn taken(trials: &[(String, &Measured)]) -> Option<Table> {
    let of: Vec<(&String, &Measured, &Usage)> =
        trials.iter().filter_map(|(label, measured)| Some((label, *measured, measured.usage.as_ref()?))).collect();
    if of.is_empty() {
        return None;
    }
    let mut table = Table::new();
    let heads = of.iter().flat_map(|(label, ..)| [(*label).clone(), "share".to_owned()]);
    table.load_preset(presets::NOTHING).set_header(std::iter::once(String::new()).chain(heads));
    align(&mut table);
    for role in Role::ALL.into_iter().chain([Role::Ended]) {
        let cells = of.iter().map(|(_, measured, usage)| role_cells(measured, usage, role));
        let cells: Vec<[String; 2]> = cells.collect();
        if cells.iter().any(|[time, _]| !time.is_empty()) {
            table.add_row(std::iter::once(format!("CPU s/GB: {}", role.name())).chain(cells.into_iter().flatten()));
        }
    }
    for (name, value) in ROWS {
        let cells = of.iter().flat_map(|(_, measured, usage)| {
            let told = value(measured, usage).unwrap_or_else(|| NOTHING.to_owned());
            [told, String::new()]
        });
        table.add_row(std::iter::once(name.to_owned()).chain(cells));
    }
    Some(table)
}

type Row = (&'static str, fn(&Measured, &Usage) -> Option<String>);

/// What is told of the whole process.
const ROWS: [Row; 8] = [
    ("CPU s/GB: all", |measured, usage| seconds_per_gb(measured, usage.process.cpu_ns())),
    ("CPU µs a record", |measured, usage| per_record(measured, usage.process.cpu_ns() as f64 / 1e3)),
    ("CPU in the kernel", |_, usage| {
        let all = usage.process.cpu_ns();
        (all > 0).then(|| percent(usage.process.cpu_system_ns as f64 / all as f64))
    }),
    ("most memory resident", |_, usage| usage.process.resident_bytes_max.map(|most| bytes(most as f64))),
    ("page faults a record", |measured, usage| {
        per_record(measured, (usage.process.faults_minor + usage.process.faults_major) as f64)
    }),
    ("context switches a record", |measured, usage| {
        per_record(measured, (usage.process.switches_voluntary + usage.process.switches_involuntary) as f64)
    }),
    ("calls of read and write a record", |measured, usage| {
        per_record(measured, (usage.process.read_calls + usage.process.write_calls) as f64)
    }),
    ("bytes written to storage per byte", |measured, _| {
        let written =
            ["bytes_written", "ring_bytes_written"].map(|name| measured.storage.get(name).copied().unwrap_or(0));
        let bytes = measured.measured_bytes().filter(|_| !measured.storage.is_empty())?;
        Some(number(written.iter().sum::<u64>() as f64 / bytes))
    }),
];

/// A role's seconds per gigabyte and its share of all; empty without any.
fn role_cells(measured: &Measured, usage: &Usage, role: Role) -> [String; 2] {
    let Some(taken) = usage.roles.iter().find(|taken| taken.role == role) else {
        return [String::new(), String::new()];
    };
    // The kernel keeps two sets of books, which differ by some milliseconds.
    let all: u64 = usage.roles.iter().map(|taken| taken.cpu_ns).sum();
    let share = percent(taken.cpu_ns as f64 / all.max(1) as f64);
    [seconds_per_gb(measured, taken.cpu_ns).unwrap_or_else(|| NOTHING.to_owned()), share]
}

fn seconds_per_gb(measured: &Measured, cpu_ns: u64) -> Option<String> {
    measured.measured_bytes().map(|bytes| number(cpu_ns as f64 / bytes))
}

fn per_record(measured: &Measured, value: f64) -> Option<String> {
    let records = measured.records.measured;
    (records > 0).then(|| number(value / records as f64))
}
