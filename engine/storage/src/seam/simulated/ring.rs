//! A ring that completes late and out of order, by seed.

use std::io::{self, IoSlice};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::random::Random;
use crate::seam::{Completion, Operation, Ring, RingWaker};

/// Holds what was submitted and runs some of it, in any order, whenever its thread waits. A kernel may do the
/// same with operations that are not linked.
pub(super) struct SimulatedRing {
    entries: usize,
    in_flight: Vec<(Operation, u64)>,
    completed: Vec<Completion>,
    random: Random,
    waker: Arc<Waker>,
}

#[derive(Default)]
struct Waker {
    woken: Mutex<bool>,
    wake: Condvar,
}

impl SimulatedRing {
    pub(super) fn new(entries: u32, seed: u64) -> SimulatedRing {
        SimulatedRing {
            entries: entries.max(1) as usize,
            in_flight: Vec::new(),
            completed: Vec::new(),
            random: Random::new(seed),
            waker: Arc::default(),
        }
    }

    fn complete_one(&mut self) {
        let chosen = self.random.below(self.in_flight.len() as u64) as usize;
        let (operation, token) = self.in_flight.swap_remove(chosen);
        self.completed.push(Completion { token, result: run(&operation) });
    }
}

impl Ring for SimulatedRing {
    unsafe fn submit(&mut self, operation: Operation, token: u64) -> io::Result<()> {
        if self.in_flight.len() >= self.entries {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.in_flight.push((operation, token));
        Ok(())
    }

    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let woken = self.waker.take();
        if !self.in_flight.is_empty() {
            // Whoever waits for nothing else must get something; the rest may be late.
            let at_least = u64::from(!woken && self.completed.is_empty());
            let more = self.random.below(self.in_flight.len() as u64 + 1);
            for _ in 0..more.max(at_least) {
                self.complete_one();
            }
        } else if !woken && self.completed.is_empty() {
            self.waker.wait(timeout);
        }
        Ok(())
    }

    fn reap(&mut self, into: &mut Vec<Completion>) {
        into.append(&mut self.completed);
    }

    fn waker(&self) -> Arc<dyn RingWaker> {
        self.waker.clone()
    }
}

impl Drop for SimulatedRing {
    fn drop(&mut self) {
        // As the contract says: what is in flight is waited for, so that its memory is free afterwards.
        while !self.in_flight.is_empty() {
            self.complete_one();
        }
    }
}

fn run(operation: &Operation) -> io::Result<u32> {
    let done = match operation {
        Operation::Write { file, memory, len, then, position } => {
            let parts = [Some((*memory, *len)), *then].into_iter().flatten();
            // SAFETY: the submitter keeps the memory valid and unchanged until the completion is reaped.
            let parts = parts.map(|(memory, len)| unsafe { std::slice::from_raw_parts(memory, len as usize) });
            file.write_at(&parts.map(IoSlice::new).collect::<Vec<_>>(), *position)?
        }
        Operation::Read { file, memory, len, position } => {
            // SAFETY: the submitter keeps the memory valid, and does not look at it, until then.
            let buffer = unsafe { std::slice::from_raw_parts_mut(*memory, *len as usize) };
            file.read_at(buffer, *position)?
        }
        Operation::SyncData { file } => {
            file.sync_data()?;
            0
        }
    };
    Ok(done as u32)
}

impl Waker {
    fn take(&self) -> bool {
        std::mem::take(&mut *self.woken.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn wait(&self, timeout: Option<Duration>) {
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        let mut woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
        while !*woken {
            woken = match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => return,
                Some(left) => self.wake.wait_timeout(woken, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.wake.wait(woken).unwrap_or_else(PoisonError::into_inner),
            };
        }
        *woken = false;
    }
}

impl RingWaker for Waker {
    fn wake(&self) {
        *self.woken.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.wake.notify_all();
    }
}
