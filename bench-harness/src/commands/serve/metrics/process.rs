//! What this process takes of the machine, under the names that Prometheus' clients give it.

use std::fs;

use super::text::{Kind, Page};

/// Writes what the kernel tells; what it does not tell is left out.
pub(super) fn write(page: &mut Page) {
    if let Some(stat) = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(Stat::parse) {
        let ticks_per_second = rustix::param::clock_ticks_per_second().max(1);
        let seconds = stat.cpu_ticks as f64 / ticks_per_second as f64;
        page.one("process_cpu_seconds_total", "CPU time of user and system.", Kind::Counter, seconds);
        page.one("process_threads", "Threads.", Kind::Gauge, stat.threads);
    }
    let resident = fs::read_to_string("/proc/self/statm").ok();
    if let Some(pages) = resident.as_deref().and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok()) {
        let bytes = pages * rustix::param::page_size() as u64;
        page.one("process_resident_memory_bytes", "Memory that is resident.", Kind::Gauge, bytes);
    }
    if let Ok(descriptors) = fs::read_dir("/proc/self/fd") {
        page.one("process_open_fds", "Open file descriptors.", Kind::Gauge, descriptors.count());
    }
}

struct Stat {
    cpu_ticks: u64,
    threads: u64,
}

impl Stat {
    /// The fields behind the program's name, which may hold anything: `utime` and `stime` are the 14th and 15th of the
    /// line, the number of threads is the 20th (proc_pid_stat(5)).
    fn parse(line: &str) -> Option<Stat> {
        let (_, rest) = line.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let number = |nth: usize| fields.get(nth - 3)?.parse::<u64>().ok();
        Some(Stat { cpu_ticks: number(14)? + number(15)?, threads: number(20)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_spaces_and_parentheses() {
        let line = "7 (a b) c) S 1 7 7 0 -1 4194560 100 0 0 0 31 11 0 0 20 0 9 0 100 1 2";
        let stat = Stat::parse(line).expect("a line");
        assert_eq!((stat.cpu_ticks, stat.threads), (42, 9));
        assert!(Stat::parse("7 (cut) S 1").is_none());
    }
}
