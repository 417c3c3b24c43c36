//! A client's connection to a broker: versions negotiated once, several requests in flight, answers in order.

use std::collections::{HashMap, VecDeque};
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, ApiVersionsResponse, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::Encodable;
use kafka_protocol::protocol::{Decodable, HeaderVersion, Message, Request, StrBytes, VersionRange};
use tokio::sync::{mpsc, oneshot, watch};

use crate::ErrorCode;
use crate::frame::{FrameLimits, FrameReader, write_pieces};
use crate::transport::{ReadHalf, WriteHalf, connect};

/// The version that the first request has. Brokers that do not know it say so in version 0 (KIP-511).
const API_VERSIONS_VERSION: i16 = 3;
/// Answers may be larger than requests: a consumer's `fetch.max.bytes` plus a first batch of any size.
const ANSWER_BYTES_MAX: usize = i32::MAX as usize;

/// How a channel behaves.
#[derive(Clone, Debug)]
pub struct ChannelConfig {
    /// `request.timeout.ms`: without an answer for this long the connection is closed.
    pub request_timeout: Duration,
    /// `socket.connection.setup.timeout.ms`.
    pub connect_timeout: Duration,
    /// The largest answer that is taken.
    pub answer_bytes_max: usize,
}

impl Default for ChannelConfig {
    /// Kafka's defaults.
    fn default() -> ChannelConfig {
        ChannelConfig {
            request_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            answer_bytes_max: ANSWER_BYTES_MAX,
        }
    }
}

/// Why a request has no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ChannelError {
    /// No connection came about.
    #[error("cannot connect to {address}: {reason}")]
    Connect {
        /// As asked for.
        address: String,
        /// The system's words.
        reason: String,
    },
    /// The peer does not serve the API in a version that is known here.
    #[error("{address} does not serve {api:?} in a version that this client knows")]
    NotServed {
        /// The peer.
        address: String,
        /// The API.
        api: ApiKey,
    },
    /// The connection ended before the answer.
    #[error("the connection to {address} ended: {reason}")]
    Closed {
        /// The peer.
        address: String,
        /// Why.
        reason: String,
    },
    /// No answer in time.
    #[error("{address} did not answer within {timeout:?}; the connection was closed")]
    TimedOut {
        /// The peer.
        address: String,
        /// `request.timeout.ms`.
        timeout: Duration,
    },
    /// An answer that makes no sense, or a request that the version cannot carry.
    #[error("the conversation with {address} broke down: {reason}")]
    Protocol {
        /// The peer.
        address: String,
        /// What happened.
        reason: String,
    },
    /// A request whose answer nobody waits for has none.
    #[error("the request asked for no answer")]
    Unanswered,
}

/// A connection. Clones share it; it closes when the last of them is dropped.
#[derive(Clone, Debug)]
pub struct Channel {
    handle: Arc<Handle>,
    versions: Arc<HashMap<i16, VersionRange>>,
}

/// What keeps the connection open.
#[derive(Debug)]
struct Handle(Arc<Shared>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.close("this side closed it");
    }
}

#[derive(Debug)]
struct Shared {
    address: String,
    client_id: StrBytes,
    config: ChannelConfig,
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

#[derive(Debug)]
struct Outgoing {
    frame: Bytes,
    handed: oneshot::Sender<()>,
}

/// A request that has been handed to the socket.
#[derive(Debug)]
#[must_use = "the answer is lost with it"]
pub struct Sent<R> {
    shared: Arc<Shared>,
    answer: Option<oneshot::Receiver<Bytes>>,
    version: i16,
    response: PhantomData<fn() -> R>,
}

impl Channel {
    /// Connects to `HOST:PORT` and finds out what is served there.
    pub async fn connect(address: &str, client_id: &str, config: ChannelConfig) -> Result<Channel, ChannelError> {
        let stream = connect(address, config.connect_timeout)
            .await
            .map_err(|error| ChannelError::Connect { address: address.to_owned(), reason: error.to_string() })?;
        let (outgoing, queue) = mpsc::unbounded_channel();
        let (closing, closed) = watch::channel(false);
        let limits = FrameLimits { bytes_max: config.answer_bytes_max, ..FrameLimits::default() };
        let shared = Arc::new(Shared {
            address: address.to_owned(),
            client_id: StrBytes::from_string(client_id.to_owned()),
            config,
            state: Mutex::new(State {
                next_correlation_id: 0,
                in_flight: VecDeque::new(),
                outgoing: Some(outgoing),
                end: String::new(),
            }),
            closing,
        });
        let (read, write) = stream.into_split();
        tokio::spawn(carry_answers(Arc::clone(&shared), FrameReader::new(read, limits), closed.clone()));
        tokio::spawn(carry_requests(Arc::clone(&shared), write, queue, closed));
        let handle = Arc::new(Handle(shared));
        let versions = Arc::new(negotiate(&handle.0).await?);
        Ok(Channel { handle, versions })
    }

    /// The peer, as it was connected to.
    pub fn address(&self) -> &str {
        &self.handle.0.address
    }

    /// Whether the connection has ended.
    pub fn is_closed(&self) -> bool {
        self.handle.0.state().outgoing.is_none()
    }

    /// The version in which a request of this kind would go out, at most `version_max`.
    pub fn version_of<R: Request>(&self, version_max: Option<i16>) -> Result<i16, ChannelError> {
        let served = self.versions.get(&R::KEY).map(|theirs| theirs.intersect(&R::VERSIONS));
        let asked = VersionRange { min: i16::MIN, max: version_max.unwrap_or(i16::MAX) };
        match served.map(|both| both.intersect(&asked)) {
            Some(range) if !range.is_empty() => Ok(range.max),
            _ => Err(ChannelError::NotServed {
                address: self.address().to_owned(),
                api: ApiKey::try_from(R::KEY).unwrap_or(ApiKey::ApiVersions),
            }),
        }
    }

    /// Sends a request and waits for its answer.
    pub async fn call<R: Request>(&self, request: R, version_max: Option<i16>) -> Result<R::Response, ChannelError> {
        self.send(request, version_max).await?.answer().await
    }

    /// Resolves when the request has been handed to the socket; the answer is waited for by [`Sent::answer`].
    ///
    /// Requests leave in the order in which these futures are first polled.
    pub async fn send<R: Request>(
        &self,
        request: R,
        version_max: Option<i16>,
    ) -> Result<Sent<R::Response>, ChannelError> {
        self.send_with(request, version_max, true).await
    }

    /// As [`Channel::send`]; `answered` is false for a request that the broker does not answer (Produce with acks=0).
    pub async fn send_with<R: Request>(
        &self,
        request: R,
        version_max: Option<i16>,
        answered: bool,
    ) -> Result<Sent<R::Response>, ChannelError> {
        let version = self.version_of::<R>(version_max)?;
        self.handle.0.send(&request, version, answered).await
    }

    /// Ends the connection; what is in flight fails.
    pub fn close(&self) {
        self.handle.0.close("this side closed it");
    }
}

impl<R: Decodable + Message + HeaderVersion> Sent<R> {
    /// Waits for the answer. When it does not come in time, the connection is closed and everything in flight fails: answers come in
    /// order, so whatever follows would be late too.
    pub async fn answer(self) -> Result<R, ChannelError> {
        let shared = Arc::clone(&self.shared);
        let version = self.version;
        let mut bytes = self.bytes().await?;
        let decoded =
            ResponseHeader::decode(&mut bytes, R::header_version(version)).and_then(|_| R::decode(&mut bytes, version));
        decoded.map_err(|error| shared.breakdown(&format!("an answer cannot be read: {error:#}")))
    }

    async fn bytes(self) -> Result<Bytes, ChannelError> {
        let answer = self.answer.ok_or(ChannelError::Unanswered)?;
        let timeout = self.shared.config.request_timeout;
        match tokio::time::timeout(timeout, answer).await {
            Ok(Ok(bytes)) => Ok(bytes),
            Ok(Err(_)) => Err(self.shared.ended()),
            Err(_) => {
                self.shared.close(&format!("a request had no answer within {timeout:?}"));
                Err(ChannelError::TimedOut { address: self.shared.address.clone(), timeout })
            }
        }
    }
}

/// Asks for the versions that the peer serves; again in an older version if it does not know the first.
async fn negotiate(shared: &Arc<Shared>) -> Result<HashMap<i16, VersionRange>, ChannelError> {
    let mut version = API_VERSIONS_VERSION;
    loop {
        let request = ApiVersionsRequest::default()
            .with_client_software_name(StrBytes::from_static_str("logdyno"))
            .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")));
        let request = if version >= 3 { request } else { ApiVersionsRequest::default() };
        let sent: Sent<ApiVersionsResponse> = shared.send(&request, version, true).await?;
        let mut body = sent.bytes().await?;
        let refused = body.get(4..6).is_some_and(|mut code| code.get_i16() == ErrorCode::UnsupportedVersion.code());
        let answered_in = if refused { 0 } else { version };
        // The header is the correlation id alone, in every version.
        let answer = ResponseHeader::decode(&mut body, 0)
            .and_then(|_| ApiVersionsResponse::decode(&mut body, answered_in))
            .map_err(|error| shared.breakdown(&format!("its ApiVersions answer cannot be read: {error:#}")))?;
        if refused && version > 0 {
            let theirs = answer.api_keys.iter().find(|api| api.api_key == ApiKey::ApiVersions as i16);
            version = theirs.map_or(0, |api| api.max_version.clamp(0, version - 1));
            continue;
        }
        if answer.error_code != 0 {
            return Err(shared.breakdown(&format!("it refused ApiVersions with error {}", answer.error_code)));
        }
        let range = |min, max| VersionRange { min, max };
        return Ok(answer.api_keys.iter().map(|api| (api.api_key, range(api.min_version, api.max_version))).collect());
    }
}

impl Shared {
    async fn send<Q: Request, R>(
        self: &Arc<Self>,
        request: &Q,
        version: i16,
        answered: bool,
    ) -> Result<Sent<R>, ChannelError> {
        let (answer, receiver) = oneshot::channel();
        let (handed, handing) = oneshot::channel();
        self.queue(request, version, answered.then_some(answer), handed)?;
        handing.await.map_err(|_| self.ended())?;
        let answer = answered.then_some(receiver);
        Ok(Sent { shared: Arc::clone(self), answer, version, response: PhantomData })
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
    fn hand_out(&self, frame: Bytes) -> Result<(), String> {
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
    fn close(&self, reason: &str) {
        let mut state = self.state();
        if state.outgoing.take().is_some() {
            reason.clone_into(&mut state.end);
        }
        let failed = std::mem::take(&mut state.in_flight);
        drop(state);
        drop(failed);
        self.closing.send_replace(true);
    }

    fn breakdown(&self, reason: &str) -> ChannelError {
        self.close(reason);
        ChannelError::Protocol { address: self.address.clone(), reason: reason.to_owned() }
    }

    fn ended(&self) -> ChannelError {
        ChannelError::Closed { address: self.address.clone(), reason: self.state().end.clone() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn carry_answers(shared: Arc<Shared>, mut frames: FrameReader<ReadHalf>, mut closing: watch::Receiver<bool>) {
    let reading = async {
        loop {
            match frames.next().await {
                Ok(Some(frame)) => {
                    if let Err(reason) = shared.hand_out(frame) {
                        return reason;
                    }
                }
                Ok(None) => return "the peer closed it".to_owned(),
                Err(error) => return error.to_string(),
            }
        }
    };
    let reason = tokio::select! {
        reason = reading => reason,
        _ = closing.wait_for(|closing| *closing) => return,
    };
    shared.close(&reason);
}

async fn carry_requests(
    shared: Arc<Shared>,
    mut stream: WriteHalf,
    mut queue: mpsc::UnboundedReceiver<Outgoing>,
    mut closing: watch::Receiver<bool>,
) {
    let writing = async {
        while let Some(Outgoing { frame, handed }) = queue.recv().await {
            if let Err(error) = write_pieces(&mut stream, &[frame]).await {
                return shared.close(&error.to_string());
            }
            // Whoever sent it may not care when it left.
            handed.send(()).ok();
        }
    };
    tokio::select! {
        () = writing => {}
        _ = closing.wait_for(|closing| *closing) => {}
    }
}
