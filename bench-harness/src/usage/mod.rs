//! What a run took of the machine: processor time by what threads are for, memory, faults, switches, calls. The kernel's own
//! books, read when the measured part begins and after its drain; nothing is counted in between.
//!
//! It is this process that is looked at: of a system that runs elsewhere, only the harness's part is seen.

mod process;
mod role;
mod threads;

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

pub use process::{Process, forget_peak};
pub use role::Role;
pub use threads::{Thread, threads};

/// What was taken between two moments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// By what threads are for, in a fixed order; those that took nothing are left out.
    pub roles: Vec<RoleUsage>,
    /// Of the whole process.
    pub process: Process,
}

/// What the threads of one kind took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleUsage {
    /// What they are for.
    pub role: Role,
    /// How many there are; of those that have ended it is not known.
    pub threads: u64,
    /// Their processor time.
    pub cpu_ns: u64,
}

/// The books at one moment.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    threads: Vec<Thread>,
    process: Process,
}

/// Remembers what threads had taken that end before the second look.
#[derive(Debug, Default)]
pub struct Leavers(Mutex<Vec<Thread>>);

impl Leavers {
    /// Called by a thread as the last thing that it does.
    pub fn leave(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(Thread::current());
    }

    /// Reads the books, with what has left.
    #[must_use]
    pub fn read(&self) -> Reading {
        let mut all = threads();
        let gone = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // One that said good-bye and is still there counts once.
        all.retain(|thread| gone.iter().all(|left| left.id != thread.id));
        all.extend(gone.iter().cloned());
        Reading { threads: all, process: Process::read() }
    }
}

impl Reading {
    /// What was taken since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Reading) -> Usage {
        let process = self.process.since(&earlier.process);
        let taken = |thread: &Thread| {
            let before = earlier.threads.iter().find(|known| known.id == thread.id).map_or(0, |known| known.cpu_ns);
            thread.cpu_ns.saturating_sub(before)
        };
        let mut roles: Vec<RoleUsage> = Vec::new();
        for role in Role::ALL {
            let of_role: Vec<&Thread> = self.threads.iter().filter(|thread| Role::of(&thread.name) == role).collect();
            let cpu_ns = of_role.iter().map(|thread| taken(thread)).sum();
            roles.push(RoleUsage { role, threads: of_role.len() as u64, cpu_ns });
        }
        let known: u64 = roles.iter().map(|role| role.cpu_ns).sum();
        let gone = process.cpu_ns().saturating_sub(known);
        roles.push(RoleUsage { role: Role::Ended, threads: 0, cpu_ns: gone });
        roles.retain(|role| role.cpu_ns > 0);
        Usage { roles, process }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thread(id: u64, name: &str, cpu_ns: u64) -> Thread {
        Thread { id, name: name.to_owned(), cpu_ns }
    }

    /// A thread that was there before counts from there, one that came counts whole, and what nobody is left to tell of is said to
    /// be of threads that ended.
    #[test]
    fn what_threads_took_goes_to_their_roles() {
        let process = |user_ns| Process { cpu_user_ns: user_ns, cpu_system_ns: 0, ..Process::default() };
        let before =
            Reading { threads: vec![thread(1, "broker-1", 100), thread(2, "generator-0", 7)], process: process(200) };
        let threads = vec![thread(1, "broker-1", 150), thread(2, "generator-0", 17), thread(3, "broker-2", 5)];
        let usage = Reading { threads, process: process(300) }.since(&before);
        let told: Vec<_> = usage.roles.iter().map(|role| (role.role, role.threads, role.cpu_ns)).collect();
        assert_eq!(told, [(Role::Generator, 1, 10), (Role::Broker, 2, 55), (Role::Ended, 0, 35)]);
    }

    /// The books of this very process: a thread that worked and left is found under its name, with what it took.
    #[test]
    fn a_thread_that_left_is_counted() {
        let leavers = Leavers::default();
        let before = leavers.read();
        let work = || {
            let spent = || Thread::current().map_or(0, |thread| thread.cpu_ns);
            let begin = spent();
            while spent() < begin + 20_000_000 {
                std::hint::black_box((0..10_000_u64).sum::<u64>());
            }
            leavers.leave();
        };
        std::thread::scope(|scope| {
            std::thread::Builder::new().name("generator-9".to_owned()).spawn_scoped(scope, work).map(drop).unwrap();
        });
        let usage = leavers.read().since(&before);
        let generator = usage.roles.iter().find(|role| role.role == Role::Generator).unwrap();
        assert!(generator.threads == 1 && generator.cpu_ns >= 20_000_000, "{usage:?}");
        assert!(usage.process.cpu_ns() >= 10_000_000, "{usage:?}");
    }
}
