//! Which thread plans a segment's writes.
//!
//! At most one write in flight touches any block of a segment, and only a thread that knows all writes in flight can see to that:
//! the ring thread, or, while the ring has nothing of the segment, a caller that commits on its own thread. Callers take turns: the next
//! one writes while the one before waits for the device's cache.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::queue::Command;

/// A caller that has not had its turn by then leaves its commit to the ring thread, which may be writing a stream. Small commits take less.
const PATIENCE: Duration = Duration::from_millis(1);

/// Who drives a segment, and what the ring thread is asked to do when callers are done with it.
#[derive(Default)]
pub(super) struct Driver {
    driving: Mutex<Driving>,
    free: Condvar,
}

#[derive(Default)]
struct Driving {
    by: Option<Thread>,
    /// Callers that wait for their turn: when nobody drives, one of them does next.
    callers_waiting: usize,
    /// Callers that have written and sync.
    callers_syncing: usize,
    deferred: Vec<Command>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Thread {
    Ring,
    Caller,
}

impl Driver {
    /// The ring thread drives from here on, and has the command back; `None` if a caller does, or is about to, which will ask for it again.
    pub(super) fn take_for_ring(&self, command: Command) -> Option<Command> {
        let mut driving = self.driving();
        let is_callers = match driving.by {
            Some(Thread::Ring) => false,
            Some(Thread::Caller) => true,
            None => driving.callers_waiting > 0,
        };
        if is_callers || driving.must_wait(&command) {
            driving.deferred.push(command);
            return None;
        }
        driving.by = Some(Thread::Ring);
        Some(command)
    }

    /// True if the calling thread drives from here on. Waits for its turn, but not long.
    pub(super) fn take_for_caller(&self) -> bool {
        let mut driving = self.driving();
        if driving.by.is_some() {
            driving.callers_waiting += 1;
            let waited = self.free.wait_timeout_while(driving, PATIENCE, |driving| driving.by.is_some());
            driving = waited.unwrap_or_else(PoisonError::into_inner).0;
            driving.callers_waiting -= 1;
        }
        let is_free = driving.by.is_none();
        if is_free {
            driving.by = Some(Thread::Caller);
        }
        is_free
    }

    /// Whether callers commit at this moment: the next one takes along what is full, or the timer, and the ring thread need not be woken for it.
    pub(super) fn has_callers(&self) -> bool {
        let driving = self.driving();
        driving.by == Some(Thread::Caller) || driving.callers_waiting + driving.callers_syncing > 0
    }

    /// Nobody drives any more. Returns what the ring thread could not do meanwhile and may now.
    #[must_use]
    pub(super) fn release(&self) -> Vec<Command> {
        self.driving().release(&self.free)
    }

    /// As [`Driver::release`], by a caller that has written what it wants synced and goes on to do that.
    #[must_use]
    pub(super) fn release_to_sync(&self) -> Vec<Command> {
        let mut driving = self.driving();
        driving.callers_syncing += 1;
        driving.release(&self.free)
    }

    /// A caller's sync is over. Returns what the ring thread could not do meanwhile and may now.
    #[must_use]
    pub(super) fn synced(&self) -> Vec<Command> {
        let mut driving = self.driving();
        driving.callers_syncing -= 1;
        driving.due()
    }

    fn driving(&self) -> MutexGuard<'_, Driving> {
        self.driving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Driving {
    fn release(&mut self, free: &Condvar) -> Vec<Command> {
        self.by = None;
        if self.callers_waiting > 0 {
            free.notify_one();
        }
        self.due()
    }

    /// What was deferred and need not wait any longer.
    fn due(&mut self) -> Vec<Command> {
        if self.by.is_some() || self.callers_waiting > 0 {
            return Vec::new();
        }
        let (waiting, due) =
            std::mem::take(&mut self.deferred).into_iter().partition(|command| self.must_wait(command));
        self.deferred = waiting;
        due
    }

    /// A file is not closed while a caller syncs it: who closes it must hear of a failure.
    fn must_wait(&self, command: &Command) -> bool {
        self.callers_syncing > 0 && matches!(command, Command::Retire(..))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::super::segment::Segment;
    use super::*;
    use crate::allocation::{Allocation, Zeroing};
    use crate::seam::simulated::SimulatedDisk;
    use crate::seam::{Disk, Open};

    fn segment() -> Arc<Segment> {
        let disk = SimulatedDisk::new(1);
        disk.create_dir_all(Path::new("/d")).unwrap();
        let file = disk.open(Path::new("/d/a"), Open { create: true, ..Open::default() }).unwrap();
        Segment::new(
            file,
            "/d/a".into(),
            None,
            0,
            Allocation::new(0, 0, 0, Zeroing::Never, crate::runtime::recycling::Blocks::of_nobody()),
        )
    }

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

    /// What the ring thread is asked for waits until no caller is left.
    #[test]
    fn the_next_caller_has_its_turn_while_the_one_before_syncs() {
        let driver = Driver::default();
        assert!(driver.take_for_caller());
        assert!(driver.take_for_ring(Command::Stop).is_none());
        std::thread::scope(|scope| {
            let next = scope.spawn(|| driver.take_for_caller());
            while driver.driving().callers_waiting == 0 && !next.is_finished() {
                std::thread::yield_now();
            }
            let due = driver.release_to_sync();
            if next.join().expect("no panic") {
                assert!(due.is_empty());
                assert_eq!(driver.release().len(), 1, "the second has written");
            } else {
                assert_eq!(due.len(), 1, "the second had no patience");
            }
        });
        assert!(driver.synced().is_empty());
    }

    #[test]
    fn a_file_is_retired_when_callers_have_synced_it() {
        let (segment, (done, _)) = (segment(), std::sync::mpsc::channel());
        let driver = &segment.driver;
        assert!(driver.take_for_caller());
        assert!(driver.release_to_sync().is_empty());
        assert!(driver.take_for_ring(Command::Retire(segment.clone(), done)).is_none());
        assert!(driver.take_for_ring(Command::Stop).is_some() && driver.release().is_empty());
        assert_eq!(driver.synced().len(), 1);
    }
}
