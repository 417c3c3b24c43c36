//! What would disturb a measurement, and how to mend it: pure judgements of what the kernel's files say.

use super::Fact;

/// Other work may use this share of the machine before it is named.
const LOAD_SHARE_MAX: f64 = 0.1;

/// All of them; `read` gives a file's text without its last line's end, or `unknown`.
pub(super) fn disturbances(cores: usize, read: impl Fn(&str) -> String) -> Vec<Fact> {
    vec![
        load(&read("/proc/loadavg"), cores),
        governor(&read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        huge_pages(&read("/sys/kernel/mm/transparent_hugepage/enabled")),
        timer_slack(&read("/proc/self/timerslack_ns")),
        guest(&read("/proc/cpuinfo")),
        swap(&read("/proc/meminfo")),
    ]
}

fn fact(name: &'static str, value: impl Into<String>, advice: &str) -> Fact {
    Fact { name, value: value.into(), advice: advice.to_owned() }
}

/// The mean number of runnable tasks of the last minute.
fn load(text: &str, cores: usize) -> Fact {
    let minute = text.split(' ').next().unwrap_or_default();
    let is_busy = minute.parse::<f64>().is_ok_and(|load| load > cores as f64 * LOAD_SHARE_MAX);
    let advice = if is_busy { "other work runs, or has until a moment ago: end it, wait a minute" } else { "" };
    fact("load", format!("{minute} over the last minute"), advice)
}

fn governor(text: &str) -> Fact {
    let advice = match text {
        "performance" | "unknown" => "",
        _ => "the clock rate follows the load, so pauses are slow: cpupower frequency-set -g performance",
    };
    let value = if text == "unknown" { "not this system's to choose" } else { text };
    fact("frequency governor", value, advice)
}

fn huge_pages(text: &str) -> Fact {
    let chosen = text.split(['[', ']']).nth(1).unwrap_or("unknown");
    let advice = match chosen {
        "always" => {
            "the kernel may stop a thread to put pages together: echo madvise > /sys/kernel/mm/transparent_hugepage/enabled"
        }
        _ => "",
    };
    fact("transparent huge pages", chosen, advice)
}

fn timer_slack(text: &str) -> Fact {
    let value = if text == "unknown" { text.to_owned() } else { format!("{text} ns: sleeps may end that much later") };
    fact("timer slack", value, "")
}

fn guest(cpuinfo: &str) -> Fact {
    let is_guest =
        cpuinfo.lines().any(|line| line.starts_with("flags") && line.split(' ').any(|flag| flag == "hypervisor"));
    match is_guest {
        true => fact(
            "virtual machine",
            "yes",
            "its host's other guests show in the tails, and memory may be slow when first touched: warm up, run several --repetitions",
        ),
        false => fact("virtual machine", "not seen", ""),
    }
}

fn swap(meminfo: &str) -> Fact {
    let kib = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok()
    };
    match (kib("SwapTotal:"), kib("SwapFree:")) {
        (Some(total), Some(free)) if total > free => fact(
            "swap in use",
            format!("{} MiB", (total - free) / 1024),
            "memory was short: end what holds it, or swapoff -a",
        ),
        (Some(_), Some(_)) => fact("swap in use", "none", ""),
        _ => fact("swap in use", "unknown", ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advised(files: &[(&str, &str)]) -> Vec<&'static str> {
        let read = |path: &str| {
            let found = files.iter().find(|(known, _)| path.ends_with(known));
            found.map_or_else(|| "unknown".to_owned(), |(_, text)| (*text).to_owned())
        };
        disturbances(2, read).into_iter().filter(|fact| !fact.advice.is_empty()).map(|fact| fact.name).collect()
    }

    #[test]
    fn a_quiet_machine_and_one_that_says_nothing_get_no_advice() {
        let quiet = [
            ("loadavg", "0.05 0.10 0.20 1/200 77"),
            ("scaling_governor", "performance"),
            ("enabled", "always [madvise] never"),
            ("timerslack_ns", "50000"),
            ("cpuinfo", "flags\t\t: fpu sse2"),
            ("meminfo", "SwapTotal:   2048 kB\nSwapFree:    2048 kB"),
        ];
        assert_eq!(advised(&quiet), [""; 0]);
        assert_eq!(advised(&[]), [""; 0]);
    }

    #[test]
    fn each_disturbance_is_named() {
        let busy = [
            ("loadavg", "0.25 0.10 0.20 1/200 77"),
            ("scaling_governor", "powersave"),
            ("enabled", "[always] madvise never"),
            ("cpuinfo", "flags\t\t: fpu hypervisor sse2"),
            ("meminfo", "SwapTotal:   2048 kB\nSwapFree:    1024 kB"),
        ];
        let names = ["load", "frequency governor", "transparent huge pages", "virtual machine", "swap in use"];
        assert_eq!(advised(&busy), names);
    }
}
