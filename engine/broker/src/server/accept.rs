//! The listener.

use std::sync::Arc;
use std::time::Duration;

use logdyno_wire::transport::Listener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::connection::{Connection, ConnectionLimits, FAREWELL};
use crate::handlers::Desk;

/// A process without free file descriptors can accept again when a connection closes.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(100);

/// Takes connections until `stopping`; then all of them end, once what was asked on them is answered.
pub(crate) async fn serve(listener: Listener, desk: Arc<Desk>, mut stopping: watch::Receiver<bool>) {
    let limits = ConnectionLimits::of(&desk.config);
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
        let place = match desk.load.take_in(peer.ip()) {
            Ok(place) => place,
            Err(full) => {
                desk.counters.connections_refused.one();
                tracing::warn!(%peer, "connection closed: {full}");
                continue;
            }
        };
        desk.counters.connections.one();
        let connection = Connection { peer, desk: Arc::clone(&desk), limits };
        let stopping = stopping.clone();
        connections.spawn(async move {
            connection.run(stream, stopping).await;
            drop(place);
        });
    }
    drop(tokio::time::timeout(FAREWELL, async { while connections.join_next().await.is_some() {} }).await);
    connections.shutdown().await;
}
