//! A client's background thread: a single-threaded runtime.

use std::sync::{Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::error::ClientError;

/// The thread. It ends when the work it was started with returns.
pub(crate) struct Background {
    handle: Handle,
    /// In a mutex only so that threads can share a client: a receiver alone is for one thread.
    ended: Mutex<mpsc::Receiver<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    /// Runs `work` on a thread of its own.
    pub(crate) fn start<W, F>(name: &str, work: W) -> Result<Background, ClientError>
    where
        W: FnOnce() -> F + Send + 'static,
        F: Future<Output = ()>,
    {
        let start = |error: std::io::Error| ClientError::Start { reason: error.to_string() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(start)?;
        let handle = runtime.handle().clone();
        let (alive, ended) = mpsc::channel();
        let run = move || {
            // Dropped at the end, also by a panic: that is how the end is seen.
            let _alive: mpsc::Sender<()> = alive;
            runtime.block_on(async { work().await });
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run).map_err(start)?;
        Ok(Background { handle, ended: Mutex::new(ended), thread: Some(thread) })
    }

    /// Runs `task` on the thread and waits here for what it returns; `None` if the thread has ended.
    pub(crate) fn call<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let (answer, answered) = mpsc::sync_channel(1);
        let handle = self.handle.spawn(async move {
            // Nobody listens any more if the caller's thread is gone.
            drop(answer.send(task.await));
        });
        let result = answered.recv().ok();
        drop(handle);
        result
    }

    /// Whether this is called on the thread itself, which cannot wait for what it has to do.
    pub(crate) fn is_this_thread(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| thread.thread().id() == std::thread::current().id())
    }

    /// Waits until the thread has ended; `false` if the time is over before.
    pub(crate) fn wait_end(&mut self, patience: Duration) -> bool {
        let patience = patience.min(Duration::from_secs(365 * 24 * 3600));
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        if ended.recv_timeout(patience) == Err(mpsc::RecvTimeoutError::Timeout) {
            return false;
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("a client's background thread panicked");
        }
        true
    }
}
