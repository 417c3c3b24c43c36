//! Calling other people's code from the ring thread.

use std::panic::AssertUnwindSafe;

/// Runs a callback: a waiter, a waker, the receiver of a read. One that panics must not take along the thread on
/// which all other segments depend.
pub(super) fn undisturbed(callback: impl FnOnce()) {
    if std::panic::catch_unwind(AssertUnwindSafe(callback)).is_err() {
        tracing::error!("a callback of the storage backend panicked; the backend goes on");
    }
}
