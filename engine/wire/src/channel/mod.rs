//! A client's connection to a broker: versions negotiated once, several requests in flight, answers in order.

mod carry;
mod error;
mod line;
mod negotiate;
mod sent;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::messages::ApiKey;
use kafka_protocol::protocol::{Request, VersionRange};

pub use error::ChannelError;
pub use sent::Sent;

use crate::frame::{FrameLimits, FrameReader};
use crate::transport::connect;
use carry::{carry_answers, carry_requests};
use line::Line;
use negotiate::negotiate;

/// Answers may be larger than requests: a consumer's `fetch.max.bytes` plus a first batch of any size.
const ANSWER_BYTES_MAX: usize = i32::MAX as usize;

/// How a channel behaves.
#[derive(Clone, Debug)]
pub struct ChannelConfig {
    /// `request.timeout.ms`: a request that has not been written and answered for this long closes the connection.
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

/// A connection. Clones share it; it closes when the last of them is dropped.
#[derive(Clone, Debug)]
pub struct Channel {
    handle: Arc<Handle>,
    versions: Arc<HashMap<i16, VersionRange>>,
}

/// What keeps the connection open.
#[derive(Debug)]
struct Handle(Arc<Line>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.close("this side closed it");
    }
}

impl Channel {
    /// Connects to `HOST:PORT` and finds out what is served there.
    pub async fn connect(address: &str, client_id: &str, config: ChannelConfig) -> Result<Channel, ChannelError> {
        let stream = connect(address, config.connect_timeout)
            .await
            .map_err(|error| ChannelError::Connect { address: address.to_owned(), reason: error.to_string() })?;
        let limits = FrameLimits { bytes_max: config.answer_bytes_max, ..FrameLimits::default() };
        let (line, queue, closed) = Line::new(address, client_id, config);
        let line = Arc::new(line);
        let (read, write) = stream.into_split();
        tokio::spawn(carry_answers(Arc::clone(&line), FrameReader::new(read, limits), closed.clone()));
        tokio::spawn(carry_requests(Arc::clone(&line), write, queue, closed));
        let handle = Arc::new(Handle(line));
        let versions = Arc::new(negotiate(&handle.0).await?);
        Ok(Channel { handle, versions })
    }

    /// The peer, as it was connected to.
    pub fn address(&self) -> &str {
        &self.handle.0.address
    }

    /// Whether the connection has ended.
    pub fn is_closed(&self) -> bool {
        self.handle.0.is_closed()
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
