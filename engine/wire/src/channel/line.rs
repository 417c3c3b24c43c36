//! What both ends of a channel's connection share: ids, the queue of requests, and who waits for which answer.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::RequestHeader;
use kafka_protocol::protocol::{Encodable, Request, StrBytes};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::sent::Sent;
use super::{ChannelConfig, ChannelError};

/// A connection as its channel, its two tasks and its unanswered requests see it.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) address: String,
    pub(super) config: ChannelConfig,
    client_id: StrBytes,
    state: Mutex<State>,
    closing: watch::Sender<bool>,
}

#[derive(Debug)]
struct State {
    next_correlation_id: i32,
    in_flight: VecDeque<InFlight>,
    /// `None` once the connection has ended.
    outgoing: Option<mpsc::UnboundedSender<Outgoing>>,
    end: String,
}

#[derive(Debug)]
struct InFlight {
    correlation_id: i32,
    answer: oneshot::Sender<Bytes>,
}

/// A request on its way to the socket.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) frame: Bytes,
    pub(super) handed: oneshot::Sender<()>,
}

impl Line {
    /// A line, the requests that are to be carried, and what tells that it has closed.
    pub(super) fn new(
        address: &str,
        client_id: &str,
        config: ChannelConfig,
    ) -> (Line, mpsc::UnboundedReceiver<Outgoing>, watch::Receiver<bool>) {
        let (outgoing, queue) = mpsc::unbounded_channel();
        let (closing, closed) = watch::channel(false);
        let state =
            State { next_correlation_id: 0, in_flight: VecDeque::new(), outgoing: Some(outgoing), end: String::new() };
        let line = Line {
            address: address.to_owned(),
            config,
            client_id: StrBytes::from_string(client_id.to_owned()),
            state: Mutex::new(state),
            closing,
        };
        (line, queue, closed)
    }

    /// Resolves when the request has been handed to the socket. `request.timeout.ms` counts from here on, so that a peer that
    /// reads nothing holds nobody up.
    pub(super) async fn send<Q: Request, R>(
        self: &Arc<Self>,
        request: &Q,
        version: i16,
        answered: bool,
    ) -> Result<Sent<R>, ChannelError> {
        let begun = Instant::now();
        let (answer, receiver) = oneshot::channel();
        let (handed, handing) = oneshot::channel();
        self.queue(request, version, answered.then_some(answer), handed)?;
        self.in_time(begun, handing).await?;
        let answer = answered.then_some(receiver);
        Ok(Sent::new(Arc::clone(self), begun, answer, Q::KEY, version))
    }

    /// Waits for a part of a request that began at `begun`. If it does not come in time, the connection is closed and everything
    /// in flight fails: requests and answers have one order, so whatever follows would be late too.
    pub(super) async fn in_time<T>(&self, begun: Instant, part: oneshot::Receiver<T>) -> Result<T, ChannelError> {
        let timeout = self.config.request_timeout;
        match tokio::time::timeout(timeout.saturating_sub(begun.elapsed()), part).await {
            Ok(Ok(part)) => Ok(part),
            Ok(Err(_)) => Err(self.ended()),
            Err(_) => {
                self.close(&format!("a request was not done within {timeout:?}"));
                Err(ChannelError::TimedOut { address: self.address.clone(), timeout })
            }
        }
    }

    /// Encodes before it takes the lock; the correlation id is filled in under it, so that ids, queue and answers have one order.
    fn queue<Q: Request>(
        &self,
        request: &Q,
        version: i16,
        answer: Option<oneshot::Sender<Bytes>>,
        handed: oneshot::Sender<()>,
    ) -> Result<(), ChannelError> {
        const CORRELATION_ID_AT: usize = 4 + 2 + 2;
        let mut frame = self.encode(request, version)?;
        let mut state = self.state();
        let Some(outgoing) = state.outgoing.clone() else {
            drop(state);
            return Err(self.ended());
        };
        let correlation_id = state.next_correlation_id;
        state.next_correlation_id = correlation_id.wrapping_add(1) & i32::MAX;
        frame[CORRELATION_ID_AT..CORRELATION_ID_AT + 4].copy_from_slice(&correlation_id.to_be_bytes());
        if let Some(answer) = answer {
            state.in_flight.push_back(InFlight { correlation_id, answer });
        }
        let sent = outgoing.send(Outgoing { frame: frame.freeze(), handed });
        drop(state);
        sent.map_err(|_| self.ended())
    }

    fn encode<Q: Request>(&self, request: &Q, version: i16) -> Result<BytesMut, ChannelError> {
        let protocol = |reason: String| ChannelError::Protocol { address: self.address.clone(), reason };
        let header = RequestHeader::default()
            .with_request_api_key(Q::KEY)
            .with_request_api_version(version)
            .with_client_id(Some(self.client_id.clone()));
        let bytes = request.compute_size(version).map_err(|error| protocol(format!("{error:#}")))?;
        let mut frame = BytesMut::with_capacity(bytes + 32 + self.client_id.len());
        frame.put_i32(0);
        header
            .encode(&mut frame, Q::header_version(version))
            .and_then(|()| request.encode(&mut frame, version))
            .map_err(|error| protocol(format!("{error:#}")))?;
        let length = i32::try_from(frame.len() - 4).map_err(|error| protocol(error.to_string()))?;
        frame[..4].copy_from_slice(&length.to_be_bytes());
        Ok(frame)
    }

    /// Gives an answer to the request it belongs to.
    pub(super) fn hand_out(&self, frame: Bytes) -> Result<(), String> {
        let correlation_id = frame.get(..4).map(|mut id| id.get_i32()).ok_or("an answer has no header")?;
        let waiting = self.state().in_flight.pop_front().ok_or("an answer came that nobody had asked for")?;
        if waiting.correlation_id != correlation_id {
            return Err(format!("an answer to {correlation_id} came before the one to {}", waiting.correlation_id));
        }
        // Whoever asked may have gone; the answer is not missed then.
        drop(waiting.answer.send(frame));
        Ok(())
    }

    /// The first reason stays.
    pub(super) fn close(&self, reason: &str) {
        let mut state = self.state();
        if state.outgoing.take().is_some() {
            reason.clone_into(&mut state.end);
        }
        let failed = std::mem::take(&mut state.in_flight);
        drop(state);
        drop(failed);
        self.closing.send_replace(true);
    }

    pub(super) fn breakdown(&self, reason: &str) -> ChannelError {
        self.close(reason);
        ChannelError::Protocol { address: self.address.clone(), reason: reason.to_owned() }
    }

    pub(super) fn ended(&self) -> ChannelError {
        ChannelError::Closed { address: self.address.clone(), reason: self.state().end.clone() }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state().outgoing.is_none()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
