//! SIGINT and SIGTERM as something to wait for.

use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Set once the user, or whoever runs us, has asked for the end.
#[derive(Clone, Default)]
pub struct Stop {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    asked: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    /// Watches SIGINT (Ctrl-C) and SIGTERM from now on. A second signal ends the process at once.
    pub fn on_signals() -> io::Result<Stop> {
        let stop = Stop::default();
        let asked = stop.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let (started, has_started) = std::sync::mpsc::sync_channel(1);
        std::thread::Builder::new().name("signals".into()).spawn(move || {
            runtime.block_on(async {
                use tokio::signal::unix::{SignalKind, signal};
                let watched =
                    signal(SignalKind::interrupt()).and_then(|int| Ok((int, signal(SignalKind::terminate())?)));
                let (mut interrupt, mut terminate) = match watched {
                    Ok(signals) => signals,
                    Err(error) => return drop(started.send(Err(error))),
                };
                drop(started.send(Ok(())));
                tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
                asked.ask();
                tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
                std::process::exit(1);
            });
        })?;
        has_started.recv().map_err(io::Error::other)??;
        Ok(stop)
    }

    /// Asks for the end.
    pub fn ask(&self) {
        *self.inner.asked.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.inner.changed.notify_all();
    }

    /// Whether the end was asked for.
    pub fn asked(&self) -> bool {
        *self.inner.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the end is asked for.
    pub fn wait(&self) {
        while !self.wait_for(Duration::from_secs(3600)) {}
    }

    /// Waits at most this long; true if the end was asked for.
    pub fn wait_for(&self, timeout: Duration) -> bool {
        let asked = self.inner.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let (asked, _) = self
            .inner
            .changed
            .wait_timeout_while(asked, timeout, |asked| !*asked)
            .unwrap_or_else(PoisonError::into_inner);
        *asked
    }
}
