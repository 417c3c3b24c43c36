//! The listener.

use std::sync::Arc;
use std::time::Duration;

use logdyno_wire::transport::Listener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::connection::{Connection, ConnectionLimits};
use crate::config::BrokerConfig;
use crate::handlers::Desk;

/// A process without free file descriptors can accept again when a connection closes.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(100);

/// Takes connections until `stopping`; then all of them end.
pub(crate) async fn serve(listener: Listener, desk: Arc<Desk>, mut stopping: watch::Receiver<bool>) {
    let limits = ConnectionLimits::of(&desk.config);
    let free = Arc::new(Semaphore::new(connections_max(&desk.config)));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            _ = stopping.wait_for(|stopping| *stopping) => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!("a connection could not be taken: {error}");
                tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&free).try_acquire_owned() else {
            desk.counters.connections_refused.one();
            tracing::warn!(%peer, "connection closed: there are max.connections={} already", desk.config.max_connections);
            continue;
        };
        desk.counters.connections.one();
        let connection = Connection { peer, desk: Arc::clone(&desk), limits };
        connections.spawn(async move {
            connection.run(stream).await;
            drop(place);
        });
    }
    connections.shutdown().await;
}

fn connections_max(config: &BrokerConfig) -> usize {
    usize::try_from(config.max_connections).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS)
}
