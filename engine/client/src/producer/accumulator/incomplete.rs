//! The batches that are not done yet: what `flush` and `close` wait for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::producer::completion::Completion;

/// Completions by identity.
#[derive(Default)]
pub(crate) struct Incomplete(Mutex<HashMap<usize, Arc<Completion>>>);

impl Incomplete {
    /// A batch begins.
    pub(crate) fn add(&self, completion: &Arc<Completion>) {
        self.lock().insert(Arc::as_ptr(completion).addr(), Arc::clone(completion));
    }

    /// A batch is done, or was split into others.
    pub(crate) fn remove(&self, completion: &Arc<Completion>) {
        self.lock().remove(&Arc::as_ptr(completion).addr());
    }

    /// All that are not done now.
    pub(crate) fn snapshot(&self) -> Vec<Arc<Completion>> {
        self.lock().values().map(Arc::clone).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<usize, Arc<Completion>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
