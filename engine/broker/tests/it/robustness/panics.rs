//! Panics of a broker's threads: a task that panics only ends its connection, so that nobody would hear of it.

use std::sync::{Mutex, Once, PoisonError};

/// The threads that have panicked since somebody watches.
static PANICKED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Tells of panics of one broker's threads.
pub(super) struct Panics {
    thread: String,
}

impl Panics {
    /// Watches the threads named `broker-NODE`; tests share a process, so that a node of its own tells a broker from the others.
    pub(super) fn of(node: i32) -> Panics {
        static WATCHING: Once = Once::new();
        WATCHING.call_once(|| {
            let tell = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                let name = std::thread::current().name().unwrap_or_default().to_owned();
                PANICKED.lock().unwrap_or_else(PoisonError::into_inner).push(name);
                tell(panic);
            }));
        });
        Panics { thread: format!("broker-{node}") }
    }

    pub(super) fn count(&self) -> usize {
        let panicked = PANICKED.lock().unwrap_or_else(PoisonError::into_inner);
        panicked.iter().filter(|name| **name == self.thread).count()
    }
}
