//! A sync that was begun, and who does what of it blocks.

use std::fmt;

/// A sync that was begun by [`crate::Writer::begin_sync`]: the mark of its level passes [`PendingSync::position`] when it is done,
/// or the marks are poisoned.
///
/// It waits to be told who does what blocks: a thread of the backend's ([`PendingSync::elsewhere`], or a drop), or the caller's, if
/// that would do nothing but wait ([`PendingSync::here`]): a small commit takes about 100 µs on the device, and waking another
/// thread and being woken by it adds a quarter to that.
#[must_use = "a sync goes on when it has been told where"]
pub struct PendingSync {
    position: u64,
    blocking: Option<Box<dyn BlockingSync>>,
}

/// What of a sync blocks. One of the two is called, once.
pub trait BlockingSync: Send {
    /// Does it on this thread, or leaves it to the backend after all. Never holds up other callers of the file.
    fn here(self: Box<Self>);

    /// Hands it to a thread of the backend's.
    fn elsewhere(self: Box<Self>);
}

impl PendingSync {
    /// A sync that needs nobody's help any more.
    pub fn under_way(position: u64) -> PendingSync {
        PendingSync { position, blocking: None }
    }

    /// A sync of everything before `position` of which `blocking` is to be done yet.
    pub fn new(position: u64, blocking: impl BlockingSync + 'static) -> PendingSync {
        PendingSync { position, blocking: Some(Box::new(blocking)) }
    }

    /// Everything before this is covered.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Does what blocks on this thread. Other appends and syncs of the file go on meanwhile, so hold no lock that they need.
    ///
    /// The mark may pass the position later than this returns: where others are at work on the file, it is left to them.
    pub fn here(mut self) -> u64 {
        if let Some(blocking) = self.blocking.take() {
            blocking.here();
        }
        self.position
    }

    /// Leaves what blocks to the backend, and does not wait.
    pub fn elsewhere(self) -> u64 {
        self.position
    }
}

impl Drop for PendingSync {
    fn drop(&mut self) {
        if let Some(blocking) = self.blocking.take() {
            blocking.elsewhere();
        }
    }
}

impl fmt::Debug for PendingSync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingSync").field("position", &self.position).finish_non_exhaustive()
    }
}
