//! `flush.ms`, which a broker sees to with a task of its own: here a thread does.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use logdyno_engine::segment_log::Log;

use super::failed;
use crate::target::TargetError;

/// It is looked at least so often, as in a broker.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Makes durable what has waited for `flush.ms`, as long as this is kept.
pub(super) struct Flushing {
    /// Dropped to end the thread.
    running: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Flushing {
    /// `None` if nothing is ever to be flushed for its age.
    pub(super) fn start(logs: &Arc<[Arc<Log>]>) -> Result<Option<Flushing>, TargetError> {
        let flush_ms = logs.iter().map(|log| log.config().flush_ms).min().filter(|ms| *ms < i64::MAX as u64);
        let Some(flush_ms) = flush_ms else { return Ok(None) };
        let pause = Duration::from_millis(flush_ms.max(1)).min(LOOK_EVERY);
        let (running, ended) = channel::<()>();
        let logs = Arc::clone(logs);
        let flush = move || {
            while ended.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                for log in logs.iter() {
                    if let Err(error) = log.flush_aged() {
                        tracing::error!(partition = %log.partition(), "the log could not be flushed: {error}");
                    }
                }
            }
        };
        let thread = std::thread::Builder::new().name("log-flush".to_owned()).spawn(flush).map_err(failed)?;
        Ok(Some(Flushing { running: Some(running), thread: Some(thread) }))
    }
}

impl Drop for Flushing {
    fn drop(&mut self) {
        drop(self.running.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that flushes logs panicked");
        }
    }
}
