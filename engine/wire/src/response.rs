//! A response as the bytes that go to the socket: length, header, body.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, ResponseHeader};
use kafka_protocol::protocol::Encodable;

/// A response that cannot be written in the version asked for: a mistake of this program, not of the peer.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the answer to {api:?} version {version} could not be written: {reason}")]
pub struct Unwritable {
    /// The API.
    pub api: ApiKey,
    /// The version.
    pub version: i16,
    /// The encoder's words.
    pub reason: String,
}

/// The frame of a response whose body the crate's encoder writes.
pub fn encode(api: ApiKey, version: i16, correlation_id: i32, body: &impl Encodable) -> Result<Vec<Bytes>, Unwritable> {
    let mut buffer = start(api, version, correlation_id)?;
    let unwritable = |error: &dyn ToString| Unwritable { api, version, reason: error.to_string() };
    body.encode(&mut buffer, version).map_err(|error| unwritable(&error))?;
    let length = i32::try_from(buffer.len() - 4).map_err(|error| unwritable(&error))?;
    buffer[..4].copy_from_slice(&length.to_be_bytes());
    Ok(vec![buffer.freeze()])
}

/// The frame of a response whose body comes in pieces, which stay where they are.
pub fn frame(api: ApiKey, version: i16, correlation_id: i32, body: Vec<Bytes>) -> Result<Vec<Bytes>, Unwritable> {
    let mut first = start(api, version, correlation_id)?;
    let bytes = first.len() - 4 + body.iter().map(Bytes::len).sum::<usize>();
    let length = i32::try_from(bytes).map_err(|error| Unwritable { api, version, reason: error.to_string() })?;
    first[..4].copy_from_slice(&length.to_be_bytes());
    Ok(std::iter::once(first.freeze()).chain(body).collect())
}

/// Room for the length, and the header. ApiVersions always has header version 0 (KIP-511), which the crate knows.
fn start(api: ApiKey, version: i16, correlation_id: i32) -> Result<BytesMut, Unwritable> {
    let mut buffer = BytesMut::with_capacity(256);
    buffer.put_i32(0);
    ResponseHeader::default()
        .with_correlation_id(correlation_id)
        .encode(&mut buffer, api.response_header_version(version))
        .map_err(|error| Unwritable { api, version, reason: error.to_string() })?;
    Ok(buffer)
}
