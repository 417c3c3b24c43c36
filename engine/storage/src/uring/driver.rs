//! Which thread plans a segment's writes.
//!
//! At most one write in flight touches any block of a segment, and only a thread that knows all writes in flight can see to that:
//! the ring thread, or, while the ring has nothing of the segment, a caller that commits on its own thread.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::queue::Command;

/// Who drives a segment, and what the ring thread is asked to do when a caller is done with it.
#[derive(Default)]
pub(super) struct Driver(Mutex<Driving>);

#[derive(Default)]
struct Driving {
    by: Option<Thread>,
    deferred: Vec<Command>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Thread {
    Ring,
    Caller,
}

impl Driver {
    /// The ring thread drives from here on, and has the command back; `None` if a caller does, which will ask for it again.
    pub(super) fn take_for_ring(&self, command: Command) -> Option<Command> {
        let mut driving = self.driving();
        if driving.by == Some(Thread::Caller) {
            driving.deferred.push(command);
            return None;
        }
        driving.by = Some(Thread::Ring);
        Some(command)
    }

    /// True if the calling thread drives from here on: nobody did.
    pub(super) fn take_for_caller(&self) -> bool {
        let mut driving = self.driving();
        let free = driving.by.is_none();
        if free {
            driving.by = Some(Thread::Caller);
        }
        free
    }

    /// Nobody drives any more. Returns what the ring thread could not do meanwhile.
    #[must_use]
    pub(super) fn release(&self) -> Vec<Command> {
        let mut driving = self.driving();
        driving.by = None;
        std::mem::take(&mut driving.deferred)
    }

    fn driving(&self) -> MutexGuard<'_, Driving> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thread_drives_and_nothing_asked_meanwhile_is_lost() {
        let driver = Driver::default();
        assert!(driver.take_for_caller() && !driver.take_for_caller());
        assert!(driver.take_for_ring(Command::Stop).is_none());
        assert_eq!(driver.release().len(), 1);
        assert!(driver.take_for_ring(Command::Stop).is_some() && driver.take_for_ring(Command::Stop).is_some());
        assert!(!driver.take_for_caller(), "the ring drives");
        assert!(driver.release().is_empty() && driver.take_for_caller());
    }
}
