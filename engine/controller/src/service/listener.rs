//! Connections of the controller's listener.

use std::net::SocketAddr;
use std::time::Duration;

use logdyno_wire::frame::{FrameLimits, FrameReader, write_pieces};
use logdyno_wire::transport::{Listener, Stream};
use tokio::task::JoinSet;

use super::dispatch::Desk;

/// Kafka's `connections.max.idle.ms`.
const IDLE_MAX: Duration = Duration::from_secs(600);
/// Who stops in the middle of a request for this long does not go on.
const STALL_MAX: Duration = Duration::from_secs(30);

/// Accepts connections for ever; they end with this future.
pub(crate) async fn accept(listener: Listener, desk: Desk, request_bytes_max: usize) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(serve(stream, peer, desk.clone(), request_bytes_max));
                }
                Err(error) => tracing::warn!("the controller could not accept a connection: {error}"),
            },
            Some(ended) = connections.join_next() => {
                if let Err(failed) = ended {
                    tracing::error!("a connection of the controller ended by a bug: {failed}");
                }
            }
        }
    }
}

/// Answers one connection's requests in order, until it ends or sends what cannot be answered.
async fn serve(stream: Stream, peer: SocketAddr, desk: Desk, request_bytes_max: usize) {
    let (read, mut write) = stream.into_split();
    let limits = FrameLimits { bytes_max: request_bytes_max, idle: Some(IDLE_MAX), stall: Some(STALL_MAX) };
    let mut frames = FrameReader::new(read, limits);
    loop {
        let frame = match frames.next().await {
            Ok(Some(frame)) => frame,
            Ok(None) => return,
            Err(error) => return tracing::warn!(%peer, "the controller closes a connection: {error}"),
        };
        let answer = match desk.answer(frame).await {
            Ok(answer) => answer,
            Err(error) => return tracing::warn!(%peer, "the controller closes a connection: {error}"),
        };
        if let Err(error) = write_pieces(&mut write, &answer).await {
            return tracing::warn!(%peer, "the controller could not answer: {error}");
        }
    }
}
