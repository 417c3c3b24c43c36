//! A few named threads that run jobs in the order they came.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

type Job = Box<dyn FnOnce() + Send>;

/// Threads that stop, after what is queued has run, when this is dropped.
pub(crate) struct Workers {
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    stopping: bool,
}

impl Workers {
    /// Starts `count` threads of this name.
    pub(crate) fn start(name: &'static str, count: usize) -> std::io::Result<Workers> {
        let queue = Arc::new(Queue::default());
        let mut workers = Workers { queue: queue.clone(), threads: Vec::new() };
        for _ in 0..count.max(1) {
            let queue = queue.clone();
            let thread = std::thread::Builder::new().name(name.into()).spawn(move || queue.work())?;
            workers.threads.push(thread);
        }
        Ok(workers)
    }

    /// Runs `job` on one of the threads, after those that were given before.
    pub(crate) fn run(&self, job: impl FnOnce() + Send + 'static) {
        self.queue.state().jobs.push_back(Box::new(job));
        self.queue.arrived.notify_one();
    }
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Option<Job> {
        let mut state = self.state();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            if state.stopping {
                return None;
            }
            state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn work(&self) {
        while let Some(job) = self.next() {
            // A job calls waiters of other crates: one that panics must not take the others' thread along.
            if std::panic::catch_unwind(AssertUnwindSafe(job)).is_err() {
                tracing::error!("a storage job panicked; its thread goes on");
            }
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.queue.state().stopping = true;
        self.queue.arrived.notify_all();
        for thread in self.threads.drain(..) {
            // The last owner may be a job's own closure; a thread cannot wait for itself.
            if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
                tracing::error!("a storage thread panicked");
            }
        }
    }
}
