//! A request as it came: its header read, its body still bytes.

use bytes::{Buf, Bytes};
use kafka_protocol::messages::{ApiKey, RequestHeader};
use kafka_protocol::protocol::{Decodable, StrBytes};

use crate::api::{Api, is_served};
use crate::shape::{self, Misshapen};

/// The bytes before the client id: API key, version, correlation id.
const FIXED_BYTES: usize = 8;

/// Why a request is not answered. The connection is closed, as Kafka does.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RequestError {
    /// Not even a header.
    #[error("what it sent is no Kafka request: {0}")]
    Header(String),
    /// An API that is not served.
    #[error("it asked for API {api}, which is not served here")]
    UnknownApi {
        /// The API key.
        api: i16,
    },
    /// A version that is not served.
    #[error("it asked for {api:?} version {version}, which is not served here")]
    UnsupportedVersion {
        /// The API.
        api: ApiKey,
        /// The version.
        version: i16,
    },
    /// A body that does not have the shape of its kind.
    #[error("its {api:?} request (version {version}) is malformed: {reason}")]
    Body {
        /// The API.
        api: ApiKey,
        /// The version.
        version: i16,
        /// What is wrong.
        reason: String,
    },
}

/// A request with its header read.
#[derive(Clone, Debug)]
pub struct Request {
    /// The API.
    pub api: ApiKey,
    /// The version.
    pub version: i16,
    /// Goes back with the answer.
    pub correlation_id: i32,
    /// What the client calls itself.
    pub client_id: Option<StrBytes>,
    /// What follows the header.
    pub body: Bytes,
}

impl Request {
    /// Reads the header of a frame. ApiVersions passes in any version: it is answered in version 0 then (KIP-511), and its header beyond
    /// the correlation id is not looked at.
    pub fn parse(frame: Bytes, served: &[Api]) -> Result<Request, RequestError> {
        if frame.len() < FIXED_BYTES {
            return Err(RequestError::Header(format!("{} bytes are too few for a header", frame.len())));
        }
        let mut start = &frame[..FIXED_BYTES];
        let (code, version, correlation_id) = (start.get_i16(), start.get_i16(), start.get_i32());
        let api = ApiKey::try_from(code).map_err(|()| RequestError::UnknownApi { api: code })?;
        if !is_served(served, api, version) {
            return match (api, served.iter().any(|entry| entry.key == api)) {
                (ApiKey::ApiVersions, _) => {
                    Ok(Request { api, version, correlation_id, client_id: None, body: Bytes::new() })
                }
                (_, true) => Err(RequestError::UnsupportedVersion { api, version }),
                (_, false) => Err(RequestError::UnknownApi { api: code }),
            };
        }
        let mut body = frame;
        let header_version = api.request_header_version(version);
        shape::check_header(&body, header_version).map_err(|error| RequestError::Header(error.to_string()))?;
        let header = RequestHeader::decode(&mut body, header_version)
            .map_err(|error| RequestError::Header(error.to_string()))?;
        Ok(Request { api, version, correlation_id, client_id: header.client_id, body })
    }

    /// Reads the body, whose shape is checked first: the decoder takes the peer's word for the length of a list.
    pub fn decode<R: Decodable>(&self) -> Result<R, RequestError> {
        let malformed = |reason: String| RequestError::Body { api: self.api, version: self.version, reason };
        shape::check(self.api, self.version, &self.body).map_err(|error: Misshapen| malformed(error.to_string()))?;
        R::decode(&mut self.body.clone(), self.version).map_err(|error| malformed(format!("{error:#}")))
    }
}
