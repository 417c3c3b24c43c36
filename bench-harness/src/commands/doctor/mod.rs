//! `logdyno doctor`: what this machine can run, and why not, and what would disturb a measurement.

mod disturbances;
mod first_touch;

use std::path::{Path, PathBuf};

use clap::Args;
use comfy_table::Table;
use logdyno_engine::storage::Kind;
use serde::Serialize;

use super::stdout::print_line;
use crate::limits;

/// What this machine can run, and why not, and what would disturb a measurement.
#[derive(Args, Debug)]
pub(crate) struct Doctor {
    /// The directory whose file system is looked at.
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// One JSON document instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    dir: String,
    backends: Vec<BackendReport>,
    machine: Vec<Fact>,
}

#[derive(Serialize)]
struct BackendReport {
    name: &'static str,
    runs: bool,
    /// Why it does not run here; empty if it does.
    reason: String,
}

/// One thing about the machine that a measurement depends on.
#[derive(Serialize)]
struct Fact {
    name: &'static str,
    value: String,
    /// What to mind; empty if nothing.
    advice: String,
}

impl Doctor {
    /// Prints the report. A backend that cannot run is a finding, not a failure.
    pub(crate) fn run(self, kinds: &[Kind]) -> anyhow::Result<()> {
        let report = Report {
            dir: self.dir.display().to_string(),
            backends: kinds.iter().map(|kind| examine(kind, &self.dir)).collect(),
            machine: machine(&self.dir),
        };
        if self.json { print_line(serde_json::to_string_pretty(&report)?) } else { print_line(text(&report)) }
    }
}

fn examine(kind: &Kind, dir: &Path) -> BackendReport {
    match kind.start_on(dir) {
        Ok(_) => BackendReport { name: kind.name, runs: true, reason: String::new() },
        Err(refused) => BackendReport { name: kind.name, runs: false, reason: refused.reason },
    }
}

fn text(report: &Report) -> String {
    let mut backends = Table::new();
    backends.load_preset(comfy_table::presets::NOTHING);
    for backend in &report.backends {
        backends.add_row([backend.name, if backend.runs { "runs" } else { "REFUSED" }, &backend.reason]);
    }
    let mut machine = Table::new();
    machine.load_preset(comfy_table::presets::NOTHING);
    for fact in &report.machine {
        machine.add_row([fact.name, &fact.value, &fact.advice]);
    }
    format!("Backends on {}\n{backends}\n\nMachine\n{machine}", report.dir)
}

fn machine(dir: &Path) -> Vec<Fact> {
    let mut facts = vec![
        Fact::plain("kernel", read("/proc/sys/kernel/osrelease")),
        Fact::plain("processor", processor()),
        Fact::plain("cores", std::thread::available_parallelism().map_or_else(|_| "unknown".into(), |n| n.to_string())),
        Fact::plain("memory", memory()),
        Fact::plain("file system", file_system(dir)),
        clock_source(),
    ];
    facts.extend(timer_errors());
    facts.push(io_uring_switch());
    facts.push(memlock());
    facts.push(open_files());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    facts.extend(disturbances::disturbances(cores, read));
    facts.push(first_touch::first_touch());
    facts
}

impl Fact {
    fn plain(name: &'static str, value: String) -> Fact {
        Fact { name, value, advice: String::new() }
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).map_or_else(|_| "unknown".into(), |text| text.trim().to_owned())
}

fn processor() -> String {
    read("/proc/cpuinfo")
        .lines()
        .find_map(|line| line.strip_prefix("model name").and_then(|rest| rest.split_once(':')))
        .map_or_else(|| "unknown".into(), |(_, name)| name.trim().to_owned())
}

fn memory() -> String {
    let kib = read("/proc/meminfo")
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.map_or_else(|| "unknown".into(), |kib| format!("{:.1} GiB", kib as f64 / f64::from(1 << 20)))
}

/// Type and options of the mount that holds `dir`: the longest mount point that is a prefix of it.
fn file_system(dir: &Path) -> String {
    let Ok(dir) = dir.canonicalize() else { return "unknown".into() };
    read("/proc/self/mounts")
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ');
            let (device, point) = (fields.next()?, fields.next()?);
            let (kind, options) = (fields.next()?, fields.next()?);
            dir.starts_with(point).then(|| (point.len(), format!("{kind} on {device} ({options})")))
        })
        .max_by_key(|(len, _)| *len)
        .map_or_else(|| "unknown".into(), |(_, mount)| mount)
}

fn clock_source() -> Fact {
    let value = read("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    let advice = match value.as_str() {
        "tsc" | "kvm-clock" | "arch_sys_counter" => String::new(),
        _ => "reading the time is a system call here: stamps cost more".into(),
    };
    Fact { name: "clock source", value, advice }
}

/// How late a wait of 100 µs ends, as load generators wait: what a record is late by before the system has seen it.
fn timer_errors() -> Vec<Fact> {
    let errors = limits::timer_errors().into_iter().map(|error| {
        let (name, advice) = match error.kind.as_str() {
            "spin" => ("late by, spinning", "run.generator = \"spin\": takes a core for each producer"),
            _ => ("late by, sleeping", "run.generator = \"sleep\", the default; timer slack 1 ns"),
        };
        let us = [error.p50_ns, error.p99_ns].map(|ns| ns as f64 / 1e3);
        Fact {
            name,
            value: format!("{:.1} µs at the median, {:.1} µs at p99", us[0], us[1]),
            advice: advice.to_owned(),
        }
    });
    errors.collect()
}

fn io_uring_switch() -> Fact {
    let value = read("/proc/sys/kernel/io_uring_disabled");
    let advice = match value.as_str() {
        "0" | "unknown" => "",
        _ => "io_uring is switched off for some or all users: sysctl kernel.io_uring_disabled=0",
    };
    Fact { name: "io_uring_disabled", value, advice: advice.into() }
}

fn memlock() -> Fact {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Memlock).current;
    Fact::plain("locked memory", limit.map_or_else(|| "unlimited".into(), |bytes| format!("{} KiB", bytes / 1024)))
}

/// A segment is an open file, a client a socket.
fn open_files() -> Fact {
    let limit = crate::descriptors::limit();
    let advice = match limit {
        Some(few) if few < 10_000 => "a broker with many segments needs more: ulimit -Hn, or LimitNOFILE= in its unit",
        _ => "",
    };
    let value = limit.map_or_else(|| "unlimited".into(), |files| files.to_string());
    Fact { name: "open files", value, advice: advice.into() }
}
