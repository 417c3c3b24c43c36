//! `buffer.memory`: how many bytes of batches may wait or be in flight. Semantics of Kafka's `BufferPool`.
//!
//! The pool counts bytes and hands out none: a batch grows a buffer of its own, and its bytes come back
//! here when the batch is *completed*, not when it is sent. Who finds too little waits in line: what becomes free is kept for the head
//! of the line, so that small requests cannot starve a large one, and the head is woken once it is enough.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::accumulator::Reserved;

/// Why no memory was given.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Exhausted {
    /// More than all of it was asked for.
    TooLarge,
    /// The time to wait was over.
    TimedOut,
    /// The pool was closed.
    Closed,
}

/// The pool.
pub(crate) struct BufferPool {
    total: usize,
    state: Mutex<State>,
}

struct State {
    free: usize,
    waiters: VecDeque<Arc<Waiter>>,
    next_ticket: u64,
    closed: bool,
}

struct Waiter {
    ticket: u64,
    size: usize,
    turn: Condvar,
}

impl BufferPool {
    /// A pool of `total` bytes, all free.
    pub(crate) fn new(total: usize) -> BufferPool {
        let state = State { free: total, waiters: VecDeque::new(), next_ticket: 0, closed: false };
        BufferPool { total, state: Mutex::new(state) }
    }

    /// All bytes, free or not.
    pub(crate) fn total(&self) -> usize {
        self.total
    }

    /// Bytes that are free, without what is kept for the head of the line.
    pub(crate) fn free(&self) -> usize {
        let state = self.lock();
        state.free - state.waiters.front().map_or(0, |first| first.size.min(state.free))
    }

    /// How many callers stand in line.
    pub(crate) fn waiting(&self) -> usize {
        self.lock().waiters.len()
    }

    /// Takes `size` bytes; waits in line up to `patience` if too few are free. `on_wait` runs before waiting.
    pub(crate) fn allocate(
        self: &Arc<Self>,
        size: usize,
        patience: Duration,
        on_wait: impl FnOnce(),
    ) -> Result<Reserved, Exhausted> {
        if size > self.total {
            return Err(Exhausted::TooLarge);
        }
        let mut state = self.lock();
        if state.closed {
            return Err(Exhausted::Closed);
        }
        if state.waiters.is_empty() && state.free >= size {
            state.free -= size;
            return Ok(Reserved::new(Arc::clone(self), size));
        }
        let waiter = state.join_line(size);
        drop(state);
        on_wait();
        self.wait(&waiter, patience)
    }

    fn wait(self: &Arc<Self>, waiter: &Waiter, patience: Duration) -> Result<Reserved, Exhausted> {
        let deadline = Instant::now().checked_add(patience);
        let mut state = self.lock();
        let outcome = loop {
            if state.closed {
                break Err(Exhausted::Closed);
            }
            if state.is_first(waiter) && state.free >= waiter.size {
                state.free -= waiter.size;
                break Ok(Reserved::new(Arc::clone(self), waiter.size));
            }
            let left = deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                break Err(Exhausted::TimedOut);
            }
            let left = left.min(Duration::from_secs(3600));
            state = waiter.turn.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        };
        state.waiters.retain(|other| other.ticket != waiter.ticket);
        state.wake_first();
        outcome
    }

    /// Takes `size` bytes if they are free and nobody stands in line.
    pub(crate) fn try_take(&self, size: usize) -> bool {
        let mut state = self.lock();
        let can = state.waiters.is_empty() && state.free >= size;
        if can {
            state.free -= size;
        }
        can
    }

    /// Gives `size` bytes back.
    pub(crate) fn release(&self, size: usize) {
        let mut state = self.lock();
        state.free += size;
        state.wake_first();
    }

    /// Fails who waits and who comes.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        for waiter in &state.waiters {
            waiter.turn.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn join_line(&mut self, size: usize) -> Arc<Waiter> {
        let waiter = Arc::new(Waiter { ticket: self.next_ticket, size, turn: Condvar::new() });
        self.next_ticket += 1;
        self.waiters.push_back(Arc::clone(&waiter));
        waiter
    }

    fn is_first(&self, waiter: &Waiter) -> bool {
        self.waiters.front().is_some_and(|first| first.ticket == waiter.ticket)
    }

    fn wake_first(&self) {
        if let Some(first) = self.waiters.front().filter(|first| first.size <= self.free) {
            first.turn.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(60);

    fn until(condition: impl Fn() -> bool) {
        while !condition() {
            thread::yield_now();
        }
    }

    #[test]
    fn what_is_taken_comes_back() {
        let pool = Arc::new(BufferPool::new(100));
        let first = pool.allocate(60, LONG, || panic!("no need to wait")).unwrap();
        assert_eq!(pool.free(), 40);
        drop(first);
        assert_eq!((pool.free(), pool.waiting()), (100, 0));
    }

    /// Row 65: more than all of buffer.memory can never be had.
    #[test]
    fn more_than_all_is_refused_at_once() {
        let pool = Arc::new(BufferPool::new(100));
        assert_eq!(pool.allocate(101, LONG, || ()).unwrap_err(), Exhausted::TooLarge);
    }

    /// Row 65: the time is over; what was kept for it meanwhile is for others.
    #[test]
    fn a_waiter_whose_time_is_over_leaves_what_was_free() {
        let pool = Arc::new(BufferPool::new(100));
        let held = pool.allocate(70, LONG, || ()).unwrap();
        assert_eq!(pool.allocate(50, SHORT, || ()).unwrap_err(), Exhausted::TimedOut);
        assert_eq!((pool.free(), pool.waiting()), (30, 0));
        drop(held);
        assert_eq!(pool.free(), 100);
    }

    #[test]
    fn a_large_request_is_not_overtaken_by_small_ones() {
        let pool = Arc::new(BufferPool::new(100));
        let mut held: Vec<Reserved> = (0..10).map(|_| pool.allocate(10, LONG, || ()).unwrap()).collect();
        let (served, order) = mpsc::channel();
        thread::scope(|scope| {
            for (place, size) in [80, 10, 10].into_iter().enumerate() {
                let (pool, served) = (Arc::clone(&pool), served.clone());
                scope.spawn({
                    let pool = Arc::clone(&pool);
                    move || {
                        let taken = pool.allocate(size, LONG, || ()).unwrap();
                        served.send(size).unwrap();
                        drop(taken);
                    }
                });
                until(|| pool.waiting() == place + 1);
            }
            held.truncate(5);
            assert!(order.try_recv().is_err(), "fifty free bytes are kept for the large request at the head");
            assert_eq!(pool.free(), 0);
            held.truncate(2);
        });
        held.clear();
        drop(served);
        let order: Vec<usize> = order.iter().collect();
        assert_eq!(order[0], 80);
        assert_eq!(pool.free(), 100);
    }

    #[test]
    fn closing_fails_who_waits() {
        let pool = Arc::new(BufferPool::new(10));
        let held = pool.allocate(10, LONG, || ()).unwrap();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| pool.allocate(1, LONG, || ()).map(drop));
            until(|| pool.waiting() == 1);
            pool.close();
            assert_eq!(waiting.join().unwrap().unwrap_err(), Exhausted::Closed);
        });
        drop(held);
    }

    #[test]
    fn many_threads_leave_the_pool_whole() {
        let pool = Arc::new(BufferPool::new(1000));
        thread::scope(|scope| {
            for thread in 0..8 {
                let pool = Arc::clone(&pool);
                scope.spawn(move || {
                    for round in 0..500 {
                        let size = (thread * 131 + round * 17) % 900 + 1;
                        drop(pool.allocate(size, LONG, || ()).unwrap());
                    }
                });
            }
        });
        assert_eq!((pool.free(), pool.waiting()), (1000, 0));
    }
}
