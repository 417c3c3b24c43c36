//! Who waits for room after a full append.
//!
//! Wakers run on the ring thread alone. They belong to callers, may take their locks, and room appears in
//! the middle of other callers' appends and drops: called from there they could wait for each other.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::callback::undisturbed;
use super::queue::Queue;

/// No moment is this one.
const NEVER: u64 = u64::MAX;

/// Wakes an appender.
pub(super) type Waker = Box<dyn FnOnce() + Send>;

/// Counts the moments at which an append may have become possible, and keeps who waits for the next.
#[derive(Default)]
pub(super) struct Room {
    moments: AtomicU64,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    /// With the moment before the attempt that failed, or [`NEVER`].
    wakers: Vec<(u64, Waker)>,
    /// The ring thread has gone: nobody would call them.
    closed: bool,
}

impl Room {
    /// The moment before an attempt to append; [`Room::when_after`] wants it if the attempt finds no room.
    pub(super) fn moment(&self) -> u64 {
        self.moments.load(Ordering::Acquire)
    }

    /// Memory came back, a chunk was written, or a file has more blocks.
    pub(super) fn appeared(&self, queue: &Queue) {
        // Under the lock, so that a waker is either in the list now or sees the new moment when it gets there.
        let waiting = self.waiting();
        self.moments.fetch_add(1, Ordering::AcqRel);
        if !waiting.wakers.is_empty() {
            drop(waiting);
            queue.poke();
        }
    }

    /// Calls `waker` from the ring thread after any moment later than `moment`.
    pub(super) fn when_after(&self, moment: u64, waker: Waker, queue: &Queue) {
        let mut waiting = self.waiting();
        if waiting.closed {
            // Told as well: its owner sees that it goes.
            drop(waiting);
            return drop(waker);
        }
        waiting.wakers.push((moment, waker));
        if self.moment() != moment {
            drop(waiting);
            queue.poke();
        }
    }

    /// Calls `waker` from the ring thread.
    pub(super) fn soon(&self, waker: Waker, queue: &Queue) {
        self.when_after(NEVER, waker, queue);
    }

    /// The end of the ring thread: calls those who wait. Who comes later is dropped.
    pub(super) fn close(&self) {
        let waiting = std::mem::replace(&mut *self.waiting(), Waiting { wakers: Vec::new(), closed: true });
        waiting.wakers.into_iter().for_each(|(_, waker)| undisturbed(waker));
    }

    /// Calls those for whom there was a later moment. Only the ring thread does this.
    pub(super) fn serve(&self) {
        let due: Vec<(u64, Waker)> = {
            let mut waiting = self.waiting();
            let now = self.moment();
            let (due, later) = std::mem::take(&mut waiting.wakers).into_iter().partition(|(moment, _)| *moment != now);
            waiting.wakers = later;
            due
        };
        for (_, waker) in due {
            undisturbed(waker);
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seam::RingWaker;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    /// Calls, counted.
    fn waker(calls: &Arc<AtomicUsize>) -> Waker {
        let calls = Arc::clone(calls);
        Box::new(move || {
            calls.fetch_add(1, Ordering::Relaxed);
        })
    }

    #[test]
    fn a_waker_is_called_once_after_a_later_moment() {
        let (room, queue, calls) = (Room::default(), Queue::default(), Arc::default());
        room.when_after(room.moment(), waker(&calls), &queue);
        room.serve();
        assert_eq!(calls.load(Ordering::Relaxed), 0, "no room has appeared");
        room.appeared(&queue);
        room.serve();
        room.appeared(&queue);
        room.serve();
        assert_eq!(calls.load(Ordering::Relaxed), 1);
    }

    struct Woken(AtomicUsize);

    impl RingWaker for Woken {
        fn wake(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Room may appear on any thread, such as a reader's that drops its last slice, while the ring thread sleeps.
    #[test]
    fn the_ring_thread_is_woken_if_and_only_if_somebody_waits() {
        let (room, queue, woken) = (Room::default(), Queue::default(), Arc::new(Woken(AtomicUsize::new(0))));
        queue.set_waker(Arc::clone(&woken) as Arc<dyn RingWaker>);
        assert!(queue.fall_asleep(false));
        room.appeared(&queue);
        assert_eq!(woken.0.load(Ordering::Relaxed), 0);
        room.when_after(room.moment(), Box::new(|| {}), &queue);
        room.appeared(&queue);
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert!(!queue.fall_asleep(false), "it goes around before it sleeps again");
    }

    /// Room that appears between the failed append and `when_room` must not be missed.
    #[test]
    fn a_moment_before_the_registration_counts() {
        let (room, queue, calls) = (Room::default(), Queue::default(), Arc::default());
        let before = room.moment();
        room.appeared(&queue);
        room.when_after(before, waker(&calls), &queue);
        assert!(!queue.fall_asleep(false), "the ring thread goes around");
        room.serve();
        assert_eq!(calls.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_waker_that_panics_takes_no_other_along() {
        let (room, queue, calls) = (Room::default(), Queue::default(), Arc::default());
        room.when_after(room.moment(), Box::new(|| panic!("as this test wants it")), &queue);
        room.when_after(room.moment(), waker(&calls), &queue);
        room.appeared(&queue);
        room.serve();
        assert_eq!(calls.load(Ordering::Relaxed), 1);
    }
}
