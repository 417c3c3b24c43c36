//! Tells a waiting reader that some log has more to read.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Counts arrivals, so that none is missed between a look at the logs and the wait.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    count: Mutex<u64>,
    changed: Condvar,
}

impl Arrivals {
    /// Something has arrived.
    pub(super) fn tell(&self) {
        *self.lock() += 1;
        self.changed.notify_all();
    }

    /// How many there were so far: to be asked before the look at the logs.
    pub(super) fn count(&self) -> u64 {
        *self.lock()
    }

    /// Waits for one after the first `seen`; false if none came in time.
    pub(super) fn wait(&self, seen: u64, timeout: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.lock(), timeout, |count| *count == seen);
        *waited.unwrap_or_else(PoisonError::into_inner).0 != seen
    }

    fn lock(&self) -> MutexGuard<'_, u64> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
