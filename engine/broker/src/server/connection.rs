//! One connection: requests are taken one after the other, and their answers leave in the same order.
//!
//! What a request changes (an append) is done when it is taken; what it waits for (replicas, more records) is waited for when its answer is
//! the next to leave. So appends of a connection keep their order, several may wait for their replicas at a time, and a parked fetch holds
//! up what was asked after it, as Kafka's muted channel does. What was taken is carried out also if its sender has gone meanwhile.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use logdyno_wire::frame::{FrameError, FrameLimits, FrameReader, write_pieces};
use logdyno_wire::transport::{ReadHalf, Stream, WriteHalf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use crate::config::{BrokerConfig, millis};
use crate::handlers::{self, Answer, Desk, Pending, Unanswerable};

/// How long a broker that stops, or a connection whose peer has gone, sees through what was taken. A fetch that has nothing to tell and an
/// append that misses its replicas may take longer than anybody wants to wait.
pub(super) const FAREWELL: Duration = Duration::from_secs(1);

/// Bytes in flight are counted in units of this many.
const UNIT_BYTES: usize = 1024;

/// What one connection may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConnectionLimits {
    frame: FrameLimits,
    requests: usize,
    units: u32,
    answer_wait: Duration,
}

impl ConnectionLimits {
    pub(super) fn of(config: &BrokerConfig) -> ConnectionLimits {
        let count = |number: i32| usize::try_from(number).unwrap_or(1);
        let patience = millis(config.connections_max_idle_ms);
        let bytes_max = count(config.socket_request_max_bytes);
        ConnectionLimits {
            frame: FrameLimits { bytes_max, idle: Some(patience), stall: Some(patience) },
            requests: count(config.connection_requests_max),
            units: units(count(config.connection_bytes_max)),
            answer_wait: patience,
        }
    }
}

fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX).max(1)
}

/// A connection about to be served.
pub(super) struct Connection {
    pub(super) peer: SocketAddr,
    pub(super) desk: Arc<Desk>,
    pub(super) limits: ConnectionLimits,
}

/// A request whose answer is still to come.
struct Queued {
    pending: Pending,
    /// Of this connection's room, until it is answered.
    _bytes: OwnedSemaphorePermit,
    /// Of all connections' room, until it is begun. What it waits for then may be another connection's request.
    of_all: Option<OwnedSemaphorePermit>,
}

/// Why no more requests are taken.
enum End {
    /// The peer has closed, or was idle for too long.
    Closed,
    /// The broker stops.
    Stopping,
}

/// Why a connection ends before its peer wants it to.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Request(#[from] Unanswerable),
    #[error("it took no answers for {0:?}")]
    Deaf(Duration),
    #[error("an answer could not be sent: {0}")]
    Send(std::io::Error),
}

impl Connection {
    /// Serves until the peer closes, does what no peer should, or the broker stops.
    pub(super) async fn run(self, stream: Stream, stopping: watch::Receiver<bool>) {
        let (read, mut write) = stream.into_split();
        let mut frames = FrameReader::new(read, self.limits.frame);
        let (queue, taken) = mpsc::channel(self.limits.requests);
        let waiting = AtomicUsize::new(0);
        let mut answers = pin!(self.send_answers(&mut write, taken, &waiting));
        let ended = tokio::select! {
            ended = self.take_requests(&mut frames, queue, &waiting, stopping) => match ended {
                // What was taken is answered: what a client has no answer to it sends again.
                Ok(End::Stopping) => answers.await,
                // It may have said something without waiting for the answer.
                gone => {
                    drop(tokio::time::timeout(FAREWELL, answers).await);
                    gone.map(|_| ())
                }
            },
            ended = &mut answers => ended,
        };
        // Told before both halves go, so that who sees the connection closed finds it counted.
        if let Err(fault) = ended {
            self.desk.counters.connections_failed.one();
            tracing::warn!(peer = %self.peer, "connection closed: {fault}");
        }
    }

    async fn take_requests(
        &self,
        frames: &mut FrameReader<ReadHalf>,
        queue: mpsc::Sender<Queued>,
        waiting: &AtomicUsize,
        mut stopping: watch::Receiver<bool>,
    ) -> Result<End, Fault> {
        let room = Arc::new(Semaphore::new(self.limits.units as usize));
        let mut moved = 0;
        loop {
            // Between two requests: one that was taken is seen through.
            let length = tokio::select! {
                length = self.next_length(frames, waiting) => length?,
                _ = stopping.wait_for(|stopping| *stopping) => return Ok(End::Stopping),
            };
            let Some(length) = length else { return Ok(End::Closed) };
            let wanted = units(length).min(self.limits.units);
            // Neither semaphore nor queue closes while this connection runs; if one did, the connection would be at its end.
            let Ok(bytes) = Arc::clone(&room).acquire_many_owned(wanted).await else { return Ok(End::Closed) };
            let Some(of_all) = self.desk.load.request(length).await else { return Ok(End::Closed) };
            let frame = frames.body(length).await?;
            let counters = &self.desk.counters;
            counters.requests.one();
            counters.request_bytes.add(frame.len() as u64);
            counters.bytes_moved_in.add(frames.bytes_moved() - std::mem::replace(&mut moved, frames.bytes_moved()));
            let Ok(place) = queue.reserve().await else { return Ok(End::Closed) };
            let handlers::Taken { pending, is_done } = handlers::take(&self.desk, self.peer.ip(), frame).await?;
            waiting.fetch_add(1, Ordering::Relaxed);
            place.send(Queued { pending, _bytes: bytes, of_all: (!is_done).then_some(of_all) });
        }
    }

    /// The next request's length, before memory is taken for it. A peer that waits for an answer is not idle.
    async fn next_length(
        &self,
        frames: &mut FrameReader<ReadHalf>,
        waiting: &AtomicUsize,
    ) -> Result<Option<usize>, FrameError> {
        loop {
            match frames.length().await {
                Err(FrameError::Silent { mid_frame: false }) if waiting.load(Ordering::Relaxed) > 0 => {}
                Err(FrameError::Silent { mid_frame: false }) => {
                    tracing::debug!(peer = %self.peer, "connection closed: idle for connections.max.idle.ms");
                    return Ok(None);
                }
                other => return other,
            }
        }
    }

    /// Carries requests out and sends what comes of them. Where nobody takes answers any more, the rest is carried out all the same.
    async fn send_answers(
        &self,
        write: &mut WriteHalf,
        mut taken: mpsc::Receiver<Queued>,
        waiting: &AtomicUsize,
    ) -> Result<(), Fault> {
        let mut outcome = Ok(());
        while let Some(Queued { mut pending, of_all, _bytes }) = taken.recv().await {
            let begun = poll_fn(|context| Poll::Ready(pending.as_mut().poll(context))).await;
            drop(of_all);
            let answer = match begun {
                Poll::Ready(answer) => answer,
                Poll::Pending => pending.await,
            }?;
            if outcome.is_ok() {
                outcome = self.send_answer(write, answer).await;
            }
            waiting.fetch_sub(1, Ordering::Relaxed);
            if let Err(Fault::Deaf(_)) = outcome {
                break;
            }
        }
        outcome
    }

    async fn send_answer(&self, write: &mut WriteHalf, answer: Answer) -> Result<(), Fault> {
        match answer {
            Answer::Frame(pieces) => self.send(write, &pieces).await,
            Answer::Records(pieces, lent) => {
                let sent = self.send(write, &pieces).await;
                drop((pieces, lent));
                sent
            }
            Answer::Silent => Ok(()),
        }
    }

    async fn send(&self, write: &mut WriteHalf, pieces: &[Bytes]) -> Result<(), Fault> {
        let patience = self.limits.answer_wait;
        let sent = tokio::time::timeout(patience, write_pieces(write, pieces)).await;
        sent.map_err(|_| Fault::Deaf(patience))?.map_err(Fault::Send)?;
        let bytes: usize = pieces.iter().map(Bytes::len).sum();
        self.desk.counters.answer_bytes.add(bytes as u64);
        Ok(())
    }
}
