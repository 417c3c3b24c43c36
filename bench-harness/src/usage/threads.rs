//! Processor time by thread, in nanoseconds: `/proc/…/task/*/schedstat`, whose first number is the time on a processor
//! (Documentation/scheduler/sched-stats.rst of the kernel).

use std::path::Path;

/// A thread at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// The kernel's number.
    pub id: u64,
    /// Its name, at most 15 bytes.
    pub name: String,
    /// Processor time so far.
    pub cpu_ns: u64,
}

/// The threads of this process; none where the kernel keeps no such books.
#[must_use]
pub fn threads() -> Vec<Thread> {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return Vec::new() };
    // A thread may end between the listing and the look.
    tasks.filter_map(|task| Thread::read(&task.ok()?.path())).collect()
}

impl Thread {
    /// The one that asks.
    #[must_use]
    pub fn current() -> Option<Thread> {
        Thread::read(&Path::new("/proc").join(std::fs::read_link("/proc/thread-self").ok()?))
    }

    fn read(task: &Path) -> Option<Thread> {
        let text = |file: &str| std::fs::read_to_string(task.join(file)).ok();
        Some(Thread {
            id: task.file_name()?.to_str()?.parse().ok()?,
            name: text("comm")?.trim_end().to_owned(),
            cpu_ns: text("schedstat")?.split_whitespace().next()?.parse().ok()?,
        })
    }
}
