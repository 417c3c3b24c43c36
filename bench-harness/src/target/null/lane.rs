//! The way from one producer to the consumer. No two producers share a lock.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::{WAITING_MAX, lock};
use crate::target::Outgoing;

/// One producer's records that the consumer has not taken.
#[derive(Default)]
pub(super) struct Lane {
    state: Mutex<State>,
    /// They were taken, or what was taken has its receipts, or nobody will.
    moved: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<Outgoing>,
    /// Taken and without receipts yet.
    is_in_hand: bool,
    is_closed: bool,
}

/// What became of a record.
pub(super) enum Pushed {
    /// Nothing waited before it: the consumer must be told.
    First,
    /// The consumer knows that there is something.
    Behind,
    /// There is no consumer.
    Refused(Outgoing),
}

impl Lane {
    /// Puts a record behind the others, as soon as there is room.
    pub(super) fn push(&self, record: Outgoing) -> Pushed {
        let mut state = lock(&self.state);
        while state.waiting.len() >= WAITING_MAX && !state.is_closed {
            state = self.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.is_closed {
            return Pushed::Refused(record);
        }
        state.waiting.push(record);
        if state.waiting.len() == 1 { Pushed::First } else { Pushed::Behind }
    }

    /// Swaps what waits for `taken`, which is empty.
    pub(super) fn take(&self, taken: &mut Vec<Outgoing>) {
        let mut state = lock(&self.state);
        std::mem::swap(&mut state.waiting, taken);
        state.is_in_hand = !taken.is_empty();
        let was_full = taken.len() >= WAITING_MAX;
        drop(state);
        if was_full {
            self.moved.notify_all();
        }
    }

    /// What was taken has its receipts.
    pub(super) fn settle(&self) {
        lock(&self.state).is_in_hand = false;
        self.moved.notify_all();
    }

    /// Nobody will take anything any more.
    pub(super) fn close(&self) {
        lock(&self.state).is_closed = true;
        self.moved.notify_all();
    }

    /// Waits until everything before has its receipt.
    pub(super) fn wait_for_receipts(&self) {
        let state = lock(&self.state);
        let is_open = |state: &mut State| !state.is_closed && (state.is_in_hand || !state.waiting.is_empty());
        drop(self.moved.wait_while(state, is_open).unwrap_or_else(PoisonError::into_inner));
    }
}

/// Tells the consumer that something came to an empty lane.
#[derive(Default)]
pub(super) struct Arrivals {
    told: Mutex<bool>,
    changed: Condvar,
}

impl Arrivals {
    pub(super) fn tell(&self) {
        // A consumer that was told and has not looked yet needs no call to the kernel.
        if !std::mem::replace(&mut *lock(&self.told), true) {
            self.changed.notify_one();
        }
    }

    /// Waits at most `timeout` for something new; what came before the last wait ended is not new.
    pub(super) fn wait(&self, timeout: Duration) {
        let told = lock(&self.told);
        let waited = self.changed.wait_timeout_while(told, timeout, |told| !*told);
        *waited.unwrap_or_else(PoisonError::into_inner).0 = false;
    }
}
