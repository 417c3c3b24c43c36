//! What a consumer, its wakeup handles and its thread share.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use logdyno_record::{Clock, Probe};

use super::assignment::Assignment;
use crate::config::ConsumerConfig;
use crate::network::{Network, Wake};

pub(super) struct ConsumerShared {
    pub(super) config: ConsumerConfig,
    pub(super) network: Arc<Network>,
    pub(super) assignment: Mutex<Assignment>,
    /// Told when a fetch or reset has come back, and by wakeup.
    pub(super) changed: Condvar,
    /// Wakes the fetcher.
    pub(super) wake: Wake,
    pub(super) closing: AtomicBool,
    pub(super) turn: AtomicUsize,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) probe: Arc<dyn Probe>,
}

impl ConsumerShared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Assignment> {
        self.assignment.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// A number that grows: which partition stands first in the next request.
    pub(super) fn next_turn(&self) -> usize {
        self.turn.fetch_add(1, Ordering::Relaxed)
    }
}
