//! Watermarks of a file, and who waits for them.
//!
//! appended ≥ readable ≥ written ≥ durable. A backend raises them; waiters stand in a queue ordered by
//! position, each with a parking place of its own, so that raising a mark wakes exactly those it serves.
//!
//! A mark is raised on every append, so raising takes no lock while nobody waits. That rests on the order
//! of two pairs: a raiser moves the mark and then looks for waiters, a waiter announces itself and then
//! looks at the mark. Both are sequentially consistent, so at least one sees the other.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::contract::{Level, Result};
use crate::error::StorageError;

/// Called once, when the mark has passed the position or never will.
pub type Waiter = Box<dyn FnOnce(Result<()>) + Send>;

/// How far a file is, by level.
#[derive(Default)]
pub struct Marks {
    reached: [AtomicU64; 3],
    waiting: [AtomicUsize; 3],
    poisoned: AtomicBool,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiters: [BTreeMap<(u64, u64), Waiter>; 3],
    tickets: u64,
    poison: Option<StorageError>,
}

impl Marks {
    /// Marks of a file whose first `len` bytes are durable.
    pub fn new(len: u64) -> Marks {
        let marks = Marks::default();
        for reached in &marks.reached {
            reached.store(len, Ordering::Release);
        }
        marks
    }

    /// Everything before this position has reached `level`.
    pub fn reached(&self, level: Level) -> u64 {
        self.reached[level as usize].load(Ordering::Acquire)
    }

    /// Raises the mark of `level` alone (not of those below it) and serves its waiters on this thread.
    pub fn raise(&self, level: Level, position: u64) {
        let before = self.reached[level as usize].fetch_max(position, Ordering::SeqCst);
        if before >= position || self.waiting[level as usize].load(Ordering::SeqCst) == 0 {
            return;
        }
        let served = {
            let mut queue = self.queue();
            let waiters = &mut queue.waiters[level as usize];
            let later = waiters.split_off(&(position + 1, 0));
            std::mem::replace(waiters, later)
        };
        self.waiting[level as usize].fetch_sub(served.len(), Ordering::SeqCst);
        for waiter in served.into_values() {
            waiter(Ok(()));
        }
    }

    /// True once [`Marks::set_poison`] was called; takes no lock.
    pub fn is_poisoned(&self) -> bool {
        self.poisoned.load(Ordering::Acquire)
    }

    /// Why nothing more will be reached, if so.
    pub fn poison(&self) -> Option<StorageError> {
        self.queue().poison.clone()
    }

    /// Fails all waiters, now and later. The first poison stays.
    pub fn set_poison(&self, error: StorageError) {
        let failed: Vec<Waiter> = {
            let mut queue = self.queue();
            queue.poison.get_or_insert_with(|| error.clone());
            self.poisoned.store(true, Ordering::Release);
            for (waiting, waiters) in self.waiting.iter().zip(&queue.waiters) {
                waiting.fetch_sub(waiters.len(), Ordering::SeqCst);
            }
            queue.waiters.iter_mut().flat_map(|waiters| std::mem::take(waiters).into_values()).collect()
        };
        for waiter in failed {
            waiter(Err(error.clone()));
        }
    }

    /// Calls `waiter` when `level` has reached `position`: at once, on this thread, if it already has.
    pub fn when(&self, level: Level, position: u64, waiter: Waiter) {
        let mut queue = self.queue();
        self.waiting[level as usize].fetch_add(1, Ordering::SeqCst);
        let answer = if self.reached[level as usize].load(Ordering::SeqCst) >= position {
            Some(Ok(()))
        } else {
            queue.poison.clone().map(Err)
        };
        if let Some(answer) = answer {
            self.waiting[level as usize].fetch_sub(1, Ordering::SeqCst);
            drop(queue);
            return waiter(answer);
        }
        queue.tickets += 1;
        let ticket = queue.tickets;
        queue.waiters[level as usize].insert((position, ticket), waiter);
    }

    /// Waits on this thread; `false` if the timeout came first.
    pub fn wait(&self, level: Level, position: u64, timeout: Duration) -> Result<bool> {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        self.when(
            level,
            position,
            Box::new(move |result| {
                // Nobody listens any more after a timeout.
                drop(sender.send(result));
            }),
        );
        match receiver.recv_timeout(timeout) {
            Ok(result) => result.map(|()| true),
            Err(_) => Ok(false),
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    fn failed() -> StorageError {
        StorageError::Stopped
    }

    /// A waiter that comes while the mark moves is neither forgotten nor called twice.
    #[test]
    fn every_waiter_is_called_once_however_it_races_with_the_mark() {
        let marks = Arc::new(Marks::new(0));
        let (sender, called) = mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| (1..=20_000).for_each(|position| marks.raise(Level::Written, position)));
            for position in 1..=20_000_u64 {
                let sender = sender.clone();
                let waiter =
                    move |result: Result<()>| sender.send(result.map(|()| position)).expect("it is listened to");
                marks.when(Level::Written, position, Box::new(waiter));
            }
        });
        let mut positions: Vec<u64> =
            (0..20_000).map(|_| called.recv_timeout(PATIENCE).expect("nobody is forgotten").unwrap()).collect();
        positions.sort_unstable();
        assert!(positions.into_iter().eq(1..=20_000));
        assert!(called.try_recv().is_err(), "nobody is called twice");
    }

    #[test]
    fn poison_fails_who_waits_and_who_comes_but_not_what_was_reached() {
        let marks = Marks::new(10);
        let (sender, called) = mpsc::channel();
        marks.when(Level::Durable, 11, Box::new(move |result| sender.send(result).expect("it is listened to")));
        marks.set_poison(failed());
        assert!(called.recv_timeout(PATIENCE).expect("waiters are told").is_err());
        assert!(marks.is_poisoned() && marks.poison().is_some());
        assert!(marks.wait(Level::Durable, 11, PATIENCE).is_err());
        assert!(marks.wait(Level::Durable, 10, PATIENCE).unwrap());
    }

    #[test]
    fn a_level_is_raised_alone_and_never_falls() {
        let marks = Marks::new(0);
        marks.raise(Level::Visible, 10);
        marks.raise(Level::Visible, 5);
        assert_eq!([Level::Visible, Level::Written, Level::Durable].map(|level| marks.reached(level)), [10, 0, 0]);
        assert!(!marks.wait(Level::Written, 1, Duration::ZERO).unwrap(), "a timeout is no error");
    }
}
