//! A bare run's only ear: how many records were acknowledged, and the first that failed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use logdyno_engine::record::Offset;

use crate::target::{Receipts, Ticket};

/// Counts.
#[derive(Debug, Default)]
pub(super) struct Counting {
    acknowledged: AtomicU64,
    failed: Mutex<Option<String>>,
}

impl Counting {
    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    pub(super) fn failed(&self) -> Option<String> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Receipts for Counting {
    fn acknowledged(&self, _: Ticket, _: i32, _: Option<Offset>) {
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
    }

    fn failed(&self, _: Ticket, reason: &str) {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| reason.to_owned());
    }
}
