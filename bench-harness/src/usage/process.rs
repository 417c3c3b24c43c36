//! What the kernel counts of the whole process.

use std::fs;

use serde::{Deserialize, Serialize};

/// Counters of the process; what the kernel does not tell is 0, and the peak `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Processor time in user space.
    pub cpu_user_ns: u64,
    /// Processor time in the kernel.
    pub cpu_system_ns: u64,
    /// The most memory that was resident since [`forget_peak`]; `None` if it could not be told from what was before.
    pub resident_bytes_max: Option<u64>,
    /// Page faults that needed no device.
    pub faults_minor: u64,
    /// Page faults that waited for one.
    pub faults_major: u64,
    /// Switches of a thread that had nothing to do.
    pub switches_voluntary: u64,
    /// Switches of a thread that would have gone on.
    pub switches_involuntary: u64,
    /// Calls of `read` and its like, not `recv` and not a ring's.
    pub read_calls: u64,
    /// Calls of `write` and its like, also `writev` on sockets, not `send` and not a ring's.
    pub write_calls: u64,
}

/// Makes the peak of resident memory begin anew; false where the kernel does not.
pub fn forget_peak() -> bool {
    fs::write("/proc/self/clear_refs", "5").is_ok()
}

impl Process {
    /// Reads them.
    #[must_use]
    pub fn read() -> Process {
        let usage = resources();
        let ns = |time: libc::timeval| time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_usec.unsigned_abs() * 1_000;
        let io = fs::read_to_string("/proc/self/io").unwrap_or_default();
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        Process {
            cpu_user_ns: ns(usage.ru_utime),
            cpu_system_ns: ns(usage.ru_stime),
            resident_bytes_max: number(&status, "VmHWM:").map(|kib| kib * 1024),
            faults_minor: usage.ru_minflt.unsigned_abs(),
            faults_major: usage.ru_majflt.unsigned_abs(),
            switches_voluntary: usage.ru_nvcsw.unsigned_abs(),
            switches_involuntary: usage.ru_nivcsw.unsigned_abs(),
            read_calls: number(&io, "syscr:").unwrap_or(0),
            write_calls: number(&io, "syscw:").unwrap_or(0),
        }
    }

    /// Processor time in all.
    #[must_use]
    pub fn cpu_ns(&self) -> u64 {
        self.cpu_user_ns + self.cpu_system_ns
    }

    /// What was added since `earlier`; the peak is that of now.
    #[must_use]
    pub fn since(&self, earlier: &Process) -> Process {
        Process {
            cpu_user_ns: self.cpu_user_ns.saturating_sub(earlier.cpu_user_ns),
            cpu_system_ns: self.cpu_system_ns.saturating_sub(earlier.cpu_system_ns),
            resident_bytes_max: self.resident_bytes_max,
            faults_minor: self.faults_minor.saturating_sub(earlier.faults_minor),
            faults_major: self.faults_major.saturating_sub(earlier.faults_major),
            switches_voluntary: self.switches_voluntary.saturating_sub(earlier.switches_voluntary),
            switches_involuntary: self.switches_involuntary.saturating_sub(earlier.switches_involuntary),
            read_calls: self.read_calls.saturating_sub(earlier.read_calls),
            write_calls: self.write_calls.saturating_sub(earlier.write_calls),
        }
    }
}

/// The number in the line that begins with `name`.
fn number(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

fn resources() -> libc::rusage {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the kernel fills in the struct that the pointer is of; zeros are a valid one if it refuses.
    unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 64 MiB that are touched after the peak was forgotten are in the new one, and cost faults.
    #[test]
    fn memory_that_is_touched_is_seen() {
        assert!(forget_peak());
        let before = Process::read();
        let memory = vec![1_u8; 64 << 20];
        let after = Process::read().since(&before);
        assert!(std::hint::black_box(&memory).iter().all(|byte| *byte == 1));
        assert!(after.resident_bytes_max.unwrap() >= 64 << 20, "{after:?}");
        assert!(after.faults_minor > 0 && after.read_calls > 0, "{after:?}");
    }
}
