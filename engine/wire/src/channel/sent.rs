//! A request on its way, and its answer.

use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::{ApiKey, ResponseHeader};
use kafka_protocol::protocol::{Decodable, HeaderVersion};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::ChannelError;
use super::line::Line;
use crate::shape;

/// A request that has been handed to the socket.
#[derive(Debug)]
#[must_use = "the answer is lost with it"]
pub struct Sent<R> {
    line: Arc<Line>,
    begun: Instant,
    answer: Option<oneshot::Receiver<Bytes>>,
    api: i16,
    version: i16,
    response: PhantomData<fn() -> R>,
}

impl<R: Decodable + HeaderVersion> Sent<R> {
    /// Waits for the answer. When it does not come in time, the connection is closed and everything in flight fails.
    pub async fn answer(self) -> Result<R, ChannelError> {
        let line = Arc::clone(&self.line);
        let (api, version) = (self.api, self.version);
        let bytes = self.bytes().await?;
        decode(api, version, bytes).map_err(|reason| line.breakdown(&format!("an answer cannot be read: {reason}")))
    }
}

impl<R> Sent<R> {
    pub(super) fn new(
        line: Arc<Line>,
        begun: Instant,
        answer: Option<oneshot::Receiver<Bytes>>,
        api: i16,
        version: i16,
    ) -> Sent<R> {
        Sent { line, begun, answer, api, version, response: PhantomData }
    }

    /// The answer as it came.
    pub(super) async fn bytes(self) -> Result<Bytes, ChannelError> {
        let answer = self.answer.ok_or(ChannelError::Unanswered)?;
        self.line.in_time(self.begun, answer).await
    }
}

/// Reads an answer, header and body. The shape of the body is checked first: the decoder takes the peer's word for the length of a list.
pub(super) fn decode<R: Decodable + HeaderVersion>(api: i16, version: i16, mut frame: Bytes) -> Result<R, String> {
    ResponseHeader::decode(&mut frame, R::header_version(version)).map_err(|error| format!("{error:#}"))?;
    let api = ApiKey::try_from(api).map_err(|()| format!("API {api} is not known here"))?;
    shape::check_answer(api, version, &frame).map_err(|error| error.to_string())?;
    R::decode(&mut frame, version).map_err(|error| format!("{error:#}"))
}
